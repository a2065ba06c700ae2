"""The grids of a sweep: its axes, and presets of their values."""

from experiments.memory_duration.config import COEFFICIENTS

AXES = (
    "text",
    "variant",
    "layers",
    "units",
    *COEFFICIENTS,
    "learning_rate",
    "seed",
)
TEXTS = ("king_lear", "wikipedia", "linux")
VARIANTS = ("lstm", "lstm1", "lstm2", "lstm3")
# Ours, as the paper prints none.
VALUES_OF_R = (0.0, 0.1, 1.0, 10.0)

# Whole texts, and enough epochs to reach the best prediction of the test text.
_PAPER = {"characters": None, "epochs": 30, "text": TEXTS, "variant": ("lstm",)}
# Each preset is a tuple of grids, whose runs are combined. Keys are fields of
# `Config`; a tuple of values is an axis, and a missing axis has its default.
PRESETS = {
    # Figure 1.
    "paper": ({**_PAPER, "seed": (0, 1, 2)},),
    # Figure 2: one coefficient at a time.
    "modulation": tuple(
        {**_PAPER, "text": ("king_lear",), "seed": (0, 1, 2), name: VALUES_OF_R}
        for name in COEFFICIENTS
    ),
    # Not in the paper.
    "variants": ({**_PAPER, "variant": VARIANTS, "seed": (0, 1, 2)},),
    # A sweep of a few minutes, to try it out; its results mean nothing.
    "quick": (
        {
            "text": ("python_reference", "python_library"),
            "characters": 20_000,
            "variant": ("lstm", "lstm3"),
            "units": (32,),
            "seed": (0, 1),
            "epochs": 3,
        },
    ),
}
