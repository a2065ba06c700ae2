"""Runs of more epochs as runs of fewer, which have the same first epochs."""

from experiments.engine import merging
from experiments.engine.merging import ORIGIN
from experiments.engine.results import frame, nothing
from experiments.engine.runs import finite, identity


def with_first_epochs(found, epochs, experiment):
    """Adds the first epochs of runs of more epochs as runs of their own.

    No epoch depends on how many there are to be, so a run of `epochs` epochs
    would have had the same history.

    Args:
        found: `results.Results`.
        epochs: Positive integer.
        experiment: `experiment.Experiment` with `figures_of`.

    Returns:
        `results.Results`, with a row for each run of more epochs that is done,
        unless there is one of `epochs` epochs. Its id is that of a run of so
        many epochs, all else is that of the run of more, whose id is in the
        column `merging.ORIGIN`.

    Raises:
        ValueError: if `epochs` is not positive, or there is no `figures_of`.
    """
    tables = experiment.tables
    if epochs < 1:
        raise ValueError(
            "Invalid value for `epochs`. Expected an integer >= 1. Received: "
            f"epochs={epochs}"
        )
    if experiment.figures_of is None:
        raise ValueError(
            f"What a run of {experiment.name} finds does not follow from its "
            "history, but from its network, which has all epochs behind it. "
            f"Received: epochs={epochs}"
        )
    done = set(found.runs.loc[found.runs["status"] == "done", "id"])
    histories = dict(list(found.history.groupby("id")))
    rows, history = [], []
    for row in merging.records(found.runs):
        if row["status"] != "done" or row["epochs"] <= epochs:
            continue
        first = histories[row["id"]].head(epochs).to_dict("records")
        figures = experiment.figures_of(row, first)
        fewer = {**row, "epochs": epochs, "epochs_done": epochs}
        config = merging.config_of(fewer, tables)
        name = identity(config, row["data_fingerprint"])
        if figures is None or name in done:
            continue
        # The run of more epochs may itself be the first ones of another.
        origin = row.get(ORIGIN) or row["id"]
        rows.append({**fewer, **finite(figures), "id": name, ORIGIN: origin})
        done.add(name)
        history += [{**epoch, "id": name} for epoch in first]
    if not rows:
        return found
    added = nothing(tables)._replace(
        runs=frame(rows, {**tables.run_columns, ORIGIN: str}),
        history=frame(history, tables.history_columns),
    )
    return merging.merge(found, added, tables, ("", ""))
