import dataclasses

from experiments.benchmarks import progress, rounds, workers


def measure(backends, served, names, count, file, console, **where):
    """Measures one set of subjects, in processes of their own.

    The end of the processes frees all memory, and one that dies costs its
    part of this set only.

    Args:
        backends: Names of the backends, a worker each.
        served: Tuple, the class that a worker holds, and what it takes.
        names: Names of variants, of which it lists subjects.
        count: Integer, how many rounds.
        file: `rounds.RoundsFile`.
        console: `rich.console.Console`, which shows how far it is.
        **where: The columns that all subjects share.
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
        with progress.bar(console, title, steps) as tell:
            rounds.measure(subjects, started, count, append, tell)
