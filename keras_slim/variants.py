"""The table of gate variants: one row a variant, with its source.

Everything else follows from a row: weight shapes, dropout masks, parameter
counts, the equations in the docstrings and the columns of the result tables.
"""

import math
import numbers
from dataclasses import dataclass

GATES = ("i", "f", "c", "o")  # the order of the columns in Keras's LSTM
STATE_EQUATIONS = ("c_t = f ⊙ c + i ⊙ c̃", "h_t = o ⊙ g(c_t)")
TERMS = {"x": "W_{0} x", "h": "U_{0} h", "u": "u_{0} ⊙ h", "b": "b_{0}"}


@dataclass(frozen=True)
class Variant:
    """One row of the table: the terms that each gate adds up.

    A gate is a string of terms or a number. The terms are `x` (`W x`, a
    product with the input), `h` (`U h`, a product with the previous output),
    `u` (`u ⊙ h`, pointwise) and `b` (a bias). A number is a gate that keeps
    that value and learns nothing.

    Args:
        i: Terms of the input gate, or its constant value.
        f: Terms of the forget gate, or its constant value.
        c: Terms of the candidate (the "input block"), which takes no number.
        o: Terms of the output gate, or its constant value.
        source: Where the row comes from: paper, section or equation.

    Raises:
        ValueError: if a gate is neither a string of different terms nor a
            finite number, or if no gate reads the input.

    Example:

    >>> row = Variant("hb", 0.96, "xhb", 1.0)
    >>> row.gates_with("h")
    ('i', 'c')
    >>> row.equations()["f"]
    'f = 0.96'
    """

    i: str | float
    f: str | float
    c: str | float
    o: str | float
    source: str = "a row of the user's own"

    def __post_init__(self):
        for gate, terms in zip(GATES, self.row, strict=True):
            if isinstance(terms, str):
                valid = (
                    terms != ""
                    and set(terms) <= set(TERMS)
                    and len(set(terms)) == len(terms)
                )
            else:
                constant = _finite(terms)
                valid = gate != "c" and constant is not None
                # A plain float, whatever kind of number was given.
                object.__setattr__(self, gate, constant)
            if not valid:
                allowed = "different letters out of " + repr("".join(TERMS))
                if gate != "c":
                    allowed += ", or a finite number for a constant gate"
                raise ValueError(
                    f"Invalid terms for gate `{gate}` of a variant. "
                    f"Expected {allowed}. Received: {gate}={terms!r}"
                )
        if not self.gates_with("x"):
            raise ValueError(
                "Invalid variant: no gate reads the input. Expected the term "
                f"'x' in at least one gate. Received: {self.row}"
            )

    @property
    def name(self):
        """The name of the row in `VARIANTS`, or `None`."""
        for name, variant in VARIANTS.items():
            if variant.row == self.row:
                return name
        return None

    @property
    def row(self):
        """The four gates as a tuple `(i, f, c, o)`."""
        return (self.i, self.f, self.c, self.o)

    def gates_with(self, terms):
        """The gates that carry at least one of `terms`, in Keras's order."""
        return tuple(
            gate
            for gate, own in zip(GATES, self.row, strict=True)
            if isinstance(own, str) and set(own) & set(terms)
        )

    def weight_shapes(self, units, features, use_bias=True):
        """Shapes of the weights, by name, in the order of `get_weights()`.

        The columns of a weight stand in the order `i, f, c, o`, for the gates
        that carry its term; a weight that no gate carries does not exist.

        Args:
            units: Positive integer, number of units.
            features: Positive integer, number of input features.
            use_bias: Boolean, whether biases exist.

        Returns:
            Dict from `"kernel"` (term `x`), `"recurrent_kernel"` (`h`),
            `"pointwise_kernel"` (`u`) and `"bias"` (`b`) to shape tuples.
        """
        x, h, u, b = (len(self.gates_with(term)) for term in "xhub")
        shapes = {}
        if x:
            shapes["kernel"] = (features, units * x)
        if h:
            shapes["recurrent_kernel"] = (units, units * h)
        if u:
            shapes["pointwise_kernel"] = (units, u)
        if b and use_bias:
            shapes["bias"] = (units * b,)
        return shapes

    def equations(self, use_bias=True):
        """The equation of each gate as text, e.g. `"i = σ(U_i h + b_i)"`."""
        equations = {}
        for gate in GATES:
            value = self.sum_of_terms(gate, use_bias)
            if isinstance(getattr(self, gate), str):
                value = f"{'g' if gate == 'c' else 'σ'}({value})"
            equations[gate] = f"{'c̃' if gate == 'c' else gate} = {value}"
        return equations

    def sum_of_terms(self, gate, use_bias=True):
        """What a gate adds up as text, e.g. `"U_i h + b_i"`."""
        own = getattr(self, gate)
        if not isinstance(own, str):
            return f"{own:g}"
        texts = [
            text.format(gate)
            for term, text in TERMS.items()
            if term in own and (term != "b" or use_bias)
        ]
        return " + ".join(texts) or "0"


def _finite(value):
    """The number as a finite float, or `None` if it is none."""
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        try:
            value = float(value)
        except OverflowError:
            return None
        return value if math.isfinite(value) else None
    return None


# fmt: off
VARIANTS = {
    "lstm": Variant("xhb", "xhb", "xhb", "xhb",
        source="Kent & Salem, arXiv:1901.00525, section I.A, eq. 1-6"),
    "lstm1": Variant("hb", "hb", "xhb", "hb",
        source="Kent & Salem, arXiv:1901.00525, section I.B.1; "
               "Lu & Salem, arXiv:1701.03441"),
    # The candidate keeps its bias, as in the lab's code.
    "lstm2": Variant("h", "h", "xhb", "h",
        source="Kent & Salem, arXiv:1901.00525, section I.B.2; "
               "Lu & Salem, arXiv:1701.03441"),
    "lstm3": Variant("b", "b", "xhb", "b",
        source="Kent & Salem, arXiv:1901.00525, section I.B.3; "
               "Lu & Salem, arXiv:1701.03441"),
    # The rows below follow the lab's code of 2019 (Slim-LSTMs, `slim22.py`);
    # the papers were read in abstract only. Its constant forget gates differ
    # from those of the lab's earlier code: 0.56 in lstm4a and lstm6.
    "lstm4": Variant("u", "u", "xhb", "u",
        source="LSTMCell4 of slim22; Akandeh & Salem, arXiv:1707.04619"),
    "lstm5": Variant("ub", "ub", "xhb", "ub",
        source="LSTMCell5 of slim22; Akandeh & Salem, arXiv:1707.04619"),
    "lstm4a": Variant("u", 0.96, "xhb", 1.0,
        source="LSTMCell4a of slim22; Akandeh & Salem, arXiv:1707.04623"),
    "lstm5a": Variant("ub", 0.96, "xhb", 1.0,
        source="LSTMCell5a of slim22; Akandeh & Salem, arXiv:1707.04623"),
    "lstm6": Variant(1.0, 0.4, "xhb", 1.0,
        source="LSTMCell6 of slim22; Akandeh & Salem, arXiv:1707.04623"),
    "lstm10": Variant("u", "u", "xub", "u",
        source="LSTMCell10 of slim22; Akandeh & Salem, arXiv:1707.04626"),
    "lstm11": Variant("ub", "ub", "xub", "ub",
        source="LSTMCell11 of slim22; Akandeh & Salem, arXiv:1707.04626"),
}
# fmt: on


def get(variant):
    """Returns the `Variant` for a name, a row or a `Variant`.

    Args:
        variant: A name in `VARIANTS`, in upper or lower case, a sequence of
            the four gates in the order `i, f, c, o`, or a `Variant`.

    Returns:
        A `Variant`.

    Raises:
        ValueError: if the name is unknown or the row is not a row.

    Example:

    >>> get("LSTM3").row
    ('b', 'b', 'xhb', 'b')
    >>> get(["hb", 1.0, "xhb", "hb"]).f
    1.0
    """
    if isinstance(variant, Variant):
        return variant
    if isinstance(variant, str) and variant.lower() in VARIANTS:
        return VARIANTS[variant.lower()]
    if isinstance(variant, (list, tuple)) and len(variant) == len(GATES):
        return Variant(*variant)
    raise ValueError(
        "Invalid value for argument `variant`. Expected one of "
        f"{sorted(VARIANTS)}, or a row of four gates (i, f, c, o), each a "
        f"string of the terms {''.join(TERMS)!r} or a number. "
        f"Received: variant={variant!r}"
    )
