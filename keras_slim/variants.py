"""The table of gate variants: one row per variant, with its source.

Everything else follows from a row and its family: weight shapes, dropout masks,
parameter counts, the equations in the docstrings and the columns of the result
tables.
"""

import math
import numbers
from dataclasses import dataclass, field

from keras_slim.families import Family
from keras_slim.families.gru import GRU
from keras_slim.families.lstm import LSTM
from keras_slim.families.mgu import MGU

FAMILIES = {family.name: family for family in (LSTM, GRU, MGU)}
TERMS = {"x": "W_{0} x", "h": "U_{0} {1}", "u": "u_{0} ⊙ {1}", "b": "b_{0}"}


@dataclass(frozen=True)
class Variant:
    """One row of the table: the terms that each gate of a family adds up.

    A gate is a string of terms or a number. The terms are `x` (`W x`, a
    product with the input), `h` (`U h`, a product with the previous output),
    `u` (`u ⊙ h`, pointwise) and `b` (a bias). A number is a gate with that
    constant value, which learns nothing. In a family with a reset gate, the
    candidate reads `h` multiplied by that gate. Variants of the same family
    with the same terms are equal, whatever the order of the letters and the
    source.

    Args:
        family: A `keras_slim.families.Family`, or its name: `"lstm"`, `"gru"`
            or `"mgu"`.
        terms: List or tuple of the terms of each gate, or its constant value,
            in the order of `family.gates`. The candidate cannot be a number.
        source: String, where the row comes from: paper, section or equation.

    Raises:
        ValueError: if the family is unknown, if `terms` is not a list or tuple
            with an entry for each gate and the candidate of the family, if an
            entry is neither a string of different terms nor a finite number,
            or if none reads the input.

    Example:

    >>> variant = Variant("lstm", ("hb", 0.96, "xhb", 1.0))
    >>> variant.gates_with("h")
    ('i', 'c')
    >>> variant.equations()["f"]
    'f = 0.96'
    """

    family: Family
    terms: tuple
    source: str = field(default="user-defined", compare=False)

    def __post_init__(self):
        family = _family(self.family)
        is_list = isinstance(self.terms, (list, tuple))
        if not is_list or len(self.terms) != len(family.gates):
            raise ValueError(
                "Invalid value for argument `terms`. Expected a list of "
                f"{len(family.gates)} entries, for the gates and the candidate "
                f"of the family {family.title}: ({', '.join(family.gates)}). "
                f"Received: terms={self.terms!r}"
            )
        terms = tuple(
            _checked(gate, value, takes_number=gate != family.candidate)
            for gate, value in zip(family.gates, self.terms, strict=True)
        )
        object.__setattr__(self, "family", family)
        object.__setattr__(self, "terms", terms)
        if not self.gates_with("x"):
            raise ValueError(
                "Invalid variant: no gate reads the input. Expected the term "
                f"'x' in at least one gate. Received: {self.terms}"
            )

    def __reduce__(self):
        # A family is the same object in a copy, pickled or not.
        return type(self), (self.family.name, self.terms, self.source)

    @property
    def name(self):
        """The name of the row in `VARIANTS`, or `None`."""
        for name, variant in VARIANTS.items():
            if self == variant:
                return name
        return None

    @property
    def gates(self):
        """Dict from gate to its terms, or its constant value."""
        return dict(zip(self.family.gates, self.terms, strict=True))

    @property
    def constants(self):
        """Dict from gate to value, for the gates that are numbers."""
        return {g: v for g, v in self.gates.items() if not isinstance(v, str)}

    def gates_with(self, terms):
        """The gates with any of `terms`, in the order of the columns."""
        return tuple(
            gate
            for gate, own in self.gates.items()
            if isinstance(own, str) and set(own) & set(terms)
        )

    def weight_shapes(self, units, features, use_bias=True):
        """Shapes of the weights, by name, in the order of `get_weights()`.

        The columns of a weight are in the order of `family.gates`, for the
        gates that have its term; a weight that no gate uses does not exist.

        Args:
            units: Positive integer, number of units.
            features: Positive integer, number of input features.
            use_bias: Boolean (default `True`), whether biases are used.

        Returns:
            Dict from `"kernel"` (term `x`), `"recurrent_kernel"` (`h`),
            `"pointwise_kernel"` (`u`) and `"bias"` (`b`) to shape tuples.
        """
        x, h, u, b = (len(self.gates_with(term)) for term in TERMS)
        shapes = {"kernel": (features, units * x)}
        if h:
            shapes["recurrent_kernel"] = (units, units * h)
        if u:
            shapes["pointwise_kernel"] = (units, u)
        if b and use_bias:
            shapes["bias"] = (units * b,)
        return shapes

    def count_params(self, units, features, use_bias=True):
        """The number of weights, with the arguments of `weight_shapes`."""
        shapes = self.weight_shapes(units, features, use_bias)
        return sum(map(math.prod, shapes.values()))

    def equations(self, use_bias=True):
        """The equation of each gate as text, e.g. `"i = σ(U_i h + b_i)"`."""
        equations = {}
        for gate, own in self.gates.items():
            is_candidate = gate == self.family.candidate
            value = self.sum_of_terms(gate, use_bias)
            if isinstance(own, str):
                value = f"{'g' if is_candidate else 'σ'}({value})"
            equations[gate] = f"{gate}{'̃' * is_candidate} = {value}"
        return equations

    def sum_of_terms(self, gate, use_bias=True):
        """The sum of the terms of a gate as text, e.g. `"U_i h + b_i"`."""
        own = self.gates[gate]
        if not isinstance(own, str):
            return repr(own).removesuffix(".0")
        h = "h"
        if self.family.reset and gate == self.family.candidate:
            h = f"({self.family.reset} ⊙ h)"
        texts = [
            text.format(gate, h)
            for term, text in TERMS.items()
            if term in own and (term != "b" or use_bias)
        ]
        return " + ".join(texts) or "0"


def _family(family):
    if isinstance(family, Family):
        return family
    if isinstance(family, str) and family.lower() in FAMILIES:
        return FAMILIES[family.lower()]
    raise ValueError(
        "Invalid value for argument `family`. Expected one of "
        f"{list(FAMILIES)}. Received: family={family!r}"
    )


def _checked(gate, terms, takes_number):
    """The terms of a gate, in their order; a number of any kind as a float."""
    if isinstance(terms, str):
        if terms and len(set(terms) & set(TERMS)) == len(terms):
            return "".join(sorted(terms, key="".join(TERMS).index))
    elif takes_number and (constant := _finite(terms)) is not None:
        return constant
    allowed = "distinct letters from " + repr("".join(TERMS))
    if takes_number:
        allowed += ", or a finite number for a constant gate"
    raise ValueError(
        f"Invalid terms for gate `{gate}` of a variant. Expected {allowed}. "
        f"Received: {gate}={terms!r}"
    )


def _finite(value):
    """The value as a finite float, or `None` if it is not a finite number."""
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        try:
            value = float(value)
        except OverflowError:
            return None
        return value if math.isfinite(value) else None
    return None


# fmt: off
VARIANTS = {
    "lstm": Variant(LSTM, ("xhb", "xhb", "xhb", "xhb"),
        source="Kent & Salem, arXiv:1901.00525, section I.A, eq. 1-6"),
    "lstm1": Variant(LSTM, ("hb", "hb", "xhb", "hb"),
        source="Kent & Salem, arXiv:1901.00525, section I.B.1; "
               "Lu & Salem, arXiv:1701.03441"),
    # The candidate keeps its bias, as in the code of Salem's lab.
    "lstm2": Variant(LSTM, ("h", "h", "xhb", "h"),
        source="Kent & Salem, arXiv:1901.00525, section I.B.2; "
               "Lu & Salem, arXiv:1701.03441"),
    "lstm3": Variant(LSTM, ("b", "b", "xhb", "b"),
        source="Kent & Salem, arXiv:1901.00525, section I.B.3; "
               "Lu & Salem, arXiv:1701.03441"),
    # The rows below follow code of Salem's lab, `slim22.py` of Slim-LSTMs
    # (2019); only the abstracts of the papers were read. Its constant forget
    # gates differ from those of earlier code: 0.56 in lstm4a and lstm6.
    "lstm4": Variant(LSTM, ("u", "u", "xhb", "u"),
        source="LSTMCell4 of slim22; Akandeh & Salem, arXiv:1707.04619"),
    "lstm5": Variant(LSTM, ("ub", "ub", "xhb", "ub"),
        source="LSTMCell5 of slim22; Akandeh & Salem, arXiv:1707.04619"),
    "lstm4a": Variant(LSTM, ("u", 0.96, "xhb", 1.0),
        source="LSTMCell4a of slim22; Akandeh & Salem, arXiv:1707.04623"),
    "lstm5a": Variant(LSTM, ("ub", 0.96, "xhb", 1.0),
        source="LSTMCell5a of slim22; Akandeh & Salem, arXiv:1707.04623"),
    "lstm6": Variant(LSTM, (1.0, 0.4, "xhb", 1.0),
        source="LSTMCell6 of slim22; Akandeh & Salem, arXiv:1707.04623"),
    "lstm10": Variant(LSTM, ("u", "u", "xub", "u"),
        source="LSTMCell10 of slim22; Akandeh & Salem, arXiv:1707.04626"),
    "lstm11": Variant(LSTM, ("ub", "ub", "xub", "ub"),
        source="LSTMCell11 of slim22; Akandeh & Salem, arXiv:1707.04626"),
    # Only the abstracts of the papers of the GRU and MGU rows were read; the
    # gates follow the code and the sources that are named. That the candidate
    # of gru2 and mgu2 keeps its bias is inferred from them.
    "gru": Variant(GRU, ("xhb", "xhb", "xhb"),
        source="Cho et al., arXiv:1406.1078; Dey & Salem, arXiv:1701.05923"),
    "gru1": Variant(GRU, ("hb", "hb", "xhb"),
        source="Dey & Salem, arXiv:1701.05923; GRU1 of `recurrent_v`, "
               "code of Salem's lab"),
    "gru2": Variant(GRU, ("h", "h", "xhb"),
        source="Dey & Salem, arXiv:1701.05923; GRU2 of `recurrent_v`, "
               "code of Salem's lab"),
    "gru3": Variant(GRU, ("b", "b", "xhb"),
        source="Dey & Salem, arXiv:1701.05923; GRU3 of `recurrent_v`, "
               "code of Salem's lab"),
    "mgu": Variant(MGU, ("xhb", "xhb"),
        source="Zhou et al., arXiv:1603.09420, eq. 6"),
    "mgu1": Variant(MGU, ("hb", "xhb"),
        source="Heck & Salem, arXiv:1701.03452"),
    "mgu2": Variant(MGU, ("h", "xhb"),
        source="Heck & Salem, arXiv:1701.03452"),
    "mgu3": Variant(MGU, ("b", "xhb"),
        source="Heck & Salem, arXiv:1701.03452"),
}
# fmt: on


def get(variant, family=None):
    """Returns the `Variant` of a name, of the terms of gates, or itself.

    Args:
        variant: A name in `VARIANTS`, in upper or lower case, a list or tuple
            of the terms of the gates, or a `Variant`.
        family: A `keras_slim.families.Family`, the family that the variant
            must belong to, or `None`. With `None`, the family of given terms
            is the one with as many gates: `(i, f, c, o)` for an LSTM,
            `(z, r, h)` for a GRU, `(f, h)` for an MGU.

    Returns:
        A `Variant`.

    Raises:
        ValueError: if the name is unknown, the terms are not those of gates,
            or the variant is of another family.

    Example:

    >>> get("LSTM3").terms
    ('b', 'b', 'xhb', 'b')
    >>> get(["hb", 1.0, "xhb"]).family.title
    'GRU'
    """
    found = None
    families = FAMILIES.values() if family is None else [family]
    if isinstance(variant, Variant):
        found = variant
    elif isinstance(variant, str):
        found = VARIANTS.get(variant.lower())
    elif isinstance(variant, (list, tuple)):
        for candidate in families:
            if len(candidate.gates) == len(variant):
                found = Variant(candidate, variant)
    if found is not None and found.family in families:
        return found
    names = [name for name, v in VARIANTS.items() if v.family in families]
    gates = [f"({', '.join(f.gates)}) of {f.title}" for f in families]
    raise ValueError(
        "Invalid value for argument `variant`. Expected one of "
        f"{names}, or a tuple of gates {' or '.join(gates)}, each a string "
        f"of the terms {''.join(TERMS)!r} or a number. "
        f"Received: variant={variant!r}"
    )
