"""The matrix products of a training step, timed alone.

Each part is a function of its own. Their sum is no lower bound for a layer,
whose compiler may multiply in another way or overlap products with other work.
In the loops, a product wider than the state is also reduced to its width, which
a layer does not do, so that several gates take a little longer here.
"""

import keras
import numpy as np
from keras import ops

from experiments.benchmarks.in_worker.backends import own_backend
from experiments.benchmarks.in_worker.calls import Calls
from experiments.benchmarks.subjects import Part
from keras_slim import variants

PARTS = ("input_projection", "forward_loop", "reverse_loop", "after_loop")


class Products(Calls):
    """Times the matrix products of the layers of one shape.

    Args:
        shape: A `Shape`.
        dtype: Name of the dtype.
    """

    def __init__(self, shape, dtype):
        super().__init__()
        self._shape, self._dtype = shape, dtype
        self._random = np.random.default_rng(0)

    def subjects(self, names):
        backend = keras.backend.backend()
        return [
            Part(backend, name, part, jit, self._dtype)
            for jit in own_backend().JITS
            for name in names
            for part in PARTS
        ]

    def build(self, part):
        batch, steps = self._shape.batch, self._shape.timesteps
        features, units = self._shape.features, self._shape.units
        variant = variants.get(part.layer)
        of_inputs, of_outputs = (
            units * len(variant.gates_with(term)) for term in "xh"
        )
        backend = own_backend()
        if part.part in ("forward_loop", "reverse_loop"):
            matrix = self._turn(units, of_outputs // units)
            if part.part == "reverse_loop":
                matrix = matrix.T / (of_outputs // units)
            return backend.product_in_a_loop(
                self._tensor((batch, units)),
                backend.tensor(matrix, self._dtype),
                steps,
                part.jit,
            )
        inputs = self._tensor((batch * steps, features))
        kernel = self._tensor((features, of_inputs))
        if part.part == "input_projection":
            return backend.compiled(ops.matmul, (inputs, kernel), part.jit)
        return backend.compiled(
            _after_loop,
            (
                inputs,
                kernel,
                self._tensor((batch * steps, units)),
                self._tensor((batch * steps, of_inputs)),
                self._tensor((batch * steps, of_outputs)),
            ),
            part.jit,
        )

    def _tensor(self, size):
        return own_backend().tensor(self._random.normal(size=size), self._dtype)

    def _turn(self, units, gates):
        """A matrix of gates by which no output grows or fades in the loop."""
        square = self._random.normal(size=(units, units))
        return np.tile(np.linalg.qr(square)[0], (1, gates))


def _after_loop(inputs, kernel, outputs, by_inputs, by_outputs):
    """Gradients of the kernel, the inputs and the recurrent kernel."""
    return [
        ops.matmul(ops.transpose(inputs), by_inputs),
        ops.matmul(by_inputs, ops.transpose(kernel)),
        ops.matmul(ops.transpose(outputs), by_outputs),
    ]
