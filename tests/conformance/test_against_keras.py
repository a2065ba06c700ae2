"""The full rows against the layers of Keras, and its golden figures."""

import functools

import frameworks
import keras
import numpy as np
import pytest
from frameworks import to_numpy

import keras_slim

BATCH, TIME, FEATURES, UNITS = 3, 5, 4, 6


PAIRS = {
    "lstm": (keras.layers.LSTM, keras_slim.LSTM),
    # Keras's default, `reset_after=True`, is another cell.
    "gru": (
        functools.partial(keras.layers.GRU, reset_after=False),
        keras_slim.GRU,
    ),
}


@pytest.fixture(params=PAIRS)
def family(request):
    return request.param


def pair(family, **options):
    theirs, ours = (make(UNITS, **options) for make in PAIRS[family])
    for layer in (theirs, ours):
        layer.build((BATCH, TIME, FEATURES))
    random = np.random.default_rng(0)
    weights = [
        random.normal(size=w.shape).astype("float32")
        for w in theirs.get_weights()
    ]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    return theirs, ours


@pytest.fixture
def x():
    random = np.random.default_rng(1)
    return random.normal(size=(BATCH, TIME, FEATURES)).astype("float32")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"return_sequences": True},
        {"go_backwards": True, "return_sequences": True},
        {"use_bias": False},
        {"unroll": True},
        {"activation": "relu", "recurrent_activation": "hard_sigmoid"},
        {"dropout": 0.4, "seed": 1},
        {"dropout": 0.4, "recurrent_dropout": 0.3, "seed": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("masked", [False, True])
def test_same_output_and_gradient(family, x, options, masked):
    theirs, ours = pair(family, **options)
    mask = None
    if masked:
        mask = np.array([[1] * 5, [1, 1, 1, 0, 0], [1, 0, 1, 1, 0]], bool)
    if masked and options.get("unroll") is None and "go_backwards" in options:
        mask = mask[:, ::-1]
    call = {"training": "dropout" in options}
    if mask is not None:
        call["mask"] = mask
    expected = to_numpy(theirs(x, **call))
    found = to_numpy(ours(x, **call))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)

    if "dropout" in options:  # the two calls above moved the seeds on alike
        return
    upstream = np.ones_like(expected)
    wanted = frameworks.gradients(theirs, x, upstream, **call)
    found = frameworks.gradients(ours, x, upstream, **call)
    for name in wanted:
        np.testing.assert_allclose(found[name], wanted[name], atol=1e-5)


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("lstm", {"unit_forget_bias": True}),
        ("lstm", {"unit_forget_bias": False}),
        ("gru", {}),
    ],
)
def test_same_names_shapes_and_initial_values(family, options):
    layers = []
    for make in PAIRS[family]:
        keras.utils.set_random_seed(3)
        layer = make(
            UNITS,
            kernel_initializer=keras.initializers.GlorotUniform(seed=1),
            recurrent_initializer=keras.initializers.Orthogonal(seed=2),
            bias_initializer=keras.initializers.RandomNormal(seed=4),
            name=family,
            **options,
        )
        layer.build((BATCH, TIME, FEATURES))
        layers.append(layer)
    theirs, ours = layers
    for a, b in zip(theirs.weights, ours.weights, strict=True):
        assert a.path == b.path
        np.testing.assert_array_equal(to_numpy(a), to_numpy(b))


# Figures of keras/src/layers/rnn/lstm_test.py and gru_test.py, Keras 3.15
# (Apache-2.0).
@pytest.mark.parametrize(
    ("layer_class", "options", "golden"),
    [
        (keras_slim.LSTM, {}, [0.6288687, 0.86899155, 0.9460773]),
        (
            keras_slim.LSTM,
            {"go_backwards": True},
            [0.35622165, 0.74789524, 0.8872726],
        ),
        (keras_slim.LSTM, {"unroll": True}, [0.6288687, 0.86899155, 0.9460773]),
        (
            keras_slim.LSTM,
            {"unit_forget_bias": False},
            [0.57019705, 0.8661914, 0.9459622],
        ),
        (keras_slim.GRU, {}, [0.51447755, 0.6426879, 0.40208298]),
    ],
    ids=str,
)
def test_golden_figures_of_keras(layer_class, options, golden):
    sequence = np.arange(72).reshape((3, 6, 4)).astype("float32")
    layer = layer_class(
        3,
        kernel_initializer=keras.initializers.Constant(0.01),
        recurrent_initializer=keras.initializers.Constant(0.02),
        bias_initializer=keras.initializers.Constant(0.03),
        **options,
    )
    expected = np.repeat(np.array(golden)[:, None], 3, axis=1)
    found = to_numpy(layer(sequence))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
