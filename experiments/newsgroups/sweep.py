"""Many runs of the experiment: which, in what state, made by which launcher."""

import contextlib
import dataclasses
import functools
import os

from experiments.engine import grid
from experiments.engine.plan import plan as plan_of
from experiments.engine.runs import RunIsClaimed
from experiments.engine.sweep import Cell
from experiments.newsgroups.grid import AXES
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
        from experiments.engine.tensorboard import log_of

        callbacks = [log_of(cell_of(run, data, results_dir), run.config())]
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
    data = shared_data(Run(**{**cells[0], "seed": 0}))
    runs = grid.runs_of(
        Run, cells, results_dir, EXPERIMENT, data.fingerprint, draw
    )
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
    return plan_of(
        [Run(**{**cell, "seed": 0}).config() for cell in cells],
        [run and folder_of(run, data, results_dir) for run in runs],
        collect(results_dir),
        rows=("activation", "learning_rate"),
    )
