"""Command line: `python -m experiments.memory_duration <command>`."""

import argparse
import functools
from pathlib import Path

import keras
from rich.console import Console

from experiments.engine import command_line
from experiments.engine.results import only
from experiments.memory_duration import grid, report, results
from experiments.memory_duration.run import execute, load_data
from experiments.memory_duration.spec import EXPERIMENT, Run
from experiments.memory_duration.sweep import (
    cell_of,
    make,
    outcome,
    plan,
    runs_of,
)

PROG = "python -m experiments.memory_duration"
DATA = "the paper's texts"


def _parser():
    parser = argparse.ArgumentParser(
        prog=PROG, description=__doc__, allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser(
        "run",
        allow_abbrev=False,
        help="train one network: a table and a picture, in minutes",
        description="Trains one network, the paper's on a text that comes "
        "with Python if nothing else is said, reads the test text with it, "
        "and shows how long the units of each layer remember. The same "
        "command goes on with a run that was cut off. Behind each option "
        "stands where its value comes from: stated in the paper, or ours.",
    )
    command_line.add_settings(run, Run)
    command_line.add_places(run, DATA)

    many = commands.add_parser(
        "sweep",
        allow_abbrev=False,
        help="train a grid of networks: Figures 1 and 2",
        description="Makes the runs of a grid that are not made yet. The same "
        "command goes on with a sweep that was stopped, and several at once "
        "share the work. Exit status: 1 if a run failed.",
    )
    many.add_argument(
        "--preset",
        choices=grid.PRESETS,
        required=True,
        help="paper: Figure 1, three texts; modulation: Figure 2, one "
        "coefficient at a time; variants: Figure 1 for slim ones; quick: a "
        "look at a sweep, in minutes. Options below take the place of its "
        "values",
    )
    command_line.add_settings(many, Run, grid.AXES)
    command_line.add_places(many, DATA)
    command_line.add_sweep(many, EXPERIMENT)

    tidy = commands.add_parser(
        "collect",
        allow_abbrev=False,
        help="write the runs as CSV",
        description="Writes a row a run to runs.csv, with all its settings, "
        "results and versions, a row an epoch to history.csv, and how often "
        "each memory duration was found to durations.csv.",
    )
    command_line.add_collect(tidy, EXPERIMENT)

    show = commands.add_parser(
        "report",
        allow_abbrev=False,
        help="show and write tables, verdicts and pictures",
        description="Sets what the runs came to beside what the paper says: "
        "in the terminal, and as CSV and PNG.",
    )
    command_line.add_results_dir(show)
    show.add_argument(
        "--from",
        type=Path,
        metavar="FOLDER",
        dest="collected",
        help="read what `collect` wrote instead of run folders, such as "
        "results/memory_duration",
    )
    show.add_argument(
        "--to",
        type=Path,
        metavar="FOLDER",
        help="default: <results-dir>/memory_duration/report",
    )
    show.add_argument(
        "--budget",
        type=int,
        default=0,
        metavar="NUMBER",
        help="where runs differ in more than text, variant, coefficients and "
        "seed: which of these groups, 0 being the one with most epochs "
        "trained; default: 0",
    )

    commands.add_parser(
        "settings",
        allow_abbrev=False,
        help="show each setting of a run and where it comes from",
    )
    return parser


def _run(options):
    given = command_line.given(options, Run)
    given.setdefault("backend", keras.backend.backend())
    run = Run(**given)
    data = load_data(run)
    print(
        f"Text: {data.source}\n{len(data.train):,} characters for training, "
        f"{len(data.test):,} for the test, {len(data.symbols)} symbols"
    )
    try:
        folder = execute(run, data, options.results_dir)
    except KeyboardInterrupt:
        return command_line.stopped_run(
            f"{PROG} run", given, options.results_dir
        )
    print(f"{outcome(folder)}\n{folder.path}")
    found = only(results.collect(options.results_dir), [folder.id])
    pictures = report.write(found, folder.path / "report")
    report.show(found, Console())
    _tell(pictures)
    return 0


def _sweep(options):
    # Workers may start in another folder.
    results_dir = options.results_dir.resolve()
    given = command_line.given(options, Run, grid.AXES)
    given.setdefault("backend", keras.backend.backend())
    how = command_line.launch_options(options, EXPERIMENT)
    cells = grid.cells(options.preset, given)
    runs = runs_of(cells, results_dir, draw=not options.dry_run)
    if options.dry_run:
        for part in plan(cells, runs, results_dir):
            Console().print(part, highlight=False, soft_wrap=True)
        return 0
    status = command_line.make_runs(
        [cell_of(run, results_dir) for run in runs],
        functools.partial(
            make, results_dir=results_dir, tensorboard=options.tensorboard
        ),
        outcome,
        how,
    )
    if status != command_line.STOPPED:
        place = command_line.as_options({"results_dir": options.results_dir})
        print(f"Tables and pictures: {PROG} report {place}")
    return status


def _collect(options):
    return command_line.write_collected(options, results.TABLES)


def _report(options):
    if options.collected is None:
        found = command_line.collected(options.results_dir, results.TABLES)
    else:
        found = results.read(options.collected)
    folder = options.to or options.results_dir / EXPERIMENT / "report"
    pictures = report.write(found, folder, options.budget)
    report.show(found, Console(), options.budget)
    _tell(pictures)
    return 0


def _tell(pictures):
    for path in pictures:
        print(f"Picture: {path}")


def _settings(options):
    command_line.show_settings(Run)
    return 0


def main(arguments=None):
    """Runs the command line.

    Args:
        arguments: List of strings. Default: `None`, those of the process.

    Returns:
        The exit status.
    """
    commands = {
        "run": _run,
        "sweep": _sweep,
        "collect": _collect,
        "report": _report,
        "settings": _settings,
    }
    return command_line.main(_parser(), commands, arguments)
