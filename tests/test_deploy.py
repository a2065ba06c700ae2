"""Exported files, run by their own runtimes and compared with Keras."""

import keras
import numpy as np
import pytest
from drawn import random_array, randomise
from keras import layers
from sklearn.datasets import load_digits

import keras_slim

pytestmark = pytest.mark.deploy

TIME, FEATURES, UNITS = 6, 3, 5
LAYERS = {
    "keras LSTM": layers.LSTM,
    "LSTM": keras_slim.LSTM,
    "LSTM1": keras_slim.LSTM1,
    "LSTM3": keras_slim.LSTM3,
    "GRU3": keras_slim.GRU3,
    "MGU3": keras_slim.MGU3,
}
BACKEND = keras.backend.backend()


def model_of(name, bidirectional, unroll=False):
    layer = LAYERS[name](UNITS, unroll=unroll)
    if bidirectional:
        layer = layers.Bidirectional(layer)
    model = keras.Sequential(
        [keras.Input((TIME, FEATURES)), layer, layers.Dense(2)]
    )
    randomise(model)
    return model


def by_saved_model(model, path, x):
    model.export(path, format="tf_saved_model", verbose=False)
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    return [np.asarray(loaded.serve(batch)) for batch in (x, x[:1])]


def export_litert(model, path, operations="TFLITE_BUILTINS", **options):
    """A file for a batch of one, with operations that every runtime has."""
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
        **options,
    )


def by_litert(model, path, x):
    path = path.with_suffix(".tflite")
    export_litert(model, path)
    run = litert_runner(path)
    return [
        np.concatenate([run(row[None]) for row in batch])
        for batch in (x, x[:1])
    ]


def litert_runner(path):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    (target,) = interpreter.get_output_details()

    def run(x):
        scale, zero = source["quantization"]
        if scale:
            x = np.clip(np.round(x / scale + zero), -128, 127)
        interpreter.set_tensor(source["index"], x.astype(source["dtype"]))
        interpreter.invoke()
        y = interpreter.get_tensor(target["index"])
        scale, zero = target["quantization"]
        return (y.astype("float32") - zero) * scale if scale else y

    return run


def by_onnx(model, path, x):
    import onnxruntime

    path = path.with_suffix(".onnx")
    model.export(path, format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(
        path, providers=["CPUExecutionProvider"]
    )
    (source,) = session.get_inputs()
    return [session.run(None, {source.name: b})[0] for b in (x, x[:1])]


def by_openvino(model, path, x):
    import openvino

    path = str(path.with_suffix(".xml"))
    model.export(path, format="openvino", verbose=False)
    compiled = openvino.Core().compile_model(path, "CPU")
    return [compiled(batch)[0] for batch in (x, x[:1])]


FORMATS = {
    "tensorflow": [by_saved_model, by_litert, by_openvino],
    "torch": [by_onnx, by_openvino],
    "jax": [by_saved_model],
}


@pytest.mark.filterwarnings("ignore")  # Exporting warns of PyTorch and Keras.
@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "unrolled"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["", "both ways"])
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("by", FORMATS[BACKEND])
def test_files_compute_what_keras_computes(
    by, name, bidirectional, unroll, tmp_path
):
    fails = (by, BACKEND, name, unroll) == (
        *(by_openvino, "tensorflow"),
        *("keras LSTM", False),
    )
    if fails:
        pytest.xfail("OpenVINO does not read the lists of Keras's own loop")
    model = model_of(name, bidirectional, unroll)
    x = random_array(3, TIME, FEATURES)
    batches = x, x[:1]
    # Before the export, as PyTorch's needs a model that was called.
    wanted = [model.predict(batch, verbose=0) for batch in batches]
    found = by(model, tmp_path / "m", x)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def streaming(layer):
    """One step at a time, with the states as inputs and outputs."""
    states = [keras.Input((UNITS,)) for _ in layer.cell.gating.family.states]
    x = keras.Input((1, FEATURES))
    output, *new = layer(x, initial_state=states)
    return keras.Model([x, *states], [output, *new])


@pytest.mark.skipif(BACKEND != "tensorflow", reason="LiteRT is TensorFlow's")
@pytest.mark.parametrize("name", [n for n in LAYERS if n != "keras LSTM"])
def test_a_file_that_is_called_step_by_step(name, tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    layer = LAYERS[name](UNITS, return_state=True, unroll=True)
    model = streaming(layer)
    randomise(model)
    path = tmp_path / "step.tflite"
    export_litert(model, path)
    interpreter = Interpreter(str(path))
    run = interpreter.get_signature_runner()
    names = sorted(
        interpreter.get_signature_list()["serving_default"]["inputs"]
    )
    outputs = sorted(
        interpreter.get_signature_list()["serving_default"]["outputs"]
    )
    x = random_array(1, TIME, FEATURES)
    states = [np.zeros((1, UNITS), "float32")] * (len(names) - 1)
    for t in range(TIME):
        found = run(**dict(zip(names, [x[:, t : t + 1], *states], strict=True)))
        output, *states = (found[name] for name in outputs)
    wanted = layer(x)[0]
    np.testing.assert_allclose(output, np.asarray(wanted), atol=1e-4)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="LiteRT is TensorFlow's")
@pytest.mark.parametrize("name", LAYERS)
def test_full_int8_keeps_the_accuracy(name, tmp_path):
    """On digits, read row by row; unrolled, as loops are not quantized."""
    import tensorflow as tf

    digits = load_digits()
    x, y = (digits.images / 16).astype("float32"), digits.target
    model = keras.Sequential(
        [
            keras.Input((8, 8)),
            LAYERS[name](24, unroll=True),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy"
    )
    model.fit(x[:1200], y[:1200], epochs=12, verbose=0)
    path = tmp_path / "int8.tflite"
    export_litert(
        model,
        path,
        "TFLITE_BUILTINS_INT8",
        optimizations=[tf.lite.Optimize.DEFAULT],
        representative_dataset=lambda: ([row[None]] for row in x[:200]),
        inference_input_type=tf.int8,
        inference_output_type=tf.int8,
    )
    run = litert_runner(path)
    found = np.concatenate([run(row[None]) for row in x[1200:]])
    wanted = model.predict(x[1200:], verbose=0)
    accuracy = [(p.argmax(axis=1) == y[1200:]).mean() for p in (found, wanted)]
    assert accuracy[1] > 0.8
    assert accuracy[0] > accuracy[1] - 0.02


@pytest.mark.skipif(BACKEND != "tensorflow", reason="LiteRT is TensorFlow's")
def test_an_unrolled_file_wastes_nothing(tmp_path):
    """No split per step, one product per step for the candidate of LSTM3."""
    from ai_edge_litert.interpreter import Interpreter

    x = random_array(1, TIME, FEATURES)
    by_litert(model_of("LSTM3", False, unroll=True), tmp_path / "m", x)
    interpreter = Interpreter(str(tmp_path / "m.tflite"))
    operations = [d["op_name"] for d in interpreter._get_ops_details()]
    assert operations.count("SPLIT") <= 1
    # The input projection, one per step but the first, and `Dense`.
    assert operations.count("FULLY_CONNECTED") <= TIME + 2
