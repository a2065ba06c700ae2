"""Many runs of the experiment: which, in what state, made by which launcher."""

import contextlib
import functools
import os

from experiments.engine import grid
from experiments.engine.plan import plan as plan_of
from experiments.engine.runs import RunIsClaimed
from experiments.engine.sweep import Cell
from experiments.memory_duration.results import collect
from experiments.memory_duration.run import execute, folder_of, load_data
from experiments.memory_duration.spec import COEFFICIENTS, EXPERIMENT, Run


def make(run, results_dir, tensorboard=False):
    """Makes one run, in whatever process a launcher calls it.

    It returns without an error where another process makes the run.

    Args:
        run: A `spec.Run`.
        results_dir: Path of the results of all experiments.
        tensorboard: Boolean, whether to write logs for TensorBoard.
    """
    data = shared_data(run)
    callbacks = []
    if tensorboard:
        # Only here, as the package is an extra.
        from experiments.engine.tensorboard import log_of

        callbacks = [log_of(cell_of(run, results_dir), run.config())]
    with contextlib.suppress(RunIsClaimed):
        execute(run, data, results_dir, verbose=0, callbacks=callbacks)


def shared_data(run):
    """What `run.load_data` gives, loaded once for the runs of a sweep."""
    of_data = run.text, run.characters, run.test_split
    return _loaded(*of_data, os.environ.get("KERAS_SLIM_DATA"))


@functools.lru_cache(maxsize=8)
def _loaded(text, characters, test_split, data_dir):
    return load_data(
        Run(text=text, characters=characters, test_split=test_split)
    )


def runs_of(cells, results_dir, draw=True):
    """The runs of a sweep.

    Args:
        cells: List of dicts, see `grid.cells`.
        results_dir: Path of the results of all experiments.
        draw: Boolean, whether to draw seeds from the clock where they are
            asked for and not drawn yet.

    Returns:
        List of `spec.Run`, `None` for one whose seed is not drawn.
    """
    found = {}
    for text in dict.fromkeys(cell["text"] for cell in cells):
        own = [k for k, cell in enumerate(cells) if cell["text"] == text]
        data = shared_data(Run(**{**cells[own[0]], "seed": 0}))
        runs = grid.runs_of(
            Run,
            [cells[k] for k in own],
            results_dir,
            EXPERIMENT,
            data.fingerprint,
            draw,
        )
        found |= dict(zip(own, runs, strict=True))
    return [found[k] for k in range(len(cells))]


def cell_of(run, results_dir):
    """The `engine.sweep.Cell` of a run."""
    words = [run.text, run.variant]
    words += [f"{n}={r:g}" for n in COEFFICIENTS if (r := getattr(run, n))]
    words += [f"{run.layers}x{run.units}", f"seed {run.seed}"]
    folder = folder_of(run, shared_data(run), results_dir)
    return Cell(folder, run, " ".join(words), run.epochs)


def outcome(folder):
    """What is to be said of a run that is done, in a line."""
    result = folder.result
    durations = ", ".join(f"{mean:.1f}" for mean in result["mean_durations"])
    return (
        f"{result['test_bits_per_character']:.3f} bits a character of the "
        f"test text; mean memory duration by layer: {durations}"
    )


def plan(cells, runs, results_dir):
    """What of a sweep is done and what is left, as a person reads it.

    Args:
        cells: List of dicts, see `grid.cells`.
        runs: What `runs_of` made of them.
        results_dir: Path of the results of all experiments.

    Returns:
        Tuple of a `rich.table.Table` and a string.
    """
    return plan_of(
        [Run(**{**cell, "seed": 0}).config() for cell in cells],
        [run and cell_of(run, results_dir).folder for run in runs],
        collect(results_dir),
        rows=("text", "layers", "units", *COEFFICIENTS),
        timed_by=("text", "layers", "units", "variant"),
    )
