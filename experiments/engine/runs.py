"""Run folders: the config, history and result of each run.

`run.json` is written first, `history.csv` after each epoch, and `result.json`
last. Each file is replaced as a whole and flushed to the disk before anything
relies on it, so that a run that is killed at any moment, or by a power cut,
can be resumed from its folder.

Files are checked when they are read. A run with a damaged file counts as not
done, and a sweep makes it again.
"""

import contextlib
import csv
import hashlib
import importlib
import json
import math
import os
import platform
import subprocess
import sys
import time
import traceback
from pathlib import Path

import filelock

from experiments.engine.checks import (
    DamagedFile,
    misfit,
    print_error,
    read_json,
    read_table,
    read_text,
    sha256,
)
from experiments.engine.files import (
    PARTIAL,
    flush_folder,
    lock_of,
    replacing,
)

_DAMAGED = ".damaged"  # at the end of the name of a file that was set aside
# How long a process that claims a run waits for one that only checks it.
_LOOK_SECONDS = 0.5


def _write_json(path, content):
    with replacing(path, encoding="utf-8") as file:
        # JSON has no non-finite numbers; `finish` writes null instead.
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
    """The id of a run: 12 hexadecimal digits from its config and its data."""
    canonical = json.dumps(
        {"config": config, "data": fingerprint},
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def provenance():
    """The device, versions and commit of a run, as a dict for `run.json`."""
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
    """The commit of the checkout, marked if files differ from it."""
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
    """The `run.json` of a folder describes the run of another folder."""

    def __init__(self, path, name):
        ValueError.__init__(
            self,
            f"{path.parent} is left out: the run in it belongs in the folder "
            f"{name}.",
        )
        self.path = path


class RunIsClaimed(OSError):
    """Another process is making the run."""


class RunFolder:
    """The folder of one run.

    Args:
        results_dir: Path of the results of all experiments.
        experiment: Name of the experiment, a folder in `results_dir`.
        config: JSON-ready dict, all settings of the run.
        fingerprint: String that identifies the data.
        tables: `results.Tables` of the experiment, against which the files of
            the run are checked. Default: `None`, their values are not checked.
        keep_checkpoint: Boolean, whether to keep the last checkpoint when the
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
            # `is_claimed` in another process takes the lock for a moment only,
            # `claim` for the duration of the run.
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
        # A file would not do: it would outlive a process that is killed.
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
        """The kept checkpoints of the same run with fewer epochs.

        Yields:
            Tuple of a number of epochs, in descending order, and the
            `pathlib.Path` of a checkpoint, which may be missing or damaged.
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
        """Removes the checkpoint of a run that is done, unless it is kept."""
        if self.checkpoint.exists() and not _keeps_checkpoint(self.path):
            self.checkpoint.unlink()

    @property
    def result(self):
        """The result that `finish` wrote, or `None` if the run is not done."""
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
        """Reports the files that cannot be used, and renames them.

        Each is thus reported only once, by the process that finds it first.
        The run must be claimed.
        """
        errors = self.damaged
        paths = {error.path for error in errors}
        if errors:  # then the run is not done, even if its result is intact
            paths.add(self.path / "result.json")
        for error in errors:
            print_error(error)
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                os.replace(path, path.with_name(path.name + _DAMAGED))
        if paths:
            flush_folder(self.path)

    def start(self, **details):
        """Writes `run.json`. Resuming a run adds an entry to its `starts`."""
        for left in self.path.glob(f"*{PARTIAL}"):  # by a killed process
            left.unlink(missing_ok=True)
        try:
            starts = _read_description(self.path)["starts"]
        except DamagedFile:
            starts = []  # this is the first one
        self._description |= {**details, "starts": [*starts, provenance()]}
        _write_json(self.path / "run.json", self._description)
        (self.path / "error.txt").unlink(missing_ok=True)

    def note(self, **details):
        """Adds JSON-ready details to the latest start in `run.json`."""
        self._description["starts"][-1] |= details
        _write_json(self.path / "run.json", self._description)

    def make(self, train, **details):
        """Makes or resumes the run, unless it is done.

        Args:
            train: Function without arguments that trains and returns the
                result, a JSON-ready dict.
            **details: JSON-ready, kept in `run.json`.

        Raises:
            RunIsClaimed: if another process is making the run.
            Exception: whatever `train` raises. The traceback is kept.
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

        Without rows the file is removed, as an empty one counts as damaged.
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
                `null`; `history.csv` has its value.

        Raises:
            DamagedFile: if the folder lacks a file of a run that is done.
        """
        description = self.path / "run.json"
        if not description.exists():  # the folder was moved or deleted
            _write_json(description, self._description)
        details = self._tables.details if self._tables else ()
        files = ["run.json", "history.csv"]
        files += [f"{name}.csv" for name in details]
        sums = {
            name: sha256(self.path / name)
            for name in files
            if (self.path / name).exists()
        }
        result = finite(result)
        if self._keep_checkpoint and self.checkpoint.exists():
            result[_KEEPS] = True
        sums["result.json"] = _sum_of(result)
        _write_json(self.path / "result.json", {**result, "sha256": sums})
        for error in self.damaged:
            raise error
        # Only now, as a run that is not done is resumed from it.
        self.remove_checkpoint()

    def fail(self, error):
        """Keeps the traceback of a run that failed, and notes its path."""
        error.is_of_a_run = True
        path = self.path / "error.txt"
        try:
            with replacing(path, encoding="utf-8") as file:
                file.write("".join(traceback.format_exception(error)))
            error.add_note(f"The traceback is kept in {path}")
        except OSError:  # a full disk, which may be the error itself
            error.add_note(f"It happened in the run {self.path}")


# Of the two files, either may be the damaged one.
_CHANGED = "its content does not match its sha256 in result.json"
# The key in `result.json` of a run whose checkpoint is kept.
_KEEPS = "checkpoint_is_kept"


def _sum_of(result):
    """The sha256 of the content of a `result.json` without its sums."""
    text = json.dumps(result, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _keeps_checkpoint(path):
    """Whether a run is done and keeps its checkpoint."""
    try:
        return read_json(path / "result.json").get(_KEEPS, False)
    except (FileNotFoundError, DamagedFile):
        return False


# A folder with one of these is a run folder.
_OF_A_RUN = ("run.json", "result.json")


def _read_description(path):
    """The content of the `run.json` of a folder.

    Raises:
        DamagedFile: if it does not exist, or does not describe a run.
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
        raise DamagedFile(file, f"its id is not that of its config, {name}")
    experiment = run.get("experiment", path.parent.name)
    if (experiment, name) != (path.parent.name, path.name):
        raise NotItsFolder(file, f"{experiment}/{name}")
    return run


def read_history(path):
    """The rows of a `history.csv`, dicts with numbers as numbers.

    Raises:
        FileNotFoundError: if it does not exist.
        DamagedFile: if it is incomplete or not such a table.
    """
    rows = read_table(path, {"epoch": int})
    if [row["epoch"] for row in rows] != list(range(1, len(rows) + 1)):
        raise DamagedFile(path, "its epochs are not numbered from 1")
    return rows


def _check_result(path, run, result, sums, history, tables):
    """Raises `DamagedFile` if a result does not fit the rest of its folder."""
    if tables is not None and (why := misfit(result, tables.result)):
        raise DamagedFile(path / "result.json", why)
    for epochs in (run["config"].get("epochs"), result.get("epochs")):
        if epochs not in (None, len(history)):
            raise DamagedFile(
                path / "history.csv",
                f"it has {len(history)} of {epochs} epochs",
            )
    details = tables.details if tables else {}
    for name in {*sums, *(f"{name}.csv" for name in details)}:
        try:
            if name not in sums:  # not kept by the first runs
                read_table(path / name, details[name.removesuffix(".csv")])
            elif sha256(path / name) != sums[name]:
                raise DamagedFile(path / name, _CHANGED)
        except FileNotFoundError:
            raise DamagedFile(path / name, "it is missing") from None


def read_run(path, tables=None):
    """Reads a run folder.

    Args:
        path: `pathlib.Path` of the folder.
        tables: `results.Tables` of the experiment, against which the files
            are checked. Default: `None`, their values are not checked.

    Returns:
        Dict with the content of `run.json`, `result` (`None` if not done),
        `error` (`None` if it did not fail), `history`, a list of rows, and
        `damaged`, a list of the errors of other files that cannot be used.

    Raises:
        DamagedFile: if `run.json` cannot be used.
        NotItsFolder: if the folder is a copy of the run's folder.
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

    # The result first: if the run ends meanwhile, all other files are there.
    result = attempt(read_json, path / "result.json")
    history = attempt(read_history, path / "history.csv") or []
    if result is not None:
        sums = result.pop("sha256", {})
        if not isinstance(sums, dict):
            why = "`sha256` is not a JSON object"
            damaged.append(DamagedFile(path / "result.json", why))
        elif sums.pop("result.json", own := _sum_of(result)) != own:
            damaged.append(DamagedFile(path / "result.json", _CHANGED))
        result.pop(_KEEPS, None)
        if not damaged:
            attempt(_check_result, path, run, result, sums, history, tables)
        if damaged:
            result = None
    error = None
    if result is None:
        error = attempt(read_text, path / "error.txt", "replace")
        if error is None and (path / "error.txt").exists():
            error = "The error is unknown: error.txt is damaged"
    return {
        **run,
        "result": result,
        "error": error,
        "history": history,
        "damaged": damaged,
    }


def run_folders(results_dir, experiment):
    """The paths of all run folders, including copies."""
    folder = Path(results_dir) / experiment
    found = (folder.glob(f"*/{name}") for name in _OF_A_RUN)
    return sorted({path.parent for paths in found for path in paths})


def read_runs(results_dir, experiment, tables=None):
    """Reads all run folders of an experiment, whether done or not.

    Damaged files and copied folders are reported on standard error. A run
    whose `run.json` cannot be used is left out, and so is a copied folder.

    Returns:
        List of what `read_run` returns.
    """
    runs = []
    for path in run_folders(results_dir, experiment):
        try:
            run = read_run(path, tables)
        except DamagedFile as error:
            print_error(error)
            continue
        for error in run["damaged"]:
            print_error(error)
        if aside := sorted(file.name for file in path.glob(f"*{_DAMAGED}")):
            print(
                f"{path}: {', '.join(aside)} can be removed. Damaged files "
                "were set aside to make the run again.",
                file=sys.stderr,
            )
        runs.append(run)
    return runs
