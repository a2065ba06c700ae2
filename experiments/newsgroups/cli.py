"""Command line: `python -m experiments.newsgroups <command>`."""

import argparse
import dataclasses
import os
import shlex
import sys
import time
from pathlib import Path

import keras
from rich.console import Console
from rich.table import Table

from experiments.newsgroups import quickstart
from experiments.newsgroups.run import execute, load_data
from experiments.newsgroups.spec import Run, value_type

PROG = "python -m experiments.newsgroups"


def _add_settings(parser):
    """An option for each field of `Run`, left out where it is not given."""
    for field in dataclasses.fields(Run):
        name = "--" + field.name.replace("_", "-")
        why = f"{field.metadata['why']}; " if field.metadata["why"] else ""
        origin = field.metadata["origin"]
        options = {
            "dest": field.name,
            "default": argparse.SUPPRESS,
            "help": f"{why}{origin}; default: {field.default}",
        }
        choices = field.metadata["choices"]
        if value_type(field) is bool:
            options["action"] = argparse.BooleanOptionalAction
        else:
            options["type"] = value_type(field)
            options["metavar"] = value_type(field).__name__.upper()
            if isinstance(choices, tuple):
                options["metavar"] = "{" + ",".join(choices) + "}"
        parser.add_argument(name, **options)


def _add_places(parser):
    parser.add_argument(
        "--results-dir",
        type=Path,
        default=Path("runs"),
        help="folder of the run folders; default: runs",
    )
    parser.add_argument(
        "--data-dir",
        help="folder with 20 Newsgroups and GloVe; default: KERAS_SLIM_DATA, "
        "else the cache and the public homes",
    )


def _parser():
    parser = argparse.ArgumentParser(prog=PROG, description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser(
        "run",
        help="train one network",
        description="Trains one network and leaves a run folder. The same "
        "command goes on with a run that was cut off. Behind each option "
        "stands where its default comes from: stated in the paper, derived "
        "from it, the Keras example it was built from, or ours.",
    )
    _add_settings(run)
    _add_places(run)
    run.add_argument(
        "--save-model",
        action="store_true",
        help="keep the trained model, model.keras, in the run folder",
    )

    quick = commands.add_parser(
        "quickstart",
        help="four variants, a few minutes, a table and a picture",
        description="Trains lstm, lstm1, lstm2 and lstm3 with a small budget "
        "on real 20 Newsgroups text, then shows a table and their learning "
        "curves.",
    )
    quick.add_argument("--backend", default=argparse.SUPPRESS)
    _add_places(quick)

    commands.add_parser(
        "settings", help="show each setting of a run and where it comes from"
    )
    return parser


def _run(options, arguments):
    given = {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(Run)
        if hasattr(options, field.name)
    }
    given.setdefault("backend", keras.backend.backend())
    given.setdefault("seed", int(time.time()))
    run = Run(**given)
    data = load_data(run)
    print(f"Posts: {data.sources['posts']}")
    print(
        f"Seed {run.seed}; {len(data.train[0]):,} posts for training, "
        f"{len(data.validation[0]):,} for validation"
    )
    try:
        folder = execute(run, data, options.results_dir, options.save_model)
    except KeyboardInterrupt:
        if not any(a.startswith("--seed") for a in arguments):
            arguments = [*arguments, f"--seed={run.seed}"]
        return _stopped(arguments)
    result = folder.result
    print(
        f"Best validation accuracy {result['best_val_accuracy']:.3%} in epoch "
        f"{result['best_epoch']}, {result['val_accuracy']:.3%} after "
        f"{result['epochs']}, loss {result['val_loss']:.4f}\n"
        f"{folder.path}"
    )
    return 0


def _stopped(arguments):
    print(
        "\nStopped. To go on from the last finished epoch:\n"
        f"{PROG} {shlex.join(arguments)}",
        file=sys.stderr,
    )
    return 130


def _settings(options, arguments):
    table = Table("setting", "value", "origin", "note")
    for column in table.columns:
        column.no_wrap = column.header != "note"
    for field in dataclasses.fields(Run):
        table.add_row(
            field.name,
            str(field.default),
            field.metadata["origin"],
            field.metadata["why"],
        )
    Console().print(table)
    return 0


def _quickstart(options, arguments):
    return quickstart.main(options.results_dir)


def main(arguments=None):
    """Runs the command line.

    Args:
        arguments: List of strings. Default: `None`, those of the process.

    Returns:
        The exit status.
    """
    if arguments is None:
        arguments = sys.argv[1:]
    options = _parser().parse_args(arguments)
    if getattr(options, "data_dir", None):
        os.environ["KERAS_SLIM_DATA"] = options.data_dir
    commands = {"run": _run, "quickstart": _quickstart, "settings": _settings}
    try:
        return commands[options.command](options, arguments)
    except KeyboardInterrupt:
        return _stopped(arguments)
    except (ValueError, OSError) as error:
        lines = [str(error), *getattr(error, "__notes__", [])]
        print(f"{PROG} {options.command}: " + "\n".join(lines), file=sys.stderr)
        return 1
