import statistics
import tempfile
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
        """The runtime with a file, and what the file takes, as a dict."""
        model = self._trained(layer, size, seed, kind.unroll)
        x = self._task.train[0][:200]
        model(x[:1])  # PyTorch exports no model that was never called.
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder, f"file{kind.suffix}"))
            kind.export(model, path, x)
            runtime = kind.runtime(path)
            runtime(x[:1])
            return runtime, {
                "file_bytes": sum(
                    part.stat().st_size for part in Path(folder).iterdir()
                ),
                # The runtime itself is in memory by now.
                "peak_memory_bytes": peak_of(lambda: kind.runtime(path)(x[:1])),
            }

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
        """A network with the weights that some worker has trained."""
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
