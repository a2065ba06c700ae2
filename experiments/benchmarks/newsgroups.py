"""The command `newsgroups`: training and validation of the paper's network."""

import tempfile

from experiments.benchmarks import machine, session, workers
from experiments.benchmarks.subjects import Network, columns_of

VARIANTS = ("lstm", "lstm1", "lstm2", "lstm3")
_NEWSGROUPS = "experiments.benchmarks.in_worker.newsgroups:Newsgroups"


def measure(options, command, console):
    """Measures, and writes each round to the folder when it is complete.

    Args:
        options: Namespace of the command line.
        command: String, the command line, for the record.
        console: `rich.console.Console`.
    """
    folder, backends = options.results_dir, options.backend
    about = machine.describe(backends, command)
    with tempfile.TemporaryDirectory() as checkpoints:
        served = (_NEWSGROUPS, checkpoints, options.posts)
        # Fails without data, before earlier results are removed.
        with workers.start(backends, *served) as started:
            about["data"] = started[backends[0]].call("describe")
        columns = ["experiment", *columns_of(Network)]
        with session.recorded(folder, "newsgroups", about, columns) as file:
            session.measure(
                backends,
                served,
                VARIANTS,
                options.rounds,
                file,
                console,
                experiment="newsgroups",
            )
