"""Layers and their peers."""

import dataclasses
import math

import keras
import numpy as np
from keras import ops

from experiments.benchmarks.in_worker.timing import (
    BACKEND,
    Timed,
    TorchLSTM,
    difference,
    in_keras_form,
    layer_of,
)
from experiments.benchmarks.subjects import (
    KERAS_GRU,
    KERAS_LSTM,
    KERAS_RNN,
    TORCH_LSTM,
    Contender,
)
from experiments.engine.names import equal_units, parameters

UNROLLED = 10  # largest number of time steps
# So small that the weights stay about the same over all calls of a round.
LEARNING_RATE = 1e-8
_LIKE_KERAS_LSTM = (KERAS_LSTM, KERAS_RNN, TORCH_LSTM, "lstm")


def contenders(shape, names, dtype, kinds):
    """Lists the contenders, which include the peers of the ratios.

    Args:
        shape: A `Shape`.
        names: Names of our variants.
        dtype: Name of the dtype.
        kinds: The others to add: `"fast"` and `"plain"`, our layers with
            either time loop; `"gru"`, `keras.layers.GRU`; `"rnn"`,
            `keras.layers.RNN` of a cell.

    Returns:
        List of `Contender`.
    """
    units, features = shape.units, shape.features
    full = parameters("lstm", units, features)
    found = []

    def add(layer, count, jit, unroll=False, units=units, **more):
        found.append(
            Contender(
                backend=keras.backend.backend(),
                layer=layer,
                jit=jit,
                unroll=unroll,
                default=jit == _default_jit(layer) and not unroll,
                units=units,
                parameters=count,
                dtype=dtype,
                **{"recurrence": "", "equal": "units", **more},
            )
        )

    for jit in BACKEND.JITS:
        add(KERAS_LSTM, full, jit)
        if shape.timesteps <= UNROLLED:
            add(KERAS_LSTM, full, jit, unroll=True)
        if "gru" in kinds:
            add(KERAS_GRU, 3 * units * (features + units + 2), jit)
        if "rnn" in kinds:
            add(KERAS_RNN, full, jit)
        for name in names:
            count = parameters(name, units, features)
            for recurrence in ("plain", "fast"):
                if recurrence in kinds:
                    add(name, count, jit, recurrence=recurrence)
            if "fast" in kinds and count < full:
                more = equal_units(name, units, features)
                add(
                    name,
                    parameters(name, more, features),
                    jit,
                    units=more,
                    recurrence="fast",
                    equal="parameters",
                )
    if keras.backend.backend() == "torch":
        add(TORCH_LSTM, full + 4 * units, jit=False)  # it has two biases
    return found


def _default_jit(layer):
    """Whether Keras compiles the layer by XLA by default."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        # XLA does not use cuDNN, which these two layers do.
        return BACKEND.has_gpu() and layer not in (KERAS_LSTM, KERAS_GRU)
    return backend == "jax"


def build(contender, shape):
    """Builds the layer of a contender.

    Layers with weights of the same shapes get the same weights.
    """
    units, dtype = contender.units, contender.dtype
    options = {"return_sequences": True, "dtype": dtype}
    if contender.recurrence:
        options["recurrence"] = contender.recurrence
    if contender.layer == KERAS_RNN:
        cell = keras.layers.LSTMCell(units, dtype=dtype)
        layer = keras.layers.RNN(cell, **options)
    elif contender.layer == TORCH_LSTM:
        layer = TorchLSTM(units, shape.features, dtype)
    else:
        unroll = contender.unroll
        layer = layer_of(contender.layer, units, unroll=unroll, **options)
    if isinstance(layer, keras.layers.Layer):
        layer.build((shape.batch, shape.timesteps, shape.features))
    # So small that no rounding error grows over a thousand time steps, as it
    # does where the forget gate and the output gate are nearly 1.
    random = np.random.default_rng(0)
    layer.set_weights(
        [
            random.normal(size=size) * 0.1 / math.sqrt(size[0])
            for size in (tuple(weight.shape) for weight in layer.weights)
        ]
    )
    return layer


class Layers(Timed):
    """Checks and times the layers of one shape.

    Args:
        shape: A `Shape`.
        mode: `"inference"`, the outputs; or `"training"`, the outputs, the
            gradients of weights and inputs for one upstream gradient, and an
            update of the weights.
        dtype: Name of the dtype.
        kinds: What is timed in addition to the peers, see `contenders`.
    """

    def __init__(self, shape, mode, dtype, kinds):
        super().__init__()
        self._shape, self._mode, self._dtype = shape, mode, dtype
        self._kinds = kinds
        self._inputs = self._random(shape.features)
        self._references = {}

    def subjects(self, names):
        return contenders(self._shape, names, self._dtype, self._kinds)

    def build(self, contender):
        layer = build(contender, self._shape)
        if self._mode == "inference":
            return BACKEND.inference(layer, self._inputs, contender.jit)
        return BACKEND.training(
            layer,
            self._inputs,
            self._random(contender.units),
            contender.jit,
            LEARNING_RATE,
        )

    def examine(self, contender, call, result):
        outcome = {"peak_memory_bytes": BACKEND.peak_memory(call)}
        reference = self._reference(contender)
        if reference is not None:
            outcome["difference"] = difference(
                _arrays(contender, result), reference, self._dtype
            )
        return outcome

    def _random(self, width):
        random = np.random.default_rng(1)
        size = (self._shape.batch, self._shape.timesteps, width)
        return BACKEND.tensor(random.normal(size=size), self._dtype)

    def _reference(self, contender):
        """The expected results, of Keras's LSTM or of the plain time loop."""
        if contender.layer == KERAS_GRU:
            return None  # there is nothing to compare with
        like_keras = contender.layer in _LIKE_KERAS_LSTM
        trusted = dataclasses.replace(
            contender,
            layer=KERAS_LSTM if like_keras else contender.layer,
            recurrence="" if like_keras else "plain",
            jit=keras.backend.backend() == "jax",
            unroll=False,
        )
        key = trusted.layer, trusted.units
        if key not in self._references:
            self._references[key] = _arrays(trusted, self.build(trusted)())
        return self._references[key]


def _arrays(contender, result):
    if not isinstance(result, list):
        result = [result]  # of inference
    elif contender.layer == TORCH_LSTM:
        outputs, *by_weights, by_inputs = result
        result = [outputs, *in_keras_form(by_weights), by_inputs]
    arrays = map(ops.convert_to_numpy, result)
    return [np.asarray(array, "float32") for array in arrays]
