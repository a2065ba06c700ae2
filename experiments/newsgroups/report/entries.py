"""The entries of the tables, each computed from the runs of all its seeds."""

import numpy as np

from experiments.newsgroups.report.published import ENTRY

LOSSES = ["val_loss", "best_val_loss"]
MEANS = [
    "val_accuracy",
    "val_loss",
    "best_val_accuracy",
    "best_val_loss",
    "seconds_per_epoch",
    "broke_down",
    "broken_val_accuracy",
    "broken_val_loss",
    "broken_best_val_accuracy",
]


def done(runs):
    """The runs that are done, with infinity for a loss that is not finite.

    Without such losses, means would look better than they are.
    """
    runs = runs[runs["status"] == "done"]
    return runs.assign(**{name: runs[name].fillna(np.inf) for name in LOSSES})


def with_breakdowns(frame, broke_down):
    """Adds the measures of runs that broke down, NaN for the others.

    `frame` has runs, or the published entries. It gets `broke_down`, 0 or 1,
    and `broken_*` for each measure.
    """
    measures = ["val_accuracy", "val_loss", "best_val_accuracy"]
    return frame.assign(
        broke_down=broke_down.astype(float),
        **{
            f"broken_{name}": frame[name].where(broke_down)
            for name in measures
            if name in frame
        },
    )


def entries(runs):
    """Computes the entries of the tables, of the runs of one budget.

    Returns:
        `pandas.DataFrame` with one row per `(activation, learning_rate,
        variant)` with a run that is done. The columns: the means over its
        runs; the number of `seeds`, `val_accuracy_range`, the highest less
        the lowest, and `broke_down_again`, the share that broke down, which
        are NaN for one seed; `last_breakdown`, the epoch of the latest
        breakdown, 0 for none.
    """
    runs = done(runs)
    if runs["device"].nunique() > 1:
        runs = runs.assign(seconds_per_epoch=np.nan)  # two machines' seconds
    broken = runs["breakdown_epoch"].notna()
    groups = with_breakdowns(runs, broken).groupby(ENTRY)
    accuracy, seeds = groups["val_accuracy"], groups["seed"].nunique()
    means, last = groups[MEANS].mean(), groups["breakdown_epoch"].max()
    return means.assign(
        seeds=seeds.where(seeds > 1),
        val_accuracy_range=(accuracy.max() - accuracy.min()).where(seeds > 1),
        broke_down_again=means["broke_down"].where(seeds > 1),
        last_breakdown=last.fillna(0).astype(float),
    )
