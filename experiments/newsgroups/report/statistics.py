"""Intervals and tests for runs that differ in variant, setting and seed.

Variants are compared as Demšar compares classifiers (Statistical Comparisons
of Classifiers over Multiple Data Sets, JMLR 7, 2006): Friedman's test over
all of them, Wilcoxon's signed-rank test for each pair, p-values corrected by
Holm. His data sets are the settings here, an activation and a learning rate.
Seeds of one setting are not independent evidence about settings, so a setting
counts once, with the mean over the seeds that the compared variants share; and
only if they share at least two, as one seed cannot tell a difference from
chance. All runs share one split of the posts, to which conclusions are limited.
"""

import itertools
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from experiments.engine.confidence import LEVEL, confidence_interval

SETTING = ["activation", "learning_rate"]


class Friedman(NamedTuple):
    """Friedman's test. `ranks` are mean ranks; the highest value has rank 1."""

    statistic: float
    p: float
    n: int
    ranks: pd.Series


def holm(p):
    """Corrects p-values for their number, as Holm (1979) does.

    SciPy only controls the false discovery rate. NaNs are kept and not
    counted.
    """
    p = np.asarray(p, float)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]
    corrected = p.copy()
    steps = p[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(1, np.maximum.accumulate(steps))
    return corrected


def matched(runs, metric="val_accuracy"):
    """Arranges the runs of a budget that are done for comparison.

    One row per activation, learning rate and seed has the `metric` of each
    variant in a column.
    """
    done = runs[runs["status"] == "done"]
    return done.pivot_table(
        index=[*SETTING, "seed"], columns="variant", values=metric, sort=False
    )


def compare(wide, over="settings"):
    """Compares each pair of variants.

    Args:
        wide: What `matched` returned.
        over: `"settings"`, or `"seeds"` if all rows are of one setting.

    Returns:
        `pandas.DataFrame` with one row per pair `a`, `b`: the number `n` of
        settings or seeds that both have, the mean `difference` with its
        confidence interval from `low` to `high` by Student's t, Wilcoxon's
        two-sided `p`, the same corrected by `Holm`, the smallest corrected
        value that `n` differences can `reach`, and the `conclusion`.
    """
    pairs = list(itertools.combinations(wide.columns, 2))
    rows = []
    for a, b in pairs:
        differences = _blocks((wide[a] - wide[b]).dropna(), over)
        mean, low, high, n = confidence_interval(differences)
        rows.append((a, b, n, mean, low, high, _wilcoxon(differences)))
    columns = ["a", "b", "n", "difference", "low", "high", "p"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["Holm"] = holm(frame["p"])
    # All differences of one sign: two of 2^n equally likely patterns.
    frame["reach"] = (len(pairs) * 2.0 ** (1 - frame["n"])).clip(upper=1)
    alpha = 1 - LEVEL
    frame["conclusion"] = np.select(
        [frame["reach"] > alpha, frame["Holm"] > alpha],
        [f"no claim: too few {over}", "no difference shown"],
        "they differ",
    )
    return frame


def friedman(wide, over="settings"):
    """Friedman's test over all variants; `wide` and `over` as in `compare`.

    The result is NaN for fewer than three variants or two settings.
    """
    blocks = _blocks(wide.dropna(), over)
    ranks = blocks.rank(axis=1, ascending=False).mean()
    n, variants = blocks.shape
    if n < 2 or variants < 3:
        return Friedman(np.nan, np.nan, n, ranks)
    statistic, p = stats.friedmanchisquare(*blocks.to_numpy().T)
    return Friedman(float(statistic), float(p), n, ranks)


def _blocks(rows, over):
    if over == "seeds":
        return rows
    settings = rows.groupby(level=SETTING)
    return settings.mean()[settings.size() > 1]


def _wilcoxon(differences):
    if len(differences) < 2:
        return np.nan
    if not differences.any():
        return 1.0
    return float(stats.wilcoxon(differences).pvalue)
