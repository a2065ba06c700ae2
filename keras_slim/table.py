import itertools
import math
import numbers
from collections.abc import Collection

import keras
import numpy as np

from keras_slim.places import places
from keras_slim.variants import VARIANTS, get


class Table:
    """A table to `print`, or to convert to a pandas `DataFrame`.

    Args:
        rows: List of dicts with the same keys, one for each row of the table.
            The first key is that of the name of the row.
    """

    def __init__(self, rows):
        self.rows = rows

    def to_frame(self):
        """The table as a pandas `DataFrame`, indexed by its first column.

        Returns:
            A `pandas.DataFrame`.

        Raises:
            ImportError: if pandas is not installed.
        """
        import pandas as pd

        return pd.DataFrame(self.rows).set_index(next(iter(self.rows[0])))

    def __str__(self):
        # A block for rows with the same columns, such as those of a family.
        blocks = itertools.groupby(
            self.rows, lambda row: [name for name in row if row[name] != ""]
        )
        return "\n\n".join(_text(names, [*rows]) for names, rows in blocks)

    __repr__ = __str__

    def _repr_html_(self):
        try:
            frame = self.to_frame().astype(object).map(_readable)
            # With spaces, where a narrow page can break a line.
            return frame.rename(columns=_words).to_html()
        except ImportError:
            return f"<pre>{self}</pre>"


def _readable(value):
    return f"{value:,}" if isinstance(value, int) else value


def _words(name):
    return name.replace("_", " ")


def _text(names, rows):
    columns, is_number = [], []
    for name in names:
        cells = [_readable(row[name]) for row in rows]
        number = isinstance(rows[0][name], int)
        stem, _, when = name.rpartition("_")
        if stem and when == "after":  # next to what was before
            _, *before = columns.pop()
            cells = [
                old if old == new else f"{old} → {new}"
                for old, new in zip(before, cells, strict=True)
            ]
            name, number = stem, is_number.pop()
        columns.append([_words(name), *cells])
        is_number.append(number)
    widths = [max(map(len, column)) for column in columns]
    header, *body = zip(*columns, strict=True)
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
    """Compares variants: terms of the gates, parameters, work per time step.

    Args:
        units: Positive integer, number of units.
        features: Positive integer, number of input features.
        variants: List of variants: names, tuples of gates, or `Variant`
            objects. Default: `None`, all of `keras_slim.variants.VARIANTS`.
        use_bias: Boolean (default `True`), as for the layers.

    Returns:
        A `Table` with the columns `variant`; one per gate, `i`, `f`, `c`, `o`
        for an LSTM, with its terms, its constant, or nothing if the family of
        the variant does not have it; `parameters`; and `multiply_adds`, those
        of one time step for one sample: the products `W x`, `U h`, `u ⊙ h` and
        the three `⊙` of the state equations and the reset gate, without
        activations.

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
    elif (
        isinstance(variants, str)
        or not isinstance(variants, Collection)
        or not len(variants)
    ):
        raise ValueError(
            "Invalid value for argument `variants`. Expected a list of at "
            f"least one variant. Received: variants={variants!r}"
        )
    variants = [get(variant) for variant in variants]
    gates = dict.fromkeys(gate for v in variants for gate in v.family.gates)
    return Table(
        [
            _row(variant, gates, int(units), int(features), use_bias)
            for variant in variants
        ]
    )


def _row(variant, gates, units, features, use_bias):
    return {
        "variant": variant.name or f"({', '.join(map(str, variant.terms))})",
        **{
            gate: variant.sum_of_terms(gate, use_bias).replace(f"_{gate}", "")
            if gate in variant.gates
            else ""
            for gate in gates
        },
        "parameters": variant.count_params(units, features, use_bias),
        "multiply_adds": _multiply_adds(variant, units, features),
    }


def _multiply_adds(variant, units, features):
    products = variant.count_params(units, features, use_bias=False)
    return products + variant.family.products * units


def size_table(model, slimmed):
    """Compares the recurrent layers of a model with those of a slimmed one.

    Args:
        model: A `keras.Model`.
        slimmed: What `keras_slim.slim(model)` or `keras_slim.to_keras(model)`
            returned.

    Returns:
        A `Table` with one row per recurrent layer and one for the whole model,
        and the columns `layer`, its name after those of the layers around it;
        `before` and `after`, its class; and, each before and after,
        `parameters`; `multiply_adds`, those of one time step for one sample
        (see `variant_table`); and `bytes` of the weights. `multiply_adds` is
        `"–"` for the whole model and for a layer that is not an LSTM, GRU or
        MGU. The last column, `unchanged`, says why a layer was not changed.
        Printed, the columns of a quantity are one: `1,600 → 448`.

    Raises:
        ValueError: if one of them is not a Keras model that is built, or if
            they do not have the same recurrent layers, apart from their
            classes.

    Example:

    >>> print(size_table(model, slim(model, "lstm3")))  # doctest: +SKIP
    """
    for name, one in (("model", model), ("slimmed", slimmed)):
        if not isinstance(one, keras.Model) or not one.built:
            raise ValueError(
                f"Invalid value for argument `{name}`. Expected a Keras model "
                f"that is built. Received: {name}={one!r}"
            )
    both = places(model), places(slimmed)
    before, after = ([place.path for place in found] for found in both)
    if before != after:
        raise ValueError(
            "Invalid value for argument `slimmed`. Expected a model that was "
            f"made from {model.name!r}, with the recurrent layers "
            f"{[place.name for place in both[0]]}. Received: "
            f"{[place.name for place in both[1]]}"
        )
    pairs = list(zip(*both, strict=True))
    families = {
        new.gating.family
        for old, new in pairs
        if type(old.part) is not type(new.part)
    }
    rows = [
        {
            "layer": old.name,
            "before": type(old.part).__name__,
            "after": type(new.part).__name__,
            **_side_by_side(_sizes_of(old), _sizes_of(new)),
            "unchanged": _why_unchanged(old, new, families),
        }
        for old, new in pairs
    ]
    whole = [
        {
            "parameters": one.count_params(),
            "multiply_adds": "–",
            "bytes": _bytes(one),
        }
        for one in (model, slimmed)
    ]
    rows.append(
        {
            "layer": "whole model",
            "before": "–",
            "after": "–",
            **_side_by_side(*whole),
            "unchanged": "–",
        }
    )
    return Table(rows)


def _side_by_side(before, after):
    return {
        f"{name}_{when}": sizes[name]
        for name in before
        for when, sizes in (("before", before), ("after", after))
    }


def _sizes_of(place):
    cell, gating = place.cell, place.gating
    multiply_adds = "–"
    if gating is not None:
        kernel = cell.kernel.shape
        multiply_adds = _multiply_adds(gating, cell.units, kernel[0])
    return {
        "parameters": cell.count_params(),
        "multiply_adds": multiply_adds,
        "bytes": _bytes(cell),
    }


def _bytes(layer):
    return sum(
        math.prod(weight.shape) * np.dtype(weight.dtype).itemsize
        for weight in layer.weights
    )


def _why_unchanged(old, new, families):
    if type(old.part) is not type(new.part):
        return "–"
    if old.gating is None:
        return "not an LSTM or GRU of Keras or keras_slim"
    if families and old.gating.family not in families:
        return f"of the family {old.gating.family.title}"
    return "not chosen"
