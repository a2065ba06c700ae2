"""The grid of a sweep: from the values of its axes to its runs."""

import dataclasses
import itertools
import re
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from experiments.engine.runs import identity
from experiments.engine.seeds import clock_seeds
from experiments.engine.settings import (
    checked,
    from_text,
    is_path,
    value_type,
)

# In place of a seed: one drawn from the clock.
CLOCK = "clock"


def parse_axis(run_type, name, *texts):
    """Reads the values of an axis.

    Args:
        run_type: `Settings` class.
        name: String, one of its fields.
        *texts: Strings, each with values between commas; integers may be
            ranges such as `0-9`, ends included, a `seed` may be `clock`, and
            `none` is the `None` of an optional field. A path of a file that
            exists is one value, commas in it or not.

    Returns:
        Tuple of values, canonical.

    Raises:
        ValueError: if a value cannot be read, is not allowed or stands twice
            in one of the strings.
    """
    field = run_type.__dataclass_fields__[name]
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
    """The values that a part of an option's text stands for."""
    if field.name == "seed" and part == CLOCK:
        return [CLOCK]
    values = [from_text(field, part)]
    span = re.fullmatch(r"(\d+)-(\d+)", part)
    if span and value_type(field) is int:
        first, last = map(int, span.groups())
        values = range(first, last + 1)
    if not values or _is_unread(field, values[0]):
        raise ValueError(
            f"Invalid value for `{field.name}`. Expected {_expected(field)}, "
            f"between commas. Received: {field.name}={text!r}"
        )
    return [checked(field, value) for value in values]


def _parts(field, text):
    """The values between commas; the path of a file is one value."""
    if is_path(field) and Path(text).expanduser().is_file():
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


def product(run_type, settings):
    """The settings of each run of a grid, every one checked.

    Seeds change from run to run more slowly than variants, and all else more
    slowly than seeds: a sweep that is cut short can be compared as it is.

    Args:
        run_type: `Settings` class.
        settings: Dict of its settings, with a tuple for each axis. A seed may
            be `CLOCK`.

    Returns:
        List of dicts, settings of a `run_type`; the seed may be `CLOCK`.

    Raises:
        ValueError: if a value is not one that `run_type` allows.
    """
    fields = [field.name for field in dataclasses.fields(run_type)]
    order = sorted(
        settings,
        key=lambda name: (
            name == "variant",
            name == "seed",
            fields.index(name),
        ),
    )
    axes = [
        value if isinstance(value, tuple) else (value,)
        for value in map(settings.get, order)
    ]
    found = []
    for values in itertools.product(*axes):
        cell = dict(zip(order, values, strict=True))
        of_clock = cell.get("seed") == CLOCK
        run = run_type(**{**cell, "seed": 0} if of_clock else cell)
        canonical = {name: getattr(run, name) for name in cell}
        found.append({**canonical, "seed": CLOCK} if of_clock else canonical)
    return found


def varied(run_type, configs):
    """The settings in which runs differ, variants and seeds left aside.

    Args:
        run_type: `Settings` class.
        configs: List of dicts, or a `pandas.DataFrame` with a row for each
            run.

    Returns:
        List of names, in the order of the fields.
    """
    configs = pd.DataFrame(configs)
    return [
        field.name
        for field in dataclasses.fields(run_type)
        if field.name not in ("variant", "seed")
        and configs[field.name].nunique(dropna=False) > 1
    ]


def seedless(run_type, cells):
    """The runs of a grid, with 0 in place of every seed."""
    return [run_type(**{**cell, "seed": 0}) for cell in cells]


def runs_of(
    run_type,
    cells,
    results_dir,
    experiment,
    fingerprints,
    draw=True,
    elsewhere=MappingProxyType({}),
):
    """The runs of a grid, with seeds from the clock where they are asked for.

    Args:
        run_type: `Settings` class.
        cells: List of dicts, what `product` returned.
        results_dir: Path of the results of all experiments.
        experiment: Name of the experiment, a folder in `results_dir`.
        fingerprints: List of strings, the identity of the data of each cell.
        draw: Boolean, whether to draw seeds that are not drawn yet.
        elsewhere: Dict of seeds that were drawn elsewhere, see
            `seeds.clock_seeds`.

    Returns:
        List of `run_type`, `None` for a run whose seed is not drawn.
    """
    runs = seedless(run_type, cells)
    seeds = [cell["seed"] for cell in cells]
    timed = [k for k, seed in enumerate(seeds) if seed == CLOCK]
    keys = []
    for k in timed:
        config = runs[k].config()
        del config["seed"]
        keys.append(identity(config, fingerprints[k]))
    drawn = clock_seeds(results_dir, experiment, keys, draw, elsewhere)
    for k, seed in zip(timed, drawn, strict=True):
        seeds[k] = seed
    return [
        None if seed is None else dataclasses.replace(run, seed=seed)
        for run, seed in zip(runs, seeds, strict=True)
    ]
