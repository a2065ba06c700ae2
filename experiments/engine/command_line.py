"""What the command lines of experiments have in common."""

import argparse
import contextlib
import dataclasses
import functools
import importlib.util
import os
import shlex
import sys
from pathlib import Path
from types import MappingProxyType

import keras
from rich.console import Console
from rich.table import Table

from experiments.engine import results
from experiments.engine.grid import parse_axis
from experiments.engine.launchers import LAUNCHERS, Options, launch
from experiments.engine.settings import value_type
from experiments.engine.sweep import sweep as follow

# The exit status of a command that Ctrl-C ended, as of a shell.
STOPPED = 130


def _default(field, unsaid):
    """What a run takes where the command line is silent."""
    return {"backend": "that of Keras", **unsaid}.get(field.name, field.default)


def add_settings(parser, run_type, axes=(), unsaid=MappingProxyType({})):
    """Adds an option for each field, which is left out where it is not given.

    Args:
        parser: `argparse.ArgumentParser`.
        run_type: `Settings` class.
        axes: Names of the fields that take several values, see `given`.
        unsaid: Dict from the names of settings to strings, what a run takes
            where the command line is silent, if that is not the default.
    """
    for field in dataclasses.fields(run_type):
        choices = field.metadata["choices"]
        kind = value_type(field)
        options = {
            "dest": field.name,
            "default": argparse.SUPPRESS,
            "help": f"{field.metadata['note']}; {field.metadata['origin']}; "
            f"default: {_default(field, unsaid)}",
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


def add_results_dir(parser):
    """Adds `--results-dir`."""
    parser.add_argument(
        "--results-dir",
        type=Path,
        default=Path("runs"),
        help="folder of the run folders; default: runs",
    )


def add_places(parser, data):
    """Adds `--results-dir` and `--data-dir`.

    Args:
        parser: `argparse.ArgumentParser`.
        data: String, what the data are, for the help.
    """
    add_results_dir(parser)
    parser.add_argument(
        "--data-dir",
        help=f"folder with {data}; default: KERAS_SLIM_DATA, "
        "else the cache and the public homes",
    )


def add_sweep(parser, experiment, data, presets):
    """Adds the options of `sweep`.

    Args:
        parser: `argparse.ArgumentParser`.
        experiment: `experiment.Experiment`.
        data: String, what the data are, for the help.
        presets: String, what the presets are, for the help.
    """
    parser.add_argument(
        "--preset",
        choices=experiment.presets,
        required=True,
        help=f"{presets}. Options below take the place of its values",
    )
    add_settings(parser, experiment.run_type, experiment.axes)
    add_places(parser, data)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="show what is done, what is left and how long it takes",
    )
    parser.add_argument(
        "--tensorboard",
        action="store_true",
        help=f"write logs under <results-dir>/{experiment.name}/tensorboard",
    )
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


def add_collect(parser, experiment):
    """Adds the options of `collect`.

    Args:
        parser: `argparse.ArgumentParser`.
        experiment: `experiment.Experiment`.
    """
    add_results_dir(parser)
    parser.add_argument(
        "--to",
        type=Path,
        metavar="FOLDER",
        help=f"default: <results-dir>/{experiment.name}",
    )
    parser.add_argument(
        "--without-seconds",
        action="store_true",
        help="leave the times empty, where the machine had other work",
    )


def add_report(parser, experiment, axes):
    """Adds the options of `report`.

    Args:
        parser: `argparse.ArgumentParser`.
        experiment: `experiment.Experiment`.
        axes: String, in what the runs of one table may differ, for the help.
    """
    add_results_dir(parser)
    parser.add_argument(
        "--from",
        type=Path,
        metavar="FOLDER",
        dest="collected",
        help="read what `collect` wrote instead of run folders, such as "
        f"results/{experiment.name}",
    )
    parser.add_argument(
        "--to",
        type=Path,
        metavar="FOLDER",
        help=f"default: <results-dir>/{experiment.name}/report",
    )
    parser.add_argument(
        "--budget",
        type=int,
        default=0,
        metavar="NUMBER",
        help=f"where runs differ in more than {axes}: which of these groups, 0 "
        "being the one with most epochs trained; default: 0",
    )


def given(options, kind, axes=()):
    """The fields of a dataclass that the command line names.

    Args:
        options: What the parser returned.
        kind: Dataclass whose fields are options, left out where not given.
        axes: Names of those that are read by `grid.parse_axis`.

    Returns:
        Dict of values, with tuples for the axes.

    Raises:
        ValueError: if an axis cannot be read.
    """
    found = {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(kind)
        if hasattr(options, field.name)
    }
    for name in axes:
        if name in found:
            found[name] = parse_axis(kind, name, found[name])
    return found


def as_options(values):
    """Settings as they are typed: `--epochs=3 --no-unit-forget-bias`."""
    options = []
    for name, value in values.items():
        name = name.replace("_", "-")
        if isinstance(value, bool):
            options.append(f"--{name}" if value else f"--no-{name}")
        elif value is not None:
            options.append(f"--{name}={value}")
    return shlex.join(options)


def settings_given(options, experiment, axes=()):
    """The settings of a run that the command line names, and the backend.

    Args:
        options: What the parser returned.
        experiment: `experiment.Experiment`.
        axes: Names of the settings that take several values.

    Returns:
        Dict of settings, with tuples for the axes.

    Raises:
        ValueError: if an axis cannot be read.
    """
    found = given(options, experiment.run_type, axes)
    return {"backend": keras.backend.backend(), **found}


def show_settings(experiment):
    """Prints each setting, its default, and where that comes from.

    Args:
        experiment: `experiment.Experiment`.

    Returns:
        The exit status, 0.
    """
    table = Table()
    for name in ("setting", "value", "origin"):
        table.add_column(name, no_wrap=True)
    table.add_column("note", min_width=16)
    for field in dataclasses.fields(experiment.run_type):
        metadata = field.metadata
        table.add_row(
            field.name,
            str(_default(field, experiment.unsaid)),
            metadata["origin"],
            metadata["note"],
        )
    Console().print(table)
    return 0


def program(experiment):
    """What runs the command line of an experiment."""
    return f"python -m experiments.{experiment.name}"


def stopped_run(experiment, settings, results_dir):
    """Says how to go on with a run that Ctrl-C ended.

    Args:
        experiment: `experiment.Experiment`.
        settings: Dict of what was given or drawn, seed and backend included:
            they are part of what a run is.
        results_dir: Path of the results of all experiments.

    Returns:
        The exit status.
    """
    places = {
        "data_dir": os.environ.get("KERAS_SLIM_DATA"),  # part of it, too
        "results_dir": results_dir,
    }
    print(
        "\nStopped. To go on from the last finished epoch:\n"
        f"  {program(experiment)} run {as_options({**settings, **places})}",
        file=sys.stderr,
    )
    return STOPPED


def launch_options(options, experiment):
    """How the runs of a sweep are made, as the command line says.

    Args:
        options: What a parser with the options of `add_sweep` returned.
        experiment: `experiment.Experiment`.

    Returns:
        `launchers.Options`.

    Raises:
        ValueError: if a value is not allowed.
        ImportError: if `--tensorboard` needs a package that is not there.
    """
    named = given(options, Options)
    if named.get("launcher") == "slurm":
        # Workers may start in another folder.
        folder = options.results_dir.resolve() / experiment.name / ".slurm"
        named.setdefault("slurm_folder", folder)
    how = Options(**named)
    if options.tensorboard and importlib.util.find_spec("tensorboardX") is None:
        raise ImportError(
            "--tensorboard needs the package tensorboardX. Install it with: "
            "pip install -e '.[tensorboard]'"
        )
    return how


def make_runs(cells, make, outcome, how):
    """Makes the runs of a sweep that are not done, and tells of each.

    Args:
        cells: List of `sweep.Cell`.
        make: Function of the task of a cell that makes its run, see
            `launchers.launch`; it returns without an error where another
            process makes the run.
        outcome: Function of the `RunFolder` of a run that is done, which
            returns what is to be said of it in a line.
        how: `launchers.Options`.

    Returns:
        The exit status: 1 if a run failed, `STOPPED` after Ctrl-C.
    """
    console = Console()
    start = functools.partial(launch, make, options=how)
    done = sum(cell.folder.result is not None for cell in cells)
    print(f"{done} of {len(cells)} runs are done")
    failed = []
    try:
        with contextlib.closing(follow(cells, start, console)) as ended:
            for cell, error in ended:
                done += error is None
                if error is not None:
                    failed.append((cell, error))
                told = f"failed: {error}" if error else outcome(cell.folder)
                console.print(
                    f"[{done} of {len(cells)}] {cell.label}: {told}",
                    highlight=False,
                    markup=False,
                    soft_wrap=True,
                )
    except KeyboardInterrupt:
        print(
            f"\nStopped with {done} of {len(cells)} runs done. The same "
            "command goes on from the last finished epochs.",
            file=sys.stderr,
        )
        return STOPPED
    for cell, error in failed:
        print(f"Failed: {cell.label}: {error}\n  {cell.folder.path}")
    return 1 if failed else 0


def sweep(options, experiment):
    """Makes the runs of a grid, or shows which there are to make.

    Args:
        options: What a parser with the options of `add_sweep` returned.
        experiment: `experiment.Experiment`.

    Returns:
        The exit status, see `make_runs`.

    Raises:
        ValueError: if an option is not one that is allowed.
        ImportError: if an option needs a package that is not there.
    """
    # Workers may start in another folder.
    results_dir = options.results_dir.resolve()
    given = settings_given(options, experiment, experiment.axes)
    how = launch_options(options, experiment)
    cells = experiment.cells(options.preset, given)
    runs = experiment.runs_of(cells, results_dir, draw=not options.dry_run)
    for about in dict.fromkeys(
        experiment.about(experiment.data_of(run)) for run in runs if run
    ):
        print(about)
    if options.dry_run:
        for part in experiment.plan(cells, runs, results_dir):
            Console().print(part, highlight=False, soft_wrap=True)
        return 0
    status = make_runs(
        [experiment.cell_of(run, results_dir) for run in runs],
        functools.partial(
            experiment.make,
            results_dir=results_dir,
            tensorboard=options.tensorboard,
        ),
        experiment.outcome,
        how,
    )
    if status != STOPPED:
        place = as_options({"results_dir": options.results_dir})
        print(f"Tables and pictures: {program(experiment)} report {place}")
    return status


def _collected(results_dir, tables):
    """What `results.collect` finds, or an error if that is nothing."""
    found = results.collect(results_dir, tables)
    if found.runs.empty:
        raise FileNotFoundError(
            "There is no run. Expected run folders under "
            f"{results_dir / tables.experiment}. "
            f"Received: --results-dir={results_dir}"
        )
    return found


def collect(options, experiment):
    """Writes all runs as CSV.

    Args:
        options: What a parser with the options of `add_collect` returned.
        experiment: `experiment.Experiment`.

    Returns:
        The exit status, 0.

    Raises:
        FileNotFoundError: if there is no run.
    """
    found = _collected(options.results_dir, experiment.tables)
    if options.without_seconds:
        found = results.without_seconds(found)
    folder = options.to or options.results_dir / experiment.name
    results.write(found, folder)
    counts = found.runs["status"].value_counts()
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    print(f"{len(found.runs)} runs ({told}) in {folder}/runs.csv")
    return 0


def report(options, experiment):
    """Writes and shows tables and pictures of one budget.

    Args:
        options: What a parser with the options of `add_report` returned.
        experiment: `experiment.Experiment`.

    Returns:
        The exit status, 0.

    Raises:
        FileNotFoundError: if there is no run.
        ValueError: if there is no such budget.
    """
    if options.collected is None:
        found = _collected(options.results_dir, experiment.tables)
    else:
        found = results.read(options.collected, experiment.tables)
    folder = options.to or options.results_dir / experiment.name / "report"
    paths = experiment.write_report(found, folder, options.budget)
    experiment.show_report(found, Console(), options.budget)
    show_paths(paths)
    return 0


def show_paths(paths):
    """Prints where there is something to look at."""
    for path in paths:
        print(f"Written: {path}")


def commands(experiment):
    """The commands that all experiments have.

    Args:
        experiment: `experiment.Experiment`.

    Returns:
        Dict of functions by name, as `main` takes them.
    """
    return {
        "sweep": lambda options: sweep(options, experiment),
        "collect": lambda options: collect(options, experiment),
        "report": lambda options: report(options, experiment),
        "settings": lambda options: show_settings(experiment),
    }


def main(parser, commands, arguments=None):
    """Runs a command line.

    Args:
        parser: `argparse.ArgumentParser` with a subparser for each command,
            whose name goes to `command`.
        commands: Dict of functions by name. Each takes what the parser
            returned, and returns an exit status.
        arguments: List of strings. Default: `None`, those of the process.

    Returns:
        The exit status.
    """
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
    try:
        return commands[options.command](options)
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on.", file=sys.stderr)
        return STOPPED
    except (ValueError, OSError, ImportError) as error:
        lines = [str(error), *getattr(error, "__notes__", [])]
        print(
            f"{parser.prog} {options.command}: " + "\n".join(lines),
            file=sys.stderr,
        )
        return 1
