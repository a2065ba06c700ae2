"""Figures for `Report.pictures`. A variant has the same color in all."""

import math

import matplotlib.pyplot as plt
import numpy as np

from experiments.engine.confidence import LEVEL, confidence_intervals
from experiments.engine.formats import rate
from experiments.engine.pictures import panels, picture, wrapped
from experiments.newsgroups.report.published import EPOCHS
from experiments.newsgroups.report.tables import by_variant, long_table

# Okabe and Ito's palette, which the color-blind can tell apart.
COLORS = {
    "lstm": "#0072B2",
    "lstm1": "#E69F00",
    "lstm2": "#009E73",
    "lstm3": "#D55E00",
}
OTHER_COLORS = ("#CC79A7", "#56B4E9", "#000000", "#B8A900")


def _colors(variants):
    others = (name for name in variants if name not in COLORS)
    return COLORS | {
        name: OTHER_COLORS[number % len(OTHER_COLORS)]
        for number, name in enumerate(others)
    }


def _by_epoch(axis, label="validation accuracy (%)"):
    axis.set(xlabel="epoch", ylabel=label)
    axis.grid(alpha=0.3)
    axis.xaxis.get_major_locator().set_params(integer=True)


def learning_curves(runs, path):
    """Draws accuracy and loss of single runs by epoch, for the quickstart.

    `runs` are dicts as `engine.runs.read_run` returns them, each with a
    `label`.
    """
    colors = _colors([run["label"] for run in runs])
    panels = (("accuracy", "accuracy (%)", 100), ("loss", "loss (nats)", 1))
    with picture(path, 1, 2, figsize=(10, 4)) as (figure, axes):
        for axis, (name, label, scale) in zip(axes, panels, strict=True):
            for run in runs:
                epochs = [row["epoch"] for row in run["history"]]
                for prefix, style in (("val_", "-"), ("", ":")):
                    axis.plot(
                        epochs,
                        [scale * row[prefix + name] for row in run["history"]],
                        style,
                        marker="." if len(epochs) < 20 else "",
                        color=colors[run["label"]],
                        label=run["label"] if prefix else None,
                    )
            _by_epoch(axis, label)
        axes[0].set_ylim(bottom=0)
        axes[0].legend(title="variant")
        figure.suptitle("20 Newsgroups: validation (solid), training (dotted)")


def _history_of(budget, activation, learning_rate, **more):
    """The history of the runs of a setting that are done."""
    runs = budget.runs
    wanted = {
        "status": "done",
        "activation": activation,
        "learning_rate": learning_rate,
        **more,
    }
    for name, value in wanted.items():
        runs = runs[runs[name] == value]
    settings = runs[["id", "variant", "seed", "breakdown_epoch"]]
    return budget.history.merge(settings, on="id")


def _title(figure, budget, activation, learning_rate, what):
    words = f"{activation}, {rate(learning_rate)}: {what}\n{budget.description}"
    figure.suptitle(wrapped(words, figure))


def _count(seeds):
    return "1 seed" if seeds == 1 else f"{seeds} seeds"


def variant_curves(budget, path, activation="tanh", learning_rate=2e-3):
    """Draws the learning curves of the variants in one setting.

    Means over seeds, with their 95 % confidence intervals.
    """
    history = _history_of(budget, activation, learning_rate)
    if history.empty:
        return False
    variants = _in_order(history["variant"])
    colors = _colors(variants)
    panels = (
        ("val_accuracy", "validation accuracy (%)", 100),
        ("val_loss", "validation loss (nats)", 1),
    )
    with picture(path, 1, 2, figsize=(10, 4.6)) as (figure, axes):
        for axis, (name, label, scale) in zip(axes, panels, strict=True):
            for variant in variants:
                own = history[history["variant"] == variant]
                seeds = own["seed"].nunique()
                over_seeds = confidence_intervals(
                    (scale * own[name]).groupby(own["epoch"])
                )
                epochs = over_seeds.index
                axis.plot(
                    epochs,
                    over_seeds["mean"],
                    marker="." if len(epochs) < 30 else "",
                    color=colors[variant],
                    label=f"{variant} ({_count(seeds)})",
                )
                axis.fill_between(
                    epochs,
                    over_seeds["low"],
                    over_seeds["high"],
                    color=colors[variant],
                    alpha=0.2,
                    linewidth=0,
                )
            # Few seeds have wide intervals, beyond what an accuracy can be.
            values = scale * history[name]
            values = values[np.isfinite(values)]
            if len(values):
                axis.dataLim.intervaly = values.min(), values.max()
                axis.autoscale_view()
            _by_epoch(axis, label)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower center", ncols=len(labels)
        )
        _title(
            figure,
            budget,
            activation,
            learning_rate,
            f"mean over seeds, with {LEVEL:.0%} confidence interval"
            if history["seed"].nunique() > 1
            else "one seed each",
        )
    return True


def seed_spread(budget, path, variant="lstm3"):
    """Draws the seeds of one entry, like the paper's Figure 2."""
    setting = "tanh", 2e-3
    history = _history_of(budget, *setting, variant=variant)
    if history.empty:
        return False
    with picture(path, 1, 2, figsize=(10, 4.2), width_ratios=(3, 1)) as (
        figure,
        (curves, final),
    ):
        seeds = list(history.groupby("seed"))
        ends = [100 * rows["val_accuracy"].iloc[-1] for _, rows in seeds]
        shades = plt.get_cmap("viridis")(np.linspace(0, 0.9, len(seeds)))
        if len(seeds) > 1:
            final.boxplot(ends, widths=0.5, showfliers=False)
        for number, (seed, rows) in enumerate(seeds):
            curves.plot(
                rows["epoch"],
                100 * rows["val_accuracy"],
                color=shades[number],
                label=seed,
                linewidth=1,
                marker="." if len(rows) < 30 else "",
            )
            # Shifted sideways, so that equal values do not overlap.
            place = 1 + 0.2 * ((number + 0.5) / len(seeds) - 0.5)
            final.plot(place, ends[number], "o", color=shades[number])
        _by_epoch(curves)
        curves.legend(title="seed", ncols=math.ceil(len(seeds) / 8), loc="best")
        final.set(
            xlim=(0.5, 1.5),
            xticks=[],
            xlabel=_count(len(seeds)),
            ylabel="after the last epoch (%)",
        )
        final.grid(alpha=0.3, axis="y")
        _title(figure, budget, *setting, f"the seeds of {variant}")
    return True


def breakdowns(budget, path):
    """Draws where runs of a setting broke down, like Figures 3 and 4.

    Each seed has a panel with all variants.
    """
    setting = "linear", 2e-3
    history = _history_of(budget, *setting)
    if history.empty:
        return False
    variants = _in_order(history["variant"])
    colors = _colors(variants)
    seeds = sorted(history["seed"].unique())
    size = 4 if len(seeds) > 1 else 6, 2.9
    with panels(
        path, len(seeds), 3, size, (0, 0.8), sharex=True, sharey=True
    ) as (figure, axes):
        for axis, seed in zip(axes, seeds, strict=True):
            here = history[history["seed"] == seed]
            for variant in variants:
                run = here[here["variant"] == variant]
                accuracy = 100 * run["val_accuracy"]
                axis.plot(run["epoch"], accuracy, color=colors[variant])
                broke = (run["epoch"] == run["breakdown_epoch"]).fillna(False)
                axis.scatter(
                    run["epoch"][broke],
                    accuracy[broke],
                    s=80,
                    marker="X",
                    color=colors[variant],
                    edgecolor="black",
                    zorder=3,
                )
            _by_epoch(axis)
            axis.label_outer()
            axis.set(title=f"seed {seed}", ylim=(0, None))
        handles = [
            plt.Line2D([], [], color=colors[variant], label=variant)
            for variant in variants
        ]
        handles.append(
            plt.Line2D(
                [], [], color="gray", marker="X", ls="", label="breakdown"
            )
        )
        figure.legend(
            handles=handles, loc="outside lower center", ncols=len(handles)
        )
        _title(figure, budget, *setting, "breakdowns")
    return True


def overview(budget, path, metric="val_accuracy"):
    """Draws each entry as published and reproduced, one panel per variant.

    `metric` is `"val_accuracy"` or `"val_loss"`. There are always published
    entries to draw.
    """
    entries = long_table(budget, metric)
    scale = 100 if "accuracy" in metric else 1
    wide = by_variant(scale * entries[["published", "reproduced", "spread"]])
    variants = _in_order(entries.index.get_level_values("variant"))
    colors = _colors(variants)
    # A small gap between activations.
    groups = wide.index.get_level_values("activation").factorize()[0]
    places = np.arange(len(wide)) + 0.6 * groups
    with picture(
        path,
        1,
        len(variants),
        figsize=(1.5 + 2.2 * len(variants), 1.4 + 0.26 * len(wide)),
        sharex=True,
        sharey=True,
        squeeze=False,
    ) as (figure, axes):
        for axis, variant in zip(axes[0], variants, strict=True):
            column = {
                name: wide[name, variant]
                for name in ("published", "reproduced", "spread")
            }
            axis.hlines(
                places,
                column["published"],
                column["reproduced"].replace(np.inf, np.nan),
                color="0.7",
                linewidth=1.5,
                zorder=1,
            )
            axis.errorbar(
                column["reproduced"].replace(np.inf, np.nan),
                places,
                xerr=column["spread"],
                fmt="o",
                color=colors[variant],
                markersize=5,
                zorder=2,
            )
            axis.plot(
                column["published"],
                places,
                "o",
                markerfacecolor="none",
                markeredgecolor="black",
                markersize=7,
                zorder=3,
            )
            axis.set_title(variant, color=colors[variant], weight="bold")
            axis.grid(alpha=0.3, axis="x")
        axes[0, 0].set_yticks(
            places,
            [f"{name} {rate(value)}" for name, value in wide.index],
        )
        axes[0, 0].invert_yaxis()
        if scale == 100:
            axes[0, 0].set_xlim(left=0)
        unit = "%" if scale == 100 else "nats"
        what = metric.replace("val_", "validation ")
        figure.supxlabel(f"{what} after the last epoch ({unit})")
        figure.legend(
            handles=[
                plt.Line2D(
                    [],
                    [],
                    marker="o",
                    ls="",
                    mfc="none",
                    mec="black",
                    ms=7,
                    label=f"published: epochs {EPOCHS}",
                ),
                plt.Line2D(
                    [],
                    [],
                    marker="o",
                    ls="-",
                    color="0.4",
                    ms=5,
                    label=wrapped(
                        f"reproduced, ± sd over seeds: {budget.description}",
                        figure,
                        inches=1,
                    ),
                ),
            ],
            loc="outside upper center",
        )
    return True


def _in_order(variants):
    """The different variants, those of the paper first."""
    found = list(dict.fromkeys(variants))
    return [v for v in COLORS if v in found] + [
        v for v in found if v not in COLORS
    ]
