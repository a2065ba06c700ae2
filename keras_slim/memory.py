"""Measures how long the units of an LSTM remember.

Hatanaka, Teramae & Wakamiya, "Layer specificity of acquired memory duration
in multilayer LSTM networks" (NOLTA 2017), measure for each unit how long its
cell state keeps its sign (section 4.1), and lengthen these durations with a
term in the loss (section 4.2, eq. 7). For any model with LSTM layers:

>>> from keras_slim import memory
>>> cell_states = memory.cell_states(model, inputs)
>>> durations = memory.durations(cell_states)
>>> for layer, found in durations.items():
...     print(layer, found.mean(), found.quantile([0.5, 0.9]))
"""

import collections
import contextlib
import dataclasses
import threading
import warnings
from collections.abc import Mapping

import keras
import numpy as np
from keras import ops, tree

from keras_slim.recurrence import plain

ENDS = ("keep", "drop")
# How many cell states are processed at once, which bounds the memory used.
_AT_ONCE = 2**24


@keras.saving.register_keras_serializable("keras_slim")
class CellStateDifference(keras.regularizers.Regularizer):
    """Penalizes cell states that change from one time step to the next.

    The term that is added to the loss is

        r / n * Σ_k (c_t[k] - c_{t-1}[k])²

    with the sum over the `n` units of the layer, averaged over the time steps,
    the first of which is compared with the initial cell state, and over the
    batch. The paper leaves open how time steps and sequences are combined; the
    mean keeps `r` comparable whatever their number. A masked time step does not
    change the cell state, but counts as a time step.

    Source: Hatanaka et al. 2017, eq. 7.

    Args:
        r: Float, the coefficient, `>= 0`.

    Raises:
        ValueError: if `r` is not such a number.

    Example:

    >>> keras_slim.LSTM3(
    ...     400, cell_state_regularizer=memory.CellStateDifference(0.1)
    ... )
    """

    def __init__(self, r):
        if isinstance(r, bool) or not isinstance(r, (int, float)) or not r >= 0:
            raise ValueError(
                "Invalid value for argument `r`. Expected a number >= 0. "
                f"Received: r={r!r}"
            )
        self.r = float(r)

    def __call__(self, cell_states):
        # In half precision, small squares would be lost.
        cell_states = ops.cast(cell_states, "float32")
        change = cell_states[:, 1:] - cell_states[:, :-1]
        return self.r * ops.mean(ops.square(change))

    def get_config(self):
        return {"r": self.r}


def cell_states(model, inputs, batch_size=32):
    """Returns the cell states of all LSTM layers of a model over time.

    A layer is measured if it is a `keras.layers.RNN` with an LSTM cell: a
    `keras.layers.LSTMCell`, a cell of `keras_slim`, or a subclass of one. This
    includes `keras.layers.LSTM`, the layers of `keras_slim`, and an `RNN`
    around such a cell or a stack of them, also inside `Bidirectional` and
    nested models. A GRU or MGU of `keras_slim`, which has no cell state, is
    measured by its state `h`. Any other cell, such as a wrapper around an LSTM
    cell, is measured if its attribute `cell_state_index` says which of its
    states is the cell state:

    >>> class ResidualLSTMCell(keras.layers.Layer):
    ...     cell_state_index = 1  # of the states [h, c]

    A layer that cannot be measured is left out with a warning: a layer that
    is called several times, shared or within `TimeDistributed`, as its cell
    states would be those of several sequences; and a cell of another class
    that has several states and no `cell_state_index`. Set that attribute to
    `None` if none of the states is a cell state.

    The model runs in inference mode. A stateful layer starts from its current
    state, except on JAX, where Keras carries no state from batch to batch.

    Args:
        model: A `keras.Model`, of any kind, or a recurrent layer.
        inputs: What `model.predict` takes: an array, or a list or dict of
            arrays.
        batch_size: Positive integer, sequences per batch. Default: 32. A
            stateful model requires the batch size it was built with.

    Returns:
        Dict from the name of the layer to a float array with shape
        `(batch, timesteps, units)`, in the order in which the layers are
        called. The time steps are in the order of processing, with
        `go_backwards` from the last to the first. If the layer receives a
        mask, the array is a `numpy.ma.MaskedArray`, masked at the time steps
        that the layer skips; its `data` there is the previous cell state. A
        cell of a stack has a name of its own, `"rnn/lstm_cell"`; if two layers
        share a name, it is prefixed with that of the wrapper:
        `"bidirectional/forward_lstm"`.

    Raises:
        ValueError: if there is no layer that can be measured, or a
            `cell_state_index` is not the position of a state.
    """
    if not isinstance(model, keras.Layer):
        raise ValueError(
            "Invalid value for argument `model`. Expected a Keras model or "
            f"layer. Received: model={model!r}"
        )
    layers, left_out = _lstm_layers(model)
    found = {}
    if layers:
        probe = _Probe(model, layers)
        found = probe.predict(inputs, batch_size=batch_size, verbose=0)
        found = {name: found[name] for name in probe.order}
        left_out.update(probe.left_out)
    reasons = [f"{name!r}, {reason}" for name, reason in left_out.items()]
    if not found:
        classes = sorted({type(layer).__name__ for layer in _layers(model)})
        raise ValueError(
            "Invalid value for argument `model`. Expected a model with at "
            "least one layer with an LSTM cell, such as keras.layers.LSTM. "
            f"Received: {model} with {', '.join(classes)}"
            + "".join(f"; left out: {reason}" for reason in reasons)
        )
    for reason in reasons:
        warnings.warn(f"Leaving out the layer {reason}.", stacklevel=2)
    return {name: _masked(**states) for name, states in found.items()}


_SEVERAL_TIMES = (
    "which is called several times, so that its cell states would be those of "
    "several sequences"
)
_NO_INDEX = (
    "whose cell {} has several states: set its attribute `cell_state_index` "
    "to the position of its cell state, or to None if it has none"
)


def _masked(values, mask=None):
    if mask is None:
        return values
    skipped = np.broadcast_to(~mask[:, :, None], values.shape)
    return np.ma.masked_where(skipped, values, copy=False)


class _Probe(keras.Model):
    """A model that runs another model and returns its cell states."""

    def __init__(self, model, layers):
        super().__init__(name="cell_states")
        self._model = model
        self._measured = layers
        self.order = self.left_out = ()

    def call(self, inputs):
        with _recording(self._measured) as calls:
            self._model(inputs, training=False)
        times = collections.Counter(name for name, _ in calls)
        self.left_out = tuple(
            (name, _SEVERAL_TIMES if times[name] else "which is not called")
            for name in self._measured
            if times[name] != 1
        )
        recorded = {}
        for name, states in calls:
            if times[name] == 1:
                recorded.update(states)
        self.order = tuple(recorded)  # Keras sorts the outputs by name.
        return recorded


# Two simultaneous recordings of one layer would undo each other.
_RECORDING = threading.Lock()


@contextlib.contextmanager
def _recording(layers):
    """Records the cell states of layers while this thread calls them.

    Yields a list to which each call appends the name of the layer and a dict
    of its cell states.
    """
    calls = []
    thread = threading.get_ident()

    def recorded(name, layer, cells):
        inner_loop = layer.inner_loop

        def recording_loop(sequences, initial_state, mask=None, training=False):
            if threading.get_ident() == thread:
                states = _record(layer, cells, sequences, initial_state, mask)
                calls.append((name, states))
            return inner_loop(
                sequences, initial_state, mask=mask, training=training
            )

        return recording_loop

    with contextlib.ExitStack() as stack:
        stack.enter_context(_RECORDING)
        for name, (layer, cells) in layers.items():
            # With cuDNN, Keras may compute both directions of `Bidirectional`
            # at once, without calling the layers.
            attributes = {
                "inner_loop": recorded(name, layer, cells),
                "use_cudnn": False,
            }
            stack.enter_context(_with_attributes(layer, attributes))
        yield calls


def _record(layer, cells, sequences, initial_state, mask):
    mask = plain.step_mask(mask)
    steps = {}
    if mask is not None:
        steps["mask"] = plain.in_order_of_steps(layer, mask)
    found = plain.recorded_states(
        layer, tuple(cells.values()), sequences, initial_state, mask
    )
    return {
        name: {"values": values, **steps}
        for name, values in zip(cells, found, strict=True)
    }


@contextlib.contextmanager
def _with_attributes(layer, attributes):
    """Sets attributes on the instance, untracked by Keras and torch."""
    own = vars(layer)
    before = {name: own[name] for name in attributes if name in own}
    own.update(attributes)
    try:
        yield
    finally:
        for name in attributes:
            del own[name]
        own.update(before)


def _layers(model):
    """The layers of a model, including those inside other layers."""
    return model._flatten_layers()


def _lstm_layers(model):
    """The layers with LSTM cells, by unique names.

    Returns:
        Dict from a name to a layer and a dict from the names of its cells to
        the positions of their cell states; dict from the name of each layer or
        cell that cannot be measured to the reason.
    """
    layers, wrapper, distributed = [], {}, set()
    for layer in _layers(model):
        if isinstance(layer, keras.layers.Bidirectional):
            for inner in (layer.forward_layer, layer.backward_layer):
                wrapper[id(inner)] = layer.name
        elif isinstance(layer, keras.layers.TimeDistributed):
            distributed.update(map(id, _layers(layer.layer)))
        elif isinstance(layer, keras.layers.RNN):
            cells = list(_lstm_cells(layer.cell))
            if cells:
                layers.append((layer, cells))
    count = collections.Counter(layer.name for layer, _ in layers)
    taken = set()

    def unique(name):
        while name in taken:
            name += "_"
        taken.add(name)
        return name

    measured, left_out = {}, {}
    for layer, cells in layers:
        name = layer.name
        if count[name] > 1 and id(layer) in wrapper:
            name = f"{wrapper[id(layer)]}/{name}"
        name = unique(name)
        if id(layer) in distributed:
            left_out[name] = _SEVERAL_TIMES
            continue
        positions = {}
        for cell, position in cells:
            of_cell = name
            if cell is not layer.cell:
                own_name = getattr(cell, "name", type(cell).__name__)
                of_cell = unique(f"{name}/{own_name}")
            if position is None:
                left_out[of_cell] = _NO_INDEX.format(type(cell).__name__)
            else:
                positions[of_cell] = position
        if positions:
            measured[name] = layer, positions
    return measured, left_out


def _lstm_cells(cell, start=0):
    """Yields cells and the positions of their cell states.

    The positions count all states of a stack, `start` being that of the first
    state of the cell; `None` if the cell does not define it.
    """
    states = len(tree.flatten(cell.state_size))
    if hasattr(cell, "cell_state_index"):
        index = cell.cell_state_index
        if index is None:
            return
        if index not in range(states):
            raise ValueError(
                "Invalid value for attribute `cell_state_index` of "
                f"{type(cell).__name__}. Expected None or an integer from 0 "
                f"to {states - 1}, as the cell has {states} states. Received: "
                f"cell_state_index={index!r}"
            )
        yield cell, start + index
    elif isinstance(cell, keras.layers.LSTMCell):
        yield cell, start + 1
    elif isinstance(cell, keras.layers.StackedRNNCells):
        for inner in cell.cells:
            yield from _lstm_cells(inner, start)
            start += len(tree.flatten(inner.state_size))
    elif states > 1:
        yield cell, None


@dataclasses.dataclass(frozen=True, eq=False)
class Durations:
    """Counts of the memory durations of the units of a layer.

    The cell state of unit `unit[k]` kept its sign for `duration[k]` time steps
    in `count[k]` intervals.

    Attributes:
        unit: int64 array, indices of the units, in ascending order.
        duration: int64 array, durations in time steps.
        count: int64 array, numbers of intervals with that unit and duration.
        units: Integer, number of units of the layer.
    """

    unit: np.ndarray
    duration: np.ndarray
    count: np.ndarray
    units: int

    @property
    def intervals(self):
        """The number of intervals of all units."""
        return int(self.count.sum())

    def mean(self):
        """The mean duration over all intervals; NaN if there is none."""
        if not self.intervals:
            return np.nan
        return float((self.duration * self.count).sum() / self.intervals)

    def unit_means(self):
        """The mean duration of each unit; NaN for one without an interval.

        Returns:
            float64 array with shape `(units,)`.
        """
        steps, intervals = (
            np.bincount(self.unit, weights, minlength=self.units)
            for weights in (self.duration * self.count, self.count)
        )
        with np.errstate(invalid="ignore"):
            return steps / intervals

    def quantile(self, q):
        """The duration that a fraction `q` of the intervals does not exceed.

        Args:
            q: Float or array of floats in `[0, 1]`.

        Returns:
            Float, or an array of the shape of `q`: the smallest duration that
            is no shorter than a fraction `q` of all intervals, in time steps;
            NaN if there is no interval.

        Raises:
            ValueError: if `q` is not in `[0, 1]`.
        """
        q = np.asarray(q, "float64")
        if not ((q >= 0) & (q <= 1)).all():
            raise ValueError(
                "Invalid value for argument `q`. Expected numbers from 0 to "
                f"1. Received: q={q.tolist()!r}"
            )
        if not self.intervals:
            return np.full(q.shape, np.nan)[()]
        order = np.argsort(self.duration, kind="stable")
        reached = np.cumsum(self.count[order])
        # `q` times the number of intervals is rounded, `reached` is exact.
        place = np.searchsorted(reached, q * self.intervals * (1 - 1e-12))
        return self.duration[order][place].astype("float64")[()]

    def histogram(self, edges=None):
        """Counts of intervals by duration.

        Args:
            edges: Array of increasing bin edges, in time steps; the last bin
                includes its upper edge. Default: `None`, powers of two from 1
                on, for logarithmic axes.

        Returns:
            Tuple of an int64 array, the number of intervals in each bin, and
            the edges.
        """
        if edges is None:
            longest = int(self.duration.max(initial=1))
            edges = 2 ** np.arange(longest.bit_length() + 1)
        counts, edges = np.histogram(
            self.duration, np.asarray(edges), weights=self.count
        )
        return counts.astype("int64"), edges


class DurationCounter:
    """Counts memory durations of sequences that arrive piece by piece.

    The memory it uses grows with the number of different durations, not with
    the length of the sequences. See `durations` for what a duration is.

    Args:
        ends: As for `durations`.

    Raises:
        ValueError: if `ends` is neither `"keep"` nor `"drop"`.

    Example:

    >>> counter = DurationCounter()
    >>> for piece in pieces:  # (timesteps, units) each, one after another
    ...     counter.update(piece)
    >>> counter.result().mean()
    """

    def __init__(self, ends="keep"):
        if ends not in ENDS:
            raise ValueError(
                "Invalid value for argument `ends`. Expected 'keep' or "
                f"'drop'. Received: ends={ends!r}"
            )
        self._ends = ends
        self._shape = None  # (batch, units)
        self._counts = np.empty(0, "int64"), np.empty(0, "int64")

    def update(self, cell_states, mask=None):
        """Continues with the next time steps of the sequences.

        Args:
            cell_states: Array with shape `(timesteps, units)`, or
                `(batch, timesteps, units)` for several sequences. The masked
                entries of a `numpy.ma.MaskedArray` are not counted.
            mask: Boolean array with shape `(batch, timesteps)`. A time step
                that is `False` is not counted. Default: `None`, all are
                counted.

        Raises:
            ValueError: if a shape is wrong or, except for the number of time
                steps, differs from that of the last update, or a cell state is
                not a finite number.
        """
        cell_states = _as_numbers(cell_states)
        received = cell_states.shape
        if cell_states.ndim == 2:
            cell_states = cell_states[None]
        if cell_states.ndim != 3 or (
            self._shape is not None
            and self._shape != (len(cell_states), cell_states.shape[-1])
        ):
            expected = "(timesteps, units) or (batch, timesteps, units)"
            if self._shape is not None:
                expected = "({}, timesteps, {})".format(*self._shape)
            raise ValueError(
                "Invalid shape of argument `cell_states`. Expected "
                f"{expected}. Received: shape={received}"
            )
        batch, timesteps, units = cell_states.shape
        counted = None
        if np.ma.isMaskedArray(cell_states):
            counted = ~np.ma.getmaskarray(cell_states)
            cell_states = cell_states.data
        if mask is not None:
            mask = np.asarray(mask, bool)
            if mask.shape != (batch, timesteps):
                raise ValueError(
                    "Invalid shape of argument `mask`. Expected (batch, "
                    f"timesteps) = {(batch, timesteps)}. Received: "
                    f"shape={mask.shape}"
                )
            mask = np.broadcast_to(mask[:, :, None], cell_states.shape)
            counted = mask if counted is None else counted & mask
        if self._shape is None:
            self._shape = batch, units
            # Of the interval in progress, by sequence and unit.
            self._sign = np.zeros(batch * units, "int8")
            self._length = np.zeros(batch * units, "int64")
            self._from_start = np.ones(batch * units, bool)
        at_once = max(1, _AT_ONCE // max(1, batch * units))
        for start in range(0, timesteps, at_once):
            piece = slice(start, start + at_once)
            self._update(
                cell_states[:, piece],
                None if counted is None else counted[:, piece],
            )

    def _update(self, cell_states, mask):
        batch, timesteps, units = cell_states.shape
        rows = batch * units
        # One row per sequence and unit, so that its steps adjoin in memory.
        cell_states = cell_states.transpose(0, 2, 1).reshape(rows, timesteps)
        if mask is not None:
            mask = mask.transpose(0, 2, 1).reshape(rows, timesteps)
            cell_states = np.where(mask, cell_states, 0)
        if not np.isfinite(cell_states).all():
            raise ValueError(
                "Invalid value for argument `cell_states`. Expected finite "
                "numbers. Received: NaN or an infinity"
            )
        signs = np.empty((rows, timesteps + 1), "int8")
        signs[:, 0] = self._sign
        signs[:, 1:] = np.sign(cell_states)
        if not signs[:, 1:].all():
            # Zero has no sign: the previous sign continues.
            steps = np.arange(timesteps + 1)
            last = np.maximum.accumulate(np.where(signs != 0, steps, 0), axis=1)
            signs = np.take_along_axis(signs, last, axis=1)
        # Where there is no sign yet, the first one counts from the start.
        changes = (signs[:, 1:] != signs[:, :-1]) & (signs[:, :-1] != 0)
        row, before = np.nonzero(changes)  # steps of the piece before each
        steps = np.full(rows, timesteps)
        if mask is not None:
            counted = np.cumsum(mask, axis=1)
            steps = counted[:, -1]
            before = counted[row, before] - mask[row, before]

        first = np.ones(len(row), bool)  # the first change of its row
        first[1:] = row[1:] != row[:-1]
        last = np.roll(first, -1)
        lengths = np.diff(before, prepend=0)
        lengths[first] = before[first] + self._length[row[first]]
        closed = np.ones(len(row), bool)
        if self._ends == "drop":
            closed[first] = ~self._from_start[row[first]]
        self._counts = _with(self._counts, row[closed] % units, lengths[closed])

        self._length += steps
        self._length[row[last]] = steps[row[last]] - before[last]
        self._from_start[row[last]] = False
        self._sign = signs[:, -1].copy()

    def result(self):
        """The durations so far, as if the sequences ended here.

        Returns:
            `Durations`. More updates can follow.

        Raises:
            ValueError: if there was no `update`.
        """
        if self._shape is None:
            raise ValueError("There are no cell states. Expected an `update`.")
        _, units = self._shape
        counts = self._counts
        if self._ends == "keep":
            under_way = np.flatnonzero(self._length)
            counts = _with(counts, under_way % units, self._length[under_way])
        keys, count = counts
        return Durations(keys >> _BITS, keys & (2**_BITS - 1), count, units)


def _as_numbers(cell_states):
    """An array of numbers, with the mask of a masked one."""
    if ops.is_tensor(cell_states):
        cell_states = ops.convert_to_numpy(cell_states)
    try:
        array = np.asanyarray(cell_states)
    except (TypeError, ValueError):  # such as a ragged list
        array = np.empty(0, object)
    # NumPy does not recognize bfloat16 as a kind of number.
    if array.dtype.kind not in "fiu" and array.dtype.name != "bfloat16":
        raise ValueError(
            "Invalid value for argument `cell_states`. Expected an array of "
            "real numbers, or a dict of such arrays by layer. Received: "
            f"an object of class {type(cell_states).__name__} and dtype "
            f"{array.dtype}"
        )
    return array


# A key holds a unit and, in so many low bits, a duration.
_BITS = 40


def _with(counts, unit, duration):
    """Sorted keys and how often they occur, with more intervals added."""
    new = (unit.astype("int64") << _BITS) + duration
    keys, place = np.unique(np.append(counts[0], new), return_inverse=True)
    weights = np.append(counts[1], np.ones(len(new), "int64"))
    return keys, np.bincount(place, weights, len(keys)).astype("int64")


def durations(cell_states, ends="keep", mask=None):
    """Measures how long each unit keeps the sign of its cell state.

    A memory duration is the length, in time steps, of an interval in which the
    sign of a cell state does not change. An exact zero has no sign and
    belongs to the interval before it or, at the beginning of a sequence, to
    the one that follows; a cell state that is always zero keeps its sign. The
    first and the last interval of a sequence are cut off by its ends, so their
    true durations are unknown. With `ends="keep"`, they count with the time
    steps that are observed, so that the durations of a unit add up to the
    length of the sequence and units that never change sign are included; with
    `ends="drop"`, they are left out.

    Source: Hatanaka et al. 2017, section 4.1, which does not mention zeros or
    the ends of sequences.

    Args:
        cell_states: What `cell_states` returns, or the array of one layer,
            with shape `(timesteps, units)` or `(batch, timesteps, units)`.
            The masked entries of a `numpy.ma.MaskedArray` are not counted:
            padding, in the arrays of `cell_states`.
        ends: `"keep"` (default) or `"drop"`, what to do with the first and the
            last interval of each sequence.
        mask: Boolean array with shape `(batch, timesteps)`, with the time
            steps in the order of `cell_states`. A time step that is `False`
            is not counted, nor is one that `cell_states` itself masks.
            Default: `None`.

    Returns:
        `Durations`, or a dict from layer to `Durations`.

    Raises:
        ValueError: if `ends` or a shape is not one of these, or a cell state
            is not a finite number.

    Example:

    >>> durations(np.array([[1.0], [2.0], [-1.0], [-3.0], [-2.0]])).mean()
    2.5
    """
    if isinstance(cell_states, Mapping):
        return {
            layer: durations(values, ends, mask)
            for layer, values in cell_states.items()
        }
    counter = DurationCounter(ends)
    counter.update(cell_states, mask)
    return counter.result()


def to_frame(durations):
    """Returns all intervals as a `pandas.DataFrame`.

    Args:
        durations: What `durations` returns: a dict from layer to
            `Durations`, or the `Durations` of one layer.

    Returns:
        `pandas.DataFrame`, one row per interval, with the columns `layer`
        (empty for the `Durations` of one layer), `unit` and `duration` (in
        time steps).

    Raises:
        ValueError: if `durations` is neither of these.
        ImportError: if pandas is not installed.
    """
    by_layer = durations
    if isinstance(durations, Durations):
        by_layer = {"": durations}
    if not isinstance(by_layer, Mapping) or not all(
        isinstance(found, Durations) for found in by_layer.values()
    ):
        received = type(durations).__name__
        if isinstance(by_layer, Mapping):
            classes = {type(found).__name__ for found in by_layer.values()}
            received += f" of {', '.join(sorted(classes))}"
        raise ValueError(
            "Invalid value for argument `durations`. Expected what "
            "`durations` returns: Durations, or a dict from layer to "
            f"Durations. Received: {received}"
        )
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            "A table of durations needs pandas. Install it with: "
            "pip install pandas"
        ) from error
    columns = ("layer", "unit", "duration")
    frames = [
        pd.DataFrame(
            {
                "layer": layer,
                "unit": np.repeat(found.unit, found.count),
                "duration": np.repeat(found.duration, found.count),
            },
            columns=columns,
        )
        for layer, found in by_layer.items()
    ]
    if not frames:
        return pd.DataFrame(columns=columns)
    return pd.concat(frames, ignore_index=True)
