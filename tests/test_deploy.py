"""Exported files, run by their own runtimes and compared with Keras."""

import keras
import numpy as np
import pytest
from drawn import random_array, randomise
from keras import layers
from sklearn.datasets import load_digits

import keras_slim
from experiments.benchmarks.in_worker import files
from experiments.benchmarks.in_worker.deploy import Deploy
from experiments.benchmarks.in_worker.files import FORMATS
from experiments.benchmarks.subjects import CNN, TASKS

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


def saved_model(model, path):
    model.export(path, format="tf_saved_model", verbose=False)
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    return lambda x: np.asarray(loaded.serve(x))


def in_its_runtime(format, model, path):
    """A function that is computed by the runtime of an exported file."""
    if format == "SavedModel":
        return saved_model(model, path)
    kind = FORMATS[format]
    path = str(path.with_suffix(kind.suffix))
    kind.export(model, path)
    return kind.runtime(path)


EXPORTED_BY = {
    "tensorflow": ["SavedModel", "LiteRT", "OpenVINO"],
    "torch": ["ONNX", "OpenVINO"],
    "jax": ["SavedModel"],
}


@pytest.mark.filterwarnings("ignore")  # Exporting warns of PyTorch and Keras.
@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "unrolled"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["", "both ways"])
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("format", EXPORTED_BY[BACKEND])
def test_files_compute_what_keras_computes(
    format, name, bidirectional, unroll, tmp_path
):
    fails = (format, BACKEND, name, unroll) == (
        *("OpenVINO", "tensorflow"),
        *("keras LSTM", False),
    )
    if fails:
        pytest.xfail("OpenVINO does not read the lists of Keras's own loop")
    model = model_of(name, bidirectional, unroll)
    x = random_array(3, TIME, FEATURES)
    batches = x, x[:1]
    # Before the export, as PyTorch's needs a model that was called.
    wanted = [model.predict(batch, verbose=0) for batch in batches]
    run = in_its_runtime(format, model, tmp_path / "m")
    for batch, one in zip(batches, wanted, strict=True):
        np.testing.assert_allclose(run(batch), one, atol=1e-4)


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
    path = str(tmp_path / "step.tflite")
    files.export_litert(model, path)
    interpreter = Interpreter(path)
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
    path = str(tmp_path / "int8.tflite")
    files.export_int8(model, path, x[:200])
    found = files.LiteRT(path)(x[1200:])
    wanted = model.predict(x[1200:], verbose=0)
    accuracy = [(p.argmax(axis=1) == y[1200:]).mean() for p in (found, wanted)]
    assert accuracy[1] > 0.8
    assert accuracy[0] > accuracy[1] - 0.02


def operations(model, path):
    """The names of the operations of a LiteRT file, by subgraph."""
    from ai_edge_litert import schema_py_generated as schema

    path = path / "m.tflite"
    files.export_litert(model, str(path))
    content = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    names = {
        code: name
        for name, code in vars(schema.BuiltinOperator).items()
        if isinstance(code, int)
    }
    codes = [
        max(code.builtinCode, code.deprecatedBuiltinCode)
        for code in content.operatorCodes
    ]
    return {
        graph.name.decode(): [
            names[codes[operator.opcodeIndex]] for operator in graph.operators
        ]
        for graph in content.subgraphs
    }


@pytest.mark.skipif(BACKEND != "tensorflow", reason="LiteRT is TensorFlow's")
def test_an_unrolled_file_wastes_nothing(tmp_path):
    """No split per step, one product per step for the candidate of LSTM3."""
    (found,) = operations(
        model_of("LSTM3", False, unroll=True), tmp_path
    ).values()
    assert found.count("SPLIT") <= 1
    # The input projection, one per step but the first, and `Dense`.
    assert found.count("FULLY_CONNECTED") <= TIME + 2


@pytest.mark.skipif(BACKEND != "tensorflow", reason="LiteRT is TensorFlow's")
def test_unrolled_files_have_fewer_operations_than_those_of_keras(tmp_path):
    """The gates of each step share a product and an activation."""
    counts = {}
    for name in LAYERS:
        model = model_of(name, False, unroll=True)
        (found,) = operations(model, tmp_path).values()
        counts[name] = len(found)
    assert max(counts, key=counts.get) == "keras LSTM", counts


@pytest.mark.skipif(BACKEND != "tensorflow", reason="LiteRT is TensorFlow's")
@pytest.mark.parametrize("name", LAYERS)
def test_a_loop_does_not_collect_outputs_that_are_not_returned(name, tmp_path):
    found = operations(model_of(name, False), tmp_path)
    (body,) = (ops for graph, ops in found.items() if "body" in graph)
    assert "CONCATENATION" not in body and "SLICE" not in body
    if name in ("LSTM3", "GRU3", "MGU3"):
        assert body.count("FULLY_CONNECTED") == 1


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(BACKEND == "jax", reason="it exports none of the files")
@pytest.mark.parametrize("task", TASKS)
def test_the_benchmark_measures_every_format(task, tmp_path):
    served = Deploy(task, tmp_path, seeds=1, epochs=1)
    subjects = served.subjects(["lstm3"])
    mine = {name for name, f in FORMATS.items() if f.backend == BACKEND}
    assert {subject.format for subject in subjects} == mine
    for subject in subjects:
        if subject.layer in ("lstm3", CNN):
            outcome = served.prepare(subject)
            assert outcome["file_bytes"] > subject.parameters
            assert -1 < outcome["score"] <= 1
            assert served.measure(subject)["seconds"] > 0
    assert {path.suffix for path in tmp_path.iterdir()} == {".h5"}
