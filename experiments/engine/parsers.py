"""What command lines take, and how it is read."""

import argparse
import dataclasses
import importlib.util
import shlex
from pathlib import Path
from types import MappingProxyType

import keras

from experiments.engine.grid import parse_axis
from experiments.engine.launchers import LAUNCHERS, Options
from experiments.engine.settings import value_type


def default_of(field, unsaid):
    """What a run takes for a field where the command line is silent."""
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
            f"default: {default_of(field, unsaid)}",
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
        options["help"] = options["help"].replace("%", "%%")  # it is a format
        parser.add_argument("--" + field.name.replace("_", "-"), **options)


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
