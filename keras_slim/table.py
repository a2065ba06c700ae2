import math
import numbers

from keras_slim.variants import GATES, VARIANTS, get


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
        header = [name.replace("_", " ") for name in self.rows[0]]
        body = [
            [f"{v:,}" if isinstance(v, int) else v for v in row.values()]
            for row in self.rows
        ]
        widths = [
            max(map(len, column)) for column in zip(header, *body, strict=True)
        ]
        is_number = [isinstance(v, int) for v in self.rows[0].values()]
        lines = [header, ["─" * width for width in widths], *body]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if number else cell.ljust(width)
                for cell, width, number in zip(
                    line, widths, is_number, strict=True
                )
            ).rstrip()
            for line in lines
        )

    __repr__ = __str__

    def _repr_html_(self):
        try:
            return self.to_frame().to_html()
        except ImportError:
            return f"<pre>{self}</pre>"


def variant_table(units, features, variants=None, use_bias=True):
    """Compares variants: terms of the gates, parameters, work of a step.

    Args:
        units: Positive integer, number of units.
        features: Positive integer, number of input features.
        variants: List of variants, names or rows. Default: `None`, all of
            `keras_slim.variants.VARIANTS`.
        use_bias: Boolean (default `True`), as of the layer.

    Returns:
        A `VariantTable` with the columns `variant`; `i`, `f`, `c`, `o`, the
        terms of each gate or its constant; `parameters`; and `multiply_adds`,
        those of one step for one sample: the products `W x`, `U h`, `u ⊙ h`
        and the three `⊙` of the state equations, activations not counted.

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
    return VariantTable(
        [
            _row(get(variant), int(units), int(features), use_bias)
            for variant in variants
        ]
    )


def _row(variant, units, features, use_bias):
    shapes = variant.weight_shapes(units, features, use_bias)
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    return {
        "variant": variant.name or f"({', '.join(map(str, variant.row))})",
        **{
            gate: variant.sum_of_terms(gate, use_bias).replace(f"_{gate}", "")
            for gate in GATES
        },
        "parameters": sum(sizes.values()),
        "multiply_adds": sum(sizes.values()) - sizes.get("bias", 0) + 3 * units,
    }
