import dataclasses

import keras
import numpy as np

from experiments.benchmarks.in_worker.backends import own_backend
from experiments.benchmarks.in_worker.calls import Calls
from experiments.benchmarks.in_worker.checks import difference
from experiments.benchmarks.in_worker.contenders import build, contenders
from experiments.benchmarks.subjects import (
    KERAS_GRU,
    KERAS_LSTM,
    KERAS_RNN,
    TORCH_LSTM,
)

# So small that the weights stay about the same over all calls of a round.
LEARNING_RATE = 1e-8
_LIKE_KERAS_LSTM = (KERAS_LSTM, KERAS_RNN, TORCH_LSTM, "lstm")


class Layers(Calls):
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
        backend = own_backend()
        if self._mode == "inference":
            return backend.inference(layer, self._inputs, contender.jit)
        return backend.training(
            layer,
            self._inputs,
            self._random(contender.units),
            contender.jit,
            LEARNING_RATE,
        )

    def examine(self, contender, call, result):
        outcome = {"peak_memory_bytes": own_backend().peak_memory(call)}
        reference = self._reference(contender)
        if reference is not None:
            outcome["difference"] = difference(
                _arrays(contender, result), reference, self._dtype
            )
        return outcome

    def _random(self, width):
        random = np.random.default_rng(1)
        size = (self._shape.batch, self._shape.timesteps, width)
        return own_backend().tensor(random.normal(size=size), self._dtype)

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
        by_weights = own_backend().in_keras_form(by_weights)
        result = [outputs, *by_weights, by_inputs]
    arrays = map(keras.ops.convert_to_numpy, result)
    return [np.asarray(array, "float32") for array in arrays]
