"""Many calls, models or runs in one process, and the resources it holds."""

import contextlib
import gc
import tempfile
import threading
import time
from pathlib import Path

import keras
import numpy as np
import psutil

from experiments.benchmarks.in_worker.timing import BACKEND, layer_of
from experiments.memory_duration import cli

UNITS = 8
FEATURES = 4
# All shapes have occurred long before half of the calls are made.
MOST_ROWS, MOST_STEPS = 4, 12
ROWS = 32  # of a model
TEXT = "the quick brown fox jumps over the lazy dog. " * 5
POLL_SECONDS = 0.2


class Calls:
    """A layer that is called and trained on inputs of varied shapes.

    Args:
        name: Name of the layer; of ours, the name of the variant.
    """

    def __init__(self, name):
        self._meter, self._done = Meter(), 0
        self._random = np.random.default_rng(0)
        self._layer = layer_of(name, UNITS)
        self._model = _model_of(self._layer, None)

    def call(self, count):
        """Calls with a mask and trains, `count` times. Returns a sample."""
        for _ in range(count):
            rows = self._random.integers(1, MOST_ROWS + 1)
            steps = self._random.integers(1, MOST_STEPS + 1)
            size = rows, steps, FEATURES
            x = self._random.normal(size=size).astype("float32")
            self._layer(x, mask=np.arange(steps) < np.full((rows, 1), steps))
            self._model.train_on_batch(x, x[:, -1, :1])
        self._done += count
        return self._meter.read(self._done)


class Models:
    """Models of a layer that are built, trained and dropped, one by one."""

    def __init__(self, name):
        self._name, self._meter, self._done = name, Meter(), 0
        size = ROWS, MOST_STEPS, FEATURES
        self._x = np.random.default_rng(0).normal(size=size).astype("float32")

    def call(self, count):
        """Trains `count` models for an epoch. Returns a sample."""
        for _ in range(count):
            keras.utils.clear_session()
            model = _model_of(layer_of(self._name, UNITS), MOST_STEPS)
            model.fit(self._x, self._x[:, -1, :1], batch_size=8, verbose=0)
            # Lest it be in the sample.
            del model
        gc.collect()
        self._done += count
        return self._meter.read(self._done)


def _model_of(layer, timesteps):
    model = keras.Sequential(
        [
            keras.Input((timesteps, FEATURES)),
            layer,
            keras.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    return model


class Sweep:
    """A sweep of tiny runs with the launcher `serial`."""

    def __init__(self, samples):
        self._samples = samples

    def sweep(self, count):
        """Makes a sweep of `count` runs. Returns samples."""
        with tempfile.TemporaryDirectory() as folder:
            text = Path(folder, "text.txt")
            text.write_text(TEXT)
            arguments = [
                "sweep",
                f"--seed=0-{count - 1}",
                f"--text={text}",
                f"--results-dir={folder}",
                "--characters=none",
                "--variant=lstm3",
                "--layers=1",
                f"--units={UNITS}",
                "--epochs=1",
                "--batch-size=8",
                "--timesteps=10",
                "--learning-rate=1e-3",
                f"--backend={keras.backend.backend()}",
                "--no-known",
            ]
            found, ended = [], threading.Event()
            meter = Meter()

            def watch():
                for number in range(1, self._samples + 1):
                    wanted = count * number // self._samples
                    while (done := _runs_done(folder)) < wanted:
                        if ended.wait(POLL_SECONDS):
                            return
                    found.append(meter.read(done))

            watching = threading.Thread(target=watch)
            watching.start()
            status = None
            try:
                status = cli.main(arguments)
            finally:
                if status != 0:
                    ended.set()
                watching.join()
        if status != 0:
            raise RuntimeError(f"the sweep ended with status {status}")
        return found


def _runs_done(folder):
    return sum(1 for _ in Path(folder).glob("*/*/result.json"))


class Meter:
    """What the process and its children hold, and the time that passed."""

    def __init__(self):
        self._process = psutil.Process()
        self._compilations = BACKEND.compilations()
        self._before = time.perf_counter()

    def read(self, done):
        """A sample, the columns of a row of `soak.csv`."""
        now = time.perf_counter()
        seconds, self._before = now - self._before, now
        children = self._process.children(recursive=True)
        memory, files = 0, 0
        for process in (self._process, *children):
            # One may just have ended.
            with contextlib.suppress(psutil.NoSuchProcess):
                memory += process.memory_info().rss
                files += process.num_fds()
        return {
            "done": done,
            "seconds": round(seconds, 3),
            "memory_bytes": memory,
            "open_files": files,
            # Those of another process are not known.
            "compilations": None if children else self._compilations(),
        }
