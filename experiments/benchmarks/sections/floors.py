from experiments.benchmarks.markdown import number, table
from experiments.benchmarks.sections.common import disturbed

INTRODUCTION = """\
Of a training step of our fast layer, in microseconds per time step. The matrix
products alone are a floor on each backend, in its own loop: those of the inputs
before the loop, those of the outputs in the loop forward and in reverse, and
the three for the gradients after it. The rest is activations, their gradients,
and what the loop itself costs."""


def floors(found):
    """The section of the matrix products.

    Args:
        found: `pandas.DataFrame`, as `summary.floors` returns it.
    """
    yield "## Where the time goes"
    if (found["rounds_used"] == "all").any():
        yield f"**{disturbed('the matrix products')}**"
    yield INTRODUCTION
    columns = {
        "training": "training",
        "products alone": "floor",
        "the rest": "rest",
        "of inputs": "input_projection",
        "in the loop": "forward_loop",
        "in reverse": "reverse_loop",
        "after it": "after_loop",
    }
    yield table(
        [
            {
                "shape": row["shape"],
                "backend": row["backend"] + (" jit" if row["jit"] else ""),
                "layer": row["layer"],
                **{title: number(row[name]) for title, name in columns.items()},
            }
            for _, row in found.iterrows()
        ]
    )
