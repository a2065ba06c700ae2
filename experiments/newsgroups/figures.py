"""Pictures of runs, made from what `engine.runs.read_runs` returns."""

import matplotlib.pyplot as plt

from experiments.engine.runs import replacing


def learning_curves(runs, path):
    """Draws validation accuracy and loss of each run by epoch.

    Args:
        runs: List of runs, as `engine.runs.read_runs` returns them, with a
            `label` each.
        path: `pathlib.Path` of the PNG.
    """
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    panels = (("accuracy", "accuracy", 100), ("loss", "loss (nats)", 1))
    for axis, (name, label, scale) in zip(axes, panels, strict=True):
        for number, run in enumerate(runs):
            epochs = [row["epoch"] for row in run["history"]]
            for prefix, style in (("val_", "-"), ("", ":")):
                axis.plot(
                    epochs,
                    [scale * row[prefix + name] for row in run["history"]],
                    style,
                    marker="." if len(epochs) < 20 else "",
                    color=f"C{number}",
                    label=run["label"] if prefix else None,
                )
        unit = " (%)" if scale == 100 else ""
        axis.set(xlabel="epoch", ylabel=label + unit)
        axis.grid(alpha=0.3)
        axis.xaxis.get_major_locator().set_params(integer=True)
    axes[0].set_ylim(bottom=0)
    axes[0].legend(title="variant")
    figure.suptitle("20 Newsgroups: validation (solid) and training (dotted)")
    with replacing(path, "wb") as file:
        figure.savefig(file, format="png", dpi=150)
    plt.close(figure)
