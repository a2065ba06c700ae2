"""Means over seeds, with confidence intervals."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

LEVEL = 0.95


class ConfidenceInterval(NamedTuple):
    """A mean and its confidence interval, which is NaN for a single value."""

    mean: float
    low: float
    high: float
    n: int


def confidence_interval(values, level=LEVEL):
    """Mean and confidence interval by Student's t.

    Args:
        values: Numbers, one per seed. NaNs are left out.
        level: Float, the confidence level.

    Returns:
        `ConfidenceInterval`.
    """
    one = confidence_intervals(
        pd.Series(values, dtype=float).groupby(lambda _: 0), level
    )
    if one.empty:
        return ConfidenceInterval(np.nan, np.nan, np.nan, 0)
    mean, low, high, n = one.iloc[0]
    return ConfidenceInterval(mean, low, high, int(n))


def interval_columns(name, values):
    """The columns of a table for a mean over seeds.

    Args:
        name: String.
        values: Numbers, one per seed.

    Returns:
        Dict from `name`, `<name>_low` and `<name>_high` to the mean and its
        confidence interval, see `confidence_interval`.
    """
    mean, low, high, _ = confidence_interval(values)
    return {name: mean, f"{name}_low": low, f"{name}_high": high}


def confidence_intervals(groups, level=LEVEL):
    """Mean and confidence interval of each group.

    Args:
        groups: `pandas` groups of numbers.
        level: Float, the confidence level.

    Returns:
        `pandas.DataFrame` with one row per group and the columns of
        `ConfidenceInterval`.
    """
    n = groups.count()
    # NaN for one value: no degrees of freedom.
    half = stats.t.ppf((1 + level) / 2, n - 1) * groups.sem()
    mean = groups.mean()
    return pd.DataFrame(
        {"mean": mean, "low": mean - half, "high": mean + half, "n": n}
    )
