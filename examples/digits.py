"""Images of digits, read row by row: data of scikit-learn for two examples."""

import keras
from keras import layers
from sklearn.datasets import load_digits

import keras_slim


def load_data():
    """1,797 digits of 64 pixels, row by row, and their labels."""
    digits = load_digits()
    return digits.data.astype("float32") / 16, digits.target


def build_model(
    variant="lstm3", units=32, loss="sparse_categorical_crossentropy"
):
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Reshape((8, 8)),  # 8 time steps of 8 features
            keras_slim.SlimRNN(units, variant=variant),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-2), loss, metrics=["accuracy"])
    return model
