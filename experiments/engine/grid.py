"""The grid of a sweep: from the values of its axes to configs."""

import dataclasses
import itertools
import math
import os
import re

import pandas as pd

from experiments.engine.config import (
    checked,
    from_text,
    invalid,
    is_path,
    value_type,
)

# In place of a seed: one is drawn from the clock.
CLOCK = "clock"
MOST_RUNS = 100_000  # in a grid, and values of an axis


def parse_axis(config_type, name, *texts):
    """Reads the values of an axis.

    Args:
        config_type: Subclass of `BaseConfig`.
        name: String, one of its fields.
        *texts: Strings of values separated by commas. Integers may be ranges
            such as `0-9`, ends included, a `seed` may be `clock`, and `none`
            is the `None` of an optional field. The path of an existing file
            is one value, even with commas in it.

    Returns:
        Tuple of values, canonical.

    Raises:
        ValueError: if a value cannot be read, is not allowed or is repeated
            within a string.
    """
    field = config_type.__dataclass_fields__[name]
    found = {}
    for text in texts:
        values = [
            value
            for part in _parts(field, text)
            for value in _values(field, part, text)
        ]
        if len(set(values)) < len(values):
            raise ValueError(
                f"A value of `{name}` is given twice. Received: {name}={text!r}"
            )
        found |= dict.fromkeys(values)
    return tuple(found)


def _values(field, part, text):
    """The values that a part between commas stands for."""
    if field.name == "seed" and part == CLOCK:
        return [CLOCK]
    values = [from_text(field, part)]
    span = re.fullmatch(r"(\d+)-(\d+)", part)
    if span and value_type(field) is int:
        first, last = (checked(field, int(end)) for end in span.groups())
        values = range(first, last + 1)
        if len(values) > MOST_RUNS:
            raise ValueError(
                f"Invalid value for `{field.name}`. Expected at most "
                f"{MOST_RUNS:,} values. Received: {field.name}={text!r} with "
                f"{len(values):,}"
            )
    if not values or _is_unread(field, values[0]):
        expected = f"{_expected(field)}, between commas"
        raise invalid(field.name, expected, text)
    return [checked(field, value) for value in values]


def _parts(field, text):
    """The parts between commas; the path of a file is one part."""
    if is_path(field) and os.path.isfile(os.path.expanduser(text)):
        return [text]
    return [part.strip() for part in text.split(",")]


def _is_unread(field, value):
    return isinstance(value, str) and value_type(field) is not str


def _expected(field):
    if field.name == "seed":
        return f"integers, ranges such as 0-9, and {CLOCK!r}"
    return {
        int: "integers and ranges such as 0-9",
        float: "numbers",
        bool: "true or false",
    }[value_type(field)]


def product(config_type, settings):
    """The settings of each run of a grid as dicts, every one checked.

    Variants vary fastest, then seeds, then all other settings, so that the
    runs of an interrupted sweep can be compared. A tuple in `settings` is an
    axis. A seed may be `CLOCK`, and so may those of the runs.

    Raises:
        ValueError: if a value is not one that `config_type` allows.
    """
    fields = [field.name for field in dataclasses.fields(config_type)]
    order = sorted(settings, key=fields.index)
    order.sort(key=lambda name: (name == "variant", name == "seed"))
    axes = [
        value if isinstance(value, tuple) else (value,)
        for value in map(settings.get, order)
    ]
    runs = math.prod(map(len, axes))
    if runs > MOST_RUNS:
        raise ValueError(
            f"Expected a grid of at most {MOST_RUNS:,} runs. Received: "
            + " x ".join(
                f"{len(values):,} {name}"
                for name, values in zip(order, axes, strict=True)
                if len(values) > 1
            )
        )
    found = []
    for values in itertools.product(*axes):
        point = dict(zip(order, values, strict=True))
        of_clock = point.get("seed") == CLOCK
        config = config_type(**{**point, "seed": 0} if of_clock else point)
        canonical = {name: getattr(config, name) for name in point}
        found.append({**canonical, "seed": CLOCK} if of_clock else canonical)
    return found


def varied(config_type, configs):
    """The settings in which runs differ, other than variant and seed.

    `configs` are dicts, or a `pandas.DataFrame` with one row per run. The
    names are in the order of the fields.
    """
    configs = pd.DataFrame(configs)
    return [
        field.name
        for field in dataclasses.fields(config_type)
        if field.name not in ("variant", "seed")
        and configs[field.name].nunique(dropna=False) > 1
    ]


def seedless(config_type, points):
    """The configs of a grid, with 0 in place of every seed."""
    return [config_type(**{**point, "seed": 0}) for point in points]
