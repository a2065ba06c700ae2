"""The claims of the paper, each checked against the runs."""

from typing import NamedTuple

import pandas as pd

from experiments.engine.confidence import confidence_interval
from experiments.engine.report import NOT_ENOUGH, decided
from experiments.memory_duration.config import COEFFICIENTS
from experiments.memory_duration.tables import modulated

HARDLY = 0.1  # the largest relative change that counts as "hardly"


class Verdict(NamedTuple):
    """A claim and the verdict on it.

    Attributes:
        claim: String, in our words.
        section: String, the section of the paper, or `"ours"`.
        text: String, the text that the network learned.
        variant: String.
        verdict: `HOLDS`, `FAILS` or `NOT_ENOUGH`, by the means over seeds.
        seeds: String, for how many of the seeds it holds.
        reading: String, the numbers that decide it.
    """

    claim: str
    section: str
    text: str
    variant: str
    verdict: str
    seeds: str
    reading: str


def verdicts(durations):
    """Checks every claim for every text and variant with runs.

    Args:
        durations: What `tables.layer_durations` returns.

    Returns:
        `pandas.DataFrame`, one row per `Verdict`.
    """
    plain = modulated(durations)
    found = []
    deep = plain[plain["layers"] > 1]
    for (text, variant), rows in deep.groupby(["text", "variant"], sort=False):
        stated = _is_stated(variant)
        for claim, section, quantity, unit in (
            ("the mean duration grows with depth", "4.1", "mean", "characters"),
            ("histograms are broader with depth", "4.1", "spread", "octaves"),
        ):
            found.append(
                _grows(
                    Verdict(
                        claim,
                        section if stated else "ours",
                        text,
                        variant,
                        *[""] * 3,
                    ),
                    rows.pivot(index="seed", columns="layer", values=quantity),
                    unit,
                )
            )
    for (text, variant), rows in durations.groupby(
        ["text", "variant"], sort=False
    ):
        found.append(_modulation(rows, text, variant))
    return pd.DataFrame(found, columns=Verdict._fields)


def _is_stated(variant):
    """Whether the paper has the variant, with any learning rate."""
    return variant.split()[0] == "lstm"


def _grows(verdict, by_layer, unit):
    """Decides whether a quantity grows from the first layer to the last."""
    seeds = by_layer.diff(axis=1).iloc[:, 1:].gt(0).all(axis=1)
    means = [confidence_interval(by_layer[layer]) for layer in by_layer]
    grows = all(a.mean < b.mean for a, b in zip(means, means[1:], strict=False))
    return verdict._replace(
        **decided(grows, seeds),
        reading=" < ".join(f"{m.mean:.2f}" for m in means)
        if grows
        else ", ".join(f"{m.mean:.2f}" for m in means) + f" {unit}",
    )


def effects(rows):
    """By how much each coefficient changes the duration of its own layer.

    Args:
        rows: Rows of `tables.layer_durations`, of one text and one variant.

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


def _modulation(rows, text, variant):
    verdict = Verdict(
        "r_1 hardly changes layer 1, r_2 changes layer 2 more, and r_3 layer 3 "
        "most",
        "4.2" if _is_stated(variant) else "ours",
        text,
        variant,
        NOT_ENOUGH,
        "",
        "",
    )
    found = effects(rows)
    if found.shape[1] < len(COEFFICIENTS) or found.empty:
        return verdict

    def holds(changes):
        first, second, third = changes
        return abs(first) <= HARDLY and abs(first) < second < third

    means = found.mean()
    return verdict._replace(
        **decided(holds(means), map(holds, found.to_numpy())),
        reading=", ".join(f"{change:+.0%}" for change in means),
    )
