"""The grids of a sweep: presets, and the axes a command line gives."""

from experiments.engine.grid import product
from experiments.memory_duration.spec import COEFFICIENTS, Run

AXES = ("text", "variant", "layers", "units", *COEFFICIENTS, "seed")
# The variants of a cell follow each other, then come its seeds: a sweep that
# is cut short can be compared as it is.
ORDER = ("text", "layers", "units", *COEFFICIENTS, "seed", "variant")
TEXTS = ("king_lear", "wikipedia", "linux")
VARIANTS = ("lstm", "lstm1", "lstm2", "lstm3")
VALUES_OF_R = (0.0, 0.1, 1.0, 10.0)  # ours; the paper prints none

# Whole texts, and epochs enough for the test text to be predicted best.
_PAPER = {"characters": None, "epochs": 30, "text": TEXTS, "variant": ("lstm",)}
# Grids, the runs of which are put together. Settings of a `Run`; a tuple is
# an axis, and an axis that is not there has the default of `Run`.
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


def cells(preset, given):
    """The settings of each run of a sweep, every one checked.

    Args:
        preset: String, a key of `PRESETS`.
        given: Dict of settings of a `Run`, with tuples for the axes, that
            take the place of the preset's.

    Returns:
        List of dicts, settings of a `Run`, none twice; the seed may be
        `engine.grid.CLOCK`.

    Raises:
        ValueError: if a value is not one that `Run` allows.
    """
    defaults = {name: (getattr(Run(), name),) for name in AXES}
    found = []
    for grid in PRESETS[preset]:
        settings = {**defaults, **grid, **given}
        found += [
            cell for cell in product(Run, settings, ORDER) if cell not in found
        ]
    return found
