"""The command `slimming`: what training gives a slimmed network."""

import pandas as pd

from experiments.benchmarks import machine, progress, summary, workers
from experiments.benchmarks.deploy import TASKS

VARIANTS = ("lstm1", "lstm2", "lstm3")
EPOCHS = 3  # after slimming
WAYS = ("right after", "fine-tuned", "distilled", "from scratch")
_SLIMMING = "experiments.benchmarks.in_worker.slimming:Slimming"


def measure(options, command, console):
    """Trains, and writes each score to the folder when it is known.

    Args:
        options: Namespace of the command line.
        command: String, the command line, for the record.
        console: `rich.console.Console`.
    """
    folder, backend = options.results_dir, options.backend
    about = machine.describe([backend], command) | {"seeds": options.seeds}
    machine.write(about, folder / "slimming.json")
    rows = []

    def append(layer, way, score):
        rows.append((task, seed, layer, way, score))
        columns = ["task", "seed", "layer", "way", "score"]
        table = pd.DataFrame(rows, columns=columns)
        summary.write(table, folder / "slimming.csv")

    for task in TASKS:
        served = (_SLIMMING, task, options.epochs)
        steps = options.seeds * (1 + len(VARIANTS))
        with (
            workers.start([backend], *served) as started,
            progress.bar(console, task, steps) as show,
        ):
            call = started[backend].call
            for seed in range(options.seeds):
                show(f"seed {seed}, lstm")
                append("lstm", "original", call("train", seed))
                for variant in VARIANTS:
                    show(f"seed {seed}, {variant}")
                    scores = call("scores", variant, seed)
                    for way, score in zip(WAYS, scores, strict=True):
                        append(variant, way, score)
