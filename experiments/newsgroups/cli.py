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

from experiments.engine.backend import BACKENDS
from experiments.newsgroups import quickstart
from experiments.newsgroups.run import execute, load_data
from experiments.newsgroups.spec import Run, value_type

PROG = "python -m experiments.newsgroups"


def _default(field):
    """What a run takes where the command line is silent."""
    of_this_command_line = {"seed": "the clock", "backend": "that of Keras"}
    return of_this_command_line.get(field.name, field.default)


def _add_settings(parser):
    """An option for each field of `Run`, left out where it is not given."""
    for field in dataclasses.fields(Run):
        choices = field.metadata["choices"]
        kind = value_type(field)
        options = {
            "dest": field.name,
            "default": argparse.SUPPRESS,
            "help": f"{field.metadata['note']}; {field.metadata['origin']}; "
            f"default: {_default(field)}",
        }
        if kind is bool:
            options["action"] = argparse.BooleanOptionalAction
        else:
            options["type"] = kind
            options["metavar"] = kind.__name__.upper()
            if choices:
                options["metavar"] = "{" + ",".join(choices) + "}"
        parser.add_argument(
            "--" + field.name.replace("_", "-"),
            **options,
        )


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
    parser = argparse.ArgumentParser(
        prog=PROG, description=__doc__, allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser(
        "run",
        allow_abbrev=False,
        help="train one network",
        description="Trains one network and leaves a run folder. The same "
        "command with the same seed goes on with a run that was cut off. "
        "Behind each option stands where its value comes from: stated in the "
        "paper, derived from it, the Keras example it was built from, or "
        "ours.",
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
        allow_abbrev=False,
        help="four variants, a few minutes, a table and a picture",
        description="Trains lstm, lstm1, lstm2 and lstm3 with a small budget "
        "on real 20 Newsgroups text, then shows a table and their learning "
        "curves.",
    )
    quick.add_argument(
        "--backend", choices=BACKENDS, help="default: that of Keras"
    )
    _add_places(quick)

    commands.add_parser(
        "settings",
        allow_abbrev=False,
        help="show each setting of a run and where it comes from",
    )
    return parser


def _run(options):
    given = {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(Run)
        if hasattr(options, field.name)
    }
    given.setdefault("backend", keras.backend.backend())
    given.setdefault("seed", int(time.time()))
    run = Run(**given)
    data = load_data(run)
    print(
        f"Posts: {data.sources['posts']}\n"
        f"Seed {run.seed}; {len(data.train[0]):,} posts for training, "
        f"{len(data.validation[0]):,} for validation"
    )
    try:
        folder = execute(run, data, options.results_dir, options.save_model)
    except KeyboardInterrupt:
        # Seed, backend and data are part of what a run is.
        given["data_dir"] = os.environ.get("KERAS_SLIM_DATA")
        given["results_dir"] = options.results_dir
        print(
            "\nStopped. To go on from the last finished epoch:\n"
            f"  {PROG} run {_as_options(given)}",
            file=sys.stderr,
        )
        return 130
    result = folder.result
    loss = result["val_loss"]
    print(
        f"Best validation accuracy {result['best_val_accuracy']:.3%} in epoch "
        f"{result['best_epoch']}, {result['val_accuracy']:.3%} after "
        f"{result['epochs']}, loss "
        f"{'not finite' if loss is None else f'{loss:.4f}'}\n{folder.path}"
    )
    return 0


def _as_options(given):
    options = []
    for name, value in given.items():
        name = name.replace("_", "-")
        if isinstance(value, bool):
            options.append(f"--{name}" if value else f"--no-{name}")
        elif value is not None:
            options.append(f"--{name}={value}")
    return shlex.join(options)


def _quickstart(options):
    return quickstart.main(options.results_dir)


def _settings(options):
    table = Table()
    for name in ("setting", "value", "origin"):
        table.add_column(name, no_wrap=True)
    table.add_column("note", min_width=16)
    for field in dataclasses.fields(Run):
        metadata = field.metadata
        table.add_row(
            field.name,
            str(_default(field)),
            metadata["origin"],
            metadata["note"],
        )
    Console().print(table)
    return 0


def main(arguments=None):
    """Runs the command line.

    Args:
        arguments: List of strings. Default: `None`, those of the process.

    Returns:
        The exit status.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    # A terminal that lacks a letter must not cost a run its table.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if getattr(options, "data_dir", None) is not None:
        os.environ["KERAS_SLIM_DATA"] = options.data_dir
    if getattr(options, "results_dir", Path()).is_file():
        parser.error(f"--results-dir names a file: {options.results_dir}")
    commands = {"run": _run, "quickstart": _quickstart, "settings": _settings}
    try:
        return commands[options.command](options)
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on.", file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:
        lines = [str(error), *getattr(error, "__notes__", [])]
        print(f"{PROG} {options.command}: " + "\n".join(lines), file=sys.stderr)
        return 1
