import pandas as pd
from rich.table import Table

from experiments.engine.settings import to_text
from experiments.engine.sweep import epochs_done

_STATES = ("done", "failed", "begun", "left")


def plan(configs, folders, made, rows, timed_by=("variant",)):
    """What of a sweep is done and what is left, as a person reads it.

    Args:
        configs: List of dicts, the settings of each run. The seed does not
            matter.
        folders: List of the `RunFolder` of each run, `None` for one whose seed
            is not drawn.
        made: `results.Results` of the runs that are made, by which the time is
            estimated.
        rows: Names of the axes whose values have a row of the table. Those of
            `variant` have a column, and seeds share a cell.
        timed_by: Names of the axes on which the seconds of an epoch depend.

    Returns:
        Tuple of a `rich.table.Table` and a string.
    """
    records = []
    for config, folder in zip(configs, folders, strict=True):
        record = {**config, "state": "left", "done": 0}
        if folder is not None:
            if folder.checkpoint.exists() or folder.result is not None:
                record["done"] = epochs_done(folder)
            record["state"] = _state(folder, record["done"])
        is_done = record["state"] == "done"
        record["to_go"] = 0 if is_done else config["epochs"] - record["done"]
        records.append(record)
    frame = pd.DataFrame(records)

    table = Table(title="What is done and what is left")
    for name in rows:
        is_number = pd.api.types.is_numeric_dtype(frame[name])
        justify = "right" if is_number else "left"
        table.add_column(name.replace("_", " "), justify=justify)
    variants = frame["variant"].unique()
    for variant in variants:
        table.add_column(variant)
    for values, row in frame.groupby(list(rows), sort=False, dropna=False):
        table.add_row(
            *map(to_text, values),
            *(_states(row[row["variant"] == variant]) for variant in variants),
        )
    counts = frame["state"].value_counts()
    known = [f"{counts[s]} {s}" for s in _STATES if s in counts]
    fixed = configs[0].keys() - {*rows, "variant", "seed", "epochs"}
    alike = {name: configs[0][name] for name in fixed}
    text = (
        f"{len(frame)} runs: {', '.join(known)}; {frame['to_go'].sum():,} "
        f"epochs to go\n{_estimate(frame, made, alike, list(timed_by))}"
    )
    return table, text


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


def _estimate(frame, made, alike, timed_by):
    """How long the rest takes, by the epochs of runs with the same settings."""
    chosen = pd.Series(True, index=made.runs.index)
    for name, value in alike.items():
        column = made.runs[name]
        chosen &= column.isna() if value is None else column == value
    history = made.history.merge(
        made.runs.loc[chosen, ["id", *timed_by]], on="id"
    )
    # The first epoch compiles.
    seconds = history.loc[history["epoch"] > 1].groupby(timed_by)["seconds"]
    if not len(seconds):
        return "No such run was made in this folder yet: no estimate of time."
    medians = seconds.median()
    by_run = frame.join(medians, on=timed_by)["seconds"]
    by_run = by_run.fillna(medians.median())
    minutes = (by_run * frame["to_go"]).sum() / 60
    time = f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:,.0f} h"
    return (
        f"About {time}, one run at a time, by the {medians.median():.1f} s an "
        "epoch of the runs in this folder."
    )
