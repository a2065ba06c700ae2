"""The full row beside `keras.layers.LSTM`, and Keras's own golden figures."""

import frameworks
import keras
import numpy as np
import pytest
from frameworks import to_numpy

import keras_slim

BATCH, TIME, FEATURES, UNITS = 3, 5, 4, 6


def pair(**options):
    theirs = keras.layers.LSTM(UNITS, **options)
    ours = keras_slim.LSTM(UNITS, **options)
    for layer in (theirs, ours):
        layer.build((BATCH, TIME, FEATURES))
    random = np.random.default_rng(0)
    weights = [
        random.normal(size=w.shape).astype("float32")
        for w in theirs.get_weights()
    ]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    return theirs, ours


@pytest.fixture
def x():
    random = np.random.default_rng(1)
    return random.normal(size=(BATCH, TIME, FEATURES)).astype("float32")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"return_sequences": True},
        {"go_backwards": True, "return_sequences": True},
        {"use_bias": False},
        {"unroll": True},
        {"activation": "relu", "recurrent_activation": "hard_sigmoid"},
        {"dropout": 0.4, "seed": 1},
        {"dropout": 0.4, "recurrent_dropout": 0.3, "seed": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("masked", [False, True])
def test_same_output_and_gradient(x, options, masked):
    theirs, ours = pair(**options)
    mask = None
    if masked:
        mask = np.array([[1] * 5, [1, 1, 1, 0, 0], [1, 0, 1, 1, 0]], bool)
    if masked and options.get("unroll") is None and "go_backwards" in options:
        mask = mask[:, ::-1]
    call = {"training": "dropout" in options}
    if mask is not None:
        call["mask"] = mask
    expected = to_numpy(theirs(x, **call))
    np.testing.assert_allclose(to_numpy(ours(x, **call)), expected, atol=1e-6)

    if "dropout" in options:  # the two calls above moved the seeds on alike
        return
    upstream = np.ones_like(expected)
    wanted = frameworks.gradients(theirs, x, upstream, **call)
    found = frameworks.gradients(ours, x, upstream, **call)
    for name in wanted:
        np.testing.assert_allclose(found[name], wanted[name], atol=1e-5)


@pytest.mark.parametrize("unit_forget_bias", [True, False])
def test_same_names_shapes_and_initial_values(unit_forget_bias):
    layers = []
    for make in (keras.layers.LSTM, keras_slim.LSTM):
        keras.utils.set_random_seed(3)
        layer = make(
            UNITS,
            kernel_initializer=keras.initializers.GlorotUniform(seed=1),
            recurrent_initializer=keras.initializers.Orthogonal(seed=2),
            bias_initializer=keras.initializers.RandomNormal(seed=4),
            unit_forget_bias=unit_forget_bias,
            name="lstm",
        )
        layer.build((BATCH, TIME, FEATURES))
        layers.append(layer)
    theirs, ours = layers
    for a, b in zip(theirs.weights, ours.weights, strict=True):
        assert a.path == b.path
        np.testing.assert_array_equal(to_numpy(a), to_numpy(b))


# Figures of keras/src/layers/rnn/lstm_test.py, Keras 3.15 (Apache-2.0).
@pytest.mark.parametrize(
    ("options", "golden"),
    [
        ({}, [0.6288687, 0.86899155, 0.9460773]),
        ({"go_backwards": True}, [0.35622165, 0.74789524, 0.8872726]),
        ({"unroll": True}, [0.6288687, 0.86899155, 0.9460773]),
        ({"unit_forget_bias": False}, [0.57019705, 0.8661914, 0.9459622]),
    ],
    ids=str,
)
def test_golden_figures_of_keras(options, golden):
    sequence = np.arange(72).reshape((3, 6, 4)).astype("float32")
    layer = keras_slim.LSTM(
        3,
        kernel_initializer=keras.initializers.Constant(0.01),
        recurrent_initializer=keras.initializers.Constant(0.02),
        bias_initializer=keras.initializers.Constant(0.03),
        **options,
    )
    expected = np.repeat(np.array(golden)[:, None], 3, axis=1)
    np.testing.assert_allclose(to_numpy(layer(sequence)), expected, atol=1e-6)
