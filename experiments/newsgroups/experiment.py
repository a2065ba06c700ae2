"""The experiment for the engine, see `engine.experiment`."""

from experiments.engine.experiment import Experiment
from experiments.newsgroups.config import OF_DATA
from experiments.newsgroups.grid import AXES, PRESETS
from experiments.newsgroups.report import REPORT
from experiments.newsgroups.results import TABLES
from experiments.newsgroups.run import execute, figures, load_data


def about(data):
    """Describes the data in one line."""
    return (
        f"Posts: {data.sources['posts']}; {len(data.train[0]):,} posts for "
        f"training, {len(data.validation[0]):,} for validation"
    )


def label(config):
    """A short name for a run."""
    words = [config.variant, config.activation, f"{config.learning_rate:g}"]
    return " ".join([*words, f"seed {config.seed}"])


def outcome(folder):
    """Summarizes the result of a run that is done in one line."""
    result = folder.result
    loss, broke = result["val_loss"], result["breakdown_epoch"]
    return (
        f"best validation accuracy {result['best_val_accuracy']:.2%} in epoch "
        f"{result['best_epoch']}, {result['val_accuracy']:.2%} after "
        f"{result['epochs']}, loss "
        + ("not finite" if loss is None else f"{loss:.4f}")
        + (f", broke down in epoch {broke}" if broke else "")
    )


def figures_of(row, history):
    """The result of a run of these epochs only, see `Experiment`."""
    if row["chance"] is None:  # not kept by the first runs
        return None
    return figures(history, row["chance"])


NEWSGROUPS = Experiment(
    tables=TABLES,
    axes=AXES,
    presets=PRESETS,
    load_data=load_data,
    of_data=OF_DATA,
    about=about,
    execute=execute,
    label=label,
    outcome=outcome,
    report=REPORT,
    figures_of=figures_of,
    unsaid={"seed": "the clock"},
)
