import contextlib
import textwrap

import matplotlib.pyplot as plt

from experiments.engine.files import replacing


@contextlib.contextmanager
def picture(path, *shape, **options):
    """Yields a figure and axes, then writes the figure to `path`."""
    # LaTeX, which a user may have chosen, reads some texts as commands.
    with plt.rc_context({"text.usetex": False}):
        figure, axes = plt.subplots(*shape, layout="constrained", **options)
        try:
            yield figure, axes
            with replacing(path, "wb") as file:
                figure.savefig(file, format="png", dpi=150)
        finally:
            plt.close(figure)


@contextlib.contextmanager
def panels(path, count, most, size, margins=(0, 0), **options):
    """As `picture`, with at most `most` panels side by side, others below.

    `size` is that of a panel, and `margins` what is added to that of the
    figure, as width and height in inches. `options` are those of
    `matplotlib.pyplot.subplots`. Yields the figure and `count` axes.
    """
    columns = min(most, count)
    shape = -(-count // columns), columns
    options["figsize"] = (
        size[0] * shape[1] + margins[0],
        size[1] * shape[0] + margins[1],
    )
    with picture(path, *shape, squeeze=False, **options) as (figure, axes):
        for axis in axes.flat[count:]:
            axis.set_visible(False)
        yield figure, axes.flat[:count]


def literal(text):
    """A text that Matplotlib shows as it is, without reading formulas in it."""
    return text.replace("$", r"\$")


def wrapped(text, figure, inches=0.0):
    """Breaks a text into lines that fit into a title or legend of a figure.

    Its own line breaks are kept. Something else takes `inches` of the width.
    """
    letters = int(8 * (figure.get_figwidth() - inches))  # at title size
    return "\n".join(textwrap.fill(line, letters) for line in text.split("\n"))
