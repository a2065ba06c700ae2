"""The experiment for the engine, see `engine.experiment`."""

import pandas as pd

from experiments.engine.experiment import Experiment
from experiments.memory_duration.config import COEFFICIENTS, OF_DATA
from experiments.memory_duration.grid import AXES, PRESETS
from experiments.memory_duration.report import REPORT
from experiments.memory_duration.results import TABLES, learned
from experiments.memory_duration.run import execute, load_data


def about(data):
    """Describes the data in one line."""
    return (
        f"Text: {data.source}; {len(data.train):,} characters for training, "
        f"{len(data.test):,} for the test, {len(data.symbols)} symbols"
    )


def label(config):
    """A short name for a run."""
    words = [config.text_name, config.variant]
    words += [f"{n}={r:g}" for n in COEFFICIENTS if (r := getattr(config, n))]
    words += [
        f"{config.layers}x{config.units}",
        f"rate {config.learning_rate:g}",
    ]
    return " ".join([*words, f"seed {config.seed}"])


def outcome(folder):
    """Summarizes the result of a run that is done in one line."""
    result = folder.result
    durations = ", ".join(f"{mean:.1f}" for mean in result["mean_durations"])
    bits = result["test_bits_per_character"]
    (useful,) = learned(pd.DataFrame([{**result, "status": "done"}]))
    return (
        ("not finite" if bits is None else f"{bits:.3f}")
        + " bits per character of the test text; mean memory duration by "
        f"layer: {durations}"
        + ("" if useful else "; learned nothing but character frequencies")
    )


MEMORY_DURATION = Experiment(
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
    reports_one_run=True,
    timed_by=("text", "layers", "units", "variant"),
)
