"""Command line: `python -m experiments.long_memory <command>`."""

from experiments.engine import command_line
from experiments.long_memory.experiment import LONG_MEMORY

main = command_line.main_of(
    LONG_MEMORY,
    run=(
        "train one network: a table and a picture, in minutes",
        "Trains one network on a task, LSTM3 on the adding problem over "
        "50 time steps by default, and shows when it solved it. The same "
        "command resumes a run that was interrupted. The help of each "
        "option says where its default comes from.",
    ),
    sweep="train a grid of networks: variants, tasks and lengths",
    presets="adding, copy: all variants over six lengths; digits: all "
    "variants on small images; mnist: the same on MNIST; quick: a small "
    "sweep, in minutes",
    report="Compares variants by the lengths that they solve",
    axes="task, length, variant, learning rate and seed",
    data="mnist or fashion-mnist, folders of IDX files",
)
