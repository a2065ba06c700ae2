"""Small networks that are exported or slimmed, on tasks without a download."""

import functools
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, r2_score

import keras_slim
from experiments.benchmarks.in_worker.files import FORMATS
from experiments.benchmarks.in_worker.timing import (
    Timed,
    difference,
    layer_of,
    peak_of,
)
from experiments.benchmarks.subjects import (
    CNN,
    EPOCHS,
    KERAS_GRU,
    KERAS_LSTM,
    Exported,
)

UNITS = 32
PAST, AHEAD = 20, 10  # Values that are read, and the one to predict.
FILTERS = (4, 8, 16, 32)
ENOUGH = 0.01  # A network this much worse is still as good as the LSTM.


class Task(NamedTuple):
    """A task that networks learn."""

    train: tuple  # arrays (samples, timesteps, features), and targets
    test: tuple
    output: Callable  # returns the last layer of a network
    loss: str
    epochs: int
    score: Callable  # of the test targets and predictions; 1 is perfect

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
    """The first coordinate of Lorenz's equations (1963), predicted ahead.

    Integrated by the classical Runge-Kutta method, in Python's floats: the
    equations are chaotic, and the rounding of another library or CPU would
    give another series.
    """

    def derivatives(x, y, z):
        return 10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z

    def moved(state, step, slopes):
        return [s + step * d for s, d in zip(state, slopes, strict=True)]

    state, series, step = (1.0, 1.0, 1.0), [], 0.01
    for _ in range(5_000):
        series.append(state[0])
        for _ in range(5):
            a = derivatives(*state)
            b = derivatives(*moved(state, step / 2, a))
            c = derivatives(*moved(state, step / 2, b))
            d = derivatives(*moved(state, step, c))
            for slopes, weight in ((a, 1), (b, 2), (c, 2), (d, 1)):
                state = moved(state, weight * step / 6, slopes)
    series = np.array(series[1_000:])
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

    `size` is the number of its units or filters.
    """
    if layer == CNN:
        body = [
            keras.layers.Conv1D(size, 3, strides=2, activation="relu"),
            keras.layers.Conv1D(size, 3, strides=2, activation="relu"),
            keras.layers.Flatten(),
        ]
    else:
        body = [layer_of(layer, size, unroll=unroll)]
    shape = task.train[0].shape[1:]
    return keras.Sequential([keras.Input(shape), *body, task.output()])


def compiled(task, model, loss=None):
    model.compile(keras.optimizers.Adam(3e-3), loss or task.loss)
    return model


class Deploy(Timed):
    """Times exported networks in their runtimes, for a batch of one.

    Args:
        task: Name of the task.
        folder: Path of a folder for trained weights, which the workers of all
            backends share.
        seeds: Integer, the number of seeds each network is trained with.
        epochs: Integer, or `None` for those of the task.
    """

    def __init__(self, task, folder, seeds, epochs=None):
        super().__init__()
        self._name, self._task = task, TASKS[task]()
        self._folder, self._seeds = Path(folder), range(seeds)
        self._epochs = epochs or self._task.epochs
        self._examined, self._predicted = {}, {}

    def subjects(self, names):
        backend = keras.backend.backend()
        sizes = dict.fromkeys((KERAS_LSTM, KERAS_GRU, *names), UNITS)
        sizes[CNN] = self._filters()
        return [
            Exported(backend, layer, name, size, self._parameters(layer, size))
            for layer, size in sizes.items()
            for name, kind in FORMATS.items()
            if kind.backend == backend
            # Without a loop there is nothing to unroll.
            and not (layer == CNN and name == "LiteRT, unrolled")
        ]

    def build(self, subject):
        """Exports the network of the first seed, which is timed.

        A quantized one is scored for each seed; others compute what Keras does.
        """
        kind = FORMATS[subject.format]
        network = subject.layer, subject.size
        x, y = self._task.test
        runtime, outcome = self._exported(kind, *network, self._seeds[0])
        predictions = [self._predictions(*network, s) for s in self._seeds]
        found = runtime(x)
        if kind.is_exact:
            outcome["difference"] = difference(
                [found], predictions[:1], "float32"
            )
        else:
            others = self._seeds[1:]
            runtimes = [self._exported(kind, *network, s)[0] for s in others]
            predictions = [found, *(other(x) for other in runtimes)]
        scores = [self._task.score(y, one) for one in predictions]
        outcome["score"] = statistics.mean(scores)
        outcome |= {"score_min": min(scores), "score_max": max(scores)}
        self._examined[subject] = outcome
        runtime(x[:1])
        return runtime.invoke

    def _exported(self, kind, layer, size, seed):
        """The runtime of an exported file, and its sizes as a dict."""
        model = self._trained(layer, size, seed, kind.unroll)
        x = self._task.train[0][:200]
        model(x[:1])  # PyTorch cannot export a model that was never called.
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder, f"file{kind.suffix}"))
            kind.export(model, path, x)
            runtime = kind.runtime(path)
            runtime(x[:1])
            return runtime, {
                "file_bytes": sum(
                    part.stat().st_size for part in Path(folder).iterdir()
                ),
                # The code of the runtime is already in memory.
                "peak_memory_bytes": peak_of(lambda: kind.runtime(path)(x[:1])),
            }

    def examine(self, subject, call, result):
        return self._examined[subject]

    def _filters(self):
        """The fewest filters with which the CNN is as good as the LSTM."""
        wanted = self._mean_score(KERAS_LSTM, UNITS) - ENOUGH
        for filters in FILTERS:
            if self._mean_score(CNN, filters) >= wanted:
                break
        return filters

    def _mean_score(self, layer, size):
        _, y = self._task.test
        return statistics.mean(
            self._task.score(y, self._predictions(layer, size, seed))
            for seed in self._seeds
        )

    def _predictions(self, layer, size, seed):
        key = layer, size, seed
        if key not in self._predicted:
            model = self._trained(*key)
            x, _ = self._task.test
            self._predicted[key] = model.predict(x, verbose=0)
        return self._predicted[key]

    def _trained(self, layer, size, seed, unroll=False):
        """A network with weights that this or another worker has trained."""
        name = f"{self._name}-{layer}-{size}-{seed}.weights.h5"
        path = self._folder / name
        if not path.exists():
            keras.utils.set_random_seed(seed)
            model = compiled(self._task, network(self._task, layer, size))
            model.fit(*self._task.train, epochs=self._epochs, verbose=0)
            model.save_weights(path)
        model = network(self._task, layer, size, unroll)
        model.load_weights(path)
        return model

    def _parameters(self, layer, size):
        return network(self._task, layer, size).count_params()


class Slimming:
    """Scores of slimmed networks, by how they were trained.

    Args:
        task: Name of the task.
        epochs: Integer, of the original, or `None` for those of the task.
    """

    def __init__(self, task, epochs=None):
        self._task = TASKS[task]()
        self._epochs = epochs or self._task.epochs
        self._full = self._outputs = None

    def train(self, seed):
        """Trains the original, and returns its score."""
        keras.utils.set_random_seed(seed)
        self._full = compiled(
            self._task, network(self._task, KERAS_LSTM, UNITS)
        )
        self._fit(self._full, self._epochs)
        x, _ = self._task.train
        self._outputs = self._full.predict(x, verbose=0)
        return self._task.score_of(self._full)

    def scores(self, variant, seed):
        """Scores in the order of `subjects.WAYS`."""
        keras.utils.set_random_seed(seed)
        fine_tuned = keras_slim.slim(self._full, variant)
        after = self._task.score_of(fine_tuned)
        self._fit(fine_tuned, EPOCHS)

        distilled = keras_slim.slim(self._full, variant)
        # The loss of the task, with the outputs of the original as targets.
        loss = self._task.loss.removeprefix("sparse_")
        compiled(self._task, distilled, loss)
        self._fit(distilled, EPOCHS, self._outputs)

        from_scratch = compiled(self._task, network(self._task, variant, UNITS))
        self._fit(from_scratch, EPOCHS)
        scores = [
            self._task.score_of(model)
            for model in (fine_tuned, distilled, from_scratch)
        ]
        return [after, *scores]

    def _fit(self, model, epochs, targets=None):
        x, y = self._task.train
        model.fit(
            x, y if targets is None else targets, epochs=epochs, verbose=0
        )
