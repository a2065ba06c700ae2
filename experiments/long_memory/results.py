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
        "solved_epoch": int,
        **results.LAST_AND_BEST,
    },
    provenance={
        "chance": float,
        "error": str,
        "task_source": str,
        **results.PROVENANCE,
    },
    metrics=results.METRICS,
)
