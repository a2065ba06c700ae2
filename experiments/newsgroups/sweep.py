"""Many runs of the experiment: which, in what state, made by which launcher."""

import contextlib
import dataclasses
import functools
import os

import pandas as pd
from rich.table import Table

from experiments.engine.runs import RunIsClaimed
from experiments.engine.seeds import clock_seeds
from experiments.engine.sweep import Cell, epochs_done
from experiments.newsgroups.grid import AXES, CLOCK
from experiments.newsgroups.results import collect
from experiments.newsgroups.run import execute, folder_of, load_data
from experiments.newsgroups.spec import EXPERIMENT, Run


def make(run, results_dir, tensorboard=False):
    """Makes one run, in whatever process a launcher calls it.

    It returns without an error where another process makes the run.

    Args:
        run: A `spec.Run`.
        results_dir: Path of the results of all experiments.
        tensorboard: Boolean, whether to write logs for TensorBoard.
    """
    # The sweep told of its data when it loaded them.
    with contextlib.redirect_stdout(None):
        data = shared_data(run)
    callbacks = []
    if tensorboard:
        # Only here, as the package is an extra.
        from experiments.engine.tensorboard import TensorBoardLog

        cell = cell_of(run, data, results_dir)
        name = f"{cell.label} {cell.folder.id}".replace(" ", "-")
        log_dir = cell.folder.path.parent / "tensorboard" / name
        settings = {k: v for k, v in run.config().items() if v is not None}
        callbacks = [TensorBoardLog(cell.folder, log_dir, settings)]
    with contextlib.suppress(RunIsClaimed):
        execute(run, data, results_dir, verbose=0, callbacks=callbacks)


def shared_data(run):
    """What `run.load_data` gives, loaded once for the runs of a sweep."""
    first = Run()
    others = {name: getattr(first, name) for name in (*AXES, "epochs")}
    run = dataclasses.replace(run, **others)
    return _loaded(run, os.environ.get("KERAS_SLIM_DATA"))


@functools.lru_cache(maxsize=1)
def _loaded(run, data_dir):
    return load_data(run)


def runs_of(cells, results_dir, draw=True):
    """The runs of a sweep, with their data.

    Args:
        cells: List of dicts, see `grid.cells`.
        results_dir: Path of the results of all experiments.
        draw: Boolean, whether to draw seeds from the clock where they are
            asked for and not drawn yet.

    Returns:
        Tuple of a list of `spec.Run`, `None` for one whose seed is not drawn,
        and their `run.Data`.
    """
    timed = [k for k, cell in enumerate(cells) if cell["seed"] == CLOCK]
    runs = [Run(**{**cell, "seed": 0}) for cell in cells]
    data = shared_data(runs[0])
    configs = [runs[k].config() for k in timed]
    for config in configs:
        del config["seed"]
    drawn = clock_seeds(
        results_dir, EXPERIMENT, configs, data.fingerprint, draw
    )
    seeds = [cell["seed"] for cell in cells]
    for k, seed in zip(timed, drawn, strict=True):
        seeds[k] = seed
    runs = [
        None if seed is None else dataclasses.replace(run, seed=seed)
        for run, seed in zip(runs, seeds, strict=True)
    ]
    return runs, data


def cell_of(run, data, results_dir):
    """The `engine.sweep.Cell` of a run."""
    label = (
        f"{run.variant} {run.activation} {run.learning_rate:g} seed {run.seed}"
    )
    return Cell(folder_of(run, data, results_dir), run, label, run.epochs)


def outcome(folder):
    """What is to be said of a run that is done, in a line."""
    result = folder.result
    broke = result["breakdown_epoch"]
    return (
        f"validation accuracy {result['val_accuracy']:.2%} after "
        f"{result['epochs']} epochs"
        + (f", broke down in epoch {broke}" if broke else "")
    )


def plan(cells, runs, data, results_dir):
    """What of a sweep is done and what is left, as a person reads it.

    Args:
        cells: List of dicts, see `grid.cells`.
        runs: What `runs_of` made of them.
        data: `run.Data`.
        results_dir: Path of the results of all experiments.

    Returns:
        Tuple of a `rich.table.Table`, in the form of Table I, and a string.
    """
    config = Run(**{**cells[0], "seed": 0}).config()
    rows = []
    for cell, run in zip(cells, runs, strict=True):
        row = {**cell, "state": "left", "done": 0}
        if run is not None:
            folder = folder_of(run, data, results_dir)
            row["done"] = epochs_done(folder)
            row["state"] = _state(folder, row["done"])
        is_done = row["state"] == "done"
        row["to_go"] = 0 if is_done else config["epochs"] - row["done"]
        rows.append(row)
    frame = pd.DataFrame(rows)

    table = Table(title="What is done and what is left")
    table.add_column("activation")
    table.add_column("learning rate", justify="right")
    variants = frame["variant"].unique()
    for variant in variants:
        table.add_column(variant)
    for (activation, rate), row in frame.groupby(
        ["activation", "learning_rate"], sort=False
    ):
        table.add_row(
            activation,
            f"{rate:g}",
            *(_states(row[row["variant"] == variant]) for variant in variants),
        )
    counts = frame["state"].value_counts()
    known = [f"{counts[s]} {s}" for s in _STATES if s in counts]
    text = (
        f"{len(frame)} runs: {', '.join(known)}; {frame['to_go'].sum():,} "
        f"epochs to go\n{_estimate(frame, config, results_dir)}"
    )
    return table, text


_STATES = ("done", "failed", "begun", "left")


def _state(folder, epochs):
    if folder.result is not None:
        return "done"
    if (folder.path / "error.txt").exists():
        return "failed"
    return "begun" if epochs else "left"


def _states(rows):
    """The runs of one cell of the table, one a seed."""
    if len(rows) == 1 and rows["state"].item() == "begun":
        return f"{rows['done'].item()} epochs"
    counts = rows["state"].value_counts()
    known = [s for s in _STATES if s in counts]
    if len(rows) == 1:
        return known[0]
    return ", ".join(f"{counts[s]} {s}" for s in known)


def _estimate(frame, config, results_dir):
    """How long the rest takes, by the epochs of such runs that were made."""
    made = collect(results_dir)
    alike = pd.Series(True, index=made.runs.index)
    for name in set(config) - {*AXES, "epochs"}:
        column, value = made.runs[name], config[name]
        alike &= column.isna() if value is None else column == value
    history = made.history.merge(made.runs.loc[alike, ["id", "variant"]])
    # The first epoch compiles.
    seconds = history.loc[history["epoch"] > 1].groupby("variant")["seconds"]
    if not len(seconds):
        return "No such run was made in this folder yet: no estimate of time."
    medians = seconds.median()
    by_cell = frame["variant"].map(medians).fillna(medians.median())
    minutes = (by_cell * frame["to_go"]).sum() / 60
    time = f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:,.0f} h"
    return (
        f"About {time}, one run at a time, by the {medians.median():.1f} s an "
        "epoch of the runs in this folder."
    )
