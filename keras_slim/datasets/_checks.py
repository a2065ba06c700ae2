import numbers
import os
import zipfile
import zlib
from pathlib import Path

try:
    from lzma import LZMAError
except ImportError:  # a Python without lzma, in which zipfile needs none
    LZMAError = zipfile.BadZipFile

# What zipfile raises on a file that is damaged or otherwise unreadable: a
# wrong offset in the file, for example, is an OSError, and the name of a member
# may not be UTF-8.
ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    LZMAError,
    UnicodeDecodeError,
    EOFError,
    RuntimeError,
    OSError,
)


def check_integer(name, value, minimum, optional=False):
    """Raises a `ValueError` unless `value` is an integer >= `minimum`."""
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


def check_path(name, value):
    """Returns `value` as a `Path` in which `~` is expanded.

    Raises a `ValueError` unless it is a path and, if it begins with `~user`,
    that user has a home folder.
    """
    try:
        if isinstance(value, str | os.PathLike):
            return Path(value).expanduser()
    except RuntimeError:
        pass
    raise ValueError(
        f"Invalid value for `{name}`. Expected the path of a file or folder. "
        f"Received: {name}={value!r}"
    )
