"""The tables of the experiment, see `engine.results`."""

import numpy as np
import pandas as pd

from experiments.engine import results
from experiments.memory_duration.config import EXPERIMENT, Config
from keras_slim.memory import Durations

TABLES = results.Tables(
    EXPERIMENT,
    Config,
    result={
        "trainable_parameters": int,
        "loss": float,
        "cross_entropy": float,
        "accuracy": float,
        "test_bits_per_character": float,
        "test_accuracy": float,
        "frequency_bits": float,  # not kept by the first runs
        "seconds_per_epoch": float,
    },
    provenance={
        "error": str,
        "text_source": str,
        "text_characters": int,
        "text_symbols": int,
        **results.PROVENANCE,
    },
    metrics={"accuracy": float, "cross_entropy": float, "loss": float},
    details={
        # The number of intervals (`count`) in which a unit of a layer kept the
        # sign of its cell state for `duration` time steps.
        "durations": {"layer": int, "duration": int, "count": int},
        # By unit: the number of intervals, and their mean duration.
        "units": {"layer": int, "unit": int, "count": int, "mean": float},
    },
)


def detail_rows(durations):
    """The details of a run by name, of the `Durations` of its layers."""
    by_duration, by_unit = [], []
    for layer, found in enumerate(durations, 1):
        rows = pd.DataFrame(
            {
                "layer": layer,
                "unit": found.unit,
                "duration": found.duration,
                "count": found.count,
            }
        )
        counts = rows.groupby(["layer", "duration"])["count"].sum()
        by_duration.append(counts.reset_index())
        counts = rows.groupby(["layer", "unit"])["count"].sum().reset_index()
        means = found.unit_means()[counts["unit"]].round(4)
        by_unit.append(counts.assign(mean=means))
    return {"durations": pd.concat(by_duration), "units": pd.concat(by_unit)}


def durations_of(rows):
    """The `keras_slim.memory.Durations` of rows, all units together."""
    counts = rows.groupby("duration")["count"].sum()
    return Durations(
        np.zeros(len(counts), "int64"),
        counts.index.to_numpy("int64"),
        counts.to_numpy("int64"),
        units=1,
    )


# In bits per character, how much better a network must predict than the
# frequencies of the characters. The first thing it learns is worth one bit.
LEAST_GAIN = 0.1


def learned(runs):
    """Whether runs learned more than the frequencies of the characters.

    The memory durations of other runs are not those of a language model: they
    may have any length, and a cell state may never change its sign.

    Returns:
        Boolean series, false for a finished run whose bits per character of
        the test text are not finite, or not `LEAST_GAIN` below
        `frequency_bits`; true for a run without `frequency_bits`.
    """
    bits = runs["test_bits_per_character"].astype(float)
    # Results that were collected earlier lack the column.
    unknown = pd.Series(np.nan, runs.index)
    needed = runs.get("frequency_bits", unknown).astype(float) - LEAST_GAIN
    return (runs["status"] != "done") | ~(bits.isna() | (bits > needed))


def layers(found):
    """Statistics of the memory durations of each layer of each run.

    Returns:
        `pandas.DataFrame` with one row per layer of a finished run: `id`,
        `layer`; `mean`, `median`, `p90`, `p99` and `longest` in time steps;
        `spread`, the standard deviation of their logarithm to base 2, which is
        the width of the histogram on a logarithmic axis; `unit_spread`, by
        how many octaves the 10th and 90th percentile of the mean durations of
        units differ, which ignores the few units that keep their sign almost
        throughout; and their `count`.

    Raises:
        ValueError: if a table of `details` is incomplete.
    """
    rows = []
    durations, units = found.details["durations"], found.details["units"]
    _check_same_intervals(durations, units)
    of_units = units.groupby(["id", "layer"])["mean"]
    unit_spread = np.log2(of_units.quantile(0.9) / of_units.quantile(0.1))
    for (name, layer), group in durations.groupby(["id", "layer"], sort=False):
        of_layer = durations_of(group)
        logs = np.log2(of_layer.duration)
        weights = of_layer.count / of_layer.intervals
        spread = np.sqrt((weights * (logs - weights @ logs) ** 2).sum())
        median, p90, p99 = of_layer.quantile([0.5, 0.9, 0.99])
        row = (name, layer, of_layer.mean(), spread, median, p90, p99)
        rows.append((*row, of_layer.duration.max(), of_layer.intervals))
    columns = ("id", "layer", "mean", "spread", "median", "p90", "p99")
    table = pd.DataFrame(rows, columns=[*columns, "longest", "count"])
    return table.join(unit_spread.rename("unit_spread"), on=["id", "layer"])


def _check_same_intervals(durations, units):
    by = ["id", "layer"]
    counts = (table.groupby(by)["count"].sum() for table in (durations, units))
    one, other = next(counts).align(next(counts), fill_value=0)
    for name, layer in one.index[one != other]:
        raise ValueError(
            "durations.csv and units.csv do not have the same number of "
            f"intervals for layer {layer} of the run {name}: one is incomplete"
        )
