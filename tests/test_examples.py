"""The scripts in examples/, at a small size."""

import importlib
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from frameworks import to_numpy

import keras_slim

pytestmark = pytest.mark.any_backend

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def example(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    names = [path.stem for path in EXAMPLES.glob("*.py")]
    yield importlib.import_module
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("layer", ["LSTM", "LSTM3"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("text_classification", "--units 4 --samples 60 --epochs 1"),
        ("forecasting", "--units 4 --length 400 --epochs 1"),
        ("encoder_decoder", "--units 4 --samples 64 --epochs 1"),
    ],
)
def test_a_script_trains_with_any_layer(example, name, options, layer):
    found = example(name).main(["--layer", layer, *options.split()])
    assert np.isfinite(found)


@pytest.mark.parametrize(
    "name", ["text_classification", "forecasting", "encoder_decoder"]
)
def test_its_model_is_slimmed_and_comes_back(example, name):
    module = example(name)
    model = module.build_model(keras.layers.LSTM, 4)
    slimmed = keras_slim.slim(model, "lstm3")
    assert slimmed.count_params() < model.count_params()
    inputs = [
        np.ones([2, *(size or 3 for size in x.shape[1:])], x.dtype)
        for x in model.inputs
    ]
    inputs = inputs if len(inputs) > 1 else inputs[0]
    theirs = keras_slim.to_keras(slimmed)
    np.testing.assert_allclose(
        to_numpy(theirs(inputs)), to_numpy(slimmed(inputs)), atol=1e-6
    )


def test_the_series_is_that_of_its_equation(example):
    x = example("forecasting").mackey_glass(300).astype("float64")
    assert abs(x.mean()) < 1e-3 and abs(x.std() - 1) < 1e-3
    assert len(np.unique(x.round(3))) > 100  # neither constant nor periodic


def test_sums_are_right_and_read_backwards(example):
    module = example("encoder_decoder")
    for question, answer in zip(*module.load_data(50), strict=True):
        text = "".join(module.SYMBOLS[k] for k in question)
        sum_ = "".join(module.SYMBOLS[k] for k in answer)[::-1]
        a, b = text.split("+")
        assert int(a) + int(b) == int(sum_)


@pytest.mark.filterwarnings("ignore")  # of KerasTuner's dependencies
def test_a_variant_is_a_hyperparameter(example):
    pytest.importorskip("keras_tuner")
    values = example("tune_the_variant").main(
        ["--trials", "2", "--epochs", "1"]
    )
    assert values["variant"] in keras_slim.variants.VARIANTS


@pytest.mark.filterwarnings("ignore")  # scikit-learn's, about its own tags
def test_slim_layers_are_cross_validated(example):
    means = example("scikit_learn").main(["--epochs", "1", "--folds", "2"])
    assert means.keys() == {"lstm", "lstm3"}
    assert all(0.1 < mean <= 1 for mean in means.values())
