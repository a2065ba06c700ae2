"""What defines a family of gated recurrent cells; each has a file here.

The time loops, the cell and the layer are the same for all families: all that
they do follows from a `Family` and a row of `keras_slim.variants.VARIANTS`.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, eq=False, repr=False)
class Family:
    """Gates, states and state equations of a recurrent cell.

    Each gate is `σ` of a sum of terms, and the candidate is `g` of one; a
    `Variant` says which terms. `update` computes the states from their values.

    Args:
        name: String, the name of the family and of its full row.
        title: String, the name in sentences.
        gates: Tuple of the names of the gates, the candidate included, in the
            order of the columns of the weights. `reset` comes before the
            candidate.
        candidate: The gate whose activation is `g`.
        states: Tuple of the names of the states, the output `h` first. The
            last one is what the cell remembers.
        equations: Tuple of strings, the state equations.
        products: Integer, number of products `⊙` of vectors in one time step:
            those of the state equations, and that with `reset`.
        update: Function of `gates`, a dict of their values, `states`, a tuple
            of the previous states, and `activation`, the function `g`. Returns
            a tuple of the new states, and a tuple of what `update_vjp` needs.
        update_vjp: Vector-Jacobian product of `update`: a function of
            `gates`, `states`, the second tuple that `update` returned,
            `gradients`, a tuple of those with respect to the new states, and
            the function `activation_vjp(x, y, gradient)`, which returns the
            gradient with respect to `x` given that with respect to `y = g(x)`.
            Returns a dict of the gradients with respect to the values of the
            gates, and a tuple of those with respect to the previous states,
            `None` where it is zero.
        reset: The gate that multiplies `h` before the candidate reads it, or
            `None`.
        forget: The gate whose bias `unit_forget_bias` starts at 1, or `None`.
    """

    name: str
    title: str
    gates: tuple
    candidate: str
    states: tuple
    equations: tuple
    products: int
    update: Callable
    update_vjp: Callable
    reset: str | None = None
    forget: str | None = None

    def __repr__(self):
        return f"<Family {self.title}>"

    @property
    def phases(self):
        """The gates in groups; those of a group read the same `h`."""
        if self.reset is None:
            return (self.gates,)
        others = tuple(gate for gate in self.gates if gate != self.candidate)
        return others, (self.candidate,)
