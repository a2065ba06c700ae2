"""The Python code of README.md and of the guides runs as it stands."""

import re

import keras
import numpy as np
import pytest
from guides import ROOT, code_of

import keras_slim


def test_the_readme(tmp_path, monkeypatch, capsys):
    first, then = code_of("README.md")
    names = {}
    exec(first, names)
    random = np.random.default_rng(0)
    x = random.normal(size=(8, 5, 3)).astype("float32")
    y = keras.utils.to_categorical(np.arange(8), 20)
    model = names["model"]
    model.compile("adam", "categorical_crossentropy")
    model.fit(x, y, verbose=0)
    # The README's model is slim already.
    full = keras_slim.to_keras(model)
    full.compile("adam", "categorical_crossentropy")
    full.fit(x, y, verbose=0)
    full.save(tmp_path / "mine.keras")
    monkeypatch.chdir(tmp_path)
    exec(then, names | {"x": x, "y": y})
    shown = capsys.readouterr().out
    assert "Epoch 3/3" in shown and "lstm3" in shown.lower()


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="LiteRT is TensorFlow's"
)
@pytest.mark.long
@pytest.mark.filterwarnings("ignore")  # The converter warns of itself.
def test_the_guide_to_deployment(tmp_path, monkeypatch):
    import tensorflow as tf

    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).normal(size=(20, 8, 8)).astype("float32")
    lstm = keras.layers.LSTM(4)
    model = keras.Sequential([keras.Input((8, 8)), lstm, keras.layers.Dense(2)])
    names = {"model": model, "x": x}
    for block in code_of("docs/deploy.md"):
        exec(block, names)
    wanted = names["unrolled"].predict(x[:1], verbose=0)
    run = tf.lite.Interpreter("model.tflite").get_signature_runner()
    (found,) = run(**dict.fromkeys(run.get_input_details(), x[:1])).values()
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    (tmp_path / "int8.tflite").stat()
    x, states = tf.constant(x[:1]), [tf.zeros((1, 4))] * 2
    for t in range(8):
        output, *states = names["streaming"]([x[:, t : t + 1], *states])
    np.testing.assert_allclose(output, wanted, atol=1e-5)


def test_every_public_name_has_its_documentation():
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    classes = [
        name
        for name, value in vars(keras_slim.named).items()
        if isinstance(value, type) and value.__module__ == "keras_slim.named"
    ]
    assert len(classes) > 20
    for name in {*classes, *keras_slim.__all__} - {"__version__"}:
        if not name.startswith("_"):
            assert name in keras_slim.__all__
            assert re.search(rf":: (keras_slim\.)?{name}$", page, re.M), name


def test_the_guide_to_slimming(capsys):
    names = {}
    for block in code_of("docs/slim.md"):
        exec(block, names)
    assert "whole model" in capsys.readouterr().out
    assert names["distilled"].layers[0].cell.gating.name == "lstm3"


def test_the_guide_to_layers(capsys):
    for block in code_of("docs/layers.md"):
        exec(block, {})
    assert "lstm5a" in capsys.readouterr().out
