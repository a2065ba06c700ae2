import pandas as pd
from rich.markup import escape
from rich.table import Table

from experiments.engine.config import to_text
from experiments.engine.sweep import epochs_done

_STATES = ("done", "known", "failed", "begun", "left")


def plan(configs, folders, made, rows, timed_by=("variant",), known=None):
    """What `Experiment.plan` returns.

    Of each run, `configs` has the settings, as a dict whose seed does not
    matter, and `folders` the `RunFolder`, `None` if the seed is not drawn. The
    time is estimated from `made`, a `results.Results`; the seconds per epoch
    depend on the axes `timed_by`. The axes `rows` vary between the rows of the
    table. Each variant has a column, and seeds share an entry.
    """
    records = []
    places = known.places if known else {}
    for config, folder in zip(configs, folders, strict=True):
        record = {**config, "state": "left", "done": 0}
        if folder is not None:
            if folder.checkpoint.exists() or folder.result is not None:
                record["done"] = epochs_done(folder)
            record["state"] = _state(folder, record["done"], places)
            record["place"] = places.get(folder.id)
            if not record["done"]:  # it would resume from a kept checkpoint
                kept = (epochs for epochs, _ in folder.kept_checkpoints())
                record["done"] = next(kept, 0)
        is_done = record["state"] in ("done", "known")
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
        table.add_column(escape(variant))
    for values, row in frame.groupby(list(rows), sort=False, dropna=False):
        table.add_row(
            *(escape(to_text(value)) for value in values),
            *(_states(row[row["variant"] == variant]) for variant in variants),
        )
    counts = _counted(frame["state"], _STATES)
    fixed = configs[0].keys() - {*rows, "variant", "seed", "epochs"}
    alike = {name: configs[0][name] for name in fixed}
    text = (
        f"{len(frame)} runs: {counts}; {frame['to_go'].sum():,} epochs to go\n"
    )
    if "known" in set(frame["state"]):
        elsewhere = frame.loc[frame["state"] == "known", "place"].map(str)
        where = _counted(elsewhere, elsewhere.unique(), " from ")
        text += f"Known: {where}\n"
    text += _estimate(frame, made, known, alike, list(timed_by))
    return table, text


def _counted(values, order, between=" "):
    """How often each value occurs, in words."""
    counts = values.value_counts()
    return ", ".join(f"{counts[v]}{between}{v}" for v in order if v in counts)


def _state(folder, epochs, places):
    if folder.result is not None:
        return "done"
    if folder.id in places:
        return "known"
    if (folder.path / "error.txt").exists():
        return "failed"
    return "begun" if epochs else "left"


def _states(rows):
    """An entry of the table, for the runs of all seeds."""
    if len(rows) == 1 and rows["state"].item() == "begun":
        return f"{rows['done'].item()} epochs"
    if len(rows) == 1:
        return rows["state"].item()
    return _counted(rows["state"], _STATES)


def _estimate(frame, made, known, alike, timed_by):
    """Estimates the time from the epochs of runs with the same settings."""
    found, whose = _seconds(made, alike, timed_by), "the runs in this folder"
    if not len(found) and known:  # maybe from another machine
        found = _seconds(known.results, alike, timed_by)
        devices = ", ".join(found["device"].unique())
        whose = f"known runs, on {devices}"
    if not len(found):
        return "No comparable run was timed: no estimate of the time."
    medians = found.groupby(timed_by)["seconds"].median()
    middle = medians.median()
    by_run = frame.join(medians, on=timed_by)["seconds"]
    minutes = (by_run.fillna(middle) * frame["to_go"]).sum() / 60
    time = f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:,.0f} h"
    text = (
        f"About {time}, one run at a time, at the {middle:.1f} s per epoch of "
        f"{whose}."
    )
    if others := (by_run.isna() & (frame["to_go"] > 0)).sum():
        text += f" For {others} runs, no comparable run was timed."
    return text


def _seconds(made, alike, timed_by):
    """The timed epochs of runs with the same settings."""
    chosen = pd.Series(True, index=made.runs.index)
    for name, value in alike.items():
        column = made.runs[name]
        chosen &= column.isna() if value is None else column == value
    history = made.history.merge(
        made.runs.loc[chosen, ["id", "device", *timed_by]], on="id"
    )
    # The first epoch compiles.
    return history[history["epoch"] > 1].dropna(subset="seconds")
