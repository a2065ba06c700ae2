"""Any callable may be an activation: with weights, state or random draws."""

import frameworks
import keras
import numpy as np
import oracle
import pytest
from drawn import random_array, randomise
from frameworks import to_numpy, weights_of
from keras import ops

import keras_slim
from keras_slim.activations import keras2_hard_sigmoid

BATCH, TIME, FEATURES, UNITS = 3, 4, 2, 3
SLOTS = ("activation", "recurrent_activation")
JAX = keras.backend.backend() == "jax"


@keras.saving.register_keras_serializable("tests")
class Steepness(keras.layers.Layer):
    """`tanh(a x)` with a trained `a`."""

    def build(self, input_shape):
        self.a = self.add_weight(shape=(), initializer="ones", name="a")

    def call(self, inputs):
        return ops.tanh(self.a * inputs)


def inputs():
    return random_array(BATCH, TIME, FEATURES)


@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.layers.PReLU(alpha_initializer="ones"),
        Steepness,
        lambda: lambda x: ops.tanh(2 * x),
    ],
    ids=["PReLU", "layer", "function"],
)
def test_outputs_and_gradients_are_those_of_keras(slot, make):
    found = []
    for layer_class in (keras.layers.LSTM, keras_slim.LSTM):
        layer = layer_class(UNITS, **{slot: make()})
        layer(inputs())
        randomise(layer)
        found.append(
            frameworks.outputs_and_gradients(
                layer, inputs(), random_array(BATCH, UNITS, seed=5)
            )
        )
    (wanted, gradients), (outputs, ours) = found
    np.testing.assert_allclose(outputs, wanted, atol=1e-6)
    assert ours.keys() == gradients.keys()
    for name, gradient in gradients.items():
        assert np.abs(gradient).max() > 0
        np.testing.assert_allclose(ours[name], gradient, atol=1e-5)


@pytest.mark.parametrize("return_cell_states", [False, True])
def test_a_layer_as_activation_of_every_row(variant, return_cell_states):
    layer = keras_slim.SlimRNN(
        UNITS,
        activation=Steepness(),
        variant=variant,
        return_sequences=True,
        return_cell_states=return_cell_states,
    )
    layer.build((BATCH, TIME, FEATURES))
    assert layer.trainable_weights[-1] is layer.activation.a
    randomise(layer)
    weights = weights_of(layer)
    outputs = layer(inputs())
    wanted = oracle.forward(
        layer.cell.gating.terms,
        weights,
        inputs(),
        np.zeros((len(layer.cell.gating.family.states), BATCH, UNITS)),
        g=lambda z: np.tanh(weights["a"] * z),
    )[0]
    outputs = outputs[0] if return_cell_states else outputs
    np.testing.assert_allclose(to_numpy(outputs), wanted, atol=1e-5)


def test_weights_of_an_activation_are_trained_and_saved(tmp_path):
    def built():
        layer = keras_slim.LSTM3(UNITS, activation=Steepness())
        model = keras.Sequential([keras.Input((TIME, FEATURES)), layer])
        model.compile("sgd", "mse")
        return model

    model = built()
    model.fit(inputs(), np.ones((BATCH, UNITS)), epochs=1, verbose=0)
    weights = model.get_weights()
    assert weights[-1] != 1
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    other = built()
    other.load_weights(tmp_path / "model.weights.h5")
    for loaded in (keras.saving.load_model(tmp_path / "model.keras"), other):
        for found, wanted in zip(loaded.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.layers.Dropout(0.5, seed=1),
        lambda: keras.layers.GaussianNoise(0.5, seed=1),
        lambda: keras.layers.BatchNormalization(),
    ],
    ids=["Dropout", "GaussianNoise", "BatchNormalization"],
)
def test_random_draws_and_state_are_those_of_keras(slot, make):
    # In a loop of JAX nothing can be drawn or assigned, with Keras neither.
    cell = keras.layers.LSTMCell(UNITS, **{slot: make()})
    theirs = keras.layers.RNN(cell, unroll=JAX)
    ours = keras_slim.LSTM(UNITS, **{slot: make()}, unroll=JAX)
    results = []
    for layer in (theirs, ours):
        layer.build((BATCH, TIME, FEATURES))
        cell = layer.cell
        for k, w in enumerate((cell.kernel, cell.recurrent_kernel, cell.bias)):
            w.assign(random_array(*w.shape, seed=k))
        outputs = layer(inputs(), training=True)
        state = getattr(cell, slot).get_weights()
        results.append([to_numpy(outputs), *state])
    for wanted, found in zip(*results, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_every_activation_of_keras_takes_the_fast_loop():
    names = set(dir(keras.activations)) - {"get", "serialize", "deserialize"}
    names = [name for name in names if not name.startswith("_")]
    assert len(names) > 20
    serialized = keras.activations.serialize(keras2_hard_sigmoid)
    for activation in (*names, None, keras2_hard_sigmoid, serialized):
        keras_slim.LSTM3(
            UNITS,
            activation=activation,
            recurrent_activation=activation,
            recurrence="fast",
        )


@pytest.mark.parametrize("slot", SLOTS)
def test_the_fast_loop_refuses_other_callables(slot):
    with pytest.raises(ValueError, match="`recurrence`") as error:
        keras_slim.LSTM3(UNITS, recurrence="fast", **{slot: Steepness()})
    message = str(error.value)
    assert f" {slot}=<Steepness" in message
    assert "`keras.activations`" in message
    assert "Expected 'auto' or 'plain'" in message
