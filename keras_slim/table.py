import itertools
import math
import numbers

from keras_slim.variants import VARIANTS, get


class VariantTable:
    """Rows that compare variants; `print` it or take `to_frame()`.

    Args:
        rows: List of dicts with the same keys, one a variant.
    """

    def __init__(self, rows):
        self.rows = rows

    def to_frame(self):
        """The table as a pandas frame, indexed by variant.

        Returns:
            A `pandas.DataFrame`.

        Raises:
            ImportError: if pandas is not installed.
        """
        import pandas as pd

        return pd.DataFrame(self.rows).set_index("variant")

    def __str__(self):
        # A block for each family, with the columns that it has.
        blocks = itertools.groupby(
            self.rows, lambda row: [name for name in row if row[name] != ""]
        )
        return "\n\n".join(_text(names, [*rows]) for names, rows in blocks)

    __repr__ = __str__

    def _repr_html_(self):
        try:
            return self.to_frame().to_html()
        except ImportError:
            return f"<pre>{self}</pre>"


def _text(names, rows):
    header = [name.replace("_", " ") for name in names]
    is_number = [isinstance(rows[0][name], int) for name in names]
    body = [
        [f"{v:,}" if isinstance(v := row[name], int) else v for name in names]
        for row in rows
    ]
    widths = [
        max(map(len, column)) for column in zip(header, *body, strict=True)
    ]
    lines = [header, ["─" * width for width in widths], *body]
    return "\n".join(
        "  ".join(
            value.rjust(width) if number else value.ljust(width)
            for value, width, number in zip(
                line, widths, is_number, strict=True
            )
        ).rstrip()
        for line in lines
    )


def variant_table(units, features, variants=None, use_bias=True):
    """Compares variants: terms of the gates, parameters, work of a step.

    Args:
        units: Positive integer, number of units.
        features: Positive integer, number of input features.
        variants: List of variants, names or rows. Default: `None`, all of
            `keras_slim.variants.VARIANTS`.
        use_bias: Boolean (default `True`), as of the layer.

    Returns:
        A `VariantTable` with the columns `variant`; one per gate, `i`, `f`,
        `c`, `o` of an LSTM, with its terms, its constant, or nothing where
        the family of the variant lacks it; `parameters`; and `multiply_adds`,
        those of one step for one sample: the products `W x`, `U h`, `u ⊙ h`
        and the three `⊙` of the state equations and the reset gate,
        activations not counted.

    Raises:
        ValueError: if `units`, `features` or a variant is invalid.

    Example:

    >>> table = variant_table(128, 100, ["lstm", "lstm3"])
    >>> [row["parameters"] for row in table.rows]
    [117248, 29696]
    >>> print(table)  # doctest: +SKIP
    """
    for name, value in (("units", units), ("features", features)):
        is_integer = isinstance(value, numbers.Integral)
        if not is_integer or isinstance(value, bool) or value <= 0:
            raise ValueError(
                f"Invalid value for argument `{name}`. Expected a positive "
                f"integer. Received: {name}={value!r}"
            )
    if variants is None:
        variants = VARIANTS
    elif isinstance(variants, str) or not len(variants):
        raise ValueError(
            "Invalid value for argument `variants`. Expected a list of at "
            f"least one variant. Received: variants={variants!r}"
        )
    variants = [get(variant) for variant in variants]
    gates = dict.fromkeys(gate for v in variants for gate in v.family.gates)
    return VariantTable(
        [
            _row(variant, gates, int(units), int(features), use_bias)
            for variant in variants
        ]
    )


def _row(variant, gates, units, features, use_bias):
    shapes = variant.weight_shapes(units, features, use_bias)
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    return {
        "variant": variant.name or f"({', '.join(map(str, variant.terms))})",
        **{
            gate: variant.sum_of_terms(gate, use_bias).replace(f"_{gate}", "")
            if gate in variant.gates
            else ""
            for gate in gates
        },
        "parameters": sum(sizes.values()),
        "multiply_adds": sum(sizes.values())
        - sizes.get("bias", 0)
        + variant.family.products * units,
    }
