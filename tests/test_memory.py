"""Memory durations against brute force, and cell states of any model."""

import keras
import numpy as np
import pytest
from drawn import random_array, randomise
from frameworks import to_numpy

import keras_slim
from keras_slim import memory

TIME, FEATURES, UNITS = 6, 3, 4


def brute_force(sequence):
    """Lengths of the runs of one unit, the first to the last."""
    signs = [int(np.sign(value)) for value in sequence]
    for k in range(1, len(signs)):  # zero goes on with what was before
        signs[k] = signs[k] or signs[k - 1]
    for k in reversed(range(len(signs) - 1)):  # or begins what comes
        signs[k] = signs[k] or signs[k + 1]
    runs, length = [], 0
    for k, sign in enumerate(signs):
        length += 1
        if k + 1 == len(signs) or signs[k + 1] != sign:
            runs.append(length)
            length = 0
    return runs


def runs_of(durations):
    """`(unit, duration)` of all runs, sorted."""
    frame = memory.to_frame({"layer": durations})
    return sorted(zip(frame["unit"], frame["duration"], strict=True))


def drawn_states(random, batch, timesteps, units):
    """Slow enough for long runs, with zeros, a whole unit of them too."""
    states = random.normal(size=(batch, timesteps, units)).cumsum(axis=1)
    states[random.random(states.shape) < 0.2] = 0
    states[:, :, 0] = 0
    return states.astype("float32")


@pytest.mark.parametrize("ends", memory.ENDS)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_durations_are_those_of_brute_force(ends, masked, seed):
    random = np.random.default_rng(seed)
    states = drawn_states(random, 3, 40, 5)
    mask = random.random(states.shape[:2]) < 0.7 if masked else None
    wanted = []
    for sample in range(len(states)):
        kept = slice(None) if mask is None else mask[sample]
        for unit in range(5):
            runs = brute_force(states[sample, kept, unit])
            runs = runs[1:-1] if ends == "drop" else runs
            wanted += [(unit, run) for run in runs]
    found = memory.durations(states, ends=ends, mask=mask)
    assert runs_of(found) == sorted(wanted)

    # In pieces of any length, the same.
    counter = memory.DurationCounter(ends)
    start = 0
    while start < states.shape[1]:
        piece = slice(start, start + int(random.integers(1, 9)))
        counter.update(
            states[:, piece], None if mask is None else mask[:, piece]
        )
        start = piece.stop
    assert runs_of(counter.result()) == sorted(wanted)


def test_durations_in_small_steps(monkeypatch):
    states = drawn_states(np.random.default_rng(0), 2, 50, 3)
    whole = runs_of(memory.durations(states))
    monkeypatch.setattr(memory, "_AT_ONCE", 1)
    assert runs_of(memory.durations(states)) == whole


@pytest.mark.parametrize(
    ("sequence", "keep", "drop"),
    [
        ([1, 2, -1, -3, -2], [2, 3], []),
        ([1, -1, -1, 1], [1, 2, 1], [2]),
        ([1, 0, 1, 0, -1], [4, 1], []),
        ([0, 0, -1, 1], [3, 1], []),
        ([0, 0, 0], [3], []),
        ([-0.0, 1], [2], []),
        ([5], [1], []),
        ([], [], []),
    ],
    ids=str,
)
def test_ends_and_zeros(sequence, keep, drop):
    states = np.array(sequence, "float64").reshape(-1, 1)
    for ends, wanted in (("keep", keep), ("drop", drop)):
        found = memory.durations(states, ends=ends)
        assert sorted(d for _, d in runs_of(found)) == sorted(wanted)
    # All steps are in one run or another.
    assert sum(keep) == len(sequence)


def test_statistics():
    states = np.array([[1, 1], [1, -1], [1, 1], [-1, -1.0]])
    found = memory.durations(states)  # 3, 1 and 1, 1, 1, 1
    assert found.units == 2
    assert found.runs == 6
    assert found.mean() == pytest.approx(8 / 6)
    np.testing.assert_allclose(found.unit_means(), [2, 1])
    lengths = np.array([1, 1, 1, 1, 1, 3])
    for q in (0, 0.5, 5 / 6, 0.84, 1):
        wanted = np.quantile(lengths, q, method="inverted_cdf")
        assert found.quantile(q) == wanted
    np.testing.assert_array_equal(found.quantile([0.5, 1]), [1, 3])
    counts, edges = found.histogram()
    np.testing.assert_array_equal(edges, [1, 2, 4])
    np.testing.assert_array_equal(counts, [5, 1])
    counts, _ = found.histogram([1, 3, 5])
    np.testing.assert_array_equal(counts, [5, 1])


def test_statistics_of_nothing():
    found = memory.durations(np.zeros((0, 2)))
    assert np.isnan(found.mean()) and np.isnan(found.quantile(0.5))
    assert np.isnan(found.unit_means()).all()
    assert found.histogram()[0].sum() == 0
    assert memory.to_frame({"a": found}).empty
    assert memory.to_frame({}).columns.tolist() == ["layer", "unit", "duration"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cell_states": np.zeros(3)}, "(timesteps, units).*(3,)"),
        ({"cell_states": np.full((2, 2), np.nan)}, "finite"),
        ({"cell_states": np.ones((2, 2)), "ends": "cut"}, "`ends`.*'cut'"),
        (
            {"cell_states": np.ones((1, 2, 2)), "mask": np.ones((2, 1))},
            "`mask`.*(1, 2).*(2, 1)",
        ),
    ],
    ids=["shape", "finite", "ends", "mask"],
)
def test_bad_input_is_refused(arguments, message):
    escaped = message.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ValueError, match=escaped):
        memory.durations(**arguments)


def test_pieces_of_another_shape_are_refused():
    counter = memory.DurationCounter()
    with pytest.raises(ValueError, match="no cell states"):
        counter.result()
    counter.update(np.ones((5, 2)))
    with pytest.raises(ValueError, match=r"\(1, timesteps, 2\).*\(5, 3\)"):
        counter.update(np.ones((5, 3)))
    with pytest.raises(ValueError, match="`q`.*2"):
        counter.result().quantile(2)


def stepped(cell, x, states, mask=None):
    """Cell states of all steps, by calling a cell step by step."""
    found = []
    for t in range(x.shape[1]):
        _, new = cell(x[:, t], states)
        new = [to_numpy(state) for state in new]
        if mask is not None:
            keep = mask[:, t, None]
            pairs = zip(new, states, strict=True)
            new = [np.where(keep, own, before) for own, before in pairs]
        states = new
        found.append(states[1])
    return np.stack(found, axis=1)


def zeros(batch):
    return [np.zeros((batch, UNITS), "float32")] * 2


RECURRENT = {
    "keras.LSTM": lambda **kw: keras.layers.LSTM(UNITS, **kw),
    "keras.RNN": lambda **kw: keras.layers.RNN(
        keras.layers.LSTMCell(UNITS), **kw
    ),
    "LSTM2": lambda **kw: keras_slim.LSTM2(UNITS, **kw),
}


@pytest.mark.parametrize("kind", RECURRENT)
def test_cell_states_of_a_stack(kind):
    first = RECURRENT[kind](return_sequences=True, name="first")
    second = RECURRENT[kind](name="second")
    model = keras.Sequential(
        [
            keras.Input((TIME, FEATURES)),
            first,
            keras.layers.Dropout(0.5),
            second,
            keras.layers.Dense(1),
        ]
    )
    randomise(model)
    x = random_array(5, TIME, FEATURES)
    before = model.predict(x, verbose=0)
    found = memory.cell_states(model, x, batch_size=2)
    assert list(found) == ["first", "second"]
    inner = to_numpy(first(x))
    for layer, inputs in ((first, x), (second, inner)):
        wanted = stepped(layer.cell, inputs, zeros(5))
        np.testing.assert_allclose(found[layer.name], wanted, atol=1e-5)
    np.testing.assert_allclose(model.predict(x, verbose=0), before, atol=1e-6)


def test_cell_states_of_wrapped_layers_in_a_nested_model():
    inner = keras.Sequential(
        [
            keras.Input((TIME,), dtype="int32"),
            keras.layers.Embedding(9, FEATURES, mask_zero=True),
            keras.layers.Bidirectional(
                keras.layers.LSTM(UNITS, return_sequences=True), name="one"
            ),
        ]
    )
    ids = keras.Input((TIME,), dtype="int32")
    two = keras.layers.Bidirectional(keras_slim.LSTM1(UNITS), name="two")
    model = keras.Model(ids, two(inner(ids)))
    randomise(model)
    x = np.array([[3, 4, 5, 6, 0, 0], [1, 2, 3, 4, 5, 6]])
    found = memory.cell_states(model, x)
    assert all(values.shape == (2, TIME, UNITS) for values in found.values())
    embedding, one = inner.layers
    vectors = to_numpy(embedding(x))
    wanted = stepped(one.forward_layer.cell, vectors, zeros(2), x != 0)
    np.testing.assert_allclose(found["forward_lstm"], wanted, atol=1e-5)
    wanted = stepped(
        one.backward_layer.cell,
        vectors[:, ::-1],
        zeros(2),
        (x != 0)[:, ::-1],
    )
    np.testing.assert_allclose(found["backward_lstm"], wanted, atol=1e-5)
    assert {"forward_lstm1", "backward_lstm1"} <= found.keys()


def test_layers_of_one_name_are_told_apart():
    model = keras.Sequential(
        [keras.Input((TIME, FEATURES))]
        + [
            keras.layers.Bidirectional(
                keras.layers.LSTM(UNITS, return_sequences=True, name="lstm"),
                name=name,
            )
            for name in ("one", "two")
        ]
    )
    found = memory.cell_states(model, random_array(2, TIME, FEATURES))
    assert list(found) == [
        "one/forward_lstm",
        "one/backward_lstm",
        "two/forward_lstm",
        "two/backward_lstm",
    ]


@pytest.mark.skipif(
    keras.backend.backend() == "jax",
    reason="Keras carries no state from batch to batch there",
)
def test_cell_states_of_a_stateful_stream():
    """A stateful model reads one sequence, piece by piece."""
    layer = keras.layers.LSTM(UNITS, stateful=True, return_sequences=True)
    model = keras.Sequential(
        [keras.Input(batch_shape=(1, TIME, FEATURES)), layer]
    )
    randomise(model)
    pieces = random_array(3, TIME, FEATURES)
    found = memory.cell_states(model, pieces, batch_size=1)["lstm"]
    stream = pieces.reshape(1, -1, FEATURES)
    wanted = stepped(layer.cell, stream, zeros(1))
    np.testing.assert_allclose(found.reshape(1, -1, UNITS), wanted, atol=1e-5)


def test_a_subclassed_model_and_durations_by_layer():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.memory = keras.layers.LSTM(UNITS)

        def call(self, inputs):
            return self.memory(inputs)

    found = memory.cell_states(Model(), random_array(4, TIME, FEATURES))
    frame = memory.to_frame(memory.durations(found))
    assert frame["layer"].unique().tolist() == ["lstm"]
    assert frame["duration"].sum() == 4 * TIME * UNITS


def test_a_model_without_such_a_layer_is_refused():
    model = keras.Sequential(
        [keras.Input((TIME, FEATURES)), keras.layers.GRU(UNITS)]
    )
    with pytest.raises(ValueError, match="`model`.*GRU"):
        memory.cell_states(model, random_array(2, TIME, FEATURES))


def test_a_layer_that_is_called_twice_is_refused():
    inputs = keras.Input((TIME, FEATURES))
    layer = keras.layers.LSTM(FEATURES, return_sequences=True)
    model = keras.Model(inputs, layer(layer(inputs)))
    with pytest.raises(ValueError, match="called twice"):
        memory.cell_states(model, random_array(2, TIME, FEATURES))
    model.predict(random_array(2, TIME, FEATURES), verbose=0)
