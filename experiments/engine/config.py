"""Configs: the settings of a run, and where each default comes from."""

import dataclasses
import functools
import numbers
import os
import sys
import typing

import numpy as np
import pandas as pd


def setting(
    default,
    origin,
    note,
    choices=None,
    least=None,
    above=None,
    below=None,
    read=None,
):
    """A field of a `BaseConfig` class.

    Args:
        default: Value of the field's type. A field whose type is `int | None`
            may be `None`, and likewise for other types.
        origin: String, one word for where the default comes from.
        note: String, for the help of the command line.
        choices: Tuple of strings. Default: `None`, any are allowed.
        least: Number, the smallest allowed value. Default: `None`, any.
        above: Number, an exclusive lower bound. Default: `None`, no bound.
        below: Number, an exclusive upper bound. Default: `None`, no bound.
        read: Function of a valid value that returns its canonical form, which
            becomes part of the id of a run, or raises a `ValueError` that says
            what is expected. Default: `None`, every value is canonical.

    Returns:
        What `dataclasses.field` returns.
    """
    return dataclasses.field(
        default=default,
        metadata={
            "origin": origin,
            "note": note,
            "choices": choices,
            "least": least,
            "above": above,
            "below": below,
            "read": read,
        },
    )


def expanded(path):
    found = os.path.expanduser(path)
    try:
        os.lstat(found)
    except (FileNotFoundError, NotADirectoryError):
        if found.startswith("~"):
            expected = "a name, or a path in a home folder that exists"
            raise ValueError(expected) from None
    except (OSError, ValueError) as error:  # too long, or with a null byte
        raise ValueError(f"a name or a path ({error})") from None
    # It is shown in tables, pages and pictures; an unset variable is empty.
    if not found or not found.isprintable():
        raise ValueError("a name or a path of printable characters")
    return found


# A name or the path of a file; `~` is the home folder.
path_setting = functools.partial(setting, read=expanded)
# Bounded, as a run looks for checkpoints of runs with any fewer epochs.
epochs_setting = functools.partial(setting, least=1, below=100_000)
# A seed of Keras and NumPy.
seed_setting = functools.partial(setting, least=0, below=2**32)


@dataclasses.dataclass(frozen=True, kw_only=True)
class BaseConfig:
    """Base class of the settings of a run.

    A subclass is a frozen dataclass with fields made by `setting`. The engine
    requires the fields `seed`, `epochs`, `backend` and `variant`, which
    tables compare.

    Attributes:
        origins: String, which explains the origins of the fields.

    Raises:
        ValueError: if a value is not one that its field allows.
    """

    origins = ""

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = checked(field, getattr(self, field.name))
            # One type per field, so that equal settings have the same id.
            object.__setattr__(self, field.name, value)

    def as_dict(self):
        """The settings as a JSON-ready dict, which determines the run's id.

        A field that is added later must be left out where it has the value
        that all earlier runs used, so that these keep their ids.
        """
        return dataclasses.asdict(self)


def value_type(field):
    """The type of a field's values other than `None`."""
    return typing.get_args(field.type)[0] if _optional(field) else field.type


def _optional(field):
    return type(None) in typing.get_args(field.type)


def is_path(field):
    """Whether the values of a field may be paths."""
    return field.metadata["read"] is expanded


_WORDS = {"none": None, "true": True, "false": False}


def from_text(field, text):
    """Reads a value of a field from a command line, without checking it.

    `none` is the `None` of an optional field. A text that cannot be read is
    returned as it is.
    """
    kind = value_type(field)
    if text.lower() in _WORDS and (kind is bool or _optional(field)):
        return _WORDS[text.lower()]
    try:
        return text if kind is bool else kind(text)
    except ValueError:
        return text


def to_text(value):
    """The value of a setting, as tables show it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    return "none" if pd.isna(value) else f"{value:g}"


_KINDS = {
    bool: (bool, "True or False"),
    int: (numbers.Integral, "an integer"),
    float: (numbers.Real, "a finite number"),
    str: (str, "a string"),
}


def checked(field, value):
    """The canonical form of a value of a field.

    Raises:
        ValueError: if it is not one that the field allows.
    """
    if value is None and _optional(field):
        return None
    kind = value_type(field)
    accepted, expected = _KINDS[kind]
    choices, least, above, below, read = map(
        field.metadata.get, ("choices", "least", "above", "below", "read")
    )
    valid = isinstance(value, accepted)
    if kind is float:
        valid = valid and abs(value) <= sys.float_info.max
    if kind is not bool:
        valid = valid and not isinstance(value, bool)
    if choices is not None:
        expected = f"one of {', '.join(choices)}"
        valid = valid and value in choices
    if least is not None:
        expected += f" >= {least}"
        valid = valid and value >= least
    if above is not None:
        expected += f" > {above}"
        valid = valid and value > above
    if below is not None:
        expected += f" and < {below}"
        valid = valid and value < below
    elif kind is int and valid and value >= 2**53:  # is exact in no table
        valid, expected = False, f"{expected} and < 2**53"
    if read is not None and valid:
        try:
            value = read(value)
        except ValueError as error:
            valid, expected = False, str(error)
    if not valid:
        raise invalid(field.name, expected, value)
    # Without the sign of zero, which would be part of the id.
    return kind(value) + 0.0 if kind is float else kind(value)


def invalid(name, expected, value):
    """The error that a value is not allowed."""
    return ValueError(
        f"Invalid value for `{name}`. Expected {expected}. "
        f"Received: {name}={value!r}"
    )
