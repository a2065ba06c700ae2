"""Tables I and II, published and reproduced."""

import numpy as np
import pandas as pd

from experiments.engine.formats import decimal, percent, rate
from experiments.engine.grid import varied
from experiments.engine.results import NOT_DONE
from experiments.newsgroups.config import Config
from experiments.newsgroups.report import published
from experiments.newsgroups.report.entries import done
from experiments.newsgroups.report.published import ENTRY

METRICS = {
    "val_accuracy": "Table I: validation accuracy after the last epoch",
    "val_loss": "Table II: validation loss after the last epoch",
    "best_val_accuracy": "Highest validation accuracy over all epochs",
    "best_val_loss": "Lowest validation loss over all epochs",
}
MARKS = {"broke_down": "†", "failed": "‡", "unfinished": "§"}
FOOTNOTE = (
    "Reproduced: mean ± standard deviation over seeds (number of seeds); a "
    "value without ± is of one seed; an empty entry has no run. † a run broke "
    "down, and is in the mean. ‡ a run failed, § a run is unfinished: neither "
    "is in the mean."
)

SHORT_FOOTNOTE = (
    "±: standard deviation over seeds. † a run broke down, and is in the mean; "
    "‡ a run failed, § a run is unfinished: neither is. Settings without a run "
    "are left out; the page has them, and all other tables."
)


def long_table(budget, metric="val_accuracy"):
    """One row per entry, of the paper's grid and of all other runs.

    Returns:
        `pandas.DataFrame` by `(activation, learning_rate, variant)` with the
        columns `published`; `reproduced`, the mean of the runs that are done,
        with their standard deviation `spread` and their number `n`;
        `difference`, reproduced less published; how many of the `n` runs
        `broke_down`; and how many others `failed` or are `unfinished`.
    """
    runs, printed = budget.runs, published.load()
    finished = done(runs).groupby(ENTRY)
    count = runs.groupby([*ENTRY, "status"]).size().unstack(fill_value=0)
    index = printed.index.append(count.index.difference(printed.index))
    values = finished[metric]
    frame = pd.DataFrame(
        {
            "published": printed[metric] if metric in printed else np.nan,
            "reproduced": values.mean(),
            "spread": values.std(),
            "n": values.size(),
            "broke_down": finished["breakdown_epoch"].count(),
        },
        index=_sorted(index),
    )
    frame.insert(4, "difference", frame["reproduced"] - frame["published"])
    for status in NOT_DONE:
        frame[status] = count.get(status)
    counts = ["n", "broke_down", *NOT_DONE]
    return (
        frame.astype(dict.fromkeys(counts, float))
        .fillna(dict.fromkeys(counts, 0))
        .astype(dict.fromkeys(counts, int))
    )


def _sorted(index):
    """In the paper's order, followed by entries that are not in the paper."""
    printed = published.load().index
    places = {
        level: list(printed.get_level_values(level).unique())
        + sorted(index.get_level_values(level).unique(), key=str)
        for level in ENTRY
    }
    frame = index.to_frame(index=False).sort_values(
        ENTRY, key=lambda column: column.map(places[column.name].index)
    )
    return pd.MultiIndex.from_frame(frame)


def by_variant(long):
    """A long table or column with the variants side by side, in its order."""
    # With values of a level that no row has, pandas mixes up the columns.
    index = long.index.remove_unused_levels()
    return long.set_axis(index).unstack("variant", sort=False)


def marked(budget, metric="val_accuracy"):
    """The table of one of `METRICS` as text for readers, see `FOOTNOTE`.

    Accuracies are in percent, their differences in percentage points.

    Returns:
        `pandas.DataFrame` of strings by `(activation, learning_rate)`, with
        the columns published, reproduced and difference of each variant. For
        metrics that the paper does not print, one column per variant.
    """
    long = long_table(budget, metric)
    scale = 100 if "accuracy" in metric else 1
    text = pd.DataFrame(
        {
            "published": [decimal(scale * v) for v in long["published"]],
            "reproduced": [
                _reproduced(row, scale) for row in long.to_dict("records")
            ],
            "difference": [decimal(scale * v, "+") for v in long["difference"]],
        },
        index=long.index,
    )
    if metric in published.load():
        wide = by_variant(text).swaplevel(axis=1)
        wide = wide[wide.columns.get_level_values(0).unique()]
        wide = wide.rename_axis(columns=[None, None])
    else:
        wide = by_variant(text["reproduced"])
        wide = wide.rename_axis(columns=None)
    wide = wide.fillna("")
    wide.index = wide.index.set_levels(
        [rate(value) for value in wide.index.levels[1]], level=1
    ).rename(["activation", "learning rate"])
    return wide


def short(budget):
    """Accuracies as text for a terminal, published above reproduced.

    The columns are activation, learning rate, and each variant with a run. The
    rows are the settings with a run, or all of the paper's if there is no run.
    """
    long = long_table(budget)
    counts = long[["n", *NOT_DONE]].sum(axis=1)
    if counts.any():
        long = long[counts.groupby(level=[0, 1]).transform("sum") > 0]
        counts = counts.reindex(long.index).groupby(level="variant").sum()
        kept = counts.index[counts > 0]
        long = long[long.index.get_level_values("variant").isin(kept)]
    entries = [
        f"{percent(row['published'])}\n{percent(row['reproduced'])}"
        + (f" ±{100 * row['spread']:.1f}" if row["n"] > 1 else "")
        + _marks(row)
        for row in long.to_dict("records")
    ]
    wide = by_variant(pd.Series(entries, long.index))
    wide = wide.fillna("").rename_axis(columns=None).reset_index()
    wide["learning_rate"] = wide["learning_rate"].map(rate)
    return wide.rename(columns={"learning_rate": "rate"})


def all_settings(results):
    """One row per group of runs that differ only in their seed.

    Returns:
        `pandas.DataFrame` with the settings that vary in the paper's tables or
        between the runs, the mean `val_accuracy`, `best_val_accuracy` and
        `val_loss` of the runs that are done, and their number `n`.
    """
    runs = results.runs
    by = list(dict.fromkeys([*ENTRY, *varied(Config, runs)]))
    groups = done(runs).groupby(by, sort=False, dropna=False)
    measures = ["val_accuracy", "best_val_accuracy", "val_loss"]
    return groups[measures].mean().assign(n=groups.size()).reset_index()


def _reproduced(row, scale):
    text = decimal(scale * row["reproduced"])
    if row["n"] > 1:
        if np.isfinite(row["spread"]):  # unlike that of infinite losses
            text += f" ± {decimal(scale * row['spread'])}"
        text += f" ({row['n']})"
    return text + _marks(row)


def _marks(row):
    return "".join(MARKS[name] for name in MARKS if row[name])


def caption(budget, metric="val_accuracy"):
    """The caption of a table of a metric, with the budget that it shows."""
    unit = "%" if "accuracy" in metric else "nats"
    published_epochs = (
        f"; published: epochs {published.EPOCHS}"
        if metric in published.load()
        else ""
    )
    return (
        f"{METRICS[metric]} ({unit}). Reproduced: "
        f"{budget.description}{published_epochs}."
    )


def layers(budget):
    """Size and speed of each variant's recurrent layer.

    Returns:
        `pandas.DataFrame` by `(variant, device)`: `parameters` of the layer,
        `trainable_parameters` of the network, `seconds_per_epoch` (of the
        network, on that device), their `spread`, and the number `n` of runs.
    """
    groups = done(budget.runs).groupby(["variant", "device"], dropna=False)
    seconds = groups["seconds_per_epoch"]
    return pd.DataFrame(
        {
            "parameters": groups["parameters"].first(),
            "trainable_parameters": groups["trainable_parameters"].first(),
            "seconds_per_epoch": seconds.mean(),
            "spread": seconds.std(),
            "n": groups.size(),
        }
    )
