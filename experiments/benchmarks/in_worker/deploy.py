import statistics
from pathlib import Path

import keras

from experiments.benchmarks.in_worker.calls import Calls
from experiments.benchmarks.in_worker.checks import difference
from experiments.benchmarks.in_worker.files import FORMATS
from experiments.benchmarks.in_worker.memory import peak_of
from experiments.benchmarks.in_worker.tasks import (
    TASKS,
    UNITS,
    compiled,
    network,
)
from experiments.benchmarks.subjects import (
    CNN,
    KERAS_GRU,
    KERAS_LSTM,
    Exported,
)

FILTERS = (4, 8, 16, 32)
ENOUGH = 0.01  # A network is as good as the LSTM down to this difference.


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
            if kind.backend == backend
            # Without a loop there is nothing to unroll.
            and not (layer == CNN and name == "LiteRT, unrolled")
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
        return statistics.mean(
            self._task.score_of(self._trained(layer, size, seed))
            for seed in self._seeds
        )

    def _trained(self, layer, size, seed, kind=None):
        """A network with the weights that some worker has trained."""
        name = f"{self._name}-{layer}-{size}-{seed}.weights.h5"
        path = self._folder / name
        if not path.exists():
            keras.utils.set_random_seed(seed)
            model = compiled(self._task, network(self._task, layer, size))
            model.fit(*self._task.train, epochs=self._epochs, verbose=0)
            model.save_weights(path)
        unroll = kind is not None and kind.unroll
        model = network(self._task, layer, size, unroll)
        model.load_weights(path)
        return model

    def _parameters(self, layer, size):
        return network(self._task, layer, size).count_params()
