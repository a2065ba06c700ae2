"""The Python code of README.md and of the guides runs as it stands."""

import keras
import numpy as np
from guides import code_of

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


def test_the_guide_to_layers(capsys):
    for block in code_of("docs/layers.md"):
        exec(block, {})
    assert "lstm5a" in capsys.readouterr().out
