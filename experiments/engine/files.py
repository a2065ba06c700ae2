"""Files that are complete or absent, even after a kill or a power cut."""

import contextlib
import os
import uuid

import filelock

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed
    fcntl = None

PARTIAL = ".partial"


@contextlib.contextmanager
def replacing(path, mode="w", **options):
    """Opens a file that replaces `path` when it is complete.

    After the block it survives a power cut: first its content is flushed to
    the disk, then the file gets its name, then its folder is flushed. Files
    that killed processes left unfinished in the folder are removed.
    """
    _make_folder(path.parent)
    for left in path.parent.glob(f"*{PARTIAL}"):
        _remove_if_abandoned(left)
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}{PARTIAL}")
    try:
        with _locked(partial, mode, options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if fcntl is None:  # Windows cannot rename an open file
                file.close()
            os.replace(partial, path)
        flush_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def flush_folder(path):
    if os.name != "posix":  # Windows cannot open folders
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def lock_of(path):
    """The lock of a file or folder, which is released if the process dies."""
    locks = path.parent / ".locks"
    locks.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(locks / path.name)


def _make_folder(path):
    """Makes a folder and those above it, flushed to the disk."""
    new = [p for p in (path, *path.parents) if not p.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in reversed(new):
        flush_folder(folder.parent)


def _locked(partial, mode, options):
    """Opens a new file, locked until it is closed, or the process dies."""
    while True:
        file = open(partial, mode, **options)
        with contextlib.suppress(OSError):  # a file system without locks
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)
        if partial.exists():
            return file
        file.close()  # it was removed before it was locked


def _remove_if_abandoned(partial):
    with contextlib.suppress(OSError):  # locked, open on Windows, or gone
        if fcntl is None:
            partial.unlink()
            return
        with open(partial, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            partial.unlink()
