"""Command line: `python -m experiments.memory_duration <command>`."""

from experiments.engine import command_line
from experiments.memory_duration.experiment import MEMORY_DURATION

main = command_line.main_of(
    MEMORY_DURATION,
    run=(
        "train one network: a table and a picture, in minutes",
        "Trains one network (by default the paper's, on a text that comes "
        "with Python), reads the test text with it, and shows how long the "
        "units of each layer remember. The same command resumes a run that "
        "was interrupted. The help of each option says where its default "
        "comes from: stated in the paper, or ours.",
    ),
    sweep="train a grid of networks: Figures 1 and 2",
    presets="paper: Figure 1, three texts; modulation: Figure 2, one "
    "coefficient at a time; variants: Figure 1 for slim variants; quick: a "
    "small sweep, in minutes",
    report="Compares the runs with what the paper says",
    axes="text, variant, learning rate, coefficients and seed",
    data="the paper's texts",
)
