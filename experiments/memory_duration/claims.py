"""The claims of the paper, each checked against the runs."""

import pandas as pd

from experiments.engine.confidence import confidence_interval
from experiments.engine.report import NOT_ENOUGH, decided
from experiments.memory_duration.config import COEFFICIENTS
from experiments.memory_duration.tables import modulated

HARDLY = 0.1  # the largest relative change that counts as "hardly"
_COLUMNS = "claim section text variant verdict seeds values"
_OF_DEPTH = (
    ("4.1", "the mean duration grows with depth", "mean", "characters"),
    ("4.1", "histograms are broader with depth", "spread", "octaves"),
    ("5", "units differ more with depth", "unit_spread", "octaves"),
)
_MODULATION = (
    "r_1 hardly changes layer 1, r_2 changes layer 2 more, and r_3 layer 3 most"
)


def verdicts(durations):
    """Checks every claim for every text and variant of `layer_durations`.

    Returns:
        `pandas.DataFrame` with one row per `claim`, `text` and `variant`: its
        `section` of the paper, or `"ours"`; the `verdict` by the means over
        seeds; for how many `seeds` it holds; and the `values` that decide it.
    """
    plain, found = modulated(durations), []

    def add(claim, section, text, variant, decision):
        # The paper has the LSTM, with any learning rate.
        section = section if variant.split()[0] == "lstm" else "ours"
        where = {"claim": claim, "section": section, "text": text}
        found.append({**where, "variant": variant, **decision})

    deep = plain[plain["layers"] > 1]
    for (text, variant), rows in deep.groupby(["text", "variant"], sort=False):
        for section, claim, quantity, unit in _OF_DEPTH:
            by_layer = rows.pivot(
                index="seed", columns="layer", values=quantity
            )
            add(claim, section, text, variant, _grows(by_layer, unit))
    for (text, variant), rows in durations.groupby(
        ["text", "variant"], sort=False
    ):
        add(_MODULATION, "4.2", text, variant, _modulation(rows))
    return pd.DataFrame(found, columns=_COLUMNS.split())


def _grows(by_layer, unit):
    """Decides whether a quantity grows from the first layer to the last."""
    seeds = by_layer.diff(axis=1).iloc[:, 1:].gt(0).all(axis=1)
    means = [confidence_interval(by_layer[layer]) for layer in by_layer]
    grows = all(a.mean < b.mean for a, b in zip(means, means[1:], strict=False))
    values = (" < " if grows else ", ").join(f"{m.mean:.2f}" for m in means)
    values += "" if grows else f" {unit}"
    return {**decided(grows, seeds), "values": values}


def effects(rows):
    """By how much each coefficient changes the duration of its own layer.

    `rows` of `tables.layer_durations` are of one text and one variant.

    Returns:
        `pandas.DataFrame` with one row per seed and one column per layer: the
        largest relative change of the mean duration over the coefficients
        with a run of this seed.
    """
    found = {}
    for layer, name in enumerate(COEFFICIENTS, 1):
        of_layer = modulated(rows[rows["layer"] == layer], name)
        by_r = of_layer.pivot(index="seed", columns=name, values="mean")
        if 0 in by_r and len(by_r.columns) > 1:
            changes = by_r.drop(columns=0).div(by_r[0], axis=0) - 1
            largest, least = changes.max(axis=1), changes.min(axis=1)
            found[layer] = largest.where(largest >= -least, least)
    return pd.DataFrame(found).dropna()


def _modulation(rows):
    found = effects(rows)
    if found.shape[1] < len(COEFFICIENTS) or found.empty:
        return {"verdict": NOT_ENOUGH, "seeds": "", "values": ""}

    def holds(changes):
        first, second, third = changes
        return abs(first) <= HARDLY and abs(first) < second < third

    means = found.mean()
    return {
        **decided(holds(means), map(holds, found.to_numpy())),
        "values": ", ".join(f"{change:+.0%}" for change in means),
    }
