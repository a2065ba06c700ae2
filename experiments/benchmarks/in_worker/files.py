"""Files for devices: the Keras call that exports each, and its runtime.

Each runtime computes on one thread. `runtime(x)` is the output for a batch, and
`runtime.invoke()` computes again for the last input, without copying any array.
"""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np


def export_litert(
    model, path, samples=None, operations="TFLITE_BUILTINS", **of
):
    """A file for a batch of one, with operations of every LiteRT runtime."""
    import tensorflow as tf

    specs = [
        keras.InputSpec(shape=(1, *x.shape[1:]), dtype=x.dtype)
        for x in model.inputs
    ]
    model.export(
        path,
        format="litert",
        verbose=False,
        input_signature=specs if len(specs) == 1 else [specs],
        target_spec={"supported_ops": [tf.lite.OpsSet[operations]]},
        **of,
    )


def export_int8(model, path, samples):
    """The same with 8-bit integers throughout, with the ranges of `samples`."""
    import tensorflow as tf

    export_litert(
        model,
        path,
        operations="TFLITE_BUILTINS_INT8",
        optimizations=[tf.lite.Optimize.DEFAULT],
        representative_dataset=lambda: ([x[None]] for x in samples),
        inference_input_type=tf.int8,
        inference_output_type=tf.int8,
    )


def export_onnx(model, path, samples=None):
    model.export(path, format="onnx", verbose=False)


def export_openvino(model, path, samples=None):
    model.export(path, format="openvino", verbose=False)


class LiteRT:
    def __init__(self, path):
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(path, num_threads=1)
        self._interpreter.allocate_tensors()
        (self._source,) = self._interpreter.get_input_details()
        (self._target,) = self._interpreter.get_output_details()
        self.invoke = self._interpreter.invoke

    def __call__(self, x):
        return np.concatenate([self._run(row[None]) for row in x])

    def _run(self, x):
        scale, zero = self._source["quantization"]
        if scale:
            x = np.clip(np.round(x / scale + zero), -128, 127)
        x = x.astype(self._source["dtype"])
        self._interpreter.set_tensor(self._source["index"], x)
        self.invoke()
        y = self._interpreter.get_tensor(self._target["index"])
        scale, zero = self._target["quantization"]
        return (y.astype("float32") - zero) * scale if scale else y


class Onnx:
    def __init__(self, path):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        self._binding = self._session.io_binding()

    def __call__(self, x):
        (source,) = self._session.get_inputs()
        (target,) = self._session.get_outputs()
        self._binding.bind_cpu_input(source.name, np.ascontiguousarray(x))
        self._binding.bind_output(target.name)
        self.invoke()
        return self._binding.copy_outputs_to_cpu()[0]

    def invoke(self):
        self._session.run_with_iobinding(self._binding)


class OpenVINO:
    def __init__(self, path):
        import openvino

        options = {
            "INFERENCE_NUM_THREADS": 1,
            # Some CPUs would compute in bfloat16.
            "INFERENCE_PRECISION_HINT": "f32",
        }
        compiled = openvino.Core().compile_model(path, "CPU", options)
        self._request = compiled.create_infer_request()
        self.invoke = self._request.infer

    def __call__(self, x):
        self._request.infer([x])
        return self._request.get_output_tensor(0).data.copy()


class Format(NamedTuple):
    """A kind of file."""

    backend: str  # the backend of Keras that exports it
    unroll: bool  # whether the layers are built with `unroll=True`
    is_exact: bool  # whether it computes what Keras computes
    export: Callable  # of a model, a path and samples of its input
    runtime: type  # opens the path
    suffix: str


FORMATS = {
    "LiteRT": Format(
        "tensorflow", False, True, export_litert, LiteRT, ".tflite"
    ),
    "LiteRT, unrolled": Format(
        "tensorflow", True, True, export_litert, LiteRT, ".tflite"
    ),
    # Unrolled, as TensorFlow's converter crashes on a loop.
    "LiteRT int8": Format(
        "tensorflow", True, False, export_int8, LiteRT, ".tflite"
    ),
    "ONNX": Format("torch", False, True, export_onnx, Onnx, ".onnx"),
    "OpenVINO": Format("torch", False, True, export_openvino, OpenVINO, ".xml"),
}
