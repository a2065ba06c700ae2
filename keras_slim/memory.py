"""How long the units of an LSTM keep what they remember.

Hatanaka, Teramae & Wakamiya, "Layer specificity of acquired memory duration
in multilayer LSTM networks" (NOLTA 2017), measure for each unit how long its
cell state keeps its sign (section 4.1), and lengthen that by a term of the
loss (section 4.2, eq. 7). In four lines, for any model with LSTM layers:

>>> from keras_slim import memory
>>> cell_states = memory.cell_states(model, inputs)
>>> durations = memory.durations(cell_states)
>>> print(memory.to_frame(durations).groupby("layer")["duration"].describe())
"""

import contextlib
import dataclasses

import keras
import numpy as np
from keras import ops

from keras_slim.recurrence import plain

ENDS = ("keep", "drop")
# How many cell states are looked at in one go: what bounds the memory.
_AT_ONCE = 2**24


@keras.saving.register_keras_serializable("keras_slim")
class CellStateDifference(keras.regularizers.Regularizer):
    """Penalises cell states that change from step to step.

    The term of the loss is

        r / n * Σ_k (c_t[k] - c_{t-1}[k])²

    with the sum over the `n` units of a layer, averaged over the steps of the
    sequence, the first one beside the initial cell state, and over the batch.
    The paper leaves open how steps and sequences are put together; the mean
    keeps `r` comparable whatever their number. A masked step changes no cell
    state, and counts as a step.

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
        # Squares of half precision would be lost.
        cell_states = ops.cast(cell_states, "float32")
        change = cell_states[:, 1:] - cell_states[:, :-1]
        return self.r * ops.mean(ops.square(change))

    def get_config(self):
        return {"r": self.r}


def cell_states(model, inputs, batch_size=32):
    """The cell states of all LSTM-like layers of a model, at every step.

    A layer is LSTM-like if it is a `keras.layers.RNN` whose cell has the
    states `[h, c]` of one size: `keras.layers.LSTM`, the layers of
    `keras_slim`, an `RNN` around a cell of one's own. It is found inside
    `Bidirectional` and nested models, too. The model computes what it always
    computes, without dropout. A stateful layer goes on from its state, but
    for JAX, where Keras carries no state from batch to batch.

    Args:
        model: A `keras.Model`, of any kind, or a recurrent layer.
        inputs: What `model.predict` takes: an array, or a list or dict of
            arrays.
        batch_size: Positive integer, sequences at once. Default: 32. A
            stateful model wants its own.

    Returns:
        Dict from the name of the layer to a float array with shape
        `(batch, timesteps, units)`, the layers in the order in which they
        are called. `c` of a masked step is that of the step before; with
        `go_backwards` the steps stand in the order of processing. Where a
        name is met twice, `"forward_lstm"` and so on of two wrappers, it is
        given with that of the wrapper: `"bidirectional/forward_lstm"`.

    Raises:
        ValueError: if the model has no LSTM-like layer, or calls one twice.
    """
    layers = _lstm_like_layers(model)
    if not layers:
        found = sorted({type(layer).__name__ for layer in _layers(model)})
        raise ValueError(
            "Invalid value for argument `model`. Expected a model with at "
            "least one recurrent layer whose cell has the states [h, c], such "
            f"as keras.layers.LSTM. Received: {model} with {', '.join(found)}"
        )
    probe = _Probe(model, layers)
    found = probe.predict(inputs, batch_size=batch_size, verbose=0)
    return {name: found[name] for name in probe.order}


class _Probe(keras.Model):
    """A model that computes another one and returns its cell states."""

    def __init__(self, model, layers):
        super().__init__(name="cell_states")
        self._model = model
        self._recurrent = layers
        self.order = ()

    def call(self, inputs):
        with _recording(self._recurrent) as recorded:
            self._model(inputs, training=False)
        self.order = tuple(recorded)
        return recorded


@contextlib.contextmanager
def _recording(layers):
    """Collects the cell states of layers while they are called."""
    recorded = {}

    def record(name, layer):
        def inner_loop(sequences, initial_state, mask, training=False):
            if name in recorded:
                raise ValueError(
                    f"The layer {name!r} is called twice: its cell states "
                    "would be of two sequences."
                )
            # One mask for each of inputs and states, as Keras's LSTM takes it.
            if isinstance(mask, (list, tuple)):
                mask = mask[0]
            *results, recorded[name] = plain.through_time(
                layer, sequences, initial_state, mask, training
            )
            return results

        return inner_loop

    # In the instance, before the method of the class; not an attribute that
    # Keras or torch would track.
    for name, layer in layers.items():
        layer.__dict__["inner_loop"] = record(name, layer)
    try:
        yield recorded
    finally:
        for layer in layers.values():
            del layer.__dict__["inner_loop"]


def _layers(model):
    """The layers of a model, those inside of others included."""
    return model._flatten_layers()


def _lstm_like_layers(model):
    """By a name that no two of them share."""
    layers = [layer for layer in _layers(model) if _is_lstm_like(layer)]
    names = [layer.name for layer in layers]
    wrapper = {
        id(inner): layer.name
        for layer in _layers(model)
        if isinstance(layer, keras.layers.Bidirectional)
        for inner in (layer.forward_layer, layer.backward_layer)
    }
    found = {}
    for layer, name in zip(layers, names, strict=True):
        if names.count(name) > 1 and id(layer) in wrapper:
            name = f"{wrapper[id(layer)]}/{name}"
        while name in found:
            name += "_"
        found[name] = layer
    return found


def _is_lstm_like(layer):
    if not isinstance(layer, keras.layers.RNN):
        return False
    sizes = layer.state_size
    return (
        isinstance(sizes, (list, tuple))
        and len(sizes) == 2
        and all(isinstance(size, int) for size in sizes)
        and sizes[0] == sizes[1]
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Durations:
    """Memory durations of the units of a layer, counted.

    `unit[k]` kept its sign for `duration[k]` steps in `count[k]` runs.

    Attributes:
        unit: int64 array, the units, in rising order.
        duration: int64 array, steps.
        count: int64 array, how many runs of that unit took so long.
        units: Integer, number of units of the layer.
    """

    unit: np.ndarray
    duration: np.ndarray
    count: np.ndarray
    units: int

    @property
    def runs(self):
        """The number of all runs."""
        return int(self.count.sum())

    def mean(self):
        """The mean duration over all runs of all units, or NaN."""
        if not self.runs:
            return np.nan
        return float((self.duration * self.count).sum() / self.runs)

    def unit_means(self):
        """The mean duration of each unit; NaN for one without a run.

        Returns:
            float64 array with shape `(units,)`.
        """
        steps, runs = (
            np.bincount(self.unit, weights, minlength=self.units)
            for weights in (self.duration * self.count, self.count)
        )
        with np.errstate(invalid="ignore"):
            return steps / runs

    def quantile(self, q):
        """The duration that a share `q` of the runs does not exceed.

        Args:
            q: Float or array of floats in `[0, 1]`.

        Returns:
            Float, or an array of the shape of `q`: the smallest duration
            that is no shorter than a share `q` of all runs.
        """
        q = np.asarray(q, "float64")
        if not ((q >= 0) & (q <= 1)).all():
            raise ValueError(
                "Invalid value for argument `q`. Expected numbers from 0 to "
                f"1. Received: q={q.tolist()!r}"
            )
        if not self.runs:
            return np.full(q.shape, np.nan)[()]
        order = np.argsort(self.duration, kind="stable")
        reached = np.cumsum(self.count[order])
        # A share of a number of runs is rounded, a number of runs is not.
        place = np.searchsorted(reached, q * self.runs * (1 - 1e-12))
        return self.duration[order][place].astype("float64")[()]

    def histogram(self, edges=None):
        """Counts of runs by duration.

        Args:
            edges: Array of rising edges of the bins, in steps; the last bin
                holds its upper edge. Default: `None`, powers of two from 1
                on, for logarithmic axes.

        Returns:
            Tuple of an int64 array, how many runs are in each bin, and the
            edges.
        """
        if edges is None:
            longest = int(self.duration.max(initial=1))
            edges = 2 ** np.arange(longest.bit_length() + 1)
        counts, edges = np.histogram(
            self.duration, np.asarray(edges), weights=self.count
        )
        return counts.astype("int64"), edges


class DurationCounter:
    """Counts memory durations of sequences that come piece by piece.

    What it keeps grows with the number of different durations, not with the
    length of the sequences. See `durations` for what a duration is.

    Args:
        ends: As for `durations`.

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
        self._shape = None  # batch, units
        self._counts = np.empty(0, "int64"), np.empty(0, "int64")

    def update(self, cell_states, mask=None):
        """Goes on with the next steps of the sequences.

        Args:
            cell_states: Array with shape `(timesteps, units)`, or
                `(batch, timesteps, units)` for sequences side by side.
            mask: Boolean array with shape `(batch, timesteps)`. A step that
                is `False` is left out. Default: `None`, none is.

        Raises:
            ValueError: if a shape is another than before, or a cell state is
                not finite.
        """
        cell_states = np.asarray(cell_states)
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
        if mask is not None:
            mask = np.asarray(mask, bool)
            if mask.shape != (batch, timesteps):
                raise ValueError(
                    "Invalid shape of argument `mask`. Expected (batch, "
                    f"timesteps) = {(batch, timesteps)}. Received: "
                    f"shape={mask.shape}"
                )
        if self._shape is None:
            self._shape = batch, units
            # Of the run that is under way, by sequence and unit.
            self._sign = np.zeros(batch * units, "int8")
            self._length = np.zeros(batch * units, "int64")
            self._from_start = np.ones(batch * units, bool)
        at_once = max(1, _AT_ONCE // max(1, batch * units))
        for start in range(0, timesteps, at_once):
            piece = slice(start, start + at_once)
            self._update(
                cell_states[:, piece], None if mask is None else mask[:, piece]
            )

    def _update(self, cell_states, mask):
        batch, timesteps, units = cell_states.shape
        rows = batch * units
        # A row a unit, so that what follows in time lies side by side.
        cell_states = cell_states.transpose(0, 2, 1).reshape(rows, timesteps)
        if mask is not None:
            mask = np.repeat(mask, units, axis=0)
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
            # Zero has no sign: the one before it goes on.
            steps = np.arange(timesteps + 1)
            last = np.maximum.accumulate(np.where(signs != 0, steps, 0), axis=1)
            signs = np.take_along_axis(signs, last, axis=1)
        # Where there is none yet, the first one goes back to the start.
        changes = (signs[:, 1:] != signs[:, :-1]) & (signs[:, :-1] != 0)
        row, before = np.nonzero(changes)  # steps of this piece before it
        steps = np.full(rows, timesteps)
        if mask is not None:
            counted = np.cumsum(mask, axis=1)
            steps = counted[:, -1]
            before = counted[row, before] - mask[row, before]

        first = np.ones(len(row), bool)  # of its row in this piece
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
            `Durations`. More steps can follow.

        Raises:
            ValueError: if there was no step.
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


# A unit and a duration in one number.
_BITS = 40


def _with(counts, unit, duration):
    """Sorted keys and how often they occur, with those of more runs."""
    new = (unit.astype("int64") << _BITS) + duration
    keys, place = np.unique(np.append(counts[0], new), return_inverse=True)
    weights = np.append(counts[1], np.ones(len(new), "int64"))
    return keys, np.bincount(place, weights, len(keys)).astype("int64")


def durations(cell_states, ends="keep", mask=None):
    """How long each unit keeps the sign of its cell state.

    A memory duration is the number of steps in a run of steps, as long as
    possible, in which the sign of a cell state does not change. An exact
    zero has no sign and belongs to the run before it, or, at the beginning
    of a sequence, to the one that follows; a cell state that is always zero
    keeps it. The first and the last run of a sequence are cut off by its
    ends, and in truth longer: they count with the steps that are seen, so
    that the durations of a unit add up to the length of the sequence and
    units that never change sign are there; or they are left out.

    Source: Hatanaka et al. 2017, section 4.1, which tells neither of zeros
    nor of ends.

    Args:
        cell_states: Array with shape `(timesteps, units)`, or
            `(batch, timesteps, units)`; or a dict of such arrays by layer,
            as `cell_states` returns it.
        ends: `"keep"` (default) or `"drop"`, what is done with the first and
            the last run of each sequence.
        mask: Boolean array with shape `(batch, timesteps)`. A step that is
            `False` is left out. Default: `None`, none is.

    Returns:
        `Durations`, or a dict of them by layer.

    Raises:
        ValueError: if `ends` or a shape is another than these, or a cell
            state is not finite.

    Example:

    >>> durations(np.array([[1.0], [2.0], [-1.0], [-3.0], [-2.0]])).mean()
    2.5
    """
    if isinstance(cell_states, dict):
        return {
            layer: durations(values, ends, mask)
            for layer, values in cell_states.items()
        }
    counter = DurationCounter(ends)
    counter.update(cell_states, mask)
    return counter.result()


def to_frame(durations):
    """All runs as a table.

    Args:
        durations: Dict from layer to `Durations`.

    Returns:
        `pandas.DataFrame`, a row a run, with the columns `layer`, `unit` and
        `duration` (in steps).

    Raises:
        ImportError: if pandas is not installed.
    """
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
        for layer, found in durations.items()
    ]
    if not frames:
        return pd.DataFrame(columns=columns)
    return pd.concat(frames, ignore_index=True)
