"""The four variants of the paper with a small budget that still learns."""

import shlex
import sys
from pathlib import Path

import keras
from rich.console import Console
from rich.table import Table

from experiments.engine.runs import read_run
from experiments.newsgroups.config import Config
from experiments.newsgroups.experiment import NEWSGROUPS
from experiments.newsgroups.grid import VARIANTS
from experiments.newsgroups.report.figures import learning_curves
from keras_slim.datasets import glove

SETTINGS = {"samples": 5_000, "epochs": 6, "batch_size": 64, "seed": 0}


def main(results_dir, settings=SETTINGS, variants=VARIANTS):
    """Trains the variants, or resumes, and shows the results.

    All runs share the settings. Returns the exit status.
    """
    settings = {"backend": keras.backend.backend(), **settings}
    if not glove.is_available(settings.get("embedding_dim", 100)):
        # Stanford's 862 MB are not fetched by default; the 50-d copy is small.
        settings["embedding_dim"] = glove.COPY_DIM
    configs = [Config(variant=variant, **settings) for variant in variants]
    data = NEWSGROUPS.data_of(configs[0])

    made = []
    for number, config in enumerate(configs, 1):
        print(f"\n{config.variant} ({number} of {len(configs)})")
        folder = NEWSGROUPS.carry_out(config, results_dir)
        made.append({**read_run(folder.path), "label": config.variant})

    picture = results_dir / NEWSGROUPS.name / "quickstart.png"
    learning_curves(made, picture)
    python = Path(sys.executable)
    if python.is_relative_to(Path.cwd()):
        python = python.relative_to(Path.cwd())
    python = shlex.quote(str(python))
    console = Console()
    console.print()
    console.print(_table(made, data))
    console.print(
        f"Posts: {data.sources['posts']}\n"
        f"GloVe: {data.embeddings.shape[1]}-d, {data.sources['embeddings']}\n"
        f"Learning curves: {picture} (training accuracy is measured during "
        "the epoch and with dropout)\n\n"
        "The full experiment trains on all posts for 100 epochs, with 100-d "
        "vectors. To make one entry of its table here, which takes hours on a "
        "CPU (--epochs 20: a fifth) and 862 MB:\n"
        f"  {python} -m keras_slim.datasets fetch glove\n"
        f"  {python} -m experiments.newsgroups run --variant lstm3 "
        "--activation tanh --learning-rate 2e-3\n"
        "To see which settings the paper states, and which are derived or "
        "ours:\n"
        f"  {python} -m experiments.newsgroups settings",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    return 0


def _table(runs, data):
    posts = len(data.train[0]), len(data.validation[0])
    table = Table(
        title=f"20 Newsgroups, {posts[0]:,} posts for training and "
        f"{posts[1]:,} for validation",
        caption="Parameters are those of the recurrent layer. One seed each: "
        "a difference of a few points means nothing. The README has what "
        "100 epochs on all posts reach. Seconds are mostly those of the "
        "convolutions, and depend on other work on the machine.",
    )
    table.add_column("variant", no_wrap=True, min_width=7)
    for name in (
        "parameters",
        "best val.\naccuracy",
        "last val.\naccuracy",
        "last val.\nloss",
        "seconds\nper epoch",
    ):
        table.add_column(name, justify="right")
    for run in runs:
        result = run["result"]
        loss = result["val_loss"]
        table.add_row(
            run["label"],
            f"{result['parameters']:,}",
            f"{result['best_val_accuracy']:.1%}",
            f"{result['val_accuracy']:.1%}",
            "not finite" if loss is None else f"{loss:.3f}",
            f"{result['seconds_per_epoch']:.1f}",
        )
    return table
