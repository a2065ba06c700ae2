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


def confidence_interval(values):
    """The `ConfidenceInterval` of numbers by Student's t. NaNs are left out."""
    one = confidence_intervals(
        pd.Series(values, dtype=float).groupby(lambda _: 0)
    )
    if one.empty:
        return ConfidenceInterval(np.nan, np.nan, np.nan, 0)
    mean, low, high, n = one.iloc[0]
    return ConfidenceInterval(mean, low, high, int(n))


def interval_columns(name, values):
    """The columns of a table for a mean over seeds, as a dict.

    `<name>_low` and `<name>_high` are the ends of its confidence interval.
    """
    mean, low, high, _ = confidence_interval(values)
    return {name: mean, f"{name}_low": low, f"{name}_high": high}


def confidence_intervals(groups):
    """A table with the `ConfidenceInterval` of each `pandas` group."""
    n = groups.count()
    # NaN for one value: no degrees of freedom.
    half = stats.t.ppf((1 + LEVEL) / 2, n - 1) * groups.sem()
    mean = groups.mean()
    return pd.DataFrame(
        {"mean": mean, "low": mean - half, "high": mean + half, "n": n}
    )
