"""Dataclasses of settings: what shapes a run, and where each value is from."""

import dataclasses
import numbers
import typing


def setting(default, origin, note, choices=None, least=None, below=None):
    """A field of a `Settings` class.

    Args:
        default: Value of the field's type. A field whose type is `int | None`
            may be `None`, and likewise for other types.
        origin: String, where the default comes from, in a word.
        note: String, for the help of the command line.
        choices: Tuple of strings. Default: `None`, any are allowed.
        least: Number, the smallest that is allowed. Default: `None`, any.
        below: Number, below which all must be. Default: `None`, any.

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
            "below": below,
        },
    )


def seed_setting(default, origin, note):
    """A field for a seed of Keras and NumPy, see `setting`."""
    return setting(default, origin, note, least=0, below=2**32)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a run, base of a frozen dataclass of `setting` fields.

    The rest of the engine takes the field `seed` for the seed of a run,
    `epochs` for their number, `backend` for that of Keras and `variant` for
    what tables compare.

    Raises:
        ValueError: if a value is not one that its field allows.
    """

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = _checked(field, getattr(self, field.name))
            # One kind of number a field, so that one run has one id.
            object.__setattr__(self, field.name, value)

    def config(self):
        """The settings as a JSON-ready dict, of which the id of a run is made.

        A field that is added one day must be left out here where it has the
        value of all earlier runs, so that they keep their ids.
        """
        return dataclasses.asdict(self)


def value_type(field):
    """The type of a field's values, `None` left aside."""
    return typing.get_args(field.type)[0] if _optional(field) else field.type


def _optional(field):
    return type(None) in typing.get_args(field.type)


_KINDS = {
    bool: (bool, "True or False"),
    int: (numbers.Integral, "an integer"),
    float: (numbers.Real, "a number"),
    str: (str, "a string"),
}


def _checked(field, value):
    if value is None and _optional(field):
        return None
    kind = value_type(field)
    accepted, expected = _KINDS[kind]
    choices, least, below = map(
        field.metadata.get, ("choices", "least", "below")
    )
    valid = isinstance(value, accepted)
    if kind is not bool:
        valid = valid and not isinstance(value, bool)
    if choices is not None:
        expected = f"one of {', '.join(choices)}"
        valid = valid and value in choices
    if least is not None:
        expected += f" >= {least}"
        valid = valid and value >= least
    if below is not None:
        expected += f" and < {below}"
        valid = valid and value < below
    if not valid:
        raise ValueError(
            f"Invalid value for `{field.name}`. Expected {expected}. "
            f"Received: {field.name}={value!r}"
        )
    return kind(value)
