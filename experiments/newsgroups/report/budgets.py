"""Which runs are comparable: a budget is all that a table holds constant.

A table has an entry for each variant, activation and learning rate, and
averages over seeds. Runs that differ in another setting, or in their data,
never share a table.
"""

import pandas as pd

from experiments.engine import budgets
from experiments.engine.budgets import Budget
from experiments.newsgroups.config import Config
from experiments.newsgroups.grid import AXES
from experiments.newsgroups.report.published import EPOCHS

FULL = f"epochs {EPOCHS}; all posts"
NO_RUNS = "no runs"


def split(found):
    """Splits runs into budgets, see `engine.budgets.split`.

    If there are no runs at all, there is a budget without rows, so that the
    published tables can be shown.
    """
    if found.runs.empty:
        return [Budget(NO_RUNS, *found)]
    more = ["data_fingerprint"]
    return budgets.split(found, Config, AXES, _describe, more)


def is_full(budget):
    """Whether runs are of the full experiment, with all defaults."""
    return budget.runs.empty or _describe(budget.runs) == FULL


def _describe(runs):
    """What the runs have in common, other than defaults."""
    first = runs.iloc[0]
    epochs, samples = first["epochs"], first["samples"]
    words = [
        f"epochs {epochs} of {EPOCHS}"
        if epochs < EPOCHS
        else f"epochs {epochs}",
        "all posts" if pd.isna(samples) else f"{samples:,.0f} posts",
    ]
    words += budgets.other_settings(Config, runs, (*AXES, "epochs", "samples"))
    posts = first["posts"]
    if not pd.isna(posts) and "the original" not in posts.split(";")[0]:
        words.append(posts.split(";")[0])
    return "; ".join(words)
