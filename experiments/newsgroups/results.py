"""The tables of the experiment, see `engine.results`."""

from experiments.engine import results
from experiments.newsgroups.config import EXPERIMENT, Config

TABLES = results.Tables(
    EXPERIMENT,
    Config,
    result={
        "parameters": int,
        "trainable_parameters": int,
        "best_val_accuracy": float,
        "best_epoch": int,
        "best_val_loss": float,
        "val_accuracy": float,
        "val_loss": float,
        "accuracy": float,
        "loss": float,
        "breakdown_epoch": int,
        "seconds_per_epoch": float,
    },
    provenance={
        "chance": float,  # not kept by the first runs
        "error": str,
        "posts": str,
        "embeddings": str,
        "embedding_coverage": float,
        **results.PROVENANCE,
    },
    metrics={
        "accuracy": float,
        "loss": float,
        "val_accuracy": float,
        "val_loss": float,
    },
)


def collect(results_dir):
    """Reads all run folders, see `engine.results.collect`."""
    return results.collect(results_dir, TABLES)


def read(folder):
    """Reads what `engine.results.write` wrote to a folder."""
    return results.read(folder, TABLES)
