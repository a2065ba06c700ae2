"""Times calls on the Keras backend of this process, and checks their results.

Of the three backends only that of Keras is imported: the others need not be
installed, and would take memory and threads.
"""

import ctypes
import math
import statistics
import sys
import time
import timeit
from pathlib import Path

import keras
import numpy as np

import keras_slim
from experiments.benchmarks.subjects import KERAS_GRU, KERAS_LSTM
from experiments.engine.runs import provenance
from keras_slim.variants import VARIANTS

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
    from tensorflow.python.eager import context  # there is no public API

    # Hides warnings of retracing: each layer has a function of its own.
    tf.get_logger().setLevel("ERROR")
elif keras.backend.backend() == "jax":
    import jax
    import jax.numpy as jnp
else:
    import torch

WARM_UPS = 3  # calls after the first
_GC = "gc.enable()"  # which `timeit` disables
LONG_ENOUGH = 0.05  # seconds, the shortest duration of a measurement
# How far computations may differ, relative to the largest number of a tensor.
TOLERANCES = {"float32": 1e-3, "float16": 3e-2, "bfloat16": 1e-1}
# A GPU may multiply float32 as TF32, which has the precision of float16.
TOLERANCE_OF_TF32 = TOLERANCES["float16"]
_PROCESS = Path("/proc/self")


class About:
    """Describes the backend of a worker."""

    def describe(self):
        made_with = provenance()
        return {
            "device": made_with["device"],
            "is_gpu": BACKEND.has_gpu(),
            "threads": BACKEND.threads(),
            "versions": made_with["versions"],
            "commit": made_with["commit"],
        }

    def variants(self):
        return list(VARIANTS)


def layer_of(name, units, **options):
    """A layer by its name in tables: of Keras, or of ours by its variant."""
    if name in (KERAS_LSTM, KERAS_GRU):
        kind = getattr(keras.layers, name.rpartition(".")[-1])
        return kind(units, **options)
    return keras_slim.SlimRNN(units, variant=name, **options)


class Timed:
    """Times a function without arguments for each subject.

    A subclass implements `build(subject)`, which returns the function. The
    function must return only when everything is computed.
    """

    def __init__(self):
        self._calls = {}
        self._counts = {}

    def prepare(self, subject):
        """Builds, compiles and warms up."""
        call = self.build(subject)
        started = time.perf_counter()
        result = call()
        first = time.perf_counter() - started
        outcome = {"compile_seconds": round(first, 4)}
        outcome |= self.examine(subject, call, result)
        usual = statistics.median(
            timeit.repeat(call, _GC, repeat=WARM_UPS, number=1)
        )
        self._counts[subject] = math.ceil(LONG_ENOUGH / usual)
        self._calls[subject] = call
        return outcome

    def examine(self, subject, call, result):
        """Further outcomes of the preparation, given the first result."""
        return {}

    def measure(self, subject):
        """Seconds per call, the mean over calls for `LONG_ENOUGH`."""
        call, count = self._calls[subject], self._counts[subject]
        return timed(timeit.timeit(call, _GC, number=count) / count, count)


def timed(seconds, calls):
    """The outcome of a measurement."""
    return {"calls": calls, "seconds": float(f"{seconds:.6g}")}


def difference(found, expected, dtype):
    """How far arrays differ, relative to the largest number of an array.

    Args:
        found: List of arrays.
        expected: List of arrays of the same shapes.
        dtype: Name of the dtype that they were computed in.

    Raises:
        ValueError: if they differ by more than rounding explains.
    """
    largest = max(
        float(np.max(np.abs(one - other)) / np.max(np.abs(other)))
        for one, other in zip(found, expected, strict=True)
    )
    tolerance = TOLERANCES[dtype]
    if BACKEND.has_gpu():
        tolerance = max(tolerance, TOLERANCE_OF_TF32)
    if not largest <= tolerance:  # NaN is not, either
        raise ValueError(
            f"wrong results: the relative difference is {largest:.1e}, and at "
            f"most {tolerance:.0e} is allowed"
        )
    return float(f"{largest:.2g}")


def peak_of(call):
    """The peak memory of the process during a call, less that before it.

    In bytes, or `None` if the system does not report them.
    """
    if sys.platform != "linux":
        return None
    try:
        # Gives free memory back, as its reuse would not be counted.
        ctypes.CDLL(None).malloc_trim(0)
        (_PROCESS / "clear_refs").write_text("5")  # resets the peak
        before = _status("VmRSS")
    except (AttributeError, OSError, KeyError):
        return None  # another C library, or no permission
    call()
    return max(_status("VmHWM") - before, 0)


def _status(name):
    lines = (_PROCESS / "status").read_text().splitlines()
    values = dict(line.split(":", 1) for line in lines)
    return int(values[name].split()[0]) * 1024


class Backend:
    """What differs between backends.

    `inference`, `training` and `compiled` compile as Keras would, and return a
    function without arguments that waits until everything is computed. Each
    call of the function of `training` updates the weights by gradient descent,
    and returns the outputs and gradients before the update.
    `peak_memory` takes such a function and returns the peak memory of a call in
    bytes, or `None` if it is unknown. `compilations` returns a function that
    counts what has been compiled since, or returns `None` on a backend that
    compiles nothing.
    """

    def inference(self, layer, inputs, jit):
        def forward(inputs):
            return layer(inputs, training=False)

        return self.compiled(forward, (inputs,), jit)


class TensorFlow(Backend):
    JITS = (False, True)

    def has_gpu(self):
        return bool(tf.config.list_physical_devices("GPU"))

    def threads(self):
        chosen = tf.config.threading.get_intra_op_parallelism_threads()
        return chosen or "one per core"

    def tensor(self, array, dtype):
        return tf.cast(tf.convert_to_tensor(array), dtype)

    def training(self, layer, inputs, upstream, jit, learning_rate):
        weights = [weight.value for weight in layer.trainable_weights]

        def step(inputs, upstream):
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                outputs = layer(inputs, training=True)
            *by_weights, by_inputs = tape.gradient(
                outputs, [*weights, inputs], upstream
            )
            for weight, gradient in zip(weights, by_weights, strict=True):
                weight.assign_sub(learning_rate * gradient)
            return [outputs, *by_weights, by_inputs]

        return self.compiled(step, (inputs, upstream), jit)

    def compiled(self, function, arguments, jit):
        function = tf.function(function, jit_compile=jit)
        on_gpu = self.has_gpu()

        def call():
            result = function(*arguments)
            if on_gpu:  # the CPU has computed everything when it returns
                tf.test.experimental.sync_devices()
            return result

        def uses_xla():
            graph = function.get_concrete_function(*arguments).graph
            functions = graph.as_graph_def().library.function
            return jit or any(f.attr["_XlaMustCompile"].b for f in functions)

        call.uses_xla = uses_xla
        return call

    def peak_memory(self, call):
        if not self.has_gpu():
            # XLA keeps freed memory, so the peak is not visible.
            return None if call.uses_xla() else peak_of(call)
        config = tf.config.experimental
        config.reset_memory_stats("GPU:0")
        before = config.get_memory_info("GPU:0")["current"]
        call()
        return config.get_memory_info("GPU:0")["peak"] - before

    def compilations(self):
        # Counted by the functions that TensorFlow keeps.
        return lambda: len(context.context().list_function_names())


class Jax(Backend):
    JITS = (True,)

    def has_gpu(self):
        return jax.default_backend() != "cpu"

    def threads(self):
        return "one per core"

    def tensor(self, array, dtype):
        return jnp.asarray(array, dtype)

    def inference(self, layer, inputs, jit):
        forward, weights = self._of_layer(layer, training=False)
        return self.compiled(forward, (weights, inputs), jit)

    def training(self, layer, inputs, upstream, jit, learning_rate):
        forward, weights = self._of_layer(layer, training=True)
        weights = [jnp.copy(weight) for weight in weights]

        def step(weights, inputs, upstream):
            outputs, gradients_of = jax.vjp(forward, weights, inputs)
            by_weights, by_inputs = gradients_of(upstream)
            updated = [
                weight - learning_rate * gradient
                for weight, gradient in zip(weights, by_weights, strict=True)
            ]
            return updated, [outputs, *by_weights, by_inputs]

        # Keras donates the old weights, too, so that the new ones replace them.
        step = jax.jit(step, donate_argnums=0)
        step = step.lower(weights, inputs, upstream).compile()

        def call():
            nonlocal weights
            weights, result = step(weights, inputs, upstream)
            jax.block_until_ready(weights)
            return jax.block_until_ready(result)

        call.executable = step
        return call

    def _of_layer(self, layer, training):
        others = [v.value for v in layer.non_trainable_variables]

        def forward(weights, inputs):
            outputs, _ = layer.stateless_call(
                weights, others, inputs, training=training
            )
            return outputs

        return forward, [v.value for v in layer.trainable_variables]

    def compiled(self, function, arguments, jit):
        function = jax.jit(function).lower(*arguments).compile()

        def call():
            return jax.block_until_ready(function(*arguments))

        call.executable = function
        return call

    def peak_memory(self, call):
        if not self.has_gpu():
            # XLA keeps freed memory, so its own report is used.
            account = call.executable.memory_analysis()
            return account and (
                account.temp_size_in_bytes
                + account.output_size_in_bytes
                - account.alias_size_in_bytes
            )
        device = jax.devices()[0]
        before = device.memory_stats()
        call()
        peak = device.memory_stats()["peak_bytes_in_use"]
        # The peak is that of the process and cannot be reset.
        if peak == before["peak_bytes_in_use"]:
            return None
        return peak - before["bytes_in_use"]

    def compilations(self):
        found = 0

        def count(event, seconds, **metadata):
            nonlocal found
            found += event == "/jax/core/compile/backend_compile_duration"

        jax.monitoring.register_event_duration_secs_listener(count)
        return lambda: found


class Torch(Backend):
    JITS = (False,)

    def has_gpu(self):
        return torch.cuda.is_available()

    def threads(self):
        return torch.get_num_threads()

    def tensor(self, array, dtype):
        # On the device that Keras puts its own tensors on.
        return keras.ops.convert_to_tensor(array, dtype)

    def training(self, layer, inputs, upstream, jit, learning_rate):
        if isinstance(layer, TorchLSTM):
            weights = layer.parameters
        else:
            weights = [weight.value for weight in layer.trainable_weights]
        inputs = inputs.clone().requires_grad_()

        def step():
            outputs = layer(inputs, training=True)
            *by_weights, by_inputs = torch.autograd.grad(
                outputs, [*weights, inputs], upstream
            )
            with torch.no_grad():
                for weight, gradient in zip(weights, by_weights, strict=True):
                    weight.sub_(gradient, alpha=learning_rate)
            return [outputs.detach(), *by_weights, by_inputs]

        return self._waiting(step)

    def compiled(self, function, arguments, jit):
        return self._waiting(torch.no_grad()(lambda: function(*arguments)))

    def _waiting(self, function):
        if not self.has_gpu():
            return function

        def call():
            result = function()
            torch.cuda.synchronize()
            return result

        return call

    def peak_memory(self, call):
        if not self.has_gpu():
            return peak_of(call)
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        return torch.cuda.max_memory_allocated() - before

    def compilations(self):
        return lambda: None


class TorchLSTM:
    """`torch.nn.LSTM` with the interface of `keras.layers.LSTM`."""

    def __init__(self, units, features, dtype):
        self._layer = torch.nn.LSTM(
            features,
            units,
            batch_first=True,
            dtype=getattr(torch, dtype),
            device="cuda" if BACKEND.has_gpu() else "cpu",
        )
        self.parameters = [*self._layer.parameters()]

    def __call__(self, inputs, training=None):
        return self._layer(inputs)[0]

    @property
    def weights(self):
        """Kernel, recurrent kernel and bias, as in Keras."""
        return in_keras_form(self.parameters)

    def set_weights(self, values):
        with torch.no_grad():
            for weight, value in zip(self.weights, values, strict=True):
                weight.copy_(torch.as_tensor(value))
            self._layer.bias_hh_l0.zero_()


def in_keras_form(weights):
    """Weights of `TorchLSTM`, or their gradients, as in Keras.

    The second bias, which Keras does not have, is left out.
    """
    kernel, recurrent_kernel, bias, _ = weights
    return [kernel.T, recurrent_kernel.T, bias]


_KINDS = {"tensorflow": TensorFlow, "jax": Jax, "torch": Torch}
BACKEND = _KINDS[keras.backend.backend()]()
