import math

import numpy as np

from experiments.engine.pictures import picture

# Okabe and Ito's palette, which the colour-blind can tell apart.
COLOURS = {"tensorflow": "#E69F00", "jax": "#0072B2", "torch": "#009E73"}
FORMATS = ("#E69F00", "#D55E00", "#CC79A7", "#0072B2", "#009E73")


def speed_ups(layers, path, peer="keras_default"):
    """Draws how many times as fast as a peer our fast layers train.

    Args:
        layers: What `summary.layers` returns.
        path: `pathlib.Path` of the PNG.
        peer: Name of the peer.
    """
    ours = layers[
        (layers["mode"] == "training")
        & (layers["recurrence"] == "fast")
        & (layers["equal"] == "units")
        & layers["default"].astype(bool)
        & layers[peer].notna()
    ]
    shapes = list(ours["shape"].unique())
    if not shapes:
        path.unlink(missing_ok=True)
        return
    variants = list(ours["layer"].unique())
    backends = [b for b in COLOURS if b in set(ours["backend"])]
    columns = min(2, len(shapes))
    rows = math.ceil(len(shapes) / columns)
    width = 0.8 / len(backends)
    size = 2 + columns * max(5, 0.6 * len(variants)), 1.2 + 3 * rows
    shape = rows, columns
    with picture(path, *shape, figsize=size, squeeze=False) as (figure, axes):
        for axis, shape in zip(axes.flat, shapes, strict=False):
            for number, backend in enumerate(backends):
                own = ours[
                    (ours["shape"] == shape) & (ours["backend"] == backend)
                ].set_index("layer")
                own = own.reindex(variants)
                places = np.arange(len(variants))
                ratio = own[peer]
                spread = [
                    ratio - own[f"{peer}_p10"],
                    own[f"{peer}_p90"] - ratio,
                ]
                axis.bar(
                    places + (number - (len(backends) - 1) / 2) * width,
                    ratio,
                    width,
                    yerr=spread,
                    capsize=2,
                    error_kw={"linewidth": 1},
                    color=COLOURS[backend],
                    label=backend,
                )
            axis.axhline(1, color="black", linewidth=1)
            axis.set_xticks(range(len(variants)), variants, rotation=45)
            axis.set(title=shape, ylabel="times as fast")
            axis.grid(alpha=0.3, axis="y")
            axis.set_axisbelow(True)
        for axis in axes.flat[len(shapes) :]:
            axis.set_visible(False)
        _legend_of_all(figure, axes)
        figure.suptitle(
            "Training: times as fast as keras.layers.LSTM, same backend\n"
            "batch x time steps x features x units; median, 10th to 90th "
            "percentile",
            fontsize=11,
        )


def files(files, path):
    """Draws time and size of exported networks.

    Args:
        files: What `summary.deploy` returns.
        path: `pathlib.Path` of the PNG.
    """
    files = files[files["seconds"].notna()]
    if files.empty:
        path.unlink(missing_ok=True)
        return
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

    Args:
        found: `pandas.DataFrame`, the content of `soak.csv`.
        path: `pathlib.Path` of the PNG.
    """
    kinds = list(found["mode"].unique())
    size = 6 * len(kinds), 4.5
    with picture(path, 1, len(kinds), figsize=size, squeeze=False) as (_, axes):
        for axis, kind in zip(axes.flat, kinds, strict=True):
            groups = found[found["mode"] == kind].groupby(
                ["layer", "backend"], sort=False
            )
            styles = dict.fromkeys(layer for (layer, _), _ in groups)
            for style, layer in zip(("-", "--", ":"), styles, strict=False):
                styles[layer] = style
            for (layer, backend), rows in groups:
                axis.plot(
                    rows["done"],
                    rows["memory_bytes"] / 1e6,
                    linestyle=styles[layer],
                    color=COLOURS[backend],
                    label=f"{backend} {layer}",
                )
            axis.set(
                title=f"{kind} in one process",
                xlabel=kind,
                ylabel="memory, MB",
                ylim=(0, None),
            )
            axis.grid(alpha=0.3)
            axis.legend(fontsize=8)


def _legend_of_all(figure, axes):
    """One legend for all axes, which have the same entries."""
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=len(labels)
    )
