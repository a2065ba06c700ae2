"""Figures for `Report.pictures`: durations. Layers have the paper's colors."""

import numpy as np
from matplotlib.ticker import LogFormatter

from experiments.engine.confidence import confidence_intervals
from experiments.engine.pictures import literal, panels, picture
from experiments.memory_duration.config import COEFFICIENTS
from experiments.memory_duration.results import durations_of
from experiments.memory_duration.tables import layer_durations, modulated

COLORS = ("#D62728", "#1F4FD8", "#000000")  # red, blue, black
OTHER_COLORS = ("#2CA02C", "#9467BD", "#8C564B")


def _color(layer):
    colors = COLORS + OTHER_COLORS
    return colors[(layer - 1) % len(colors)]


def _write_out(axis):
    """Labels a logarithmic axis with 4, not with 4 x 10^0."""
    axis.set_major_formatter(LogFormatter())
    axis.set_minor_formatter(LogFormatter())


def histograms(budget, path):
    """Draws histograms of memory durations by layer, like Figure 1.

    Each text and variant has a panel, with means over seeds. The edges of the
    bins are powers of two, and the height of a bin is its share of the
    durations divided by its width.
    """
    groups = modulated(layer_durations(budget)).groupby(
        ["text", "variant"], sort=False
    )
    if not len(groups):
        return False
    durations = budget.details["durations"]
    with panels(
        path, len(groups), 4, (4, 3.2), (1, 0.6), sharex=True, sharey=True
    ) as (figure, axes):
        for axis, ((text, variant), group) in zip(axes, groups, strict=True):
            for layer, of_layer in group.groupby("layer"):
                own = durations[
                    durations["id"].isin(of_layer["id"])
                    & (durations["layer"] == layer)
                ]
                _, edges = durations_of(own).histogram()
                shares = np.mean(
                    [_shares(rows, edges) for _, rows in own.groupby("id")],
                    axis=0,
                )
                shown = shares > 0
                axis.plot(
                    np.sqrt(edges[1:] * edges[:-1])[shown],
                    shares[shown],
                    marker=".",
                    color=_color(layer),
                    label=f"layer {layer}, mean {of_layer['mean'].mean():.2f}",
                )
            title = literal(f"{text}, {variant}")
            axis.set(xscale="log", yscale="log", title=title)
            axis.grid(alpha=0.3)
            axis.legend(fontsize="small")
        figure.supxlabel("memory duration (characters)")
        figure.supylabel("share of the durations per character")
    return True


def _shares(durations, edges):
    """The share of a run's durations in each bin, divided by its width."""
    found = durations_of(durations)
    counts, _ = found.histogram(edges)
    return counts / found.intervals / np.diff(edges)


def modulation(budget, path):
    """Draws mean durations by each coefficient of eq. 7, like Figure 2.

    Each text and variant has a row with a panel for each coefficient. In the
    panel of r_i the line of layer i is thick. Means over seeds, with their
    95 % confidence intervals.
    """
    found = layer_durations(budget)
    rows = [
        (name, group)
        for name, group in found.groupby(["text", "variant"], sort=False)
        if group[[*COEFFICIENTS]].gt(0).any(axis=None)
    ]
    if not rows:
        return False
    with picture(
        path,
        len(rows),
        len(COEFFICIENTS),
        figsize=(11, 3.2 * len(rows) + 0.4),
        squeeze=False,
        sharey="row",
    ) as (figure, axes):
        for line, ((text, variant), group) in zip(axes, rows, strict=True):
            for number, (axis, name) in enumerate(
                zip(line, COEFFICIENTS, strict=True), 1
            ):
                alone = modulated(group, name)
                for layer, of_layer in alone.groupby("layer"):
                    means = confidence_intervals(of_layer.groupby(name)["mean"])
                    thick = layer == number
                    axis.errorbar(
                        means.index,
                        means["mean"],
                        (means["high"] - means["mean"]).fillna(0),
                        marker="o",
                        linewidth=2.5 if thick else 1,
                        alpha=1 if thick else 0.5,
                        capsize=2,
                        color=_color(layer),
                        label=f"layer {layer}",
                    )
                smallest = alone.loc[alone[name] > 0, name].min()
                if smallest == smallest:  # not NaN: there is one
                    axis.set_xscale("symlog", linthresh=smallest)
                axis.set(xlabel=name, yscale="log")
                axis.xaxis.set_major_formatter("{x:g}")
                _write_out(axis.yaxis)
                axis.grid(alpha=0.3)
            name = literal(f"{text}, {variant}")
            line[0].set_ylabel(f"{name}\nmean duration (characters)")
        axes[0][0].legend(fontsize="small")
    return True


def variants(budget, path):
    """Draws the mean duration of each layer by variant.

    Means over seeds with 95 % confidence intervals. Small points are runs.
    """
    found = modulated(layer_durations(budget))
    texts = found["text"].unique()
    if not len(texts):
        return False
    with picture(
        path,
        1,
        len(texts),
        figsize=(
            max(4.5, 0.9 * found["variant"].nunique()) * len(texts) + 1,
            4,
        ),
        squeeze=False,
        sharey=True,
    ) as (figure, axes):
        for axis, text in zip(axes[0], texts, strict=True):
            of_text = found[found["text"] == text]
            names = list(of_text["variant"].unique())
            count = of_text["layer"].max()
            for layer, group in of_text.groupby("layer"):
                shift = (layer - (count + 1) / 2) * 0.6 / count
                places = {name: k + shift for k, name in enumerate(names)}
                axis.plot(
                    group["variant"].map(places),
                    group["mean"],
                    ".",
                    alpha=0.4,
                    color=_color(layer),
                )
                means = confidence_intervals(group.groupby("variant")["mean"])
                axis.errorbar(
                    means.index.map(places),
                    means["mean"],
                    (means["high"] - means["mean"]).fillna(0),
                    fmt="o",
                    capsize=3,
                    color=_color(layer),
                    label=f"layer {layer}",
                )
            axis.set(
                title=literal(text), yscale="log", xlim=(-0.5, len(names) - 0.5)
            )
            _write_out(axis.yaxis)
            lines = [name.replace(" at ", "\nat ") for name in names]
            axis.set_xticks(range(len(names)), lines)
            axis.grid(alpha=0.3, axis="y")
        axes[0][0].set_ylabel("mean duration (characters)")
        axes[0][0].legend()
    return True
