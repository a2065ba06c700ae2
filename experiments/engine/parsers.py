"""The options of command lines, and how their values are read."""

import argparse
import dataclasses
import importlib.util
import shlex
from pathlib import Path
from types import MappingProxyType

import keras

from experiments.engine.config import checked, expanded, from_text, value_type
from experiments.engine.grid import parse_axis
from experiments.engine.launchers import Options

# Settings with one value per sweep: Keras has one backend per process.
ONE_VALUE = ("backend",)


def default_of(field, unsaid):
    """The value of a field if the command line does not give it."""
    return {"backend": "that of Keras", **unsaid}.get(field.name, field.default)


class Parser(argparse.ArgumentParser):
    """A parser that rejects an option that is given twice.

    `argparse` takes the last one and silently ignores the others.
    """

    def __init__(self, **options):
        super().__init__(allow_abbrev=False, **options)
        for name in (None, "store"):
            self.register("action", name, _Once)

    def error(self, message):
        """Exits with one line, without the usage, which may have thirty."""
        self.exit(2, f"{self.prog}: error: {message}\n")

    def _get_values(self, action, arg_strings):
        if action.option_strings and arg_strings == ["--"]:  # else dropped
            name = "/".join(action.option_strings)
            self.error(f"argument {name}: invalid value: '--'")
        return super()._get_values(action, arg_strings)


class _Once(argparse.Action):
    def __call__(self, parser, namespace, values, option_string=None):
        given = vars(namespace).setdefault("given", set())
        if self.dest in given:
            parser.error(f"{option_string} is given twice")
        given.add(self.dest)
        setattr(namespace, self.dest, values)


class _Flags(argparse.BooleanOptionalAction):
    """`--x` and `--no-x` add `true` and `false` to the values of `x`."""

    def __call__(self, parser, namespace, values, option_string=None):
        text = "false" if option_string.startswith("--no-") else "true"
        found = getattr(namespace, self.dest) or []
        setattr(namespace, self.dest, [*found, text])


def path(text):
    """The path that an option names; `~` is the home folder."""
    try:
        return Path(expanded(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected {error}") from None


def folder(text):
    """The path of a folder, which need not exist."""
    found = path(text)
    if found.exists() and not found.is_dir():
        raise argparse.ArgumentTypeError(f"not a folder. Received: {found}")
    return found


def add_settings(
    parser, config_type, several=False, unsaid=MappingProxyType({})
):
    """Adds an option for each field, without a default.

    Args:
        parser: `Parser`.
        config_type: Subclass of `BaseConfig`.
        several: Boolean, whether an option may have several values, see
            `settings_given`.
        unsaid: See `Experiment`.
    """
    for field in dataclasses.fields(config_type):
        choices = field.metadata["choices"]
        kind = value_type(field)
        note, origin = field.metadata["note"], field.metadata["origin"]
        if several:
            text = f"{note}; default: that of the preset, else of a run"
        else:
            text = f"{note}; {origin}; default: {default_of(field, unsaid)}"
        options = {
            "dest": field.name,
            "help": text.replace("%", "%%"),  # argparse formats it
        }
        if kind is bool:
            options["action"] = _Flags
        else:
            metavar = kind.__name__.upper()
            if choices:
                metavar = "{" + ",".join(choices) + "}"
            if several and field.name not in ONE_VALUE:
                metavar += ",..."
            options |= {"action": "append", "metavar": metavar}
        parser.add_argument("--" + field.name.replace("_", "-"), **options)


def add_results_dir(parser):
    """Adds `--results-dir`."""
    parser.add_argument(
        "--results-dir",
        type=folder,
        default=Path("runs"),
        help="folder of the run folders; default: runs",
    )


def add_places(parser, data):
    """Adds `--results-dir` and `--data-dir`, whose help names the data."""
    add_results_dir(parser)
    parser.add_argument(
        "--data-dir",
        type=path,
        help=f"folder with {data}; default: KERAS_SLIM_DATA, "
        "else the cache and the public URLs",
    )


def add_known(parser, default, description):
    """Adds `--known`, a list of paths, by default `default`."""
    parser.add_argument(
        "--known",
        action="append",
        type=folder,
        default=default,
        metavar="FOLDER",
        help=f"{description}; may be given several times",
    )


def add_keep_checkpoints(parser):
    """Adds `--keep-checkpoints`."""
    parser.add_argument(
        "--keep-checkpoints",
        action="store_true",
        help="keep the last checkpoint of a run that is done; the same run "
        "with more --epochs resumes from it",
    )


def add_sweep(parser, experiment, data, presets):
    """Adds the options of `sweep`; `data` and `presets` as in `parser_of`."""
    parser.add_argument(
        "--preset",
        choices=experiment.presets,
        help=f"{presets}. The settings below replace those of the preset; "
        "without a preset, they form the grid",
    )
    add_settings(parser, experiment.config_type, several=True)
    add_places(parser, data)
    add_known(
        parser,
        None,
        "do not repeat the finished runs in this folder, written by "
        f"`collect`; default: results/{experiment.name} of the checkout",
    )
    parser.add_argument(
        "--no-known",
        action="store_const",
        dest="known",
        const=[],
        help="make all runs",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="show what is done, what is left and how long it will take",
    )
    add_keep_checkpoints(parser)
    parser.add_argument(
        "--tensorboard",
        action="store_true",
        help=f"write logs under <results-dir>/{experiment.name}/tensorboard",
    )
    group = parser.add_argument_group("how the runs are made")
    for field in dataclasses.fields(Options):
        group.add_argument(
            "--" + field.name.replace("_", "-"),
            type=folder if field.name == "slurm_folder" else value_type(field),
            choices=field.metadata["choices"],
            default=argparse.SUPPRESS,
            help=field.metadata["note"]
            + (f"; default: {field.default}" if field.default else ""),
        )


def add_collect(parser, experiment):
    """Adds the options of `collect`."""
    add_results_dir(parser)
    parser.add_argument(
        "--to",
        type=folder,
        metavar="FOLDER",
        help="folder of the tables; rows of other runs are kept; default: "
        f"<results-dir>/{experiment.name}",
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="replace values of a run that differ in the folder, which are "
        "otherwise an error",
    )
    parser.add_argument(
        "--epochs",
        type=int,
        metavar="NUMBER",
        help="for each longer run, add a run of this many epochs: its first "
        "epochs, which are the same",
    )
    parser.add_argument(
        "--without-seconds",
        action="store_true",
        help="leave the times empty, for runs on a busy machine",
    )


def add_report(parser, experiment, axes):
    """Adds the options of `report`; `axes` as in `parser_of`."""
    add_results_dir(parser)
    parser.add_argument(
        "--from",
        type=folder,
        metavar="FOLDER",
        dest="collected",
        help="read a folder written by `collect` instead of run folders, e.g. "
        f"results/{experiment.name}",
    )
    parser.add_argument(
        "--to",
        type=folder,
        metavar="FOLDER",
        help=f"default: <results-dir>/{experiment.name}/report",
    )
    add_known(
        parser,
        [],
        "add the runs in a folder written by `collect`, as the sweep did",
    )
    parser.add_argument(
        "--budget",
        type=int,
        default=0,
        metavar="NUMBER",
        help=f"if runs differ in more than {axes}: which of these groups to "
        "report; 0 is the one with the most epochs in total; default: 0",
    )


def parser_of(experiment, run, sweep, presets, report, axes, data):
    """The command line of an experiment.

    Args:
        experiment: `experiment.Experiment`.
        run: Tuple of help and description of the command `run`.
        sweep: String, the help of the command `sweep`.
        presets: String that describes the presets of `sweep`.
        report: String, the description of the command `report`.
        axes: String, the settings that vary within a table.
        data: String that names the data.

    Returns:
        Tuple of the `Parser`, its subparsers for further commands, and the
        parser of `run` for further options.
    """
    parser = Parser(
        prog=program(experiment),
        description=f"The experiment `{experiment.name}`, run by run or as a "
        "sweep. `<command> --help` lists the options of a command.",
    )
    commands = parser.add_subparsers(dest="command", required=True)

    one = commands.add_parser("run", help=run[0], description=run[1])
    add_settings(one, experiment.config_type, unsaid=experiment.unsaid)
    add_places(one, data)
    add_keep_checkpoints(one)

    many = commands.add_parser(
        "sweep",
        help=sweep,
        description="Makes the runs of a grid that are not made yet. Run the "
        "same command again to resume a sweep that was stopped, or several "
        "times at once to share the work. Runs that are known from collected "
        "tables are not made again. Exit status: 1 if a run failed, 2 if the "
        "command cannot be carried out as given.",
    )
    add_sweep(many, experiment, data, presets)

    further = ", ".join(f"{name}.csv" for name in experiment.tables.details)
    tidy = commands.add_parser(
        "collect",
        help="write the runs as CSV, or add them to those of other machines",
        description="Writes one row per run to runs.csv, with all its "
        "settings, results and versions, and one row per epoch to history.csv"
        + (f", and further results to {further}" if further else "")
        + ". Rows of other runs in these files are kept.",
    )
    add_collect(tidy, experiment)

    show = commands.add_parser(
        "report",
        help="show and write tables, verdicts and pictures",
        description=f"{report}: in the terminal, and as HTML, LaTeX, CSV and "
        "PNG.",
    )
    add_report(show, experiment, axes)

    commands.add_parser(
        "settings",
        help="show each setting of a run and where its default comes from",
    )
    return parser, commands, one


def program(experiment):
    """The command that starts the command line of an experiment."""
    return f"python -m experiments.{experiment.name}"


def as_options(values):
    """Settings as options: `--epochs=3 --no-unit-forget-bias`."""
    options = []
    for name, value in values.items():
        name = name.replace("_", "-")
        if isinstance(value, bool):
            options.append(f"--{name}" if value else f"--no-{name}")
            continue
        for one in value if isinstance(value, list) else [value]:
            options.append(f"--{name}={'none' if one is None else one}")
    return shlex.join(options)


def settings_given(options, experiment, several=False):
    """The settings given on the command line, and the backend, as a dict.

    With `several`, values are tuples: a setting may have several, separated
    by commas or by repeating the option.

    Raises:
        ValueError: if a value cannot be read or is not allowed, or a setting
            has more values than allowed.
    """
    config_type = experiment.config_type
    found = {"backend": keras.backend.backend()}
    for field in dataclasses.fields(config_type):
        name = field.name
        texts = getattr(options, name)
        if texts is None:
            continue
        if several and name not in ONE_VALUE:
            found[name] = parse_axis(config_type, name, *texts)
        elif len(texts) == 1:
            found[name] = checked(field, from_text(field, texts[0]))
        else:
            received = " and ".join(map(repr, texts))
            raise ValueError(
                f"Expected one value of `{name}`. Received: {name}={received}"
            )
    return found


def launch_options(options, experiment):
    """The `launchers.Options` given on the command line of a sweep.

    Raises:
        ValueError: if a value is not allowed.
        ImportError: if `--tensorboard` needs a package that is not installed.
    """
    names = [field.name for field in dataclasses.fields(Options)]
    named = {n: value for n, value in vars(options).items() if n in names}
    if named.get("launcher") == "slurm":
        # Workers may start in another folder.
        folder = options.results_dir.absolute() / experiment.name / ".slurm"
        named.setdefault("slurm_folder", folder)
    if "slurm_folder" in named:
        named["slurm_folder"] = str(named["slurm_folder"])
    how = Options(**named)
    if options.tensorboard and importlib.util.find_spec("tensorboardX") is None:
        raise ImportError(
            "--tensorboard needs the package tensorboardX. Install it with: "
            "pip install -e '.[tensorboard]'"
        )
    return how
