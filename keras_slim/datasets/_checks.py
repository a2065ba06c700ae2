import numbers
import zipfile
import zlib

# What zipfile raises on a file that is damaged or otherwise unreadable: a
# wrong place inside the file, for one, is an OSError.
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError)


def check_integer(name, value, minimum, optional=False):
    """Raises a `ValueError` unless `value` is an integer from `minimum` on."""
    if value is None and optional:
        return
    is_integer = isinstance(value, numbers.Integral)
    if not is_integer or isinstance(value, bool) or value < minimum:
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected an integer >= "
            f"{minimum}{' or None' if optional else ''}. "
            f"Received: {name}={value!r}"
        )


def check_share(name, value):
    """Raises a `ValueError` unless `value` is a number in `[0, 1)`."""
    if not isinstance(value, numbers.Real) or not 0 <= value < 1:
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected a number with "
            f"0 <= {name} < 1. Received: {name}={value!r}"
        )
