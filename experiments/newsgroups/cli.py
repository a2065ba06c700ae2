"""Command line: `python -m experiments.newsgroups <command>`."""

import argparse
import functools
import time
from pathlib import Path

import keras
from rich.console import Console

from experiments.engine import command_line
from experiments.engine.backend import BACKENDS
from experiments.newsgroups import grid, quickstart, report, results
from experiments.newsgroups.run import execute, load_data
from experiments.newsgroups.spec import EXPERIMENT, Run
from experiments.newsgroups.sweep import (
    cell_of,
    make,
    outcome,
    plan,
    runs_of,
)

PROG = "python -m experiments.newsgroups"
DATA = "20 Newsgroups and GloVe"
UNSAID = {"seed": "the clock"}


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
    command_line.add_settings(run, Run, unsaid=UNSAID)
    command_line.add_places(run, DATA)
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
    command_line.add_places(quick, DATA)

    many = commands.add_parser(
        "sweep",
        allow_abbrev=False,
        help="train a grid of networks: Tables I and II and the figures",
        description="Makes the runs of a grid that are not made yet. The same "
        "command goes on with a sweep that was stopped, and several at once "
        "share the work. Exit status: 1 if a run failed.",
    )
    many.add_argument(
        "--preset",
        choices=grid.PRESETS,
        required=True,
        help="paper: Tables I and II; seeds: Figure 2; breakdown: Figures 3 "
        "and 4; replicates: every cell with seeds 0-4; quick: a look at a "
        "sweep, in minutes. Options below take the place of its values",
    )
    command_line.add_settings(many, Run, grid.AXES, UNSAID)
    command_line.add_places(many, DATA)
    command_line.add_sweep(many, EXPERIMENT)

    tidy = commands.add_parser(
        "collect",
        allow_abbrev=False,
        help="write the runs as CSV",
        description="Writes a row a run to runs.csv, with all its settings, "
        "results and versions, and a row an epoch to history.csv.",
    )
    command_line.add_collect(tidy, EXPERIMENT)

    show = commands.add_parser(
        "report",
        allow_abbrev=False,
        help="show and write tables, verdicts and pictures",
        description="Sets what the runs came to beside what the paper prints: "
        "in the terminal, and as HTML, LaTeX, CSV and PNG.",
    )
    command_line.add_results_dir(show)
    show.add_argument(
        "--from",
        type=Path,
        metavar="FOLDER",
        dest="collected",
        help="read what `collect` wrote instead of run folders, such as "
        "results/newsgroups",
    )
    show.add_argument(
        "--to",
        type=Path,
        metavar="FOLDER",
        help="default: <results-dir>/newsgroups/report",
    )
    show.add_argument(
        "--budget",
        type=int,
        default=0,
        metavar="NUMBER",
        help="where runs differ in more than variant, activation, learning "
        "rate and seed: which of these groups, 0 being the one with most "
        "epochs trained; default: 0",
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
        return command_line.stopped_run(
            f"{PROG} run", given, options.results_dir
        )
    result = folder.result
    loss = result["val_loss"]
    print(
        f"Best validation accuracy {result['best_val_accuracy']:.3%} in epoch "
        f"{result['best_epoch']}, {result['val_accuracy']:.3%} after "
        f"{result['epochs']}, loss "
        f"{'not finite' if loss is None else f'{loss:.4f}'}\n{folder.path}"
    )
    return 0


def _sweep(options):
    # Workers may start in another folder.
    results_dir = options.results_dir.resolve()
    given = command_line.given(options, Run, grid.AXES)
    given.setdefault("backend", keras.backend.backend())
    how = command_line.launch_options(options, EXPERIMENT)
    cells = grid.cells(options.preset, given)
    runs, data = runs_of(cells, results_dir, draw=not options.dry_run)
    print(f"Posts: {data.sources['posts']}")
    if options.dry_run:
        for part in plan(cells, runs, data, results_dir):
            Console().print(part, highlight=False, soft_wrap=True)
        return 0

    status = command_line.make_runs(
        [cell_of(run, data, results_dir) for run in runs],
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
    index = report.write(found, folder, options.budget)
    report.show(found, Console(), options.budget)
    print(f"Tables, verdicts and pictures: {index}")
    return 0


def _quickstart(options):
    return quickstart.main(options.results_dir)


def _settings(options):
    command_line.show_settings(Run, UNSAID)
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
        "quickstart": _quickstart,
        "settings": _settings,
    }
    return command_line.main(_parser(), commands, arguments)
