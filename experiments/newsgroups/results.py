"""The tables of the experiment, see `engine.results`."""

from experiments.engine import results
from experiments.newsgroups.config import EXPERIMENT, Config

TABLES = results.Tables(
    EXPERIMENT,
    Config,
    result={
        "parameters": int,
        "trainable_parameters": int,
        "best_val_loss": float,
        "breakdown_epoch": int,
        **results.LAST_AND_BEST,
    },
    provenance={
        "chance": float,  # not kept by the first runs
        "error": str,
        "posts": str,
        "embeddings": str,
        "embedding_coverage": float,
        **results.PROVENANCE,
    },
    metrics=results.METRICS,
)
