"""The tables of the experiment, see `engine.results`."""

from experiments.engine import results
from experiments.long_memory.config import EXPERIMENT, Config

TABLES = results.Tables(
    EXPERIMENT,
    Config,
    result={
        "layer_units": int,
        "trainable_parameters": int,
        "steps_per_epoch": int,
        "best_val_accuracy": float,
        "best_epoch": int,
        "solved_epoch": int,
        "val_accuracy": float,
        "val_loss": float,
        "accuracy": float,
        "loss": float,
        "seconds_per_epoch": float,
    },
    provenance={
        "chance": float,
        "error": str,
        "task_source": str,
        **results.PROVENANCE,
    },
    metrics={
        "accuracy": float,
        "loss": float,
        "val_accuracy": float,
        "val_loss": float,
    },
)
