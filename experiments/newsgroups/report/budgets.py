"""Which runs are comparable: a budget is all that a table holds constant.

A table has an entry for each variant, activation and learning rate, and
averages over seeds. Runs that differ in another setting, or in their data,
never share a table.
"""

import dataclasses
from typing import NamedTuple

import pandas as pd

from experiments.engine import budgets as engine_budgets
from experiments.newsgroups.config import Config
from experiments.newsgroups.grid import AXES
from experiments.newsgroups.report.published import EPOCHS

DEFAULTS = {
    field.name: field.default
    for field in dataclasses.fields(Config)
    if field.name not in AXES
}
FULL = f"epochs {EPOCHS}; all posts"
NO_RUNS = "no runs"


class Budget(NamedTuple):
    """Runs that may share a table, and a description of what they share.

    It can be used in place of `results.Results`.
    """

    description: str
    runs: pd.DataFrame
    history: pd.DataFrame
    is_full: bool  # the full experiment, with all defaults


def budgets(results):
    """Splits runs into those that may share a table.

    Args:
        results: `results.Results`, or anything with `runs` and `history`.

    Returns:
        List of `Budget`, the one with most epochs trained in total first.
        Their descriptions differ: if only the data differ, they end with the
        first digits of the fingerprints.
    """
    runs, history = results.runs, results.history
    held = [*DEFAULTS, "data_fingerprint"]
    groups = [g for _, g in runs.groupby(held, dropna=False, sort=False)]
    described = [_describe(group) for group in groups]
    found = []
    for group, description in zip(groups, described, strict=True):
        is_full = description == FULL
        if described.count(description) > 1:
            description += f"; data {_short(group['data_fingerprint'].iloc[0])}"
        own = history[history["id"].isin(group["id"])]
        found.append(Budget(description, group, own, is_full))
    return sorted(found, key=lambda b: -b.runs["epochs_done"].sum())


def choose(results, number=0):
    """Selects a budget, by default the one with most epochs trained.

    Args:
        results: `results.Results`, or a `Budget`.
        number: Integer, position in the list that `budgets` returns.

    Returns:
        `Budget`. It has no rows if there are no runs at all.

    Raises:
        ValueError: if there are fewer budgets.
    """
    if isinstance(results, Budget) and number == 0:
        return results
    found = budgets(results)
    if not found and number == 0:
        return Budget(NO_RUNS, results.runs, results.history, is_full=True)
    return engine_budgets.choose(found, number, _description)[0]


def others(results, number):
    """Descriptions of the budgets that `choose` leaves out."""
    found = budgets(results)
    if not found:
        return []
    return engine_budgets.choose(found, number, _description)[1]


def _description(budget):
    return budget.description


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
    for name, default in DEFAULTS.items():
        if name not in ("epochs", "samples") and first[name] != default:
            words.append(f"{name} {first[name]} (default {default})")
    posts = first["posts"]
    if not pd.isna(posts) and "the original" not in posts.split(";")[0]:
        words.append(posts.split(";")[0])
    return "; ".join(words)


def _short(fingerprint):
    """The first digits of the fingerprints of posts and vectors."""
    return "+".join(part[:6] for part in fingerprint.split("+"))
