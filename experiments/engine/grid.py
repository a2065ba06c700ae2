"""The grid of a sweep: from the values of its axes to its runs."""

import dataclasses
import itertools
import re

from experiments.engine.runs import identity
from experiments.engine.seeds import clock_seeds
from experiments.engine.settings import value_type

# In place of a seed: one drawn from the clock.
CLOCK = "clock"


def parse_axis(run_type, name, text):
    """Reads the values of an axis.

    Args:
        run_type: `Settings` class.
        name: String, one of its fields of strings, integers or numbers.
        text: String, values between commas; integers may be ranges such as
            `0-9`, ends included, and a `seed` may be `clock`.

    Returns:
        Tuple of values.

    Raises:
        ValueError: if a value cannot be read or is given twice.
    """
    kind = value_type(run_type.__dataclass_fields__[name])
    values = []
    for part in (part.strip() for part in text.split(",")):
        try:
            if name == "seed" and part == CLOCK:
                values.append(CLOCK)
            elif kind is int:
                values.extend(_integers(part))
            else:
                values.append(kind(part))
        except ValueError:
            expected = {
                int: "integers and ranges such as 0-9",
                float: "numbers",
            }[kind]
            if name == "seed":
                expected = f"integers, ranges such as 0-9, and {CLOCK!r}"
            raise ValueError(
                f"Invalid value for `{name}`. Expected {expected}, between "
                f"commas. Received: {name}={text!r}"
            ) from None
    if len(set(values)) < len(values):
        raise ValueError(
            f"A value of `{name}` is given twice. Received: {name}={text!r}"
        )
    return tuple(values)


def _integers(text):
    """The integers that `7`, or a range such as `0-9`, stands for."""
    span = re.fullmatch(r"(\d+)-(\d+)", text)
    if not span:
        return [int(text)]
    first, last = map(int, span.groups())
    if last < first:
        raise ValueError
    return range(first, last + 1)


def product(run_type, settings, order):
    """The settings of each run of a grid, every one checked.

    Args:
        run_type: `Settings` class.
        settings: Dict of its settings, with a tuple for each axis. A seed may
            be `CLOCK`.
        order: Names of the axes; the last changes from run to run.

    Returns:
        List of dicts, settings of a `run_type`; the seed may be `CLOCK`.

    Raises:
        ValueError: if a value is not one that `run_type` allows.
    """
    found = []
    for values in itertools.product(*(settings[name] for name in order)):
        cell = {**settings, **dict(zip(order, values, strict=True))}
        of_clock = cell["seed"] == CLOCK
        run_type(**{**cell, "seed": 0} if of_clock else cell)
        found.append(cell)
    return found


def seedless(run_type, cells):
    """The runs of a grid, with 0 in place of every seed."""
    return [run_type(**{**cell, "seed": 0}) for cell in cells]


def runs_of(run_type, cells, results_dir, experiment, fingerprints, draw=True):
    """The runs of a grid, with seeds from the clock where they are asked for.

    Args:
        run_type: `Settings` class.
        cells: List of dicts, what `product` returned.
        results_dir: Path of the results of all experiments.
        experiment: Name of the experiment, a folder in `results_dir`.
        fingerprints: List of strings, the identity of the data of each cell.
        draw: Boolean, whether to draw seeds that are not drawn yet.

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
    drawn = clock_seeds(results_dir, experiment, keys, draw)
    for k, seed in zip(timed, drawn, strict=True):
        seeds[k] = seed
    return [
        None if seed is None else dataclasses.replace(run, seed=seed)
        for run, seed in zip(runs, seeds, strict=True)
    ]
