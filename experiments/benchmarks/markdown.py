"""Numbers and tables as Markdown."""

import math
import re

import pandas as pd

from experiments.benchmarks.summary import SPREAD

NOTHING = "–"
_NUMBER = re.compile(rf"{NOTHING}|-?[\d.,]+x?( \(.*\))?")


def number(value):
    """Three significant digits, without an exponent."""
    if pd.isna(value):
        return NOTHING
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def megabytes(count):
    return NOTHING if pd.isna(count) else f"{count / 1e6:,.1f}"


def spread(row, name, unit=""):
    """A median with the 10th and 90th percentiles."""
    if pd.isna(row[name]):
        return NOTHING
    low, high = (number(row[f"{name}_{part}"]) for part in SPREAD)
    return f"{number(row[name])}{unit} ({low}–{high})"


def share(mean, least, most):
    """Percent with one digit, the mean with the least and the largest."""
    if pd.isna(mean):
        return NOTHING
    return f"{100 * mean:.1f} ({100 * least:.1f}–{100 * most:.1f})"


def table(lines):
    """A table of dicts with the same keys, with numbers aligned right."""
    if not lines:
        return "Nothing was measured."
    header = list(lines[0])
    rows = [[str(line[name]) for name in header] for line in lines]
    ruler = [
        "---:" if all(map(_NUMBER.fullmatch, column)) else "---"
        for column in zip(*rows, strict=True)
    ]
    return "\n".join(
        "| " + " | ".join(row) + " |" for row in [header, ruler, *rows]
    )
