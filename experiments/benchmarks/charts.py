import math

import numpy as np

from experiments.benchmarks.subjects import KERAS_GRU, KERAS_LSTM
from experiments.engine.pictures import picture

# Okabe and Ito's palette, which the color-blind can tell apart.
COLORS = {"tensorflow": "#E69F00", "jax": "#0072B2", "torch": "#009E73"}
FORMATS = ("#E69F00", "#D55E00", "#CC79A7", "#0072B2", "#009E73")


def speed_ups(layers, path):
    """Draws how many times as fast our layers are as Keras's layers.

    `layers` are rows of what `summary.to_keras` returns.
    """
    mode = layers["mode"].iloc[0]
    layers = layers[(layers["mode"] == mode) & layers["default"]]
    shapes = layers["shape"].unique()
    columns = min(2, len(shapes))
    rows = math.ceil(len(shapes) / columns)
    wide = max(5, 0.6 * layers["layer"].nunique())
    size = 2 + columns * wide, 1.2 + 3 * rows
    options = {"figsize": size, "squeeze": False}
    with picture(path, rows, columns, **options) as (figure, axes):
        for axis in axes.flat[len(shapes) :]:
            axis.set_visible(False)
        for axis, shape in zip(axes.flat, shapes, strict=False):
            own = layers[layers["shape"] == shape].pivot(
                index="layer", columns="backend"
            )
            own = own.reindex(layers["layer"].unique())
            backends = [b for b in COLORS if b in own["ratio"]]
            low, ratio, high = (
                own[name][backends]
                for name in ("ratio_p10", "ratio", "ratio_p90")
            )
            ratio.plot.bar(
                ax=axis,
                yerr=np.stack([(ratio - low).T, (high - ratio).T], axis=1),
                capsize=2,
                error_kw={"linewidth": 1},
                color=COLORS,
                width=0.8,
                legend=False,
                rot=45,
            )
            axis.axhline(1, color="black", linewidth=1)
            axis.set(title=shape, xlabel="", ylabel="times as fast")
            axis.grid(alpha=0.3, axis="y")
            axis.set_axisbelow(True)
        _legend_of_all(figure, axes)
        peer = KERAS_LSTM
        if (layers["peer"] == KERAS_GRU).any():
            peer += f" (gru and mgu: {KERAS_GRU})"
        figure.suptitle(
            f"{mode.capitalize()}: times as fast as {peer}\n"
            "on the same backend; median, 10th to 90th percentile\n"
            "batch x time steps x features x units",
            fontsize=11,
        )


def files(files, path):
    """Draws time and size of exported networks.

    `files` are timed rows of what `summary.deploy` returns.
    """
    tasks = list(files["task"].unique())
    panels = {"µs per call": ("seconds", 1e6), "kB": ("file_bytes", 1e-3)}
    size, shape = (13, 1 + 4 * len(tasks)), (len(tasks), len(panels))
    with picture(path, *shape, figsize=size, squeeze=False) as (figure, axes):
        for row, task in zip(axes, tasks, strict=True):
            of_task = files[files["task"] == task]
            names = of_task.drop_duplicates("layer").set_index("layer")["score"]
            for axis, (label, (column, scale)) in zip(
                row, panels.items(), strict=True
            ):
                values = scale * of_task.pivot(
                    index="layer", columns="format", values=column
                ).astype(float)
                values = values.reindex(
                    index=names.index, columns=files["format"].unique()
                )
                values.plot.bar(
                    ax=axis, width=0.8, color=FORMATS, logy=True, legend=False
                )
                axis.set_xticks(
                    range(len(names)),
                    [f"{name}\n{score:.1%}" for name, score in names.items()],
                    rotation=45,
                    fontsize=8,
                )
                axis.set(title=f"{task}: {label}", xlabel="", ylabel=label)
                axis.grid(alpha=0.3, axis="y")
                axis.set_axisbelow(True)
        _legend_of_all(figure, axes)
        figure.suptitle(
            "Exported networks, a batch of one on one thread; under each name "
            "its score",
            fontsize=11,
        )


def memory_held(found, path):
    """Draws the memory of a process over its calls or runs.

    `found` are the rows of `soak.csv` without an error.
    """
    kinds = list(found["mode"].unique())
    styles = dict(zip(found["layer"].unique(), ("-", "--", ":"), strict=False))
    size = 6 * len(kinds), 4.5
    with picture(path, 1, len(kinds), figsize=size, squeeze=False) as (_, axes):
        for axis, kind in zip(axes.flat, kinds, strict=True):
            of_kind = found[found["mode"] == kind]
            for (layer, backend), rows in of_kind.groupby(
                ["layer", "backend"], sort=False
            ):
                axis.plot(
                    rows["done"],
                    rows["memory_bytes"] / 1e6,
                    linestyle=styles[layer],
                    color=COLORS[backend],
                    label=f"{backend} {layer}",
                )
            axis.set(title=f"Many {kind}", xlabel=kind)
            top = 1.2e-6 * of_kind["memory_bytes"].max()
            axis.set(ylabel="memory, MB", ylim=(0, top))
            axis.grid(alpha=0.3)
            axis.legend(fontsize=8)


def _legend_of_all(figure, axes):
    """One legend for all axes, which have the same entries."""
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=len(labels)
    )
