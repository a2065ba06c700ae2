"""The experiments, and run folders that nothing was trained for."""

import contextlib
import dataclasses
import functools

import numpy as np

from experiments.engine.runs import RunFolder
from experiments.long_memory.experiment import LONG_MEMORY
from experiments.memory_duration.experiment import MEMORY_DURATION
from experiments.newsgroups.experiment import NEWSGROUPS

EXPERIMENTS = (NEWSGROUPS, MEMORY_DURATION, LONG_MEMORY)


def make_run(experiment, results_dir, seed=0, epochs=3, done=None, **settings):
    """Makes a run whose figures follow from its seed.

    Args:
        experiment: `engine.experiment.Experiment`.
        results_dir: Path of the results of all experiments.
        seed: Integer.
        epochs: Integer, the setting.
        done: Integer, the number of epochs after which it fails. Default:
            `None`, it does not fail.
        **settings: Further settings.

    Returns:
        Its `RunFolder`.
    """
    config = experiment.config_type(seed=seed, epochs=epochs, **settings)
    folder = RunFolder(
        results_dir,
        experiment.name,
        config.as_dict(),
        "data",
        experiment.tables,
    )
    with contextlib.suppress(ArithmeticError):
        _execute(experiment.tables, config, None, folder, done)
    return folder


def untrained(experiment):
    """The experiment with runs that are made as by `make_run`."""
    execute = functools.partial(_execute, experiment.tables)
    return dataclasses.replace(experiment, execute=execute)


def _execute(tables, config, data, folder, done=None, **options):
    # With as many digits as figures of a network.
    draw = np.random.default_rng(config.seed % 1000).random

    def train():
        rows = [
            {"epoch": epoch, **{name: draw() for name in tables.metrics}}
            for epoch in range(1, config.epochs + 1)
        ]
        rows = [{**row, "seconds": 60.0} for row in rows]
        folder.write_history(rows[:done])
        if done is not None:
            raise ArithmeticError("on purpose")
        for name, columns in tables.details.items():
            values = [
                str(k) if kind is int else str(draw())
                for k, kind in enumerate(columns.values(), 1)
            ]
            text = "\n".join([",".join(columns), *2 * [",".join(values)], ""])
            (folder.path / f"{name}.csv").write_text(text)
        found = {n: kind(10 * draw()) for n, kind in tables.result.items()}
        return {**found, "epochs": config.epochs, "mean_durations": [1.0]}

    folder.make(train, data_sources={"posts": "made here"}, chance=0.25)
