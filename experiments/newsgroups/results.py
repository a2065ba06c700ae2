"""One tidy pair of tables made from all run folders, and back from CSV."""

import dataclasses
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from experiments.engine.runs import read_runs, replacing
from experiments.engine.settings import value_type
from experiments.newsgroups.spec import EXPERIMENT, Run

_FIELDS = {field.name: value_type(field) for field in dataclasses.fields(Run)}
# What a finished run found; empty where a run is not done.
_RESULT = {
    "parameters": int,
    "trainable_parameters": int,
    "best_val_accuracy": float,
    "best_epoch": int,
    "best_val_loss": float,
    "val_accuracy": float,
    "val_loss": float,
    "accuracy": float,
    "loss": float,
    "breakdown_epoch": int,
    "seconds_per_epoch": float,
}
_PROVENANCE = {
    "chance": float,
    "error": str,
    "posts": str,
    "embeddings": str,
    "embedding_coverage": float,
    "data_fingerprint": str,
    "device": str,
    "backend_version": str,
    "python": str,
    "keras": str,
    "keras_slim": str,
    "numpy": str,
    "commit": str,
    "started": str,
}
RUN_COLUMNS = {
    "id": str,
    "status": str,
    **_FIELDS,
    "epochs_done": int,
    **_RESULT,
    **_PROVENANCE,
}
HISTORY_COLUMNS = {
    "id": str,
    "epoch": int,
    "accuracy": float,
    "loss": float,
    "val_accuracy": float,
    "val_loss": float,
    "seconds": float,
}
# An integer column may have empty cells.
_DTYPES = {int: "Int64", float: "float64", str: "str", bool: "bool"}


class Results(NamedTuple):
    """All runs of the experiment.

    Attributes:
        runs: `pandas.DataFrame`, a row a run, done or not: its settings, what
            it found (accuracies as fractions, losses in nats), with what and
            on what it was made. `status` is `done`, `failed` or `unfinished`.
        history: `pandas.DataFrame`, a row an epoch of a run, by `id`.
    """

    runs: pd.DataFrame
    history: pd.DataFrame


def _frame(rows, columns):
    frame = pd.DataFrame(rows, columns=list(columns))
    return frame.astype({name: _DTYPES[kind] for name, kind in columns.items()})


def _row(run):
    start = run["starts"][-1]
    versions = start["versions"]
    error = run["error"]
    status = "done" if run["result"] else "failed" if error else "unfinished"
    return {
        "id": run["id"],
        "status": status,
        **run["config"],
        "epochs_done": len(run["history"]),
        **{name: (run["result"] or {}).get(name) for name in _RESULT},
        "chance": run.get("chance"),  # not kept by the first runs
        # The traceback ends with the error itself, and notes of ours.
        "error": error.strip().splitlines()[-1] if error else None,
        **run["data_sources"],
        "data_fingerprint": run["data_fingerprint"],
        "device": start["device"],
        **versions,
        "backend_version": versions[start["backend"]],
        "commit": start["commit"],
        "started": start["started"],
    }


def collect(results_dir):
    """Reads all run folders.

    Args:
        results_dir: Path of the results of all experiments.

    Returns:
        `Results`, the runs in an order that follows from their settings;
        without rows if there are none.
    """
    made = read_runs(results_dir, EXPERIMENT)
    order = [name for name in _FIELDS if name != "seed"]
    made.sort(
        key=lambda run: (
            [str(run["config"][name]) for name in order],
            run["config"]["seed"],
            run["id"],
        )
    )
    history = [
        {"id": run["id"], **row} for run in made for row in run["history"]
    ]
    return Results(
        _frame([_row(run) for run in made], RUN_COLUMNS),
        _frame(history, HISTORY_COLUMNS),
    )


def without_seconds(results):
    """The same results with empty times, for runs on a busy machine."""
    return Results(
        results.runs.assign(seconds_per_epoch=float("nan")),
        results.history.assign(seconds=float("nan")),
    )


def write(results, folder):
    """Writes `runs.csv` and `history.csv`, each as a whole.

    Args:
        results: `Results`.
        folder: Path; made if it is not there.
    """
    for name, frame in results._asdict().items():
        path = Path(folder) / f"{name}.csv"
        with replacing(path, newline="", encoding="utf-8") as file:
            frame.to_csv(file, index=False, lineterminator="\n")


def read(folder):
    """Reads what `write` wrote.

    Args:
        folder: Path of `runs.csv` and `history.csv`.

    Returns:
        `Results`.

    Raises:
        FileNotFoundError: if one of the two is not there.
    """
    frames = []
    for name, columns in zip(
        Results._fields, (RUN_COLUMNS, HISTORY_COLUMNS), strict=True
    ):
        frame = pd.read_csv(
            Path(folder) / f"{name}.csv",
            dtype={name: _DTYPES[kind] for name, kind in columns.items()},
        )
        frames.append(frame)
    return Results(*frames)
