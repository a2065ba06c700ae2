"""Tables of the results: which runs may be compared, and what they solve."""

import numpy as np
import pandas as pd
from scipy import stats

from experiments.engine import budgets
from experiments.engine.confidence import LEVEL, interval_columns
from experiments.engine.names import family
from experiments.engine.results import counts_of_not_done
from experiments.long_memory.config import OF_DATA, Config
from keras_slim.variants import VARIANTS

AXES = ("task", "length", "variant", "learning_rate", "seed")
SAME = ("task", "length", "variant")
RULE = (
    "Learning rate: of those with the most finished runs, each variant and "
    "task has the one with the largest share of solved runs over all lengths, "
    "and among equals the one with the best mean accuracy"
)


def split(found):
    """Splits runs into budgets, see `engine.budgets.split`.

    Tasks with the same name, such as `mnist_by_row` of two sets of files, get
    their fingerprints appended.
    """
    found = budgets.distinct(found, OF_DATA)
    return budgets.split(found, Config, AXES, _describe)


def _describe(runs):
    """What the runs of a budget have in common."""
    first = runs.iloc[0]
    units = f"{first['units']} units"
    if first["equal"] == "parameters":
        units += " of the LSTM, others with as many parameters"
    words = [
        f"{first['epochs']} epochs of up to {first['samples']:,} sequences",
        units,
    ]
    said = (*AXES, "epochs", "samples", "units", "equal")
    return ", ".join([*words, *budgets.other_settings(Config, runs, said)])


def chosen(runs):
    """The finished runs with the learning rate of their variant and task.

    See `RULE`. They have the boolean column `solved`.
    """
    done = runs[runs["status"] == "done"]
    done = done.assign(solved=done["solved_epoch"].notna())
    rates = done.groupby(["task", "variant", "learning_rate"], sort=False)
    order = rates[["solved", "val_accuracy"]].mean()
    order = order.assign(count=rates.size()).reset_index()
    order = order.sort_values(
        ["count", "solved", "val_accuracy"], ascending=False
    )
    best = order.drop_duplicates(["task", "variant"])
    by = ["task", "variant", "learning_rate"]
    return done.merge(best[by], on=by, validate="many_to_one")


def summary(budget):
    """What each variant solves, by task and length.

    Returns:
        `pandas.DataFrame` with one row per task, length and variant: the
        `learning_rate`; the number of `seeds`; `solved`, the share of runs
        that solved the task, with Wilson's 95 % interval (`_low`, `_high`);
        `accuracy` after the last epoch, a mean with its 95 % interval by
        Student's t; `steps`, the median number of training steps until it
        was solved; `chance`; `parameters`; `other_rates` counts the finished
        runs with another learning rate, `failed` and `unfinished` the runs
        without a result, of any learning rate, all of which are in no mean.
    """
    best, rows = chosen(budget.runs), []
    for key, runs in budget.runs.groupby(list(SAME), sort=False):
        own = best[(best[list(SAME)] == list(key)).all(axis=1)]
        count = len(own)
        row = dict(zip(SAME, key, strict=True))
        row["learning_rate"] = own["learning_rate"].max()
        row["seeds"] = count
        row["solved"] = own["solved"].mean() if count else np.nan
        row["solved_low"] = row["solved_high"] = np.nan
        if count:
            row["solved_low"], row["solved_high"] = stats.binomtest(
                int(own["solved"].sum()), count
            ).proportion_ci(LEVEL, "wilson")
        row |= interval_columns("accuracy", own["val_accuracy"])
        steps = own["solved_epoch"] * own["steps_per_epoch"]
        row["steps"] = steps.astype(float).median()
        row["chance"] = own["chance"].mean()
        row["parameters"] = own["trainable_parameters"].max()
        row["other_rates"] = (runs["status"] == "done").sum() - count
        rows.append(row | counts_of_not_done(runs))
    places = {name: place for place, name in enumerate(VARIANTS)}
    return pd.DataFrame(rows).sort_values(
        list(SAME),
        key=lambda column: (
            column.map(places) if column.name == "variant" else column
        ),
        kind="stable",
        ignore_index=True,
    )


def longest(found):
    """The longest length that each variant solves with all seeds, by `summary`.

    Returns:
        `pandas.DataFrame` with one row per variant and a column per task with
        several lengths: the largest length up to which all runs of all
        lengths solved it, 0 if there is none, and NaN where nothing was run. A
        length without a finished run of the learning rate is not solved.
    """
    solved = {}
    several = found.groupby("task")["length"].transform("nunique") > 1
    found = found[several]
    for (task, variant), rows in found.groupby(["task", "variant"], sort=False):
        if not rows["seeds"].any():
            continue
        rows = rows.sort_values("length")
        all_up_to = (rows["solved"] == 1).cummin()
        solved.setdefault(variant, {})[task] = (
            rows["length"].where(all_up_to, 0).max()
        )
    table = pd.DataFrame.from_dict(solved, orient="index")
    return table.rename_axis("variant").reset_index()


def in_families(variants):
    """Names of variants by family, a dict of lists."""
    found = {}
    for name in variants:
        found.setdefault(family(name), []).append(name)
    return found
