import contextlib

import matplotlib.pyplot as plt

from experiments.engine.runs import replacing


@contextlib.contextmanager
def picture(path, *shape, **options):
    """Figure and axes that are written to `path` in the end."""
    figure, axes = plt.subplots(*shape, layout="constrained", **options)
    try:
        yield figure, axes
        with replacing(path, "wb") as file:
            figure.savefig(file, format="png", dpi=150)
    finally:
        plt.close(figure)
