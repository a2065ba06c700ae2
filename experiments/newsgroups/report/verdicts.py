"""Checks each sentence of the paper against its own tables and our runs."""

import pandas as pd

from experiments.engine.confidence import confidence_interval
from experiments.engine.report import FAILS, HOLDS, NOT_ENOUGH, NOT_PRINTED
from experiments.newsgroups.grid import SEEDS
from experiments.newsgroups.report import published
from experiments.newsgroups.report.claims import CLAIMS
from experiments.newsgroups.report.entries import entries, with_breakdowns

GRID = published.load().index


def published_entries():
    """The entries of Tables I and II, with columns as of `entries.entries`.

    An entry below 10 %, twice chance, broke down; none is between 5 % and 26 %.
    """
    frame = published.load()
    seeds = pd.Series({published.BEST_ENTRY: len(SEEDS)})
    broke_down = frame["val_accuracy"] < 0.1
    return with_breakdowns(frame, broke_down).assign(seeds=seeds)


def check(claim, frame):
    """The number that decides a claim, or `None`, and the verdict.

    `frame` has the entries of one table, by `(activation, learning_rate,
    variant)`; accuracies are fractions.
    """
    if not set(claim.columns) <= set(frame.columns):
        return None, NOT_PRINTED
    wanted = GRID
    for level, values in claim.entries.items():
        wanted = wanted[wanted.get_level_values(level).isin(values)]
    frame = frame.reindex(wanted)
    if frame[claim.columns[0]].isna().any():
        return None, NOT_ENOUGH
    percent = [name for name in frame if "accuracy" in name]
    value = float(
        claim.value(frame.assign(**{p: 100 * frame[p] for p in percent}))
    )
    if pd.isna(value):
        return None, NOT_ENOUGH
    return value, HOLDS if claim.holds(value) else FAILS


def verdicts(budget):
    """Checks the claims on the published tables and on one budget of runs.

    The verdict on our runs follows from the means over seeds that the tables
    show. In addition, each seed that has all entries of a claim is an
    experiment like the paper's, which had one seed. Each gives a number of its
    own; the table has their mean with its confidence interval, and for how
    many of them the claim holds. Where the number is not an average but, for
    example, a maximum or a count, it may differ from the mean over the seeds.

    Returns:
        `pandas.DataFrame` with one row per claim: `section`, `claim`,
        `reading`, `unit`, `published` and `published_verdict`, `reproduced`
        and `reproduced_verdict`; then the number of `seeds`, the `mean` over
        them, its 95 % confidence interval from `low` to `high`, and
        `seeds_hold`, the number of seeds for which the claim holds.
    """
    runs = budget.runs
    printed, made = published_entries(), entries(runs)
    by_seed = [entries(group) for _, group in runs.groupby("seed")]
    rows = []
    for claim in CLAIMS:
        value, verdict = check(claim, printed)
        our_value, our_verdict = check(claim, made)
        checked = [check(claim, frame) for frame in by_seed]
        own = [number for number, _ in checked if number is not None]
        mean, low, high, seeds = confidence_interval(own)
        rows.append(
            {
                "section": claim.section,
                "claim": claim.sentence,
                "reading": claim.reading,
                "unit": claim.unit,
                "published": value,
                "published_verdict": verdict,
                "reproduced": our_value,
                "reproduced_verdict": our_verdict,
                "mean": mean,
                "low": low,
                "high": high,
                "seeds": seeds,
                "seeds_hold": sum(v == HOLDS for _, v in checked),
            }
        )
    return pd.DataFrame(rows)


def contradictions(table):
    """The claims that the paper's own tables or list of seeds contradict."""
    columns = ["section", "claim", "published", "unit", "reading"]
    return table.loc[table["published_verdict"] == FAILS, columns]
