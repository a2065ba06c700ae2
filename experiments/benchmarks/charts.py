import math

import matplotlib.pyplot as plt
import numpy as np

from experiments.engine.runs import replacing

# Okabe and Ito's palette, which the colour-blind can tell apart.
COLOURS = {"tensorflow": "#E69F00", "jax": "#0072B2", "torch": "#009E73"}


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
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(2 + columns * max(5, 0.6 * len(variants)), 1.2 + 3 * rows),
        layout="constrained",
        squeeze=False,
    )
    try:
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
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower center", ncols=len(labels)
        )
        figure.suptitle(
            "Training: times as fast as keras.layers.LSTM, same backend\n"
            "batch x time steps x features x units; median, 10th to 90th "
            "percentile",
            fontsize=11,
        )
        with replacing(path, "wb") as file:
            figure.savefig(file, format="png", dpi=150)
    finally:
        plt.close(figure)
