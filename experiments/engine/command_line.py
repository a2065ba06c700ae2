"""The commands that all experiments share."""

import _thread
import collections
import contextlib
import dataclasses
import functools
import os
import sys
import threading
import time

from rich.console import Console
from rich.table import Table

from experiments.engine import merging, results
from experiments.engine.files import lock_of
from experiments.engine.first_epochs import with_first_epochs
from experiments.engine.launchers import launch
from experiments.engine.parsers import (
    as_options,
    default_of,
    launch_options,
    parser_of,
    program,
    settings_given,
)
from experiments.engine.sweep import sweep as follow

# The exit status of a command that Ctrl-C stopped, as in a shell.
STOPPED = 130
# Errors that are reported without a traceback.
_TOLD = (ValueError, OSError, ImportError)


def show_settings(experiment):
    """Prints each setting, its default and the origin of the default."""
    table = Table(caption=experiment.config_type.origins)
    for name in ("setting", "value", "origin"):
        table.add_column(name, no_wrap=True)
    table.add_column("note", min_width=16)
    for field in dataclasses.fields(experiment.config_type):
        metadata = field.metadata
        table.add_row(
            field.name,
            str(default_of(field, experiment.unsaid)),
            metadata["origin"],
            metadata["note"],
        )
    Console().print(table)
    return 0


def run(options, experiment, **more):
    """Makes one run, and shows its report if the experiment asks for it.

    `more` are further arguments of `Experiment.execute`.
    """
    given = settings_given(options, experiment)
    clock = "seed" in experiment.unsaid and "seed" not in given
    if clock:
        given["seed"] = int(time.time())
    config = experiment.config_type(**given)
    print(experiment.about(experiment.data_of(config)))
    if clock:
        print(f"Seed {config.seed}")
    try:
        folder = experiment.carry_out(
            config, options.results_dir, options.keep_checkpoints, **more
        )
    except KeyboardInterrupt:
        return _stopped_run(experiment, given, options)
    print(f"{experiment.outcome(folder)}\n{folder.path}")
    if experiment.reports_one_run:
        found = results.collect(options.results_dir, experiment.tables)
        found = results.only(found, [folder.id])
        report_to(experiment, found, folder.path / "report")
    return 0


def _stopped_run(experiment, settings, options):
    """Prints how to resume a run that Ctrl-C stopped."""
    places = {"results_dir": options.results_dir}
    for name in ("keep_checkpoints", "save_model"):
        if getattr(options, name, False):
            places[name] = True
    if data_dir := os.environ.get("KERAS_SLIM_DATA"):
        places["data_dir"] = data_dir  # its content is part of the run's id
    print(
        "\nStopped. To resume after the last finished epoch:\n"
        f"  {program(experiment)} run {as_options({**settings, **places})}",
        file=sys.stderr,
    )
    return STOPPED


def make_runs(planned, make, outcome, how, known=0):
    """Makes the runs of a sweep that are not done, and reports each.

    Args:
        planned: List of `sweep.PlannedRun`.
        make: Function of a task that makes its run, see `launchers.launch`. It
            returns without an error if another process is making the run.
        outcome: See `Experiment`.
        how: `launchers.Options`.
        known: Integer, the number of other runs of the sweep, which were made
            elsewhere.

    Returns:
        The exit status: 1 if a run failed, `STOPPED` after Ctrl-C.
    """
    console = Console()
    start = functools.partial(launch, make, options=how)
    done = known + sum(run.folder.result is not None for run in planned)
    total = known + len(planned)
    print(f"{done} of {total} runs are done")
    failed = []
    try:
        with contextlib.closing(follow(planned, start, console)) as ended:
            for run, error in ended:
                done += error is None
                if error is not None:
                    failed.append((run, error))
                result = f"failed: {error}" if error else outcome(run.folder)
                console.print(
                    f"[{done} of {total}] {run.label}: {result}",
                    highlight=False,
                    markup=False,
                    soft_wrap=True,
                )
    except KeyboardInterrupt:
        print(
            f"\nStopped with {done} of {total} runs done. To resume after the "
            "last finished epochs, run the same command again.",
            file=sys.stderr,
        )
        return STOPPED
    for run, error in failed:
        print(
            f"Failed: {run.label}: {error}\n  {run.folder.path}",
            file=sys.stderr,
        )
    return 1 if failed else 0


def _check_collected(option, folders):
    for folder in folders:
        if not (folder / "runs.csv").is_file():
            raise FileNotFoundError(
                "No collected runs. Expected a folder that `collect` wrote. "
                f"Received: --{option}={folder}"
            )


def sweep(options, experiment):
    """Makes the runs of a grid, or shows which are left.

    Returns:
        The exit status, see `make_runs`.

    Raises:
        ValueError: if the value of an option is not allowed.
        ImportError: if an option needs a package that is not installed.
    """
    # Workers may start in another folder.
    results_dir = options.results_dir.absolute()
    given = settings_given(options, experiment, several=True)
    how = launch_options(options, experiment)
    points = experiment.points(options.preset, given)
    _check_collected("known", options.known or ())
    known = experiment.known(options.known)
    configs = experiment.configs_of(
        points, results_dir, not options.dry_run, known
    )
    for about in dict.fromkeys(
        map(experiment.about, experiment.data_of_points(points))
    ):
        print(about)
    if options.dry_run:
        for part in experiment.plan(points, configs, results_dir, known):
            Console().print(part, highlight=False, soft_wrap=True)
        return 0
    varied = experiment.varied(points)
    planned = [
        experiment.planned_run(config, results_dir, varied)
        for config in configs
    ]
    elsewhere = {
        run: known.places[run.folder.id]
        for run in planned
        if run.folder.id in known.places and run.folder.result is None
    }
    for folder, count in collections.Counter(elsewhere.values()).items():
        print(f"{count} runs are known from {folder}")
    status = make_runs(
        [run for run in planned if run not in elsewhere],
        functools.partial(
            experiment.make,
            results_dir=results_dir,
            tensorboard=options.tensorboard,
            keep_checkpoint=options.keep_checkpoints,
        ),
        experiment.outcome,
        how,
        len(elsewhere),
    )
    if status != STOPPED:
        places = {"results_dir": options.results_dir}
        if elsewhere:
            places["known"] = list(dict.fromkeys(elsewhere.values()))
        place = as_options(places)
        print(f"Tables and pictures: {program(experiment)} report {place}")
    return status


def _check_there_are_runs(found, results_dir, tables):
    if found.runs.empty:
        raise FileNotFoundError(
            "There are no runs. Expected run folders in "
            f"{results_dir / tables.experiment}. "
            f"Received: --results-dir={results_dir}"
        )


def collect(options, experiment):
    """Writes all runs as CSV, together with those already in the folder.

    Raises:
        FileNotFoundError: if there is no run.
        ValueError: if the files in the folder cannot be read, or have other
            values for a run.
    """
    tables = experiment.tables
    found = results.collect(options.results_dir, tables)
    if options.without_seconds:
        found = results.without_seconds(found)
    folder = options.to or options.results_dir / experiment.name
    # Of the runs in the table, the first epochs may be wanted.
    if options.epochs is None or not (folder / "runs.csv").is_file():
        _check_there_are_runs(found, options.results_dir, tables)
    # Another process may write to the same folder.
    with lock_of(folder / "runs.csv"):
        # `results.write` may have been interrupted before its last file.
        there = results.nothing(tables)
        if (folder / "runs.csv").exists():
            there = merging.read(folder, tables)
        places = str(folder), str(options.results_dir)
        try:
            found = merging.merge(there, found, tables, places, options.replace)
        except ValueError as error:
            error.add_note(
                "Nothing was written. With --replace, the values in "
                f"{options.results_dir} are used"
            )
            raise
        if options.epochs is not None:
            found = with_first_epochs(found, options.epochs, experiment)
        results.write(found, folder)
    counts = found.runs["status"].value_counts()
    words = ", ".join(f"{count} {status}" for status, count in counts.items())
    print(
        f"{len(found.runs)} runs ({words}) in {folder}/runs.csv, "
        f"{len(found.runs) - len(there.runs)} of them new"
    )
    return 0


def report(options, experiment):
    """Writes and shows tables and pictures of one budget.

    Raises:
        FileNotFoundError: if there is no run.
        ValueError: if there is no such budget.
    """
    tables, place = experiment.tables, options.collected
    _check_collected("known", options.known)
    _check_collected("from", [] if place is None else [place])
    if place is None:
        place = options.results_dir
        found = results.collect(place, tables)
    else:
        found = merging.read(place, tables)
    if options.known:
        known = experiment.known(options.known).results
        places = " or ".join(map(str, options.known)), str(place)
        found = merging.merge(known, found, tables, places)
    if options.collected is None:
        _check_there_are_runs(found, place, tables)
    folder = options.to or options.results_dir / experiment.name / "report"
    report_to(experiment, found, folder, options.budget)
    return 0


def report_to(experiment, found, folder, number=0):
    """Writes and shows the report of one budget, and prints where it is."""
    page, *pictures = experiment.report.write(found, folder, number)
    experiment.report.show(found, Console(), number)
    if pictures:
        print(f"Pictures: {', '.join(path.name for path in pictures)}")
    print(f"Written: {page}")


def commands(experiment):
    """The commands that all experiments share, as `main` takes them."""
    return {
        "run": lambda options: run(options, experiment),
        "sweep": lambda options: sweep(options, experiment),
        "collect": lambda options: collect(options, experiment),
        "report": lambda options: report(options, experiment),
        "settings": lambda options: show_settings(experiment),
    }


def main_of(experiment, further=None, **words):
    """`main` for an experiment, a function of the arguments only.

    `further` is a function of the subparsers and of the parser of `run` that
    adds commands and options of this experiment, and returns a dict of
    functions by name, see `main`. `words` are the other arguments of
    `parsers.parser_of`.
    """
    parser, subparsers, run = parser_of(experiment, **words)
    found = commands(experiment)
    if further is not None:
        found |= further(subparsers, run)
    return functools.partial(main, parser, found)


@contextlib.contextmanager
def _every_interrupt():
    """Raises `KeyboardInterrupt` again where Python ignores it.

    Python ignores errors in callbacks of the garbage collector, and JAX
    registers such a callback.
    """
    original = sys.unraisablehook

    def hook(ignored):
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            threading.Timer(0.1, _thread.interrupt_main).start()
        else:
            original(ignored)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = original


def main(parser, commands, arguments=None):
    """Runs a command line.

    Args:
        parser: `argparse.ArgumentParser` with a subparser for each command,
            whose name it stores as `command`.
        commands: Dict of functions by name. Each takes the parsed namespace
            and returns an exit status.
        arguments: List of strings. Default: `None`, those of the process.

    Returns:
        The exit status: 1 if a run failed, 2 if the command cannot be carried
        out as given, `STOPPED` after Ctrl-C.
    """
    options = parser.parse_args(arguments)
    # A character that a terminal cannot show must not be an error.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    data_dir = getattr(options, "data_dir", None)
    try:
        if data_dir is not None:
            if not data_dir.exists():
                raise FileNotFoundError(
                    f"No such file or folder. Received: --data-dir={data_dir}"
                )
            # Workers, which inherit it, may start in another folder.
            os.environ["KERAS_SLIM_DATA"] = os.path.abspath(data_dir)
        with _every_interrupt():
            return commands[options.command](options)
    except KeyboardInterrupt:
        print(
            "\nStopped. Run the same command again to resume.", file=sys.stderr
        )
        return STOPPED
    except Exception as error:
        of_a_run = getattr(error, "is_of_a_run", False)
        if not (of_a_run or isinstance(error, _TOLD)):
            raise
        told = str(error) or type(error).__name__
        lines = [told, *getattr(error, "__notes__", [])]
        print(
            f"{parser.prog} {options.command}: " + "\n".join(lines),
            file=sys.stderr,
        )
        return 1 if of_a_run else 2
