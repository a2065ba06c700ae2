"""Command line: `python -m experiments.memory_duration <command>`."""

from rich.console import Console

from experiments.engine import command_line, parsers
from experiments.engine.results import only
from experiments.memory_duration import report, results
from experiments.memory_duration.config import Config
from experiments.memory_duration.experiment import (
    MEMORY_DURATION,
    about,
    outcome,
)

DATA = "the paper's texts"


def _parser():
    parser = parsers.Parser(
        prog=command_line.program(MEMORY_DURATION),
        description=__doc__,
    )
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser(
        "run",
        help="train one network: a table and a picture, in minutes",
        description="Trains one network, the paper's on a text that comes "
        "with Python by default, reads the test text with it, and shows how "
        "long the units of each layer remember. The same command resumes a run "
        "that was interrupted. The help of each option says where its default "
        "comes from: stated in the paper, or ours.",
    )
    parsers.add_settings(run, Config)
    parsers.add_places(run, DATA)
    parsers.add_keep_checkpoints(run)

    many = commands.add_parser(
        "sweep",
        help="train a grid of networks: Figures 1 and 2",
        description="Makes the runs of a grid that are not made yet. The same "
        "command resumes a sweep that was stopped, and several at once share "
        "the work. Runs that are known from collected tables are not made "
        "again. Exit status: 1 if a run failed, 2 if the command cannot be "
        "carried out as it was given.",
    )
    parsers.add_sweep(
        many,
        MEMORY_DURATION,
        DATA,
        presets="paper: Figure 1, three texts; modulation: Figure 2, one "
        "coefficient at a time; variants: Figure 1 for slim ones; quick: a "
        "small sweep, in minutes",
    )

    tidy = commands.add_parser(
        "collect",
        help="write the runs as CSV, or add them to those of other machines",
        description="Writes one row per run to runs.csv, with all its "
        "settings, results and versions, one row per epoch to history.csv, and "
        "how often each memory duration was found to durations.csv. Rows of "
        "other runs in these files are kept.",
    )
    parsers.add_collect(tidy, MEMORY_DURATION)

    show = commands.add_parser(
        "report",
        help="show and write tables, verdicts and pictures",
        description="Compares the runs with what the paper says: "
        "in the terminal, and as HTML, LaTeX, CSV and PNG.",
    )
    parsers.add_report(
        show,
        MEMORY_DURATION,
        axes="text, variant, learning rate, coefficients and seed",
    )

    commands.add_parser(
        "settings",
        help="show each setting of a run and where its default comes from",
    )
    return parser


def _run(options):
    given = parsers.settings_given(options, MEMORY_DURATION)
    config = Config(**given)
    print(about(MEMORY_DURATION.data_of(config)))
    try:
        folder = MEMORY_DURATION.carry_out(
            config, options.results_dir, options.keep_checkpoints
        )
    except KeyboardInterrupt:
        return command_line.stopped_run(MEMORY_DURATION, given, options)
    print(f"{outcome(folder)}\n{folder.path}")
    found = only(results.collect(options.results_dir), [folder.id])
    paths = report.write(found, folder.path / "report")
    report.show(found, Console())
    command_line.show_paths(paths)
    return 0


def main(arguments=None):
    """Runs the command line.

    Args:
        arguments: List of strings. Default: `None`, those of the process.

    Returns:
        The exit status.
    """
    commands = {"run": _run, **command_line.commands(MEMORY_DURATION)}
    return command_line.main(_parser(), commands, arguments)
