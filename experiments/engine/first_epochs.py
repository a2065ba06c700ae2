"""The first epochs of a run as a run of fewer epochs."""

from experiments.engine import merging
from experiments.engine.config import invalid
from experiments.engine.merging import ORIGIN
from experiments.engine.results import frame, nothing
from experiments.engine.runs import finite, identity


def with_first_epochs(found, epochs, experiment):
    """Adds the first epochs of longer runs as runs of their own.

    No epoch depends on the number of epochs to come, so a run of `epochs`
    epochs would have had the same history.

    Args:
        found: `results.Results`.
        epochs: Positive integer.
        experiment: `experiment.Experiment` with `figures_of`.

    Returns:
        `results.Results` with one more row for each finished longer run,
        unless the run of `epochs` epochs is there. The row has the id of a
        run of `epochs` epochs; the column `merging.ORIGIN` has the id of the
        longer run, from which everything else is taken.

    Raises:
        ValueError: if `epochs` is not positive, or there is no `figures_of`.
    """
    tables = experiment.tables
    if epochs < 1:
        raise invalid("epochs", "an integer >= 1", epochs)
    if experiment.figures_of is None:
        raise ValueError(
            f"The result of a run of {experiment.name} follows from its "
            "network after all epochs, not from its history. "
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
        # The longer run may itself be the first epochs of another.
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
