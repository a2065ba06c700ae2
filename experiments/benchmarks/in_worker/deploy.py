import functools
import statistics
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from scipy.integrate import solve_ivp
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, r2_score

import keras_slim
from experiments.benchmarks.in_worker.calls import Calls
from experiments.benchmarks.in_worker.checks import difference
from experiments.benchmarks.in_worker.files import FORMATS
from experiments.benchmarks.in_worker.memory import peak_of
from experiments.benchmarks.subjects import (
    CNN,
    KERAS_GRU,
    KERAS_LSTM,
    Exported,
)

UNITS = 32
FILTERS = (4, 8, 16, 32)
ENOUGH = 0.01  # A network is as good as the LSTM down to this difference.
PAST, AHEAD = 32, 15  # Steps of the series that are read, and the one to tell.


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
    output: callable
    loss: str
    epochs: int
    score: callable


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
    """The first coordinate of Lorenz's equations (1963), told ahead."""

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


class Deploy(Calls):
    """Times exported networks in their runtimes, for a batch of one.

    Args:
        task: Name of the task.
        folder: Path of a folder for trained weights, which the workers of all
            backends share.
        seeds: Integer, how often each network is trained.
        epochs: Integer, or `None` for those of the task.
    """

    def __init__(self, task, folder, seeds, epochs=None):
        super().__init__()
        self._name, self._task = task, TASKS[task]()
        self._folder, self._seeds = Path(folder), range(seeds)
        self._epochs = epochs or self._task.epochs
        self._examined = {}

    def subjects(self, names):
        backend = keras.backend.backend()
        sizes = dict.fromkeys((KERAS_LSTM, KERAS_GRU, *names), UNITS)
        sizes[CNN] = self._filters()
        return [
            Exported(backend, layer, name, size, self._parameters(layer, size))
            for layer, size in sizes.items()
            for name, kind in FORMATS.items()
            # Without a loop there is nothing to unroll.
            if kind.backend == backend and not (layer == CNN and kind.unroll)
        ]

    def build(self, subject):
        """Exports the network of each seed; that of the first is timed."""
        kind = FORMATS[subject.format]
        x, y = self._task.test
        scores, runtimes, found, expected = [], [], [], []
        for seed in self._seeds:
            model = self._trained(subject.layer, subject.size, seed, kind)
            path = self._folder / f"file{kind.suffix}"
            expected.append(model.predict(x, verbose=0))
            kind.export(model, str(path), self._task.train[0][:200])
            runtime = kind.runtime(str(path))
            found.append(runtime(x))
            scores.append(self._task.score(y, found[-1]))
            runtimes.append(runtime)
            if seed == 0:
                parts = path.parent.glob(f"{path.stem}.*")
                size = sum(part.stat().st_size for part in parts)
                # The runtime itself is in memory by now.
                memory = peak_of(lambda p=path: kind.runtime(str(p))(x[:1]))
            for part in path.parent.glob(f"{path.stem}.*"):
                part.unlink()
        runtimes[0](x[:1])
        self._examined[subject] = {
            "file_bytes": size,
            "peak_memory_bytes": memory,
            "score": statistics.mean(scores),
            "score_min": min(scores),
            "score_max": max(scores),
        }
        if kind.is_exact:
            self._examined[subject]["difference"] = difference(
                found, expected, "float32"
            )
        return runtimes[0].invoke

    def examine(self, subject, call, result):
        return self._examined[subject]

    def _filters(self):
        """The fewest with which the CNN is as good as `keras.layers.LSTM`."""
        wanted = self._mean_score(KERAS_LSTM, UNITS) - ENOUGH
        for filters in FILTERS:
            if self._mean_score(CNN, filters) >= wanted:
                break
        return filters

    def _mean_score(self, layer, size):
        x, y = self._task.test
        return statistics.mean(
            self._task.score(
                y, self._trained(layer, size, seed).predict(x, verbose=0)
            )
            for seed in self._seeds
        )

    def _trained(self, layer, size, seed, kind=None):
        """A network with the weights that some worker has trained."""
        name = f"{self._name}-{layer}-{size}-{seed}.weights.h5"
        path = self._folder / name
        if not path.exists():
            keras.utils.set_random_seed(seed)
            model = network(self._task, layer, size)
            model.compile(keras.optimizers.Adam(3e-3), self._task.loss)
            model.fit(*self._task.train, epochs=self._epochs, verbose=0)
            model.save_weights(path)
        unroll = kind is not None and kind.unroll
        model = network(self._task, layer, size, unroll)
        model.load_weights(path)
        return model

    def _parameters(self, layer, size):
        return network(self._task, layer, size).count_params()
