"""Results of several machines and days as one table, by the ids of runs."""

from pathlib import Path

import pandas as pd

from experiments.engine import results
from experiments.engine.runs import identity

# The column of `runs.csv` with the id of a run of more epochs, whose first
# epochs stand for a run that was not made, see `first_epochs`.
ORIGIN = "first_epochs_of"
_MOST = 5  # conflicts that are named
# Figures of the machine, not of the run.
_SECONDS = ("seconds_per_epoch", "seconds")


def read(folder, tables):
    """Reads what `results.write` wrote, and checks that it is whole.

    Args:
        folder: Path of `runs.csv`, `history.csv` and the details.
        tables: `results.Tables` of the experiment.

    Returns:
        `results.Results`; a column that another version did not write has no
        value, that of a setting its default.

    Raises:
        FileNotFoundError: if one of them is not there.
        ValueError: if one of them is damaged or of another experiment.
    """
    found = results.read(folder, tables)
    path = Path(folder) / "runs.csv"
    runs, epochs = found.runs, found.history["id"].value_counts()
    for name in runs["id"][runs["id"].duplicated()]:
        raise ValueError(f"{path} has the run {name} twice")
    for row in records(runs):
        _check_id(path, row, tables)
        if row["status"] not in ("done", "failed", "unfinished"):
            raise ValueError(
                f"{path} cannot be read: the status of the run {row['id']} is "
                f"{row['status']!r}"
            )
        count = epochs.get(row["id"], 0)
        if row["status"] == "done" and count != row["epochs"]:
            raise ValueError(
                f"{path.with_name('history.csv')} cannot be read: the run "
                f"{row['id']} has {count} epochs of {row['epochs']}"
            )
    return found


def read_if_there(folder, tables):
    """As `read`, without rows where nothing was written yet."""
    folder = Path(folder)
    if (folder / "runs.csv").exists():
        return read(folder, tables)
    # `results.write` may have been cut off before its last file.
    return results.nothing(tables)


def records(runs):
    """The rows of `runs.csv` as dicts, with `None` for no value."""
    return runs.astype(object).where(runs.notna(), None).to_dict("records")


def config_of(row, tables):
    """The config of a run, see `runs.RunFolder`, from its row.

    Args:
        row: Dict, of `records`.
        tables: `results.Tables` of the experiment.

    Raises:
        ValueError: if a setting is not one that a run allows.
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
    """Puts results together. No run is lost, and none is there twice.

    Of a run in both, the row of `other` is taken; but of one that is not done
    in both, the row that is done, or that of more epochs; a run that was made
    takes the place of the first epochs of another. What a run measured
    is the same in both rows; where one of them lacks a figure, such as one
    that earlier versions did not keep, it is that of the other.

    Args:
        one: `results.Results`.
        other: `results.Results`.
        tables: `results.Tables` of the experiment.
        places: Tuple of two strings, where they are from.
        replace: Boolean, whether to take the figures of `other` where they
            are not the same.

    Returns:
        `results.Results`, in the order of `results.in_order`.

    Raises:
        ValueError: if a run that is done in both has other figures in one
            than in the other, with one of these for each run.
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
            "The same run has other figures in two places:\n" + "\n".join(lines)
        )
    runs, history = merged.pop("runs"), merged.pop("history")
    return results.in_order(results.Results(runs, history, merged), tables)


_DONE = float("inf")


def _rank(runs):
    """How far each run is, by its id."""
    far = runs["epochs_done"].astype("float64")
    made = runs["status"] == "done"
    if ORIGIN in runs:
        made &= runs[ORIGIN].isna()
    return far.mask(made, _DONE).set_axis(runs["id"])


def _by_place(table):
    """A table by the ids of runs and the places of rows in their run."""
    place = table.groupby("id").cumcount().rename("place")
    return table.set_index(["id", place])


def _is_kept(values):
    """Whether the run of a row has any value in a column."""
    return values.notna().groupby("id").transform("any")


def _conflicts(a, b, ids, figures, places):
    """Yields ids of runs and in words, which figure is not the same in both."""
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
    """A table with the values of the other for what a run did not keep."""
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
