"""Made-up results, with the types of results that are read from CSV."""

import tempfile

import numpy as np

from experiments.engine.results import Results, frame, read, write
from experiments.newsgroups.config import Config
from experiments.newsgroups.report import published
from experiments.newsgroups.results import TABLES

GRID = list(published.load().index)
CORNER = [("tanh", 2e-3, v) for v in ("lstm", "lstm1", "lstm2", "lstm3")]
EMPTY = dict.fromkeys([*TABLES.result, "chance", "error"])


def a_row(entry, seed=0, value=0.7, status="done", **more):
    """The row of a run, whose last and best values differ by known steps."""
    activation, learning_rate, variant = entry
    settings = {
        key: more.pop(key)
        for key in list(more)
        if key in Config.__dataclass_fields__
    }
    config = Config(
        activation=activation,
        learning_rate=learning_rate,
        variant=variant,
        seed=seed,
        **settings,
    )
    found = {
        "parameters": 1000 + len(variant),
        "trainable_parameters": 2000,
        "best_val_accuracy": value + 0.01,
        "best_epoch": 1,
        "best_val_loss": 1.0,
        "val_accuracy": value,
        "val_loss": 2 - value,
        "accuracy": value,
        "loss": 1.0,
        "breakdown_epoch": None,
        "seconds_per_epoch": 2.0,
        "chance": 0.05,
        "error": None,
    }
    name = f"{activation}-{learning_rate:g}-{variant}-{seed}-{config.epochs}"
    return {
        "id": f"{name}-{config.embedding_dim}-{status}",
        "status": status,
        **config.as_dict(),
        "epochs_done": config.epochs,
        **(found if status == "done" else EMPTY),
        "posts": "news20.tar.gz: the original 19,997 posts in 20 groups",
        "embeddings": "glove.6B.zip",
        "embedding_coverage": 0.7,
        "data_fingerprint": "0123",
        "device": "2 x CPU (x86_64)",
        **dict.fromkeys(
            ("backend_version", "python", "keras", "keras_slim", "numpy"), "1.0"
        ),
        "commit": "0123456",
        "started": "2026-01-01T00:00:00Z",
        **more,
    }


def made(rows, epochs=3):
    """`Results` of rows, with a history of a few epochs for runs that are done.

    They are written to CSV files and read again by `results.read`.
    """
    history = [
        {
            "id": row["id"],
            "epoch": epoch,
            "accuracy": 0.5,
            "loss": 1.5,
            "val_accuracy": row["val_accuracy"] * epoch / epochs,
            "val_loss": 3.0 / epoch,
            "seconds": 1.0,
        }
        for row in rows
        if row["status"] == "done"
        for epoch in range(1, epochs + 1)
    ]
    frames = Results(
        frame(rows, TABLES.run_columns),
        frame(history, TABLES.history_columns),
    )
    with tempfile.TemporaryDirectory() as folder:
        write(frames, folder)
        return read(folder, TABLES)


def the_paper(seeds=(0,), noise=0.0, **more):
    """Runs that reproduce Tables I and II, up to noise."""
    random = np.random.default_rng(0)
    printed = published.load()
    rows = []
    for entry in GRID:
        accuracy, loss = printed.loc[[entry]].iloc[0]
        for seed in seeds:
            row = a_row(entry, seed, accuracy + noise * random.normal(), **more)
            row["val_loss"] = loss
            if accuracy < 0.1:
                row["breakdown_epoch"] = 2
            rows.append(row)
    return made(rows)
