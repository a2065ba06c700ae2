"""Measures in rounds: each takes every subject once, in a new order.

What disturbs the machine for a while then meets all subjects alike, and a
ratio is taken between two times of the same round.
"""

import csv
import random
import time

from experiments.benchmarks.other_work import OtherWork
from experiments.benchmarks.workers import WorkerError

PAUSE = 0.02  # seconds, see workers.py
# What becomes of a subject: at round 0, when it is made ready, or later.
OUTCOMES = (
    "round",
    "compile_seconds",
    "peak_memory_bytes",
    "difference",
    "calls",
    "seconds",
    "other_cpu",
    "error",
)


class RoundsFile:
    """Appends rows to a CSV file as they come, so that a crash keeps them.

    Args:
        path: `pathlib.Path`, written anew.
        columns: Names of the columns that tell what a row is of.
    """

    def __init__(self, path, columns):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "w", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, [*columns, *OUTCOMES])
        self._writer.writeheader()
        self._file.flush()

    def append(self, rows):
        self._writer.writerows(rows)
        self._file.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()


def measure(subjects, workers, rounds, append, tell, seed=0):
    """Makes all subjects ready, then measures them in rounds.

    Args:
        subjects: List of subjects, each with a `backend`.
        workers: Dict from backend to what has the method `call`, which takes
            `"prepare"` or `"measure"` and a subject, and returns a dict of
            `OUTCOMES`.
        rounds: Integer.
        append: Function that takes a list of pairs (subject, dict).
        tell: Function that is called with a text before each measurement.
        seed: Integer, of the order in each round.
    """
    ready = []
    for subject in subjects:
        tell(f"preparing {subject}")
        outcome = _outcome(workers[subject.backend], "prepare", subject)
        append([(subject, {"round": 0, **outcome})])
        if "error" not in outcome:
            ready.append(subject)
    shuffle = random.Random(seed).shuffle
    for number in range(1, rounds + 1):
        shuffle(ready)
        others, rows, backend = OtherWork(), [], None
        try:
            for subject in list(ready):
                tell(f"round {number}, {subject}")
                if subject.backend != backend:
                    backend = subject.backend
                    time.sleep(PAUSE)
                outcome = _outcome(workers[backend], "measure", subject)
                rows.append((subject, {"round": number, **outcome}))
                if "error" in outcome:
                    ready.remove(subject)
        finally:
            # Ctrl-C leaves what there is of the round, too.
            share = round(others.share(), 4)
            append([(s, {**o, "other_cpu": share}) for s, o in rows])


def _outcome(worker, method, subject):
    try:
        return worker.call(method, subject)
    except WorkerError as error:
        return {"error": str(error)}
