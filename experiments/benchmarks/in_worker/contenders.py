"""The layers to compare on the backend of this worker, and their options."""

import math

import keras
import numpy as np

import keras_slim
from experiments.benchmarks.in_worker.backends import own_backend
from experiments.benchmarks.subjects import (
    KERAS_GRU,
    KERAS_LSTM,
    KERAS_RNN,
    TORCH_LSTM,
    Contender,
)
from experiments.engine.names import equal_units, parameters

UNROLLED = 10  # time steps at most
RECURRENCES = ("plain", "fast")


def contenders(shape, names, dtype, kinds):
    """Lists the contenders, which include the peers of the ratios.

    Args:
        shape: A `Shape`.
        names: Names of our variants.
        dtype: Name of the dtype.
        kinds: Which others: `"fast"` and `"plain"`, our layers with either
            time loop; `"gru"`, `keras.layers.GRU`; `"rnn"`,
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

    for jit in own_backend().JITS:
        add(KERAS_LSTM, full, jit)
        if shape.timesteps <= UNROLLED:
            add(KERAS_LSTM, full, jit, unroll=True)
        if "gru" in kinds:
            add(KERAS_GRU, 3 * units * (features + units + 2), jit)
        if "rnn" in kinds:
            add(KERAS_RNN, full, jit)
        for name in names:
            count = parameters(name, units, features)
            for recurrence in RECURRENCES:
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
        return own_backend().has_gpu() and layer not in (KERAS_LSTM, KERAS_GRU)
    return backend == "jax"


def build(contender, shape):
    """Builds the layer of a contender.

    Layers with weights of the same shapes get the same weights.
    """
    units, dtype = contender.units, contender.dtype
    options = {"return_sequences": True, "dtype": dtype}
    if contender.layer == KERAS_LSTM:
        layer = keras.layers.LSTM(units, unroll=contender.unroll, **options)
    elif contender.layer == KERAS_GRU:
        layer = keras.layers.GRU(units, **options)
    elif contender.layer == KERAS_RNN:
        cell = keras.layers.LSTMCell(units, dtype=dtype)
        layer = keras.layers.RNN(cell, **options)
    elif contender.layer == TORCH_LSTM:
        layer = own_backend().TorchLSTM(units, shape.features, dtype)
    else:
        layer = keras_slim.SlimRNN(
            units,
            variant=contender.layer,
            recurrence=contender.recurrence,
            **options,
        )
    if isinstance(layer, keras.layers.Layer):
        layer.build((shape.batch, shape.timesteps, shape.features))
    layer.set_weights(_draw([weight.shape for weight in layer.weights]))
    return layer


def _draw(shapes):
    # So small that no rounding error grows over a thousand steps, as it does
    # where the forget gate and the output gate are nearly 1.
    random = np.random.default_rng(0)
    return [
        random.normal(size=shape) * 0.1 / math.sqrt(shape[0])
        for shape in map(tuple, shapes)
    ]
