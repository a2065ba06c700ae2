"""Cached files in Keras's folder, each of them whole or absent."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
import uuid
from pathlib import Path

import numpy as np

from keras_slim.datasets._checks import check_path

_PARTIAL = "partial-"
_ONE_DAY = 24 * 60 * 60


def root():
    """Returns `keras_slim` under `KERAS_HOME`, else under `~/.keras`.

    Keras reads the variable when it is imported; here it is read at each
    call, so that it can still be set afterwards.
    """
    home = os.environ.get("KERAS_HOME")
    if not home:
        base = os.path.expanduser("~")
        if not os.access(base, os.W_OK):
            base = tempfile.gettempdir()
        home = os.path.join(base, ".keras")
    return check_path("KERAS_HOME", home) / "keras_slim"


def key(*parts):
    """Returns a short key from everything that a cached file depends on."""
    text = json.dumps(parts, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def sha256(path):
    """Returns the sha256 of a file in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load(path, names):
    """Returns the arrays called `names`, or `None` if they cannot be read."""
    try:
        # numpy leaves a damaged file open if it opened it itself.
        with open(path, "rb") as file, np.load(file) as arrays:
            return {name: arrays[name] for name in names}
    except Exception:
        # A damaged file can raise nearly anything. In every case, as for a
        # missing file, the file is made again.
        return None


def save(path, arrays):
    """Writes the arrays; a reader sees the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{_PARTIAL}{uuid.uuid4().hex}.npz")
    try:
        with open(partial, "xb") as file:
            np.savez(file, **arrays)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def partial_folder(folder):
    """Provides a folder for a download, and removes it afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    # What killed processes could not remove must not fill the disk.
    for left in folder.glob(f"{_PARTIAL}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _ONE_DAY:
                if left.is_dir():
                    shutil.rmtree(left)
                else:
                    left.unlink()
    with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=folder) as partial:
        yield Path(partial)
