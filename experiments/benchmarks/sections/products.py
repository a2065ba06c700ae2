from experiments.benchmarks.markdown import number, table
from experiments.benchmarks.sections.common import disturbed

INTRODUCTION = """\
Microseconds per time step: a training step of our fast layer, and the matrix
products of such a step timed alone, each part as a function of its own: the
input projection before the time loop, the recurrent products in the loop
forward and in reverse, and the three products for the gradients after it. Their
sum shows how much of a step multiplies matrices, but is no lower bound: within
a layer the same products may be computed in another way, or overlap with other
work, so that some layers take less time than the sum."""


def products(found):
    """The section of the matrix products.

    Args:
        found: What `summary.products` returns.
    """
    yield "## Matrix products alone"
    if (found["rounds_used"] == "all").any():
        yield f"**{disturbed('the matrix products')}**"
    yield INTRODUCTION
    columns = {
        "training step": "training",
        "products, sum": "products",
        "input projection": "input_projection",
        "forward loop": "forward_loop",
        "reverse loop": "reverse_loop",
        "after the loop": "after_loop",
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
