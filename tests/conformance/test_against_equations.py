"""Outputs and gradients against the float64 oracle, for every row."""

import frameworks
import numpy as np
import oracle
import pytest
from drawn import initial_states, random_array, randomise
from frameworks import to_numpy, weights_of

import keras_slim
from keras_slim.activations import keras2_hard_sigmoid

BATCH, TIME, FEATURES, UNITS = 2, 4, 3, 3


def built(variant, **options):
    layer = keras_slim.SlimRNN(UNITS, variant=variant, **options)
    layer.build((BATCH, TIME, FEATURES))
    randomise(layer)
    return layer


def assert_close(actual, expected):
    """Within 1e-5 of the largest expected value."""
    expected = np.asarray(expected)
    scale = max(1e-3, float(np.abs(expected).max()))
    np.testing.assert_allclose(
        to_numpy(actual) / scale, expected / scale, rtol=0, atol=1e-5
    )


def expected(layer, weights, x, states=None, **options):
    if states is None:
        states = np.zeros_like(initial_states(layer, BATCH))
    terms = layer.cell.gating.terms
    return oracle.forward(terms, weights, x, states, **options)


@pytest.mark.parametrize("recurrence", ["fast", "plain"])
@pytest.mark.parametrize("use_bias", [True, False])
def test_outputs_and_states(variant, use_bias, recurrence):
    layer = built(
        variant,
        use_bias=use_bias,
        recurrence=recurrence,
        return_sequences=True,
        return_state=True,
    )
    x = random_array(BATCH, TIME, FEATURES)
    states = initial_states(layer, BATCH)
    actual = layer(x, initial_state=states)
    wanted = expected(layer, weights_of(layer), x, states)
    for a, w in zip(actual, wanted, strict=True):
        assert_close(a, w)


@pytest.mark.parametrize("activation", [*oracle.ACTIVATIONS, None])
def test_activations(variant, activation):
    layer = built(variant, activation=activation, return_sequences=True)
    x = random_array(BATCH, TIME, FEATURES)
    g = oracle.ACTIVATIONS[activation or "linear"]
    assert_close(layer(x), expected(layer, weights_of(layer), x, g=g)[0])


@pytest.mark.parametrize(
    ("recurrent_activation", "sigma"),
    [
        (keras2_hard_sigmoid, oracle.keras2_hard_sigmoid),
        ("softmax", oracle.softmax),
        (None, lambda x: x),
    ],
    ids=["keras2_hard_sigmoid", "softmax", "None"],
)
def test_recurrent_activations(variant, recurrent_activation, sigma):
    layer = built(
        variant,
        recurrent_activation=recurrent_activation,
        return_sequences=True,
    )
    x = random_array(BATCH, TIME, FEATURES)
    wanted = expected(layer, weights_of(layer), x, sigma=sigma)[0]
    assert_close(layer(x), wanted)


@pytest.mark.parametrize(
    ("activation", "recurrence"),
    [
        ("tanh", "fast"),
        ("tanh", "plain"),
        ("softmax", "fast"),
        ("relu", "fast"),
    ],
)
def test_gradients(variant, activation, recurrence):
    layer = built(
        variant,
        activation=activation,
        recurrence=recurrence,
        return_sequences=True,
    )
    x = random_array(BATCH, TIME, FEATURES)
    upstream = random_array(BATCH, TIME, UNITS, seed=5)
    actual = frameworks.gradients(layer, x, upstream)

    def loss(arrays):
        outputs, *_ = expected(
            layer, arrays, arrays["inputs"], g=oracle.ACTIVATIONS[activation]
        )
        return (outputs * upstream).sum()

    wanted = oracle.gradients(loss, {**weights_of(layer), "inputs": x})
    assert actual.keys() == wanted.keys()
    for name in wanted:
        assert_close(actual[name], wanted[name])


def test_masked_outputs(variant):
    layer = built(variant, return_sequences=True, return_state=True)
    x = random_array(BATCH, TIME, FEATURES)
    mask = np.array([[True, False, True, True], [False, True, True, False]])
    actual = layer(x, mask=mask)
    wanted = expected(layer, weights_of(layer), x, mask=mask)
    for a, w in zip(actual[1:], wanted[1:], strict=True):
        assert_close(a, w)
    # Before its first step a masked output is not defined by a state.
    assert_close(to_numpy(actual[0])[mask], wanted[0][mask])


@pytest.mark.parametrize("implementation", [1, 2])
@pytest.mark.parametrize("recurrent_dropout", [0.0, 0.4])
def test_dropout(variant, implementation, recurrent_dropout):
    layer = built(
        variant,
        dropout=0.5,
        recurrent_dropout=recurrent_dropout,
        implementation=implementation,
        seed=7,
        return_sequences=True,
    )
    x = random_array(BATCH, TIME, FEATURES)
    actual = layer(x, training=True)

    twin = keras_slim.SlimRNNCell(
        UNITS,
        variant=variant,
        dropout=0.5,
        recurrent_dropout=recurrent_dropout,
        implementation=implementation,
        seed=7,
    )
    x_masks = twin.get_dropout_mask(x[:, 0])
    h_masks = twin.get_recurrent_dropout_mask(random_array(BATCH, UNITS))
    a_mask_a_gate = implementation == 1 or recurrent_dropout > 0
    assert isinstance(x_masks, dict) == a_mask_a_gate
    if not a_mask_a_gate:
        x_masks = dict.fromkeys(layer.cell.gating.gates, x_masks)
    assert (h_masks is None) == (recurrent_dropout == 0)

    wanted = expected(
        layer,
        weights_of(layer),
        x,
        x_masks={k: to_numpy(m) for k, m in x_masks.items()},
        h_masks=h_masks and {k: to_numpy(m) for k, m in h_masks.items()},
    )
    assert_close(actual, wanted[0])


def test_the_oracle_agrees_with_finite_differences():
    layer = built("lstm")
    weights = weights_of(layer)
    x = random_array(BATCH, TIME, FEATURES)

    def loss(arrays):
        return expected(layer, arrays, x)[1].sum()

    exact = oracle.gradients(loss, weights)["recurrent_kernel"]
    step = 1e-6
    for index in [(0, 0), (2, 7), (1, 11)]:
        moved = []
        for sign in (1, -1):
            shifted = {k: w.copy() for k, w in weights.items()}
            shifted["recurrent_kernel"][index] += sign * step
            moved.append(loss(shifted))
        difference = (moved[0] - moved[1]) / (2 * step)
        np.testing.assert_allclose(exact[index], difference, rtol=1e-6)
