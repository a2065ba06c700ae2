"""Command line: `python -m experiments.newsgroups <command>`."""

import argparse
import contextlib
import dataclasses
import functools
import importlib.util
import os
import shlex
import sys
import time
from pathlib import Path

import keras
from rich.console import Console
from rich.table import Table

from experiments.engine.backend import BACKENDS
from experiments.engine.launchers import LAUNCHERS, Options, launch
from experiments.engine.results import without_seconds, write
from experiments.engine.settings import value_type
from experiments.engine.sweep import sweep
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


def _default(field):
    """What a run takes where the command line is silent."""
    of_this_command_line = {"seed": "the clock", "backend": "that of Keras"}
    return of_this_command_line.get(field.name, field.default)


def _add_settings(parser, axes=()):
    """An option for each field of `Run`, left out where it is not given.

    Those named in `axes` take several values, see `grid.parse_axis`.
    """
    for field in dataclasses.fields(Run):
        choices = field.metadata["choices"]
        kind = value_type(field)
        options = {
            "dest": field.name,
            "default": argparse.SUPPRESS,
            "help": f"{field.metadata['note']}; {field.metadata['origin']}; "
            f"default: {_default(field)}",
        }
        if field.name in axes:
            options["metavar"] = f"{kind.__name__.upper()},..."
            options["help"] = (
                f"{field.metadata['note']}; default: that of the preset"
            )
        elif kind is bool:
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


def _add_results_dir(parser):
    parser.add_argument(
        "--results-dir",
        type=Path,
        default=Path("runs"),
        help="folder of the run folders; default: runs",
    )


def _add_places(parser):
    _add_results_dir(parser)
    parser.add_argument(
        "--data-dir",
        help="folder with 20 Newsgroups and GloVe; default: KERAS_SLIM_DATA, "
        "else the cache and the public homes",
    )


def _add_launcher(parser):
    group = parser.add_argument_group("how the runs are made")
    helps = {
        "launcher": "serial: one after another, in this process; processes: a "
        "process each; ray: on Ray (the extra `ray`); slurm: as Slurm jobs "
        "(the extra `slurm`)",
        "workers": "how many runs at once",
        "cpus_per_run": "cores set aside for a run, on Ray and Slurm",
        "gpus_per_run": "GPUs set aside for a run; a fraction on Ray only",
        "ray_address": "a running Ray cluster; default: one of this machine",
        "slurm_folder": "for the files of the jobs",
        "slurm_partition": "default: that of the cluster",
        "slurm_minutes": "after which a run is cut off",
        "slurm_cluster": "slurm, or local to try it without one",
    }
    for field in dataclasses.fields(Options):
        kind = {"workers": int, "cpus_per_run": int, "slurm_minutes": int}
        kind["gpus_per_run"] = float
        group.add_argument(
            "--" + field.name.replace("_", "-"),
            type=kind.get(field.name, str),
            choices=LAUNCHERS if field.name == "launcher" else None,
            default=argparse.SUPPRESS,
            help=helps[field.name]
            + (f"; default: {field.default}" if field.default else ""),
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
    _add_settings(many, grid.AXES)
    _add_places(many)
    many.add_argument(
        "--dry-run",
        action="store_true",
        help="show what is done, what is left and how long it takes",
    )
    many.add_argument(
        "--tensorboard",
        action="store_true",
        help="write logs under <results-dir>/newsgroups/tensorboard",
    )
    _add_launcher(many)

    tidy = commands.add_parser(
        "collect",
        allow_abbrev=False,
        help="write the runs as CSV",
        description="Writes a row a run to runs.csv, with all its settings, "
        "results and versions, and a row an epoch to history.csv.",
    )
    _add_results_dir(tidy)
    tidy.add_argument(
        "--to",
        type=Path,
        metavar="FOLDER",
        help="default: <results-dir>/newsgroups",
    )
    tidy.add_argument(
        "--without-seconds",
        action="store_true",
        help="leave the times empty, where the machine had other work",
    )

    show = commands.add_parser(
        "report",
        allow_abbrev=False,
        help="show and write tables, verdicts and pictures",
        description="Sets what the runs came to beside what the paper prints: "
        "in the terminal, and as HTML, LaTeX, CSV and PNG.",
    )
    _add_results_dir(show)
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


def _given(options, kind):
    """The fields of a dataclass that the command line names."""
    return {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(kind)
        if hasattr(options, field.name)
    }


def _run(options):
    given = _given(options, Run)
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


def _sweep(options):
    # Workers may start in another folder.
    results_dir = options.results_dir.resolve()
    given = _given(options, Run)
    for name in grid.AXES:
        if name in given:
            given[name] = grid.parse_axis(name, given[name])
    given.setdefault("backend", keras.backend.backend())
    how = _given(options, Options)
    if how.get("launcher") == "slurm":
        how.setdefault("slurm_folder", results_dir / EXPERIMENT / ".slurm")
    how = Options(**how)
    if options.tensorboard and importlib.util.find_spec("tensorboardX") is None:
        raise ImportError(
            "--tensorboard needs the package tensorboardX. Install it with: "
            "pip install -e '.[tensorboard]'"
        )
    cells = grid.cells(options.preset, given)
    runs, data = runs_of(cells, results_dir, draw=not options.dry_run)
    console = Console()
    print(f"Posts: {data.sources['posts']}")
    if options.dry_run:
        for part in plan(cells, runs, data, results_dir):
            console.print(part, highlight=False, soft_wrap=True)
        return 0

    start = functools.partial(
        launch,
        functools.partial(
            make, results_dir=results_dir, tensorboard=options.tensorboard
        ),
        options=how,
    )
    planned = [cell_of(run, data, results_dir) for run in runs]
    done = sum(cell.folder.result is not None for cell in planned)
    print(f"{done} of {len(planned)} runs are done")
    failed = []
    try:
        with contextlib.closing(sweep(planned, start, console)) as ended:
            for cell, error in ended:
                done += error is None
                if error is not None:
                    failed.append((cell, error))
                told = f"failed: {error}" if error else outcome(cell.folder)
                console.print(
                    f"[{done} of {len(planned)}] {cell.label}: {told}",
                    highlight=False,
                    markup=False,
                    soft_wrap=True,
                )
    except KeyboardInterrupt:
        print(
            f"\nStopped with {done} of {len(planned)} runs done. The same "
            "command goes on from the last finished epochs.",
            file=sys.stderr,
        )
        return 130
    for cell, error in failed:
        print(f"Failed: {cell.label}: {error}\n  {cell.folder.path}")
    print(
        f"Tables and pictures: {PROG} report "
        f"{_as_options({'results-dir': options.results_dir})}"
    )
    return 1 if failed else 0


def _collected(results_dir):
    found = results.collect(results_dir)
    if found.runs.empty:
        raise FileNotFoundError(
            "There is no run. Expected run folders under "
            f"{results_dir / EXPERIMENT}. Received: --results-dir={results_dir}"
        )
    return found


def _collect(options):
    found = _collected(options.results_dir)
    if options.without_seconds:
        found = without_seconds(found)
    folder = options.to or options.results_dir / EXPERIMENT
    write(found, folder)
    counts = found.runs["status"].value_counts()
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    print(f"{len(found.runs)} runs ({told}) in {folder}/runs.csv")
    return 0


def _report(options):
    if options.collected is None:
        found = _collected(options.results_dir)
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
        # Workers, which take it over, may start in another folder.
        os.environ["KERAS_SLIM_DATA"] = os.path.abspath(options.data_dir)
    if getattr(options, "results_dir", Path()).is_file():
        parser.error(f"--results-dir names a file: {options.results_dir}")
    commands = {
        "run": _run,
        "sweep": _sweep,
        "collect": _collect,
        "report": _report,
        "quickstart": _quickstart,
        "settings": _settings,
    }
    try:
        return commands[options.command](options)
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on.", file=sys.stderr)
        return 130
    except (ValueError, OSError, ImportError) as error:
        lines = [str(error), *getattr(error, "__notes__", [])]
        print(f"{PROG} {options.command}: " + "\n".join(lines), file=sys.stderr)
        return 1
