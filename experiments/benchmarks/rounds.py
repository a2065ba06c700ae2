"""Measures in rounds: each measures every subject once, in a new order.

A temporary disturbance of the machine thus affects all subjects alike, and a
ratio is taken between two times of the same round.
"""

import contextlib
import csv
import dataclasses
import os
import random
import time

import psutil
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from experiments.benchmarks import workers

PAUSE = 0.02  # seconds, see workers.py
# Columns of a row: of round 0, in which a subject is prepared, or a later one.
OUTCOMES = ("round", "compile_seconds", "peak_memory_bytes", "difference")
OUTCOMES += ("calls", "seconds", "other_cpu", "error")
# Fields of `psutil.cpu_times` that are not work, or whose time is also counted
# in another field.
_NOT_WORK = ("idle", "iowait", "guest", "guest_nice")


@contextlib.contextmanager
def rounds_file(path, columns):
    """A function that appends rows at once, so that no crash loses them.

    The file at `path` is overwritten. `columns` identify the subject of a row.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Each line is written when it is complete.
    with open(path, "w", 1, encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*columns, *OUTCOMES])
        writer.writeheader()
        yield writer.writerows


def path_of(folder, name):
    """The file of the rounds of a table."""
    return folder / ("rounds.csv" if name == "layers" else f"{name}_rounds.csv")


def measure_sets(name, columns, sets, options, console):
    """Measures sets of subjects, and writes each round when it is complete.

    Each set has processes of its own: their end frees all memory, and one that
    dies affects only its part of the set.

    Args:
        name: String, of the table, which replaces an earlier one.
        columns: Names of the columns before those of outcomes.
        sets: Iterable of triples: a tuple of the class of a worker's object
            and its arguments; names of variants; and a dict of the columns
            with the same value for all subjects of the set.
        options: Namespace of the command line.
        console: `rich.console.Console`, for the progress.
    """
    folder = options.results_dir
    (folder / f"{name}.csv").unlink(missing_ok=True)
    with rounds_file(path_of(folder, name), columns) as write:
        for served, names, where in sets:
            with workers.start(options.backend, *served) as started:
                _measure_set(started, names, where, options, write, console)


def _measure_set(started, names, where, options, write, console):
    subjects = [
        subject
        for worker in started.values()
        for subject in worker.call("subjects", names)
    ]

    def append(outcomes):
        write(
            {**where, **dataclasses.asdict(subject), **outcome}
            for subject, outcome in outcomes
        )

    title = " ".join(map(str, where.values()))
    steps = len(subjects) * (1 + options.rounds)
    with progress(console, title, steps) as show:
        measure(subjects, started, options.rounds, append, show)


def measure(subjects, started, rounds, append, show):
    """Prepares all subjects, then measures them in rounds.

    Args:
        subjects: List of subjects, each with a `backend`.
        started: Dict from backends to objects with a method `call`, which
            takes `"prepare"` or `"measure"` and a subject, and returns a dict
            of `OUTCOMES`.
        rounds: Integer.
        append: Function that takes a list of pairs (subject, dict).
        show: Function that is called with a text before each measurement.
    """
    ready = []
    for subject in subjects:
        show(f"preparing {subject}")
        outcome = _outcome(started[subject.backend], "prepare", subject)
        append([(subject, {"round": 0, **outcome})])
        if "error" not in outcome:
            ready.append(subject)
    shuffle = random.Random(0).shuffle
    for number in range(1, rounds + 1):
        shuffle(ready)
        others, rows, backend = OtherWork(), [], None
        try:
            for subject in list(ready):
                show(f"round {number}, {subject}")
                if subject.backend != backend:
                    backend = subject.backend
                    time.sleep(PAUSE)
                outcome = _outcome(started[backend], "measure", subject)
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
    except workers.WorkerError as error:
        return {"error": str(error)}


@contextlib.contextmanager
def progress(console, title, steps):
    """Shows the progress of at most `steps` steps, and what is being measured.

    Yields a function to call with a text before each step.
    """
    with Progress(
        TextColumn(title),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[now]}"),
        console=console,
        # Drawing takes CPU time from what is measured.
        refresh_per_second=1,
    ) as bar:
        task = bar.add_task(title, total=steps, now="starting")
        begun = 0

        def show(text):
            nonlocal begun
            bar.update(task, completed=begun, now=text)
            begun += 1

        yield show
        bar.update(task, completed=begun, now="done")


class OtherWork:
    """The CPU time that other processes and machines take from now on."""

    def __init__(self):
        self._began = time.perf_counter()
        self._of_others = _busy_seconds() - _own_seconds()

    def share(self):
        """The time they took, as a share of the machine's CPU time."""
        capacity = (time.perf_counter() - self._began) * os.cpu_count()
        taken = _busy_seconds() - _own_seconds() - self._of_others
        return max(taken, 0.0) / capacity


def _busy_seconds():
    """CPU time of the whole machine, including steal time."""
    times = psutil.cpu_times()._asdict()
    return sum(s for name, s in times.items() if name not in _NOT_WORK)


def _own_seconds():
    """CPU time of this process and its descendants."""
    own = psutil.Process()
    total = 0.0
    for process in [own, *own.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total
