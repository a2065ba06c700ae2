"""Command line: `python -m experiments.newsgroups <command>`."""

import time

from experiments.engine import command_line, parsers
from experiments.engine.backend import BACKENDS
from experiments.newsgroups import quickstart
from experiments.newsgroups.config import Config
from experiments.newsgroups.experiment import NEWSGROUPS, about, outcome

DATA = "20 Newsgroups and GloVe"


def _parser():
    parser = parsers.Parser(
        prog=command_line.program(NEWSGROUPS),
        description=__doc__,
    )
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser(
        "run",
        help="train one network",
        description="Trains one network and leaves a run folder. The same "
        "command with the same seed resumes a run that was interrupted. "
        "The help of each option says where its default comes from: stated in "
        "the paper, derived from it, the Keras example it was built from, or "
        "ours.",
    )
    parsers.add_settings(run, Config, unsaid=NEWSGROUPS.unsaid)
    parsers.add_places(run, DATA)
    parsers.add_keep_checkpoints(run)
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
    quick.add_argument(
        "--backend", choices=BACKENDS, help="default: that of Keras"
    )
    parsers.add_places(quick, DATA)

    many = commands.add_parser(
        "sweep",
        help="train a grid of networks: Tables I and II and the figures",
        description="Makes the runs of a grid that are not made yet. The same "
        "command resumes a sweep that was stopped, and several at once share "
        "the work. Runs that are known from collected tables are not made "
        "again. Exit status: 1 if a run failed, 2 if the command cannot be "
        "carried out as it was given.",
    )
    parsers.add_sweep(
        many,
        NEWSGROUPS,
        DATA,
        presets="paper: Tables I and II; seeds: Figure 2; breakdown: Figures 3 "
        "and 4; replicates: every entry of the tables with seeds 0-4; quick: "
        "a small sweep, in minutes",
    )

    tidy = commands.add_parser(
        "collect",
        help="write the runs as CSV, or add them to those of other machines",
        description="Writes one row per run to runs.csv, with all its "
        "settings, results and versions, and one row per epoch to history.csv. "
        "Rows of other runs in these files are kept.",
    )
    parsers.add_collect(tidy, NEWSGROUPS)

    show = commands.add_parser(
        "report",
        help="show and write tables, verdicts and pictures",
        description="Compares the runs with what the paper prints: "
        "in the terminal, and as HTML, LaTeX, CSV and PNG.",
    )
    parsers.add_report(
        show, NEWSGROUPS, axes="variant, activation, learning rate and seed"
    )

    commands.add_parser(
        "settings",
        help="show each setting of a run and where its default comes from",
    )
    return parser


def _run(options):
    given = parsers.settings_given(options, NEWSGROUPS)
    given.setdefault("seed", int(time.time()))
    config = Config(**given)
    data = NEWSGROUPS.data_of(config)
    print(f"{about(data)}\nSeed {config.seed}")
    try:
        folder = NEWSGROUPS.carry_out(
            config,
            options.results_dir,
            options.keep_checkpoints,
            save_model=options.save_model,
        )
    except KeyboardInterrupt:
        return command_line.stopped_run(NEWSGROUPS, given, options)
    print(f"{outcome(folder)}\n{folder.path}")
    return 0


def _quickstart(options):
    return quickstart.main(options.results_dir)


def main(arguments=None):
    """Runs the command line.

    Args:
        arguments: List of strings. Default: `None`, those of the process.

    Returns:
        The exit status.
    """
    commands = {
        "run": _run,
        "quickstart": _quickstart,
        **command_line.commands(NEWSGROUPS),
    }
    return command_line.main(_parser(), commands, arguments)
