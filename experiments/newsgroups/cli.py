"""Command line: `python -m experiments.newsgroups <command>`."""

from experiments.engine import command_line, parsers
from experiments.engine.backend import BACKENDS
from experiments.newsgroups import quickstart
from experiments.newsgroups.experiment import NEWSGROUPS

DATA = "20 Newsgroups and GloVe"


def _further(commands, run):
    """The options and commands that other experiments do not have."""
    run.add_argument(
        "--save-model",
        action="store_true",
        help="keep the trained model, model.keras, in the run folder",
    )
    quick = commands.add_parser(
        "quickstart",
        help="four variants: a table and a picture, in a few minutes",
        description="Trains lstm, lstm1, lstm2 and lstm3 with a small budget "
        "on real 20 Newsgroups text, then shows a table and their learning "
        "curves.",
    )
    quick.add_argument(
        "--backend", choices=BACKENDS, help="default: that of Keras"
    )
    parsers.add_places(quick, DATA)
    return {
        "run": lambda options: command_line.run(
            options, NEWSGROUPS, save_model=options.save_model
        ),
        "quickstart": lambda options: quickstart.main(options.results_dir),
    }


main = command_line.main_of(
    NEWSGROUPS,
    further=_further,
    run=(
        "train one network",
        "Trains one network and leaves a run folder. The same command with "
        "the same seed resumes a run that was interrupted. The help of "
        "each option says where its default comes from: stated in the "
        "paper, derived from it, the Keras example it was built from, or "
        "ours.",
    ),
    sweep="train a grid of networks: Tables I and II and the figures",
    presets="paper: Tables I and II; seeds: Figure 2; breakdown: Figures 3 "
    "and 4; replicates: every entry of the tables with seeds 0-4; quick: "
    "a small sweep, in minutes",
    report="Compares the runs with what the paper prints",
    axes="variant, activation, learning rate and seed",
    data=DATA,
)
