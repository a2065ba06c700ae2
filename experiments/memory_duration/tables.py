"""Tables of the results: which runs may be compared, and their means."""

import pandas as pd

from experiments.engine import budgets
from experiments.engine.confidence import interval_columns
from experiments.engine.grid import varied
from experiments.engine.results import counts_of_not_done
from experiments.memory_duration.config import COEFFICIENTS, OF_DATA, Config
from experiments.memory_duration.results import layers, learned

AXES = ("text", "variant", "learning_rate", *COEFFICIENTS, "seed")
# All other settings are the same within a table.


def split(found):
    """Splits runs into budgets, see `engine.budgets.split`.

    Texts with the same name, such as the reference of two versions of Python,
    get their fingerprints appended, and variants their learning rates where a
    budget has several.
    """
    found = budgets.distinct(found, OF_DATA)
    return [
        one._replace(runs=_with_rates(one.runs))
        for one in budgets.split(found, Config, AXES, _describe)
    ]


def _with_rates(runs):
    """Renames `lstm` to `lstm at 0.001` if there are several rates."""
    if runs["learning_rate"].nunique() == 1:
        return runs
    rates = runs["learning_rate"].map("{:g}".format)
    return runs.assign(variant=runs["variant"] + " at " + rates)


def _describe(runs):
    """What the runs of a budget have in common."""
    first, rates = runs.iloc[0], runs["learning_rate"].unique()
    words = [
        f"{first['layers']} layers of {first['units']} units",
        f"{first['epochs']} epochs",
        "whole texts"
        if pd.isna(first["characters"])
        else f"{first['characters']:,} characters",
    ]
    said = {*AXES, "layers", "units", "epochs", "characters"}
    if len(rates) == 1:
        said.remove("learning_rate")
    return ", ".join([*words, *budgets.other_settings(Config, runs, said)])


def layer_durations(budget):
    """The durations of each layer of each run of a budget, with its settings.

    Claims, pictures and means are made of these. Runs that learned nothing
    are left out.

    Returns:
        `pandas.DataFrame` with one row per layer of a finished run that
        learned something: the columns of `results.layers` and `runs.csv`.
    """
    runs = budget.runs[learned(budget.runs)]
    return layers(budget).merge(runs, on="id", validate="many_to_one")


def modulated(durations, *names):
    """The durations of runs with no terms of eq. 7 but those of `names`."""
    others = [name for name in COEFFICIENTS if name not in names]
    return durations[(durations[others] == 0).all(axis=1)]


def settings_of(runs):
    """The settings with a column in tables: axes, and those that vary."""
    by = [name for name in AXES if name != "seed"]
    return list(dict.fromkeys([*by, *varied(Config, runs)]))


def summary(found):
    """Means over seeds, with confidence intervals, of one or several budgets.

    Returns:
        `pandas.DataFrame` with one row per text, variant, coefficients and
        other settings that vary: the number of `seeds`; `bits` per character
        of the test text, and for each layer k `mean_k` and `spread_k`, each
        with `_low` and `_high`, the 95 % confidence interval by Student's t,
        which is NaN for one seed. `learned_nothing`, `failed` and
        `unfinished` count the runs that are in no mean.
    """
    by = settings_of(found.runs)
    of_layers = layer_durations(found)
    rows = []
    for key, runs in found.runs.groupby(by, sort=False, dropna=False):
        own = of_layers[of_layers["id"].isin(runs["id"])]
        row = dict(zip(by, key, strict=True))
        done = runs[runs["status"] == "done"]
        useful = done[learned(done)]
        row["seeds"] = len(useful)
        row["learned_nothing"] = len(done) - len(useful)
        row |= counts_of_not_done(runs)
        values = {"bits": useful["test_bits_per_character"]}
        for layer, group in own.groupby("layer"):
            values[f"mean_{layer}"] = group["mean"]
            values[f"spread_{layer}"] = group["spread"]
        for name, of_seeds in values.items():
            row |= interval_columns(name, of_seeds)
        row["parameters"] = runs["trainable_parameters"].max()
        rows.append(row)
    return pd.DataFrame(rows)
