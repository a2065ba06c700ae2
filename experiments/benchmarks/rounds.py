"""Measures in rounds: each measures every subject once, in a new order.

A temporary disturbance of the machine thus affects all subjects alike, and a
ratio is taken between two times of the same round.
"""

import csv
import random
import time

from experiments.benchmarks.other_work import OtherWork
from experiments.benchmarks.workers import WorkerError

PAUSE = 0.02  # seconds, see workers.py
# Columns of a row: of round 0, in which a subject is prepared, or a later one.
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
    """Appends rows to a CSV file at once, so that a crash does not lose them.

    Args:
        path: `pathlib.Path`, overwritten.
        columns: Names of the columns that identify the subject of a row.
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


def measure(subjects, workers, rounds, append, show, seed=0):
    """Prepares all subjects, then measures them in rounds.

    Args:
        subjects: List of subjects, each with a `backend`.
        workers: Dict from backends to objects with a method `call`, which
            takes `"prepare"` or `"measure"` and a subject, and returns a dict
            of `OUTCOMES`.
        rounds: Integer.
        append: Function that takes a list of pairs (subject, dict).
        show: Function that is called with a text before each measurement.
        seed: Integer, for the order in each round.
    """
    ready = []
    for subject in subjects:
        show(f"preparing {subject}")
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
                show(f"round {number}, {subject}")
                if subject.backend != backend:
                    backend = subject.backend
                    time.sleep(PAUSE)
                outcome = _outcome(workers[backend], "measure", subject)
                rows.append((subject, {"round": number, **outcome}))
                if "error" in outcome:
                    ready.remove(subject)
        finally:
            # Ctrl-C keeps an incomplete round, too.
            share = round(others.share(), 4)
            append([(s, {**o, "other_cpu": share}) for s, o in rows])


def _outcome(worker, method, subject):
    try:
        return worker.call(method, subject)
    except WorkerError as error:
        return {"error": str(error)}
