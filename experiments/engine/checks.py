"""Reads files that may be damaged, and reports those that are."""

import csv
import hashlib
import io
import json
import sys


class DamagedFile(ValueError):
    """The file of a run at `path` cannot be used, as `why` says."""

    def __init__(self, path, why):
        super().__init__(
            f"{path} is damaged: {why}. The run counts as not done."
        )
        self.path = path
        self.why = why


def print_error(error):
    """Reports a damaged file in one line."""
    print(error, file=sys.stderr)


def _bytes(path):
    """The content of a file.

    Raises:
        FileNotFoundError: if it does not exist.
        DamagedFile: if it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DamagedFile(path, error.strerror) from None


def sha256(path):
    return hashlib.sha256(_bytes(path)).hexdigest()


def read_text(path, errors="strict"):
    """The text of a file, which must not be blank. Raises like `_bytes`."""
    try:
        text = _bytes(path).decode("utf-8", errors)
    except UnicodeDecodeError as error:
        raise DamagedFile(path, error) from None
    if not text.strip():
        raise DamagedFile(path, "it is empty")
    return text


def read_json(path):
    """The JSON object in a file, a dict that is not empty.

    Raises:
        FileNotFoundError: if it does not exist.
        DamagedFile: if it holds anything else.
    """
    text = read_text(path)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedFile(path, error) from None
    if not isinstance(content, dict) or not content:
        raise DamagedFile(
            path, f"expected a JSON object with content, got {text!r:.40}"
        )
    return content


def read_csv(path):
    """The header and the rows of a CSV file, lists of strings, all complete.

    Raises:
        FileNotFoundError: if it does not exist.
        DamagedFile: if it is incomplete or not CSV.
    """
    text = read_text(path)
    if not text.endswith("\n"):
        raise DamagedFile(path, "its last line is cut off")
    try:
        header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    except csv.Error as error:
        raise DamagedFile(path, error) from None
    for line, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise DamagedFile(
                path,
                f"line {line} has {len(row)} values, expected {len(header)}",
            )
    return header, rows


def read_table(path, columns):
    """The rows of a CSV file, as dicts.

    `columns` has the types of the required columns; values of other columns
    are floats.

    Raises:
        FileNotFoundError: if it does not exist.
        DamagedFile: if it is incomplete or not CSV.
    """
    header, rows = read_csv(path)
    try:
        if missing := columns.keys() - set(header):
            raise ValueError(f"there is no column {min(missing)}")
        kinds = {name: columns.get(name, float) for name in header}
        return [
            {
                name: kinds[name](value) if value else None
                for name, value in zip(header, row, strict=True)
            }
            for row in rows
        ]
    except ValueError as error:
        raise DamagedFile(path, error) from None


def misfit(values, columns):
    """Describes the first value that does not fit its column of a table.

    `values`, from JSON, may lack some columns, and `None` fits all of them.
    Returns `None` if all fits.
    """
    for name, kind in columns.items():
        value = values.get(name)
        accepted = (int, float) if kind is float else kind
        fits = isinstance(value, accepted)
        if kind is not bool and isinstance(value, bool):
            fits = False
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            fits = False  # beyond the range of pandas integers
        if value is not None and not fits:
            return f"`{name}` is {value!r:.40}, expected {kind.__name__}"
    return None
