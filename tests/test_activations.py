import keras
import numpy as np

from keras_slim.activations import keras2_hard_sigmoid


def test_keras2_hard_sigmoid():
    x = np.array([-3.0, -2.5, -1.0, 0.0, 1.0, 2.5, 3.0], "float32")
    y = keras.ops.convert_to_numpy(keras2_hard_sigmoid(x))
    np.testing.assert_allclose(y, [0, 0, 0.3, 0.5, 0.7, 1, 1], atol=1e-7)


def test_it_is_not_the_one_of_keras_3():
    x = np.ones((1,), "float32")
    assert keras.ops.convert_to_numpy(
        keras.activations.hard_sigmoid(x)
    ) != keras.ops.convert_to_numpy(keras2_hard_sigmoid(x))


def test_it_is_found_again_by_its_serialised_form():
    config = keras.activations.serialize(keras2_hard_sigmoid)
    assert keras.activations.get(config) is keras2_hard_sigmoid
