"""Memory durations against brute force, and cell states of any model."""

import re
import sys
import threading
import warnings

import keras
import numpy as np
import oracle
import pytest
from drawn import random_array, randomise
from frameworks import to_numpy, weights_of
from guides import code_of

import keras_slim
from keras_slim import memory, variants

TIME, FEATURES, UNITS = 6, 3, 4


def brute_force(sequence):
    """Lengths of the intervals of one unit, from the first to the last."""
    signs = [int(np.sign(value)) for value in sequence]
    for k in range(1, len(signs)):  # zero goes on with what was before
        signs[k] = signs[k] or signs[k - 1]
    for k in reversed(range(len(signs) - 1)):  # or begins what comes
        signs[k] = signs[k] or signs[k + 1]
    lengths, length = [], 0
    for k, sign in enumerate(signs):
        length += 1
        if k + 1 == len(signs) or signs[k + 1] != sign:
            lengths.append(length)
            length = 0
    return lengths


def intervals_of(durations):
    """`(unit, duration)` of all intervals, sorted."""
    frame = memory.to_frame({"layer": durations})
    return sorted(zip(frame["unit"], frame["duration"], strict=True))


def drawn_states(random, batch, timesteps, units):
    """Slow enough for long intervals, with zeros, a whole unit of them too."""
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
            lengths = brute_force(states[sample, kept, unit])
            lengths = lengths[1:-1] if ends == "drop" else lengths
            wanted += [(unit, length) for length in lengths]
    found = memory.durations(states, ends=ends, mask=mask)
    assert intervals_of(found) == sorted(wanted)

    # In pieces of any length, the same.
    counter = memory.DurationCounter(ends)
    start = 0
    while start < states.shape[1]:
        piece = slice(start, start + int(random.integers(1, 9)))
        counter.update(
            states[:, piece], None if mask is None else mask[:, piece]
        )
        start = piece.stop
    assert intervals_of(counter.result()) == sorted(wanted)


def test_what_a_masked_array_masks_is_not_counted():
    """Not even if it masks other steps for another unit."""
    random = np.random.default_rng(0)
    states = drawn_states(random, 3, 20, 5)
    masked = np.ma.array(states, mask=random.random(states.shape) < 0.3)
    wanted = [
        (unit, length)
        for sequence in masked
        for unit in range(5)
        for length in brute_force(sequence[:, unit].compressed())
    ]
    assert intervals_of(memory.durations(masked)) == sorted(wanted)
    mask = random.random(states.shape[:2]) < 0.7
    both = np.ma.array(states, mask=masked.mask | ~mask[:, :, None])
    assert intervals_of(memory.durations(masked, mask=mask)) == intervals_of(
        memory.durations(both)
    )


def test_durations_in_small_steps(monkeypatch):
    states = drawn_states(np.random.default_rng(0), 2, 50, 3)
    whole = intervals_of(memory.durations(states))
    monkeypatch.setattr(memory, "_AT_ONCE", 1)
    assert intervals_of(memory.durations(states)) == whole


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
        assert sorted(d for _, d in intervals_of(found)) == sorted(wanted)
    # Each step is in one interval.
    assert sum(keep) == len(sequence)


def test_statistics():
    states = np.array([[1, 1], [1, -1], [1, 1], [-1, -1.0]])
    found = memory.durations(states)  # 3, 1 and 1, 1, 1, 1
    assert found.units == 2
    assert found.intervals == 6
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
    assert memory.to_frame(found).empty
    assert memory.to_frame({}).columns.tolist() == ["layer", "unit", "duration"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cell_states": np.zeros(3)}, "(timesteps, units).*(3,)"),
        ({"cell_states": np.full((2, 2), np.nan)}, "finite"),
        ({"cell_states": "lstm"}, "`cell_states`.*class str"),
        ({"cell_states": None}, "`cell_states`.*NoneType"),
        ({"cell_states": {"lstm": [[1.0], [1, 2]]}}, "`cell_states`.*list"),
        ({"cell_states": np.ones((2, 2)), "ends": "cut"}, "`ends`.*'cut'"),
        (
            {"cell_states": np.ones((1, 2, 2)), "mask": np.ones((2, 1))},
            "`mask`.*(1, 2).*(2, 1)",
        ),
    ],
    ids=["shape", "finite", "string", "None", "ragged", "ends", "mask"],
)
def test_bad_input_is_refused(arguments, message):
    escaped = message.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ValueError, match=escaped):
        memory.durations(**arguments)


def test_tables_of_one_layer_and_of_all():
    states = drawn_states(np.random.default_rng(0), 2, 9, 3)
    one = memory.durations(keras.ops.convert_to_tensor(states))
    frame = memory.to_frame(one)
    assert frame["layer"].unique().tolist() == [""]
    by_layer = memory.to_frame(memory.durations({"a": states, "b": states}))
    assert by_layer["layer"].unique().tolist() == ["a", "b"]
    for _, rows in by_layer.groupby("layer"):
        np.testing.assert_array_equal(
            rows[["unit", "duration"]], frame[["unit", "duration"]]
        )
    for wrong, received in (
        ({"a": states}, "dict of ndarray"),
        ([one], "list"),
        (states, "ndarray"),
    ):
        with pytest.raises(ValueError, match=f"`durations`.*: {received}$"):
            memory.to_frame(wrong)
    with pytest.raises(ValueError, match="`cell_states`.*class Durations"):
        memory.durations({"a": one})


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


def test_lines_of_the_guide_do_not_count_padding(monkeypatch, capsys):
    """Against the LSTM in NumPy on the sequences without their padding."""
    monkeypatch.setitem(sys.modules, "pandas", None)  # not said to install
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(9, FEATURES, mask_zero=True),
            keras.layers.Bidirectional(
                keras.layers.LSTM(UNITS, return_sequences=True), name="one"
            ),
            keras.layers.Bidirectional(keras_slim.LSTM2(UNITS), name="two"),
        ]
    )
    lengths = 3, 9, 6
    inputs = np.zeros((3, 12), "int32")
    for sample, length in enumerate(lengths):
        inputs[sample, :length] = np.random.default_rng(length).integers(
            1, 9, length
        )
    model(inputs)
    randomise(model)
    lines = {"model": model, "inputs": inputs}
    exec(code_of("docs/memory.md")[0], lines)
    embedding, *wrappers = model.layers
    wanted = {}
    for sample, length in enumerate(lengths):
        kept = inputs[sample : sample + 1, :length]
        x = to_numpy(embedding(kept)).astype("float64")
        for wrapper, row in zip(wrappers, ("lstm", "lstm2"), strict=True):
            outputs = []
            for layer, order in (
                (wrapper.forward_layer, slice(None)),
                (wrapper.backward_layer, slice(None, None, -1)),
            ):
                cells = []
                h, *_ = oracle.forward(
                    variants.get(row).terms,
                    weights_of(layer),
                    x[:, order],
                    np.zeros((2, 1, UNITS)),
                    cells=cells,
                )
                outputs.append(h[:, order])
                states = np.concatenate(cells)
                wanted.setdefault(layer.name, []).extend(
                    (unit, length)
                    for unit in range(UNITS)
                    for length in brute_force(states[:, unit])
                )
            x = np.concatenate(outputs, axis=-1)
    assert lines["durations"].keys() == wanted.keys()
    printed = capsys.readouterr().out
    monkeypatch.undo()
    for name, intervals in wanted.items():
        assert intervals_of(lines["durations"][name]) == sorted(intervals)
        assert (
            f"{name} {np.mean([length for _, length in intervals])}" in printed
        )
        array = lines["cell_states"][name]
        assert np.asarray(array).shape == array.shape == (3, 12, UNITS)


class WrapperCell(keras.layers.Layer):
    """A wrapper around an LSTM cell, the output of which is not its h."""

    def __init__(self, cell):
        super().__init__()
        self.cell, self.state_size = cell, cell.state_size

    def build(self, shape):
        self.cell.build(shape)

    def call(self, inputs, states):
        h, states = self.cell(inputs, states)
        return inputs + h, states


class ResidualCell(WrapperCell):
    cell_state_index = 1


class ProjectedCell(WrapperCell):
    """An output of another size than h; the cell state stands first."""

    cell_state_index = 0
    output_size = 2

    def call(self, inputs, states):
        c, h = states
        h, (_, c) = self.cell(inputs, [h, c])
        return h[:, :2], [c, h]


@pytest.mark.parametrize(
    ("wrapper", "masked"),
    [(ResidualCell, False), (ResidualCell, True), (ProjectedCell, False)],
)
def test_the_layer_above_gets_what_the_model_computes(wrapper, masked):
    cell = keras.layers.LSTMCell(FEATURES)
    below = keras.layers.RNN(wrapper(cell), return_sequences=True, name="below")
    above = keras.layers.LSTM(UNITS, name="above")
    model = keras.Sequential(
        [keras.Input((TIME, FEATURES)), keras.layers.Masking(), below, above]
        if masked
        else [keras.Input((TIME, FEATURES)), below, above]
    )
    randomise(model)
    x, mask = random_array(2, TIME, FEATURES), None
    if masked:
        mask = np.array([[0, 1, 0, 1, 0, 0], [1, 1, 1, 1, 1, 0]], bool)
        x[~mask] = 0
    found = memory.cell_states(model, x)
    assert list(found) == ["below", "above"]
    wanted = stepped(cell, x, [np.zeros((2, FEATURES), "float32")] * 2, mask)
    np.testing.assert_allclose(np.asarray(found["below"]), wanted, atol=1e-5)
    inputs = to_numpy(below(x, mask=mask))
    wanted = stepped(above.cell, inputs, zeros(2), mask)
    np.testing.assert_allclose(np.asarray(found["above"]), wanted, atol=1e-5)
    assert np.ma.isMaskedArray(found["below"]) == masked


def test_each_cell_of_a_stack():
    first, last = keras.layers.LSTMCell(UNITS), keras_slim.LSTM3Cell(2)
    stack = keras.layers.RNN(
        [first, keras.layers.GRUCell(FEATURES), last], name="stack"
    )
    model = keras.Sequential([keras.Input((TIME, FEATURES)), stack])
    randomise(model)
    x = random_array(2, TIME, FEATURES)
    found = memory.cell_states(model, x)
    assert list(found) == [f"stack/{first.name}", f"stack/{last.name}"]
    states = [
        to_numpy(s) for s in keras.tree.flatten(stack.get_initial_state(2))
    ]
    for t in range(TIME):
        h, states[:2] = first(x[:, t], states[:2])
        h, (states[2],) = stack.cell.cells[1](h, states[2:3])
        _, states[3:] = last(h, states[3:])
        for values, state in zip(found.values(), states[1::3], strict=True):
            np.testing.assert_allclose(values[:, t], to_numpy(state), atol=1e-5)


@pytest.mark.parametrize("variant", ["gru1", "mgu"])
def test_a_family_without_a_cell_state_is_measured_by_h(variant):
    layer = keras_slim.SlimRNN(
        UNITS, variant=variant, return_sequences=True, name="layer"
    )
    cells = [
        keras_slim.SlimRNNCell(2, variant=variant, name=name)
        for name in ("first", "last")
    ]
    stack = keras.layers.RNN(cells, return_sequences=True, name="stack")
    model = keras.Sequential([keras.Input((TIME, FEATURES)), layer, stack])
    randomise(model)
    x = random_array(2, TIME, FEATURES)
    found = memory.cell_states(model, x)
    assert list(found) == ["layer", "stack/first", "stack/last"]
    outputs = layer(x)
    np.testing.assert_allclose(found["layer"], to_numpy(outputs), atol=1e-6)
    outputs = to_numpy(stack(outputs))
    np.testing.assert_allclose(found["stack/last"], outputs, atol=1e-6)


@pytest.mark.parametrize("kind", ["GRUCell", "SimpleRNNCell"])
def test_stacked_cells_without_cell_state_are_no_lstm(kind):
    cell = getattr(keras.layers, kind)
    model = keras.Sequential(
        [
            keras.Input((TIME, FEATURES)),
            keras.layers.RNN([cell(4), cell(4)], return_sequences=True),
            keras.layers.LSTM(UNITS, name="lstm"),
        ]
    )
    found = memory.cell_states(model, random_array(2, TIME, FEATURES))
    assert list(found) == ["lstm"]


@pytest.mark.parametrize("steps", [2, None])
def test_layers_that_cannot_be_measured_are_left_out(steps):
    inputs = keras.Input((steps, TIME, FEATURES))
    words = keras.layers.TimeDistributed(keras.layers.LSTM(3, name="words"))
    twice = keras.layers.LSTM(3, return_sequences=True, name="twice")
    own = ResidualCell(keras.layers.LSTMCell(3))
    own.cell_state_index = None
    silent = keras.layers.RNN(own, return_sequences=True, name="silent")
    last = keras.layers.LSTM(UNITS, name="last")
    hidden = silent(twice(twice(words(inputs))))
    model = keras.Model(inputs, last(hidden))
    x = random_array(3, 2, TIME, FEATURES)
    with pytest.warns(UserWarning) as caught:
        found = memory.cell_states(model, x)
    caught = [str(w.message) for w in caught if "Leaving" in str(w.message)]
    assert [re.search("layer '(.*?)'", text)[1] for text in caught] == [
        "words",
        "twice",
    ]
    assert all("called several times" in text for text in caught)
    assert list(found) == ["last"]
    truth = to_numpy(keras.Model(inputs, hidden)(x))
    wanted = stepped(last.cell, truth, zeros(3))
    np.testing.assert_allclose(found["last"], wanted, atol=1e-5)


def test_a_cell_that_does_not_name_its_cell_state():
    class Wrong(WrapperCell):
        cell_state_index = 2

    x = random_array(2, TIME, FEATURES)
    for cell, message in (
        (WrapperCell, "'own'.*WrapperCell.*`cell_state_index`"),
        (Wrong, "`cell_state_index` of Wrong.*0 to 1.*=2"),
    ):
        layer = keras.layers.RNN(cell(keras.layers.LSTMCell(3)), name="own")
        model = keras.Sequential([keras.Input((TIME, FEATURES)), layer])
        with pytest.raises(ValueError, match=message):
            memory.cell_states(model, x)


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


def test_what_is_no_model_is_refused():
    with pytest.raises(ValueError, match="`model`.*Received: model='m'"):
        memory.cell_states("m", random_array(2, TIME, FEATURES))


def test_a_model_without_a_layer_that_can_be_measured_is_refused():
    inputs = keras.Input((TIME, FEATURES))
    layer = keras.layers.LSTM(FEATURES, return_sequences=True)
    model = keras.Model(inputs, layer(layer(inputs)))
    with pytest.raises(ValueError, match="'lstm'.*called several times"):
        memory.cell_states(model, random_array(2, TIME, FEATURES))
    model.predict(random_array(2, TIME, FEATURES), verbose=0)


@pytest.mark.skipif(
    keras.backend.backend() == "jax",
    reason="While Keras predicts there, the variables hold no values",
)
def test_threads_do_not_record_each_other():
    """Another thread calls the model while its cell states are recorded."""
    x = random_array(2, TIME, FEATURES)
    layer = keras_slim.LSTM3(UNITS)
    layer(x)

    class Meanwhile(keras.layers.Layer):
        def call(self, inputs):
            other = threading.Thread(target=lambda: layer(x))
            other.start()
            other.join()
            return inputs

    model = keras.Sequential([keras.Input((TIME, FEATURES)), Meanwhile()])
    model.add(layer)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        (found,) = memory.cell_states(model, x).values()
    wanted = stepped(layer.cell, x, zeros(2))
    np.testing.assert_allclose(found, wanted, atol=1e-5)
