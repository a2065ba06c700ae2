"""The experiment for the engine, see `engine.experiment`."""

from experiments.engine.experiment import Experiment
from experiments.long_memory.config import OF_DATA
from experiments.long_memory.grid import AXES, PRESETS
from experiments.long_memory.report import REPORT
from experiments.long_memory.results import TABLES
from experiments.long_memory.run import execute, figures, load_data


def about(data):
    """Describes the data in one line."""
    _, steps, features = data.train[0].shape
    return (
        f"Sequences of {steps} x {features}: {data.source}; "
        f"{len(data.train[0]):,} for training, {len(data.test[0]):,} fresh; "
        f"chance {data.chance:.1%}"
    )


def label(config):
    """A short name for a run."""
    words = [config.task, str(config.length), config.variant]
    words += [f"{config.units} {config.equal}" * (config.equal != "units")]
    words += [f"rate {config.learning_rate:g}", f"seed {config.seed}"]
    return " ".join(filter(None, words))


def outcome(folder):
    """Summarizes the result of a run that is done in one line."""
    result, solved = folder.result, folder.result["solved_epoch"]
    return (
        f"{result['val_accuracy']:.1%} of fresh sequences right after "
        f"{result['epochs']} epochs, "
        + (f"solved in epoch {solved}" if solved else "not solved")
    )


def figures_of(row, history):
    """The result of a run of these epochs only, see `Experiment`."""
    same = ("layer_units", "trainable_parameters", "steps_per_epoch")
    return {name: row[name] for name in same} | figures(history)


LONG_MEMORY = Experiment(
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
    reports_one_run=True,
    timed_by=("task", "length", "variant"),
)
