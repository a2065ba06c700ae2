"""Merges results from several machines and days by the ids of their runs."""

from pathlib import Path

import pandas as pd

from experiments.engine import results
from experiments.engine.runs import identity

# The column of `runs.csv` with the id of the longer run whose first epochs
# stand for a run that was not made, see `first_epochs`.
ORIGIN = "first_epochs_of"
_MOST = 5  # conflicts that are reported
# Columns that describe the machine, not the run.
_SECONDS = ("seconds_per_epoch", "seconds")


def read(folder, tables):
    """Reads what `results.write` wrote, and checks that it is complete.

    Args:
        folder: Path of `runs.csv`, `history.csv` and the details.
        tables: `results.Tables` of the experiment.

    Returns:
        `results.Results`. A column that another version did not write is
        empty, or has the default of the setting.

    Raises:
        FileNotFoundError: if one of them does not exist.
        ValueError: if one of them is damaged or belongs to another experiment.
    """
    found = results.read(folder, tables)
    path = Path(folder) / "runs.csv"
    runs, epochs = found.runs, found.history["id"].value_counts()
    details = {name: {*table["id"]} for name, table in found.details.items()}
    for name in runs["id"][runs["id"].duplicated()]:
        raise ValueError(f"{path} has the run {name} twice")
    for row in records(runs):
        _check_id(path, row, tables)
        if row["status"] not in ("done", *results.NOT_DONE):
            raise ValueError(
                f"{path} cannot be read: the status of the run {row['id']} is "
                f"{row['status']!r}"
            )
        count = epochs.get(row["id"], 0)
        if row["status"] == "done" and count != row["epochs"]:
            raise ValueError(
                f"{path.with_name('history.csv')} cannot be read: the run "
                f"{row['id']} has {count} of {row['epochs']} epochs"
            )
        for name, table in details.items():
            if row["status"] == "done" and row["id"] not in table:
                raise ValueError(
                    f"{path.with_name(name + '.csv')} cannot be read: the run "
                    f"{row['id']} has no rows"
                )
    place = found.history.groupby("id").cumcount() + 1
    for name in found.history["id"][found.history["epoch"] != place]:
        raise ValueError(
            f"{path.with_name('history.csv')} cannot be read: the epochs of "
            f"the run {name} are not in order"
        )
    return found


def records(runs):
    """The rows of `runs.csv` as dicts, with `None` for missing values."""
    return runs.astype(object).where(runs.notna(), None).to_dict("records")


def config_of(row, tables):
    """The config of a run, a dict as in `RunFolder`, from its row of `records`.

    Raises:
        ValueError: if the value of a setting is not allowed.
    """
    return tables.config_type(**{n: row[n] for n in tables.settings}).as_dict()


def _check_id(path, row, tables):
    """Raises a `ValueError` if the id of a row is not that of its settings."""
    try:
        name = identity(config_of(row, tables), row["data_fingerprint"])
    except ValueError as error:
        name = error
    if name != row["id"]:
        raise ValueError(
            f"{path} cannot be read: the settings of the run {row['id']} are "
            f"not those of its id, but of {name}. Expected runs of the "
            f"experiment {tables.experiment}"
        )


def merge(one, other, tables, places, replace=False):
    """Merges results without losing or repeating a run.

    If a run is done in both, the row of `other` is taken, otherwise the row
    that is done or has more epochs. A run that was made replaces one that
    stands for the first epochs of another. The values of a run must be the
    same in both; a value that is missing in one, such as one that earlier
    versions did not keep, is taken from the other.

    Args:
        one: `results.Results`.
        other: `results.Results`.
        tables: `results.Tables` of the experiment.
        places: Tuple of two strings, where they come from.
        replace: Boolean, whether to take the values of `other` where they
            differ.

    Returns:
        `results.Results`, in the order of `results.in_order`.

    Raises:
        ValueError: if values of runs that are done in both differ. The message
            names one value per run.
    """
    ranks = pd.concat(
        [_rank(one.runs), _rank(other.runs)],
        axis=1,
        join="inner",
        keys=["a", "b"],
    )
    earlier = ranks.index[ranks["a"] > ranks["b"]]
    done = ranks.index[(ranks["a"] == _DONE) & (ranks["b"] == _DONE)]
    pairs = {
        "runs": (one.runs, other.runs, tables.result),
        "history": (one.history, other.history, tables.metrics),
        **{
            name: (one.details[name], other.details[name], columns)
            for name, columns in tables.details.items()
        },
    }
    conflicts, merged = {}, {}
    for name, (a, b, columns) in pairs.items():
        figures = [c for c in columns if c not in _SECONDS]
        if not replace:
            for run, difference in _conflicts(a, b, done, figures, places):
                conflicts.setdefault(run, f"{run}: {difference} ({name}.csv)")
            more = [c for c in a if c not in b]
            b = _filled(b, a, done, [*figures, *more])
        taken = set(other.runs["id"]) - set(earlier)
        merged[name] = pd.concat(
            [a[~a["id"].isin(taken)], b[b["id"].isin(taken)]],
            ignore_index=True,
        )
    if conflicts:
        lines = list(conflicts.values())
        if len(lines) > _MOST:
            lines[_MOST:] = [f"... and {len(lines) - _MOST} more"]
        raise ValueError(
            "The same run has different values in two places:\n"
            + "\n".join(lines)
        )
    runs, history = merged.pop("runs"), merged.pop("history")
    return results.in_order(results.Results(runs, history, merged), tables)


_DONE = float("inf")


def _rank(runs):
    """The progress of each run, by its id."""
    far = runs["epochs_done"].astype("float64")
    made = runs["status"] == "done"
    if ORIGIN in runs:
        made &= runs[ORIGIN].isna()
    return far.mask(made, _DONE).set_axis(runs["id"])


def _by_place(table):
    """A table indexed by the id of the run and the position within the run."""
    place = table.groupby("id").cumcount().rename("place")
    return table.set_index(["id", place])


def _is_kept(values):
    """For each row, whether its run has any value in a column."""
    return values.notna().groupby("id").transform("any")


def _conflicts(a, b, ids, figures, places):
    """Yields the id of a run and a description of a value that differs."""
    a, b = (_by_place(table[table["id"].isin(ids)]) for table in (a, b))
    counts = [table.groupby("id").size() for table in (a, b)]
    for name in ids:
        one, other = (sizes.get(name, 0) for sizes in counts)
        if one != other:
            yield name, _difference("the number of rows", one, other, places)
    rows = a.index.intersection(b.index)
    a, b = a.loc[rows], b.loc[rows]
    for column in figures:
        x, y = a[column], b[column]
        same = (x == y).fillna(False).astype(bool) | (x.isna() & y.isna())
        for row in rows[~same & _is_kept(x) & _is_kept(y)]:
            name, place = row
            words = f"{column} in row {place + 1}" if place else column
            yield name, _difference(words, x[row], y[row], places)


def _difference(what, one, other, places):
    return f"{what} is {one} in {places[0]} and {other} in {places[1]}"


def _filled(table, other, ids, columns):
    """A table with missing values taken from the other one."""
    more = [name for name in columns if name not in table]
    table = table.assign(**dict.fromkeys(more)).astype(
        {name: other[name].dtype for name in more}
    )
    table = _by_place(table)
    other = _by_place(other[other["id"].isin(ids)])
    for name in columns:
        values = other[name].reindex(table.index)
        table[name] = table[name].where(_is_kept(table[name]), values)
    return table.reset_index("place", drop=True).reset_index()
