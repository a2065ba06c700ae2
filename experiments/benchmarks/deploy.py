"""The command `deploy`: exported networks in the runtimes of devices."""

import contextlib
import importlib.metadata
import tempfile

from experiments.benchmarks import machine, session
from experiments.benchmarks.subjects import Exported, columns_of

# Which export files.
BACKENDS = ("tensorflow", "torch")
# What `in_worker.tasks` makes, in words.
TASKS = {
    "digits": "Digits of scikit-learn, 8 rows of 8 pixels as 8 time steps; the "
    "score is the accuracy on a third of them.",
    "lorenz": "The first coordinate of Lorenz's equations (1963), sampled each "
    "0.05: 20 values are read, and the 10th after them is predicted; the "
    "score is the coefficient of determination R² on the last quarter.",
}
VARIANTS = ("lstm", "lstm1", "lstm2", "lstm3", "gru3", "mgu3")
RUNTIMES = ("ai-edge-litert", "onnxruntime", "openvino")
# What is found of a file, besides times.
COLUMNS = ("file_bytes", "score", "score_min", "score_max")
_DEPLOY = "experiments.benchmarks.in_worker.deploy:Deploy"


def measure(options, command, console):
    """Measures, and writes each round to the folder when it is complete.

    Args:
        options: Namespace of the command line.
        command: String, the command line, for the record.
        console: `rich.console.Console`.
    """
    folder, backends = options.results_dir, options.backend
    about = machine.describe(backends, command)
    about |= {"seeds": options.seeds, "runtimes": _versions()}
    columns = ["task", *columns_of(Exported), *COLUMNS]
    with session.recorded(folder, "deploy", about, columns) as file:
        for task in TASKS:
            console.print(f"{task}: training what others are compared with")
            with tempfile.TemporaryDirectory() as trained:
                session.measure(
                    backends,
                    (_DEPLOY, task, trained, options.seeds, options.epochs),
                    VARIANTS,
                    options.rounds,
                    file,
                    console,
                    task=task,
                )


def _versions():
    installed = {}
    for name in RUNTIMES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            installed[name] = importlib.metadata.version(name)
    return installed
