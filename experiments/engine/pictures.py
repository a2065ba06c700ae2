import contextlib
import textwrap

import matplotlib.pyplot as plt

from experiments.engine.files import replacing


@contextlib.contextmanager
def picture(path, *shape, **options):
    """Yields a figure and axes, then writes the figure to `path`."""
    figure, axes = plt.subplots(*shape, layout="constrained", **options)
    try:
        yield figure, axes
        with replacing(path, "wb") as file:
            figure.savefig(file, format="png", dpi=150)
    finally:
        plt.close(figure)


def wrapped(text, figure, inches=0.0):
    """Breaks a text into lines that fit into a title or legend of a figure.

    Args:
        text: String. Its own line breaks are kept.
        figure: `matplotlib.figure.Figure`.
        inches: Float, the width that something else takes.

    Returns:
        String.
    """
    letters = int(8 * (figure.get_figwidth() - inches))  # at title size
    return "\n".join(textwrap.fill(line, letters) for line in text.split("\n"))
