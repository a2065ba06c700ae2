import contextlib
import dataclasses

from experiments.benchmarks import machine, progress, rounds, workers


@contextlib.contextmanager
def recorded(folder, name, about, columns):
    """The file of rounds of a command, in place of an earlier measurement.

    Args:
        folder: `pathlib.Path` of the results.
        name: String, of the command.
        about: Dict, what was measured on what.
        columns: Names of the columns before those of outcomes.

    Yields:
        `rounds.RoundsFile`.
    """
    (folder / f"{name}.csv").unlink(missing_ok=True)
    machine.write(about, folder / f"{name}.json")
    with rounds.RoundsFile(folder / f"{name}_rounds.csv", columns) as file:
        yield file


def measure(backends, served, names, count, file, console, **where):
    """Measures one set of subjects in its own processes.

    Their end frees all memory, and a process that dies affects only its part
    of this set.

    Args:
        backends: Names of the backends, with one worker each.
        served: Tuple of the class of a worker's object and its arguments.
        names: Names of the variants to measure.
        count: Integer, the number of rounds.
        file: `rounds.RoundsFile`.
        console: `rich.console.Console`, for the progress.
        **where: Columns with the same value for all subjects.
    """
    with workers.start(backends, *served) as started:
        subjects = [
            subject
            for worker in started.values()
            for subject in worker.call("subjects", names)
        ]

        def append(outcomes):
            file.append(
                {**where, **dataclasses.asdict(subject), **outcome}
                for subject, outcome in outcomes
            )

        title = " ".join(map(str, where.values()))
        steps = len(subjects) * (1 + count)
        with progress.bar(console, title, steps) as show:
            rounds.measure(subjects, started, count, append, show)
