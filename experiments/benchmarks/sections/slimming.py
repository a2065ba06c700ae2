from experiments.benchmarks.deploy import TASKS
from experiments.benchmarks.markdown import share, table
from experiments.benchmarks.sections.common import machine
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
        original = _scores(rows[rows["way"] == "original"])
        lines = [{"layer": "keras.layers.LSTM", "original": original}]
        lines[0] |= dict.fromkeys(WAYS, "")
        slimmed = rows[rows["way"] != "original"]
        for layer, of_layer in slimmed.groupby("layer", sort=False):
            line = {"layer": layer, "original": ""}
            for way in WAYS:
                line[way] = _scores(of_layer[of_layer["way"] == way])
            lines.append(line)
        yield table(lines)


def _scores(rows):
    scores = rows["score"]
    return share(scores.mean(), scores.min(), scores.max())
