"""The grids of a sweep: its axes, and presets of their values."""

from experiments.engine.grid import CLOCK

AXES = ("variant", "activation", "learning_rate", "seed")
# Those of the paper. A config allows others, but no preset has them.
VARIANTS = ("lstm", "lstm1", "lstm2", "lstm3")
ACTIVATIONS = ("tanh", "linear", "sigmoid", "softmax", "relu")
LEARNING_RATES = (2e-3, 1e-3, 5e-4)
# The text says ten (III.A); these are the ones it lists.
SEEDS = (0, 100, 500, 1_000, 5_000, 9_001, 10_000, 100_000)

_PAPER = {
    "variant": VARIANTS,
    "activation": ACTIVATIONS,
    "learning_rate": LEARNING_RATES,
    "seed": (CLOCK,),  # as in section III.A
}
# Each preset is a tuple of grids, whose runs are combined. Keys are fields of
# `Config`; a tuple of values is an axis.
PRESETS = {
    # Tables I and II.
    "paper": (_PAPER,),
    # Figure 2: the seeds that the paper lists, and its "Default".
    "seeds": (
        {
            "variant": ("lstm3",),
            "activation": ("tanh",),
            "learning_rate": (2e-3,),
            "seed": (*SEEDS, CLOCK),
        },
    ),
    # Not in the paper: every entry with several seeds.
    "replicates": ({**_PAPER, "seed": tuple(range(5))},),
    # Figures 3 and 4.
    "breakdown": (
        {
            "variant": VARIANTS,
            "activation": ("linear",),
            "learning_rate": (2e-3,),
            "seed": (0, 1, 2),
        },
    ),
    # A sweep of a few minutes, to try it out; its results mean nothing.
    "quick": (
        {
            "variant": VARIANTS,
            "activation": ("tanh",),
            "learning_rate": (2e-3,),
            "seed": (0, 1),
            "samples": 2_000,
            "epochs": 3,
        },
    ),
}
