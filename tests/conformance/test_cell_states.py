"""The cell states of all steps, and the regularizer of them."""

import concurrent.futures
import threading

import frameworks
import keras
import numpy as np
import oracle
import pytest
from drawn import initial_states, random_array, randomise
from frameworks import to_numpy, weights_of
from keras import ops

import keras_slim
from keras_slim.memory import CellStateDifference

BATCH, TIME, FEATURES, UNITS = 2, 4, 3, 3
MASK = np.array([[False, True, False, True], [True, True, False, False]])
LOOPS = ("fast", "plain")


def built(variant, **options):
    layer = keras_slim.SlimRNN(
        UNITS, variant=variant, return_cell_states=True, **options
    )
    layer.build((BATCH, TIME, FEATURES))
    randomise(layer)
    return layer


def expected(layer, weights, x, states, **options):
    """Outputs and cell states of all steps."""
    cells = []
    terms = layer.cell.gating.terms
    outputs, *_ = oracle.forward(
        terms, weights, x, states, cells=cells, **options
    )
    return outputs, np.stack(cells, axis=1)


@pytest.mark.parametrize("recurrence", LOOPS)
@pytest.mark.parametrize(
    ("go_backwards", "mask"),
    [(False, None), (True, MASK)],
    ids=["forwards", "backwards, masked"],
)
def test_cell_states(variant, recurrence, go_backwards, mask):
    layer = built(variant, recurrence=recurrence, go_backwards=go_backwards)
    x, states = (
        random_array(BATCH, TIME, FEATURES),
        initial_states(layer, BATCH),
    )
    output, cell_states = layer(x, initial_state=states, mask=mask)
    order = slice(None, None, -1 if go_backwards else 1)
    outputs, wanted = expected(
        layer,
        weights_of(layer),
        x[:, order],
        states,
        mask=None if mask is None else mask[:, order],
    )
    np.testing.assert_allclose(to_numpy(cell_states), wanted, atol=1e-5)
    np.testing.assert_allclose(to_numpy(output), outputs[:, -1], atol=1e-5)


@pytest.mark.compiles
@pytest.mark.parametrize("recurrence", LOOPS)
def test_gradients_through_cell_states(variant, recurrence):
    """Of outputs, cell states and eq. 7 of Hatanaka et al. together."""
    layer = built(variant, recurrence=recurrence, return_sequences=True)
    x, states = (
        random_array(BATCH, TIME, FEATURES),
        initial_states(layer, BATCH),
    )
    upstream = random_array(BATCH, 2 * TIME * UNITS + 1, seed=5)
    r = 0.7

    def call(x):
        outputs, cell_states = layer(x, initial_state=states, training=True)
        path = ops.concatenate([states[-1][:, None], cell_states], axis=1)
        penalty = CellStateDifference(r)(path)
        return ops.concatenate(
            [
                ops.reshape(outputs, (BATCH, -1)),
                ops.reshape(cell_states, (BATCH, -1)),
                ops.broadcast_to(penalty, (BATCH, 1)),
            ],
            axis=-1,
        )

    # As in a model: on TensorFlow it is then that XLA compiles the loop.
    actual = frameworks.gradients(layer, x, upstream, call, graph=True)

    def loss(arrays):
        outputs, cells = expected(layer, arrays, arrays["inputs"], states)
        path = np.concatenate([states[-1][:, None], cells], axis=1)
        # A square of complex numbers, for the complex step.
        change = (path[:, 1:] - path[:, :-1]) ** 2
        penalty = sum(
            r / UNITS * change[sample, step].sum()
            for sample in range(BATCH)
            for step in range(TIME)
        ) / (BATCH * TIME)
        parts = [outputs.reshape(BATCH, -1), cells.reshape(BATCH, -1)]
        parts.append(np.full((BATCH, 1), penalty))
        return (np.concatenate(parts, axis=-1) * upstream).sum()

    wanted = oracle.gradients(loss, {**weights_of(layer), "inputs": x})
    assert actual.keys() == wanted.keys()
    for name, value in wanted.items():
        scale = max(1e-3, float(np.abs(value).max()))
        np.testing.assert_allclose(
            actual[name] / scale, value / scale, atol=1e-5, err_msg=name
        )


@pytest.mark.parametrize("return_state", [False, True])
@pytest.mark.parametrize("return_sequences", [False, True])
def test_what_is_returned(return_sequences, return_state):
    layer = built(
        "lstm3", return_sequences=return_sequences, return_state=return_state
    )
    x = random_array(BATCH, TIME, FEATURES)
    results = layer(x)
    symbolic = layer(keras.Input(batch_shape=x.shape))
    assert [tuple(r.shape) for r in results] == [s.shape for s in symbolic]
    assert len(results) == (4 if return_state else 2)
    cell_states = to_numpy(results[1])
    assert cell_states.shape == (BATCH, TIME, UNITS)
    if return_state:
        np.testing.assert_array_equal(cell_states[:, -1], to_numpy(results[-1]))
    masks = layer.compute_mask(x, MASK)
    assert len(masks) == len(results)
    assert (masks[0] is not None) == return_sequences
    assert masks[1] is MASK


def test_threads_get_the_cell_states_of_their_own_inputs():
    at_the_end_of_the_loop = threading.Barrier(2, timeout=60)

    class Waiting(keras_slim.LSTM3):
        def inner_loop(self, *args, **kwargs):
            results = super().inner_loop(*args, **kwargs)
            at_the_end_of_the_loop.wait()
            return results

    layer = Waiting(UNITS, return_cell_states=True)
    layer.build((BATCH, TIME, FEATURES))
    x = random_array(BATCH, TIME, FEATURES)
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        results = list(threads.map(layer, (x, -x)))
    for inputs, (_, found) in zip((x, -x), results, strict=True):
        state = np.zeros((2, BATCH, UNITS))
        _, wanted = expected(layer, weights_of(layer), inputs, state)
        np.testing.assert_allclose(to_numpy(found), wanted, atol=1e-5)


@pytest.mark.parametrize("recurrence", LOOPS)
@pytest.mark.parametrize(
    "stateful",
    [
        False,
        pytest.param(
            True,
            marks=pytest.mark.skipif(
                keras.backend.backend() == "jax",
                reason="Keras carries no state from batch to batch there",
            ),
        ),
    ],
)
def test_regularizer_adds_to_the_loss(recurrence, stateful):
    """Within a model, where a stateful layer begins at its last state."""
    r = 0.5
    layer = keras_slim.LSTM1(
        UNITS,
        recurrence=recurrence,
        stateful=stateful,
        cell_state_regularizer=CellStateDifference(r),
    )
    model = keras.Sequential(
        [keras.Input(batch_shape=(BATCH, TIME, FEATURES)), layer]
    )
    randomise(layer)
    model.compile(loss="mse")
    x = random_array(BATCH, TIME, FEATURES)
    zeros = np.zeros((BATCH, UNITS))
    state = zeros, zeros
    for _ in range(2):
        terms = layer.cell.gating.terms
        cells = []
        weights = weights_of(layer)
        outputs, h, c = oracle.forward(terms, weights, x, state, cells=cells)
        path = np.stack([state[1], *cells], axis=1)
        wanted = (outputs[:, -1] ** 2).mean()
        wanted += r * (np.diff(path, axis=1) ** 2).mean()
        loss = model.evaluate(x, zeros, batch_size=BATCH, verbose=0)
        np.testing.assert_allclose(loss, wanted, rtol=1e-5)
        if stateful:
            state = h, c


def test_regularizer_slows_cell_states_down_in_training():
    changes = []
    for r in (0.0, 100.0):
        keras.utils.set_random_seed(0)
        layer = keras_slim.LSTM(
            UNITS,
            return_sequences=True,
            cell_state_regularizer=CellStateDifference(r),
        )
        model = keras.Sequential([layer])
        model.compile(optimizer=keras.optimizers.Adam(0.05), loss="mse")
        x = random_array(8, TIME, FEATURES)
        model.fit(x, random_array(8, TIME, UNITS), epochs=40, verbose=0)
        (found,) = keras_slim.memory.cell_states(model, x).values()
        changes.append(np.abs(np.diff(found, axis=1)).mean())
    assert changes[1] < changes[0] / 2


def test_saved_and_loaded(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((TIME, FEATURES)),
            keras.layers.Bidirectional(
                keras_slim.LSTM2(
                    UNITS, cell_state_regularizer=CellStateDifference(0.25)
                )
            ),
        ]
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    inner = loaded.layers[0].backward_layer
    assert inner.cell_state_regularizer.r == 0.25
    assert not inner.return_cell_states
    x = random_array(BATCH, TIME, FEATURES)
    np.testing.assert_allclose(
        model.predict(x, verbose=0), loaded.predict(x, verbose=0), atol=1e-6
    )


@pytest.mark.parametrize("r", [-1, float("nan"), "1", None, True])
def test_what_is_no_coefficient_is_refused(r):
    with pytest.raises(ValueError, match="`r`.*>= 0"):
        CellStateDifference(r)
