"""One model through the three backends, each in a process of its own."""

import os
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.all_backends

BACKENDS = ("tensorflow", "jax", "torch")
# A gate with a product, one without, and a reset gate.
VARIANTS = ("lstm1", "lstm3", "gru3")
TRAIN = """
import sys
import keras, numpy as np
import keras_slim

folder, *variants = sys.argv[1:]
x = np.load(f"{folder}/x.npy")
for variant in variants:
    layer = keras_slim.SlimRNN(
        32, variant=variant, dropout=0.2, recurrent_dropout=0.3
    )
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            keras.layers.Bidirectional(layer),
            keras.layers.Dense(20, activation="softmax"),
        ]
    )
    model.compile("rmsprop", "sparse_categorical_crossentropy")
    y = np.arange(len(x)) % 20
    losses = model.fit(x, y, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0], losses
    path = f"{folder}/{variant}-{keras.backend.backend()}"
    model.save(f"{path}.keras")
    np.save(f"{path}.npy", model.predict(x, verbose=0))
"""
PREDICT = """
import pathlib, sys
import keras, numpy as np
import keras_slim

folder = pathlib.Path(sys.argv[1])
for path in folder.glob("*.keras"):
    model = keras.saving.load_model(path, compile=False)
    found = model.predict(np.load(folder / "x.npy"), verbose=0)
    np.save(folder / f"{path.stem}-{keras.backend.backend()}.npy", found)
"""


def run(script, backend, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Predictions on each backend of models that were trained on each."""
    folder = tmp_path_factory.mktemp("backends")
    random = np.random.default_rng(0)
    np.save(folder / "x.npy", random.normal(size=(40, 7, 32)).astype("f"))
    for backend in BACKENDS:
        run(TRAIN, backend, folder, *VARIANTS)
    for backend in BACKENDS:
        run(PREDICT, backend, folder)
    return folder


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("trained_on", BACKENDS)
@pytest.mark.parametrize("loaded_on", BACKENDS)
def test_a_model_predicts_the_same_on_all(
    folder, variant, trained_on, loaded_on
):
    own = np.load(folder / f"{variant}-{trained_on}.npy")
    loaded = np.load(folder / f"{variant}-{trained_on}-{loaded_on}.npy")
    np.testing.assert_allclose(loaded, own, rtol=1e-5, atol=1e-6)
