"""The grids of a sweep: presets, and the axes a command line gives."""

import itertools
import re

from experiments.newsgroups.spec import ACTIVATIONS, Run

# In place of a seed: one drawn from the clock, as in section III.A.
CLOCK = "clock"

AXES = ("variant", "activation", "learning_rate", "seed")
VARIANTS = ("lstm", "lstm1", "lstm2", "lstm3")
LEARNING_RATES = (2e-3, 1e-3, 5e-4)
# The text says ten (III.A); these are the ones it lists.
SEEDS = (0, 100, 500, 1_000, 5_000, 9_001, 10_000, 100_000)

_PAPER = {
    "variant": VARIANTS,
    "activation": ACTIVATIONS,
    "learning_rate": LEARNING_RATES,
    "seed": (CLOCK,),
}
# Settings of a `Run`; a tuple is an axis.
PRESETS = {
    # Tables I and II.
    "paper": _PAPER,
    # Figure 2: the seeds that the paper lists, and its "Default".
    "seeds": {
        "variant": ("lstm3",),
        "activation": ("tanh",),
        "learning_rate": (2e-3,),
        "seed": (*SEEDS, CLOCK),
    },
    # What the paper does not have: every cell several times.
    "replicates": {**_PAPER, "seed": tuple(range(5))},
    # Figures 3 and 4.
    "breakdown": {
        "variant": VARIANTS,
        "activation": ("linear",),
        "learning_rate": (2e-3,),
        "seed": (0, 1, 2),
    },
    # A sweep to watch, in minutes; its figures say nothing.
    "quick": {
        "variant": VARIANTS,
        "activation": ("tanh",),
        "learning_rate": (2e-3,),
        "seed": (0, 1),
        "samples": 2_000,
        "epochs": 3,
    },
}


def parse_axis(name, text):
    """Reads the values of an axis.

    Args:
        name: String, one of `AXES`.
        text: String, values between commas; seeds may be ranges such as
            `0-9`, ends included, and `clock`.

    Returns:
        Tuple of values.

    Raises:
        ValueError: if a value cannot be read or is given twice.
    """
    values = []
    for part in (part.strip() for part in text.split(",")):
        span = re.fullmatch(r"(\d+)-(\d+)", part)
        try:
            if name in ("variant", "activation") or part == CLOCK:
                values.append(part)
            elif name == "seed" and span:
                first, last = map(int, span.groups())
                if last < first:
                    raise ValueError
                values.extend(range(first, last + 1))
            else:
                values.append(int(part) if name == "seed" else float(part))
        except ValueError:
            expected = {
                "seed": f"integers, ranges such as 0-9, and {CLOCK!r}",
                "learning_rate": "numbers",
            }[name]
            raise ValueError(
                f"Invalid value for `{name}`. Expected {expected}, between "
                f"commas. Received: {name}={text!r}"
            ) from None
    if len(set(values)) < len(values):
        raise ValueError(
            f"A value of `{name}` is given twice. Received: {name}={text!r}"
        )
    return tuple(values)


def cells(preset, given):
    """The settings of each run of a sweep, every one checked.

    The variants of a cell follow each other, then come its seeds and its
    learning rates: a sweep that is cut short can be compared as it is.

    Args:
        preset: String, a key of `PRESETS`.
        given: Dict of settings of a `Run`, with tuples for the axes, that
            take the place of the preset's.

    Returns:
        List of dicts, settings of a `Run`; the seed may be `CLOCK`.

    Raises:
        ValueError: if a value is not one that `Run` allows.
    """
    settings = {**PRESETS[preset], **given}
    axes = {name: settings.pop(name) for name in AXES}
    order = ("activation", "learning_rate", "seed", "variant")
    found = []
    for values in itertools.product(*(axes[name] for name in order)):
        cell = {**settings, **dict(zip(order, values, strict=True))}
        Run(**{**cell, "seed": 0 if cell["seed"] == CLOCK else cell["seed"]})
        found.append(cell)
    return found
