"""The grids of a sweep: its axes, and presets of their values."""

from keras_slim.variants import VARIANTS

AXES = (
    "task",
    "length",
    "variant",
    "units",
    "equal",
    "learning_rate",
    "seed",
)
LENGTHS = (25, 50, 75, 100, 200, 400)
RATES = (1e-3, 3e-3)
_ALL = {"variant": tuple(VARIANTS), "learning_rate": RATES, "seed": (0, 1, 2)}
# Each preset is a tuple of grids, whose runs are combined. Keys are fields of
# `Config`; a tuple of values is an axis, and a missing axis has its default.
PRESETS = {
    "adding": ({**_ALL, "task": ("adding",), "length": LENGTHS},),
    "copy": ({**_ALL, "task": ("copy",), "length": LENGTHS},),
    "digits": (
        {**_ALL, "task": ("digits_by_row", "digits_by_pixel"), "epochs": 100},
    ),
    "mnist": (
        {
            **_ALL,
            "task": ("mnist_by_row", "mnist_by_pixel"),
            "samples": 60_000,
            "units": (50, 100),
        },
    ),
    # A sweep of a few minutes, to try it out.
    "quick": (
        {
            "task": ("digits_by_row",),
            "variant": ("lstm", "lstm3"),
            "seed": (0, 1),
            "epochs": 5,
        },
    ),
}
