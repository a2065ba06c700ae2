"""A run is a folder: what it was, how it went, and that it is done.

`run.json` is written first, `history.csv` grows by the epoch, `result.json`
comes last. Each file is replaced as a whole and is on the disk before anything
relies on it, so that a run that is killed at any moment, or by a power cut,
leaves a folder that the next start can go on from.

Files are checked when they are read. A run of which one is damaged is not
done, whoever asks, and a sweep makes it again.
"""

import contextlib
import csv
import glob
import hashlib
import importlib
import json
import math
import os
import platform
import subprocess
import time
import traceback
import uuid
from pathlib import Path

import filelock

from experiments.engine.checks import (
    DamagedFile,
    misfit,
    read_json,
    read_table,
    read_text,
    sha256,
    tell,
)

_PARTIAL = ".partial"
_ABANDONED_SECONDS = 3600  # no file takes that long to be written
# How long a process that wants a run waits for one that only looks at it.
_LOOK_SECONDS = 0.5


@contextlib.contextmanager
def replacing(path, mode="w", **options):
    """Opens a file that takes the place of `path` when it is complete.

    It survives a power cut from the end of the block on: the content is
    flushed to the disk before the file gets its name, and the name after it.
    """
    _make_folder(path.parent)
    for left in path.parent.glob(f"{glob.escape(path.name)}.*{_PARTIAL}"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
                left.unlink()  # its process was killed
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}{_PARTIAL}")
    try:
        with open(partial, mode, **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        _flush_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def _make_folder(path):
    """Makes a folder and those above it, flushed to the disk."""
    new = [p for p in (path, *path.parents) if not p.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in reversed(new):
        _flush_folder(folder.parent)


def _flush_folder(path):
    if os.name != "posix":  # Windows opens no folders
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def lock_of(path):
    """The lock of a file or folder, which the system frees with a process."""
    locks = path.parent / ".locks"
    locks.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(locks / path.name)


def _write_json(path, content):
    with replacing(path, encoding="utf-8") as file:
        # JSON has no number that is not finite; `finish` writes null instead.
        json.dump(content, file, indent=2, ensure_ascii=False, allow_nan=False)
        file.write("\n")


def finite(result):
    """A dict with `None` for numbers that are not finite."""
    return {
        name: None
        if isinstance(value, float) and not math.isfinite(value)
        else value
        for name, value in result.items()
    }


def identity(config, fingerprint):
    """The id of a run: 12 hexadecimal digits of its config and its data."""
    canonical = json.dumps(
        {"config": config, "data": fingerprint},
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def provenance():
    """Where and with what a run is made, as a dict for `run.json`."""
    import keras

    backend = keras.backend.backend()
    modules = ("keras_slim", "keras", backend, "numpy")
    versions = {m: importlib.import_module(m).__version__ for m in modules}
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "backend": backend,
        "device": _device(),
        "versions": {"python": platform.python_version(), **versions},
        "commit": _commit(),
    }


def _device():
    import keras

    backend = keras.backend.backend()
    names = []
    if backend == "jax":
        import jax

        names = [d.device_kind for d in jax.devices() if d.platform != "cpu"]
    elif backend == "torch":
        import torch

        count = torch.cuda.device_count()
        names = [torch.cuda.get_device_name(k) for k in range(count)]
    elif backend == "tensorflow":
        import tensorflow as tf

        for gpu in tf.config.list_physical_devices("GPU"):
            details = tf.config.experimental.get_device_details(gpu)
            names.append(details.get("device_name", gpu.name))
    if names:
        return f"{len(names)} x {names[0]}"
    return f"{os.cpu_count()} x CPU ({platform.machine()})"


def _commit():
    """The commit of the checkout, marked where files differ from it."""
    root = Path(__file__).parents[2]

    def git(*arguments):
        return subprocess.run(
            ["git", *arguments],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) != root.resolve():
            return None  # unpacked inside a checkout of something else
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("-changed" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None  # not a checkout, or no git


class NotItsFolder(DamagedFile):
    """The `run.json` of a folder describes the run of another one."""

    def __init__(self, path, name):
        ValueError.__init__(
            self,
            f"{path.parent} is not the folder of the run that it holds, which "
            f"is {name}. It is left out.",
        )
        self.path = path


class RunIsClaimed(OSError):
    """Another process is making the run."""


class RunFolder:
    """The folder of one run.

    Args:
        results_dir: Path of the results of all experiments.
        experiment: Name of the experiment, a folder in `results_dir`.
        config: JSON-ready dict, everything that shapes the run but its data.
        fingerprint: String, the identity of the data.
        tables: `results.Tables` of the experiment, by which the files of the
            run are checked. Default: `None`, they may hold anything.
        keep_checkpoint: Boolean, whether the last checkpoint stays when the
            run is done, for the same run with more epochs.
    """

    def __init__(
        self,
        results_dir,
        experiment,
        config,
        fingerprint,
        tables=None,
        keep_checkpoint=False,
    ):
        self.id = identity(config, fingerprint)
        self.path = Path(results_dir) / experiment / self.id
        self._tables = tables
        self._keep_checkpoint = keep_checkpoint
        self._description = {
            "id": self.id,
            "experiment": experiment,
            "config": config,
            "data_fingerprint": fingerprint,
        }

    @contextlib.contextmanager
    def claim(self):
        """Holds the run for this process, until it ends or dies.

        Raises:
            RunIsClaimed: if another process holds it.
        """
        lock = lock_of(self.path)
        try:
            # `is_claimed` of another process takes the lock for a moment, and
            # who makes the run for as long as that takes.
            lock.acquire(timeout=_LOOK_SECONDS)
        except filelock.Timeout:
            raise RunIsClaimed(
                f"Another process is making the run {self.path}"
            ) from None
        try:
            yield
        finally:
            lock.release()

    @property
    def is_claimed(self):
        """Whether a process is making the run."""
        # No file could tell: it would outlive a process that is killed.
        lock = lock_of(self.path)
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            return True
        lock.release()
        return False

    @property
    def checkpoint(self):
        return self.path / "checkpoint.npz"

    def kept_checkpoints(self):
        """Those of the same run with fewer epochs, made with `keep_checkpoint`.

        Yields:
            Tuple of a number of epochs, the most first, and the
            `pathlib.Path` of a checkpoint, which may be gone or damaged.
        """
        config = self._description["config"]
        for epochs in range(config.get("epochs", 0) - 1, 0, -1):
            name = identity(
                {**config, "epochs": epochs},
                self._description["data_fingerprint"],
            )
            path = self.path.with_name(name)
            if path.exists() and _keeps_checkpoint(path):
                yield epochs, path / self.checkpoint.name

    def remove_checkpoint(self):
        """Removes the checkpoint of a run that is done, but for a kept one."""
        if self.checkpoint.exists() and not _keeps_checkpoint(self.path):
            self.checkpoint.unlink()

    @property
    def result(self):
        """What `finish` was given, or `None` for a run that is not done."""
        if not (self.path / "result.json").exists():
            return None
        try:
            return read_run(self.path, self._tables)["result"]
        except DamagedFile:
            return None

    @property
    def damaged(self):
        """List of the errors of files that cannot be used."""
        if not any((self.path / name).exists() for name in _OF_A_RUN):
            return []
        try:
            return read_run(self.path, self._tables)["damaged"]
        except DamagedFile as error:
            return [error]

    def set_aside_damaged(self):
        """Names the files that cannot be used, and renames them.

        So each is named once, whichever process meets it first. The run must
        be claimed.
        """
        errors = self.damaged
        paths = {error.path for error in errors}
        if errors:  # a result that is whole does not make the run done
            paths.add(self.path / "result.json")
        for error in errors:
            tell(error)
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                os.replace(path, path.with_name(f"{path.name}.damaged"))
        if paths:
            _flush_folder(self.path)

    def start(self, **details):
        """Writes `run.json`; a run that goes on adds a start to it."""
        for left in self.path.glob(f"*{_PARTIAL}"):  # by a killed process
            left.unlink(missing_ok=True)
        try:
            starts = _read_description(self.path)["starts"]
        except DamagedFile:
            starts = []  # the first one
        self._description |= {**details, "starts": [*starts, provenance()]}
        _write_json(self.path / "run.json", self._description)
        (self.path / "error.txt").unlink(missing_ok=True)

    def note(self, **details):
        """Adds JSON-ready details to the latest start in `run.json`."""
        self._description["starts"][-1] |= details
        _write_json(self.path / "run.json", self._description)

    def make(self, train, **details):
        """Makes the run if it is not done, or goes on with it.

        Args:
            train: Function without arguments that trains and returns the
                result, a JSON-ready dict.
            **details: JSON-ready, kept in `run.json`.

        Raises:
            RunIsClaimed: if another process is making the run.
            Exception: what `train` raises; the traceback is kept.
        """
        with self.claim():
            if self.result is not None:
                return
            self.set_aside_damaged()
            self.start(**details)
            try:
                self.finish(train())
            except Exception as error:
                self.fail(error)
                raise

    def write_history(self, rows):
        """Replaces `history.csv` by these rows, dicts with the same keys.

        Without rows there is no such file: an empty one is damaged.
        """
        path = self.path / "history.csv"
        if not rows:
            path.unlink(missing_ok=True)
            return
        with replacing(path, newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)

    def finish(self, result):
        """Writes `result.json`: from now on the run is done.

        Args:
            result: JSON-ready dict. A number that is not finite becomes
                `null`; `history.csv` tells which it was.

        Raises:
            DamagedFile: if the folder lacks what a run that is done has.
        """
        description = self.path / "run.json"
        if not description.exists():  # the folder was moved or deleted
            _write_json(description, self._description)
        details = self._tables.details if self._tables else ()
        files = ["history.csv", *(f"{name}.csv" for name in details)]
        sums = {
            name: sha256(self.path / name)
            for name in files
            if (self.path / name).exists()
        }
        result = finite(result)
        if self._keep_checkpoint and self.checkpoint.exists():
            result[_KEEPS] = True
        _write_json(self.path / "result.json", {**result, "sha256": sums})
        for error in self.damaged:
            raise error
        # Only now, as a run that is not done goes on from it.
        self.remove_checkpoint()

    def fail(self, error):
        """Keeps the traceback of a run that failed, and says where."""
        path = self.path / "error.txt"
        try:
            with replacing(path, encoding="utf-8") as file:
                file.write("".join(traceback.format_exception(error)))
            error.add_note(f"The traceback is kept in {path}")
        except OSError:  # a full disk, which may be the error itself
            error.add_note(f"It happened in the run {self.path}")


# In `result.json`, of a run whose checkpoint stays.
_KEEPS = "checkpoint_is_kept"


def _keeps_checkpoint(path):
    """Whether a run is done, and was to keep its checkpoint."""
    try:
        return read_json(path / "result.json").get(_KEEPS, False)
    except (FileNotFoundError, DamagedFile):
        return False


# A folder with one of these is that of a run.
_OF_A_RUN = ("run.json", "result.json")


def _read_description(path):
    """The content of the `run.json` of a folder.

    Raises:
        DamagedFile: if it is not there, or does not describe a run.
        NotItsFolder: if it describes the run of another folder.
    """
    file = path / "run.json"
    try:
        run = read_json(file)
    except FileNotFoundError:
        raise DamagedFile(file, "it is missing") from None
    try:
        name = identity(dict(run["config"]), run["data_fingerprint"])
        for start in run["starts"]:
            start["versions"][start["backend"]]
        {**run.get("data_sources", {}), **run["starts"][-1]}
    except (KeyError, IndexError, TypeError, ValueError):
        raise DamagedFile(file, "it does not describe a run") from None
    if run.get("id") != name:
        raise DamagedFile(file, f"its id is not {name}, that of its config")
    experiment = run.get("experiment", path.parent.name)
    if (experiment, name) != (path.parent.name, path.name):
        raise NotItsFolder(file, f"{experiment}/{name}")
    return run


def read_history(path):
    """The rows of a `history.csv`, numbers as numbers.

    Args:
        path: `pathlib.Path`.

    Returns:
        List of dicts.

    Raises:
        FileNotFoundError: if it is not there.
        DamagedFile: if it is not whole.
    """
    rows = read_table(path, {"epoch": int})
    if [row["epoch"] for row in rows] != list(range(1, len(rows) + 1)):
        raise DamagedFile(path, "its epochs do not count from 1")
    return rows


def _check_result(path, run, result, sums, history, tables):
    """Raises `DamagedFile` if a result does not fit the rest of its folder."""
    if tables is not None and (why := misfit(result, tables.result)):
        raise DamagedFile(path / "result.json", why)
    if not isinstance(sums, dict):
        raise DamagedFile(path / "result.json", "`sha256` is no JSON object")
    for epochs in (run["config"].get("epochs"), result.get("epochs")):
        if epochs not in (None, len(history)):
            raise DamagedFile(
                path / "history.csv",
                f"it has {len(history)} epochs of {epochs}",
            )
    details = tables.detail_columns if tables else {}
    for name in {*sums, *(f"{name}.csv" for name in details)}:
        try:
            if name not in sums:  # not kept by the first runs
                columns = dict(details[name.removesuffix(".csv")])
                del columns["id"]
                read_table(path / name, columns)
            elif sha256(path / name) != sums[name]:
                raise DamagedFile(
                    path / name, "it is not what the run wrote, by its sha256"
                )
        except FileNotFoundError:
            raise DamagedFile(path / name, "it is missing") from None


def read_run(path, tables=None):
    """All that stands in a run folder.

    Args:
        path: `pathlib.Path` of the folder.
        tables: `results.Tables` of the experiment, by which the files are
            checked. Default: `None`, they may hold anything.

    Returns:
        Dict: what `run.json` holds, `result` (`None` if not done), `error`
        (`None` if it did not fail), `history`, a list of rows, and `damaged`,
        a list of the errors of other files that cannot be used.

    Raises:
        DamagedFile: if `run.json` cannot be used.
        NotItsFolder: if the folder is a copy of that of the run.
    """
    run = _read_description(path)
    damaged = []

    def attempt(read, *arguments):
        try:
            return read(*arguments)
        except FileNotFoundError:
            return None
        except DamagedFile as error:
            damaged.append(error)
            return None

    # The result first: a run that ends meanwhile has all else by then.
    result = attempt(read_json, path / "result.json")
    history = attempt(read_history, path / "history.csv") or []
    if result is not None:
        sums = result.pop("sha256", {})
        result.pop(_KEEPS, None)
        if not damaged:
            attempt(_check_result, path, run, result, sums, history, tables)
        if damaged:
            result = None
    error = None
    if result is None:
        error = attempt(read_text, path / "error.txt", "replace")
        if error is None and (path / "error.txt").exists():
            error = "The error is not known: error.txt is damaged"
    return {
        **run,
        "result": result,
        "error": error,
        "history": history,
        "damaged": damaged,
    }


def run_folders(results_dir, experiment):
    """The paths of all folders with a run, copies among them."""
    folder = Path(results_dir) / experiment
    found = (folder.glob(f"*/{name}") for name in _OF_A_RUN)
    return sorted({path.parent for paths in found for path in paths})


def read_runs(results_dir, experiment, tables=None):
    """All runs of an experiment, done or not, as `read_run` gives them.

    What is damaged or copied is named on the standard error. A run whose
    `run.json` cannot be used is left out, and so is the copy of a folder.
    """
    runs = []
    for path in run_folders(results_dir, experiment):
        try:
            run = read_run(path, tables)
        except DamagedFile as error:
            tell(error)
            continue
        for error in run["damaged"]:
            tell(error)
        runs.append(run)
    return runs
