from experiments.benchmarks.markdown import table
from experiments.benchmarks.sections.common import machine
from experiments.benchmarks.sections.deploy import TASKS
from experiments.benchmarks.slimming import EPOCHS, WAYS

HOW = """\
A trained network with `keras.layers.LSTM` is slimmed by `keras_slim.slim` and
trained for {epochs} epochs: on the targets (fine-tuned), or on the outputs of
the original (distilled). From scratch is the same network with weights of its
own, after as many epochs. Scores in %: means over {seeds} seeds, with the least
and the largest."""


def slimming(found, about):
    """The section of slimmed networks.

    Args:
        found: `pandas.DataFrame`, the content of `slimming.csv`.
        about: Dict, the content of `slimming.json`.
    """
    yield "## Slimming"
    yield machine(about)
    yield HOW.format(epochs=EPOCHS, seeds=about["seeds"])
    for task, rows in found.groupby("task", sort=False):
        yield f"### {task}, slimmed"
        yield TASKS[task]
        original = _spread(rows[rows["way"] == "original"])
        lines = [{"layer": "keras.layers.LSTM", "original": original}]
        lines[0] |= dict.fromkeys(WAYS, "")
        slimmed = rows[rows["way"] != "original"]
        for layer, of_layer in slimmed.groupby("layer", sort=False):
            line = {"layer": layer, "original": ""}
            for way in WAYS:
                line[way] = _spread(of_layer[of_layer["way"] == way])
            lines.append(line)
        yield table(lines)


def _spread(rows):
    scores = 100 * rows["score"]
    return f"{scores.mean():.1f} ({scores.min():.1f}–{scores.max():.1f})"
