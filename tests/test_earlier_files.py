"""Models that an earlier version saved; see files/README.md."""

from pathlib import Path

import keras
import numpy as np
import pytest
from frameworks import to_numpy

import keras_slim  # noqa: F401  registers its classes

FILES = Path(__file__).parent / "files"


@pytest.mark.long
def test_a_saved_model_predicts_the_same_and_trains_on():
    # Not its optimizer: Keras saves that of a backend, which others lack.
    model = keras.saving.load_model(FILES / "model.keras", compile=False)
    saved = np.load(FILES / "model.npz")
    found = model.predict(saved["x"], verbose=0)
    np.testing.assert_allclose(found, saved["y"], atol=1e-6)
    model.compile("adam", "mse")
    before = [to_numpy(w) for w in model.trainable_weights]
    model.fit(saved["x"], np.ones_like(found), verbose=0)
    for old, weight in zip(before, model.trainable_weights, strict=True):
        assert (to_numpy(weight) != old).any(), weight.path
