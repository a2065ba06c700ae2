"""Means over seeds, with confidence intervals."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

LEVEL = 0.95


class Interval(NamedTuple):
    """A mean and its confidence interval, NaN where one value gives none."""

    mean: float
    low: float
    high: float
    n: int


def mean_interval(values, level=LEVEL):
    """Mean and confidence interval by Student's t.

    Args:
        values: Numbers, one a seed; NaN are left out.
        level: Float, the confidence.

    Returns:
        `Interval`.
    """
    one = intervals(pd.Series(values, dtype=float).groupby(lambda _: 0), level)
    if one.empty:
        return Interval(np.nan, np.nan, np.nan, 0)
    mean, low, high, n = one.iloc[0]
    return Interval(mean, low, high, int(n))


def intervals(groups, level=LEVEL):
    """Mean and confidence interval of each group.

    Args:
        groups: `pandas` groups of numbers.
        level: Float, the confidence.

    Returns:
        `pandas.DataFrame` with a row for each group, and the columns of
        `Interval`.
    """
    n = groups.count()
    # NaN for one value: no degrees of freedom.
    half = stats.t.ppf((1 + level) / 2, n - 1) * groups.sem()
    mean = groups.mean()
    return pd.DataFrame(
        {"mean": mean, "low": mean - half, "high": mean + half, "n": n}
    )
