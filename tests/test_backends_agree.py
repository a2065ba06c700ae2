"""One model through the three backends, each in a process of its own."""

import os
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.all_backends

BACKENDS = ("tensorflow", "jax", "torch")
VARIANTS = ("lstm1", "lstm3")  # a gate with a product, and one without
STEP = """
import sys
import keras, numpy as np
import keras_slim

command, folder, *variants = sys.argv[1:]
x = np.load(f"{folder}/x.npy")
for variant in variants:
    path = f"{folder}/{variant}.keras"
    if command == "train":
        layer = keras_slim.SlimLSTM(
            128, variant=variant, dropout=0.2, recurrent_dropout=0.3
        )
        model = keras.Sequential(
            [
                keras.Input(x.shape[1:]),
                keras.layers.Bidirectional(layer),
                keras.layers.Dense(20, activation="softmax"),
            ]
        )
        model.compile("rmsprop", "sparse_categorical_crossentropy")
        losses = model.fit(
            x, np.arange(len(x)) % 20, epochs=3, verbose=0
        ).history["loss"]
        assert losses[-1] < losses[0], losses
        model.save(path)
    else:
        model = keras.saving.load_model(path)
    backend = keras.backend.backend()
    predictions = model.predict(x, verbose=0)
    np.save(f"{folder}/{variant}-{command}-{backend}.npy", predictions)
"""


def step(backend, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", STEP, *map(str, arguments)],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("trained_on", BACKENDS)
def test_a_model_predicts_the_same_on_all(tmp_path, trained_on):
    random = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", random.normal(size=(40, 7, 128)).astype("f"))
    step(trained_on, "train", tmp_path, *VARIANTS)
    for backend in BACKENDS:
        step(backend, "predict", tmp_path, *VARIANTS)
        for variant in VARIANTS:
            own = np.load(tmp_path / f"{variant}-train-{trained_on}.npy")
            loaded = np.load(tmp_path / f"{variant}-predict-{backend}.npy")
            np.testing.assert_allclose(loaded, own, rtol=1e-5, atol=1e-6)
