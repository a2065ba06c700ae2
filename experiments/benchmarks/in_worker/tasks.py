"""Small tasks that need no download, and networks that learn them."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from scipy.integrate import solve_ivp
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, r2_score

import keras_slim
from experiments.benchmarks.subjects import CNN, KERAS_GRU, KERAS_LSTM

UNITS = 32
PAST, AHEAD = 20, 10  # Steps that are read, and the one to predict.


class Task(NamedTuple):
    """What networks learn.

    Args:
        train, test: Pairs of arrays, `(samples, timesteps, features)` and
            targets.
        output: Function that returns the last layer of a network.
        loss: Name of the loss.
        epochs: Integer, epochs of training.
        score: Function of the test targets and predictions; 1 is perfect.
    """

    train: tuple
    test: tuple
    output: Callable
    loss: str
    epochs: int
    score: Callable

    def score_of(self, model):
        x, y = self.test
        return float(self.score(y, model.predict(x, verbose=0)))


def digits():
    """Digits of scikit-learn, read row by row."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    x = (data.images / 16).astype("float32")[order]
    y = data.target[order]
    cut = 2 * len(x) // 3
    return Task(
        (x[:cut], y[:cut]),
        (x[cut:], y[cut:]),
        functools.partial(keras.layers.Dense, 10, "softmax"),
        "sparse_categorical_crossentropy",
        30,
        lambda y, found: accuracy_score(y, found.argmax(axis=1)),
    )


def lorenz():
    """The first coordinate of Lorenz's equations (1963), predicted ahead."""

    def derivatives(_, state):
        x, y, z = state
        return 10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z

    times = np.arange(0, 250, 0.05)
    series = solve_ivp(
        derivatives, times[[0, -1]], (1, 1, 1), t_eval=times, rtol=1e-8
    ).y[0, 1000:]
    series = (series / series.std()).astype("float32")
    windows = np.lib.stride_tricks.sliding_window_view(series, PAST + AHEAD)
    x, y = windows[:, :PAST, None], windows[:, -1:]
    cut = 3 * len(x) // 4
    # Without the windows that overlap those for training.
    start = cut + PAST + AHEAD
    return Task(
        (x[:cut], y[:cut]),
        (x[start:], y[start:]),
        functools.partial(keras.layers.Dense, 1),
        "mse",
        30,
        r2_score,
    )


TASKS = {"digits": digits, "lorenz": lorenz}


def network(task, layer, size, unroll=False):
    """A recurrent layer, or two convolutions, and an output layer.

    Args:
        task: A `Task`.
        layer: Name of the layer.
        size: Integer, its units or filters.
        unroll: Boolean, of a recurrent layer.
    """
    if layer == CNN:
        body = [
            keras.layers.Conv1D(size, 3, strides=2, activation="relu"),
            keras.layers.Conv1D(size, 3, strides=2, activation="relu"),
            keras.layers.Flatten(),
        ]
    elif layer in (KERAS_LSTM, KERAS_GRU):
        kind = getattr(keras.layers, layer.rpartition(".")[-1])
        body = [kind(size, unroll=unroll)]
    else:
        body = [keras_slim.SlimRNN(size, variant=layer, unroll=unroll)]
    shape = task.train[0].shape[1:]
    return keras.Sequential([keras.Input(shape), *body, task.output()])


def compiled(task, model, loss=None):
    model.compile(keras.optimizers.Adam(3e-3), loss or task.loss)
    return model
