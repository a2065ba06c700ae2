"""Run folders of any experiment that nothing was trained for."""

import numpy as np

from experiments.engine.runs import RunFolder

FINGERPRINT = "data"


def make_run(experiment, results_dir, seed=0, epochs=3, done=None, **settings):
    """Makes a run whose figures follow from its seed, as does their number.

    Args:
        experiment: `engine.experiment.Experiment`.
        results_dir: Path of the results of all experiments.
        seed: Integer.
        epochs: Integer, of the run.
        done: Integer, the epochs after which it fails. Default: `None`, it is
            done.
        **settings: Of the run.

    Returns:
        Its `RunFolder`.
    """
    tables = experiment.tables
    run = experiment.run_type(seed=seed, epochs=epochs, **settings)
    folder = RunFolder(
        results_dir, experiment.name, run.config(), FINGERPRINT, tables
    )
    # Of any length of digits, as those of a network.
    draw = np.random.default_rng(seed).random

    def train():
        rows = [
            {"epoch": epoch, **{m: draw() for m in tables.metrics}}
            for epoch in range(1, epochs + 1)
        ]
        rows = [{**row, "seconds": 2.0 + seed} for row in rows]
        folder.write_history(rows[:done])
        if done is not None:
            raise ArithmeticError("on purpose")
        for name, columns in tables.details.items():
            values = [
                str(k + seed) if kind is int else str(draw())
                for k, kind in enumerate(columns.values())
            ]
            text = "\n".join([",".join(columns), *2 * [",".join(values)], ""])
            (folder.path / f"{name}.csv").write_text(text)
        result = {
            name: kind(10 * draw()) for name, kind in tables.result.items()
        }
        return {**result, "epochs": epochs}

    try:
        folder.make(train, data_sources={"posts": "made here"}, chance=0.25)
    except ArithmeticError:
        pass
    return folder
