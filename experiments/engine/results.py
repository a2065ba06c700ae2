"""Tidy tables made from all run folders, written as CSV and read again."""

import dataclasses
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pandas as pd

from experiments.engine.checks import DamagedFile, misfit, print_error, read_csv
from experiments.engine.config import value_type
from experiments.engine.files import replacing
from experiments.engine.runs import read_runs

# Columns of `runs` for every experiment.
PROVENANCE = {
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
# The metrics of an epoch that `training.train_on_arrays` leaves.
METRICS = {
    "accuracy": float,
    "loss": float,
    "val_accuracy": float,
    "val_loss": float,
}
# What `training.last_and_best` makes of them.
LAST_AND_BEST = {
    "best_val_accuracy": float,
    "best_epoch": int,
    **METRICS,
    "seconds_per_epoch": float,
}
# The statuses of runs without a result.
NOT_DONE = ("failed", "unfinished")
# An integer column may have missing values.
_DTYPES = {int: "Int64", float: "float64", str: "str", bool: "bool"}


class Tables(NamedTuple):
    """The columns of an experiment's tables, as dicts from names to types.

    Attributes:
        experiment: Name of the experiment, a folder in the results.
        config_type: Subclass of `BaseConfig`, the settings of its runs.
        result: Dict, the result of a run, including `seconds_per_epoch`. Empty
            if the run is not done.
        provenance: Dict, what else is known about a run: `error`, the details
            and the `data_sources` that its `RunFolder` was made with, and
            `PROVENANCE`.
        metrics: Dict, the metrics of an epoch.
        details: Dict of such dicts by name: tables that a finished run leaves
            in its folder as `<name>.csv`. Default: empty.
    """

    experiment: str
    config_type: type
    result: dict
    provenance: dict
    metrics: dict
    details: dict = {}  # not MappingProxyType, which cannot be pickled

    @property
    def settings(self):
        fields = dataclasses.fields(self.config_type)
        return {field.name: value_type(field) for field in fields}

    @property
    def defaults(self):
        fields = dataclasses.fields(self.config_type)
        return {field.name: field.default for field in fields}

    @property
    def run_columns(self):
        return {
            "id": str,
            "status": str,
            **self.settings,
            "epochs_done": int,
            **self.result,
            **self.provenance,
        }

    @property
    def history_columns(self):
        return {"id": str, "epoch": int, **self.metrics, "seconds": float}

    @property
    def detail_columns(self):
        return {
            name: {"id": str, **columns}
            for name, columns in self.details.items()
        }


class Results(NamedTuple):
    """All runs of an experiment.

    Attributes:
        runs: `pandas.DataFrame`, one row per run, whether done or not, with
            its settings, result (accuracies as fractions, losses in nats),
            versions and device. `status` is `done`, `failed` or `unfinished`.
        history: `pandas.DataFrame`, one row per epoch of a run, by `id`.
        details: Dict of `pandas.DataFrame` by name, further tables of
            finished runs, by `id`.
    """

    runs: pd.DataFrame
    history: pd.DataFrame
    details: dict = MappingProxyType({})


def frame(rows, columns):
    """A `pandas.DataFrame` of dicts, with columns of the given types."""
    made = pd.DataFrame(rows, columns=list(columns))
    return made.astype({name: _DTYPES[kind] for name, kind in columns.items()})


# Columns that every version has written.
_NEEDED = ("id", "status", "epoch")


def _read_csv(path, columns, defaults=MappingProxyType({})):
    """A `pandas.DataFrame` of a CSV file. Only empty fields are missing values.

    A column that another version did not write has its default. A column that
    is unknown to this version is kept as text.
    """
    header, rows = read_csv(path)
    for name in _NEEDED:
        if name in columns and name not in header:
            raise DamagedFile(path, f"there is no column {name}")
    more = {name: str for name in header if name not in columns}
    columns = {**columns, **more}
    found = {name: [defaults.get(name)] * len(rows) for name in columns}
    # Not with pandas, which reads some floats with a wrong last bit.
    for name, texts in zip(header, zip(*rows, strict=True), strict=False):
        read = {bool: _read_bool}.get(columns[name], columns[name])
        try:
            found[name] = [read(text) if text else None for text in texts]
        except (ValueError, OverflowError) as error:
            raise DamagedFile(path, f"in column {name}: {error}") from None
    return frame(found, columns)


def _read_bool(text):
    if text not in ("True", "False"):
        raise ValueError(f"expected True or False, got {text!r:.40}")
    return text == "True"


def _row(run, tables):
    start = run["starts"][-1]
    versions = start["versions"]
    result, error = run["result"], run["error"]
    known = {
        **run,
        **run.get("data_sources", {}),
        **start,
        **versions,
        "backend_version": versions[start["backend"]],
        # The traceback ends with the error itself and our notes.
        "error": error.strip().splitlines()[-1] if error else None,
    }
    return {
        "id": run["id"],
        "status": "done" if result else "failed" if error else "unfinished",
        # Settings that are missing in earlier runs had their defaults.
        **{**tables.defaults, **run["config"]},
        "epochs_done": len(run["history"]),
        **{name: (result or {}).get(name) for name in tables.result},
        # Earlier runs may not have kept all of it.
        **{name: known.get(name) for name in tables.provenance},
    }


def collect(results_dir, tables):
    """Reads all run folders of an experiment.

    Args:
        results_dir: Path of the results of all experiments.
        tables: `Tables` of the experiment.

    Returns:
        `Results`, with the runs in an order that follows from their settings.
        Files that cannot be used are reported on standard error, see
        `runs.read_runs`.
    """
    folder = Path(results_dir, tables.experiment)
    rows, history = [], []
    for run in read_runs(results_dir, tables.experiment, tables):
        row = _row(run, tables)
        if why := misfit(row, tables.run_columns):
            print_error(DamagedFile(folder / run["id"] / "run.json", why))
            continue
        rows.append(row)
        history += [{"id": run["id"], **epoch} for epoch in run["history"]]
    details = {}
    for name, columns in tables.detail_columns.items():
        path, own = f"{name}.csv", tables.details[name]
        found = [
            _read_csv(folder / row["id"] / path, own).assign(id=row["id"])
            for row in rows
            if row["status"] == "done"
        ]
        table = pd.concat(found, ignore_index=True) if found else None
        details[name] = frame(table, columns)
    found = Results(
        frame(rows, tables.run_columns),
        frame(history, tables.history_columns),
        details,
    )
    return in_order(found, tables)


def nothing(tables):
    """`Results` without rows."""
    return Results(
        frame([], tables.run_columns),
        frame([], tables.history_columns),
        {
            name: frame([], columns)
            for name, columns in tables.detail_columns.items()
        },
    )


def in_order(results, tables):
    """The results in an order that follows from their settings."""
    runs, history, details = results
    names = [name for name in tables.settings if name != "seed"]
    order = runs.astype(dict.fromkeys(names, "str")).sort_values(
        [*names, "seed", "id"], kind="stable"
    )["id"]
    place = {name: k for k, name in enumerate(order)}

    def ordered(table):
        return table.sort_values(
            "id", key=lambda ids: ids.map(place), kind="stable"
        ).reset_index(drop=True)

    return Results(
        ordered(runs),
        ordered(history),
        {name: ordered(table) for name, table in details.items()},
    )


def counts_of_not_done(runs):
    """Counts the runs without a result, a dict by `NOT_DONE`."""
    counts = runs["status"].value_counts()
    return {status: counts.get(status, 0) for status in NOT_DONE}


def without_seconds(results):
    """The results without times, for runs on a busy machine."""
    return results._replace(
        runs=results.runs.assign(seconds_per_epoch=float("nan")),
        history=results.history.assign(seconds=float("nan")),
    )


def only(results, ids):
    """The results of the runs with these ids."""

    def chosen(table):
        return table[table["id"].isin(ids)]

    runs, history, details = results
    return Results(
        chosen(runs),
        chosen(history),
        {name: chosen(table) for name, table in details.items()},
    )


def write(results, folder):
    """Writes `runs.csv`, `history.csv` and the details, each atomically.

    `runs.csv` comes last: a run in it has its rows in the other files, even
    if writing is interrupted. The folder is created if it does not exist.
    """
    runs, history, details = results
    for name, table in {**details, "history": history, "runs": runs}.items():
        path = Path(folder) / f"{name}.csv"
        with replacing(path, newline="", encoding="utf-8") as file:
            table.to_csv(file, index=False, lineterminator="\n")


def read(folder, tables):
    """Reads what `write` wrote.

    Args:
        folder: Path of `runs.csv`, `history.csv` and the details.
        tables: `Tables` of the experiment.

    Returns:
        `Results`.

    Raises:
        FileNotFoundError: if one of them does not exist.
        ValueError: if one of them is not such a table.
    """

    def table(name, columns, defaults=MappingProxyType({})):
        path = Path(folder) / f"{name}.csv"
        try:
            return _read_csv(path, columns, defaults)
        except (ValueError, OverflowError) as error:
            why = getattr(error, "why", error)
            raise ValueError(f"{path} cannot be read: {why}") from error

    return Results(
        table("runs", tables.run_columns, tables.defaults),
        table("history", tables.history_columns),
        {
            name: table(name, columns)
            for name, columns in tables.detail_columns.items()
        },
    )
