"""Draws which terms of an LSTM cell each variant keeps: `docs/cells.png`."""

import math
from pathlib import Path

import matplotlib.pyplot as plt

from keras_slim.variants import get

VARIANTS = ("lstm", "lstm1", "lstm2", "lstm3")
UNITS = FEATURES = 128
TERMS = {"x": "$x_t$", "h": "$h_{t-1}$", "b": "bias"}
TERM_COLORS = {"x": "#0072B2", "h": "#D55E00", "b": "#009E73"}
GATES = {
    "i": "input\ngate $i$",
    "f": "forget\ngate $f$",
    "o": "output\ngate $o$",
    "c": "candidate\n$\\tilde c$",
}
GONE = "0.88"


def main(path):
    """Writes the picture to `path`."""
    figure, axes = plt.subplots(1, len(VARIANTS), figsize=(12, 3.9))
    full = parameters("lstm")
    for axis, name in zip(axes, VARIANTS, strict=True):
        draw(axis, get(name))
        count = parameters(name)
        axis.set_title(name.upper(), weight="bold", fontsize=14)
        axis.text(
            0.5,
            -0.1,
            f"{count:,} parameters"
            + (f", {count / full:.0%}" if count < full else ""),
            ha="center",
            fontsize=11,
        )
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def draw(axis, variant):
    """Draws the terms on the left, the gates on the right, a line for each."""
    axis.set(xlim=(-0.16, 1.2), ylim=(-0.18, 1.08))
    axis.axis("off")
    terms = dict(zip(TERMS, (0.86, 0.5, 0.14), strict=True))
    gates = dict(zip(GATES, (0.95, 0.68, 0.41, 0.08), strict=True))
    own = dict(zip(variant.family.gates, variant.terms, strict=True))
    lines = [
        (term in own[gate], term, gate) for term in terms for gate in gates
    ]
    for is_there, term, gate in sorted(lines):  # the missing ones below
        axis.plot(
            (0.1, 0.76),
            (terms[term], gates[gate]),
            color=TERM_COLORS[term] if is_there else GONE,
            linewidth=2 if is_there else 1,
            linestyle="-" if is_there else (0, (2, 3)),
        )
    for term, place in terms.items():
        label(axis, 0, place, TERMS[term], TERM_COLORS[term])
    for gate, place in gates.items():
        label(axis, 0.93, place, GATES[gate], "0.25")


def label(axis, x, y, text, color):
    """A rounded box with a text."""
    axis.text(
        x,
        y,
        text,
        ha="center",
        va="center",
        fontsize=10,
        color=color,
        bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": color},
    )


def parameters(name):
    """The number of weights of a layer."""
    shapes = get(name).weight_shapes(UNITS, FEATURES).values()
    return sum(map(math.prod, shapes))


if __name__ == "__main__":
    main(Path(__file__).with_name("cells.png"))
