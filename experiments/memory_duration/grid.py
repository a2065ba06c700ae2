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

# Whole texts, and epochs enough for the test text to be predicted best.
_PAPER = {"characters": None, "epochs": 30, "text": TEXTS, "variant": ("lstm",)}
# Grids, the runs of which are put together. Settings of a `Config`; a tuple is
# an axis, and an axis that is not there has the default of `Config`.
PRESETS = {
    # Figure 1.
    "paper": ({**_PAPER, "seed": (0, 1, 2)},),
    # Figure 2: one coefficient at a time.
    "modulation": tuple(
        {**_PAPER, "text": ("king_lear",), "seed": (0, 1, 2), name: VALUES_OF_R}
        for name in COEFFICIENTS
    ),
    # What the paper does not have.
    "variants": ({**_PAPER, "variant": VARIANTS, "seed": (0, 1, 2)},),
    # A sweep to watch, in minutes; its figures say nothing.
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
