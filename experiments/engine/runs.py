"""A run is a folder: what it was, how it went, and that it is done.

`run.json` is written first, `history.csv` grows by the epoch, `result.json`
comes last. Each file is replaced as a whole, so that a run killed at any
moment leaves a folder that the next start can go on from.
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
import time
import traceback
import uuid
from pathlib import Path

import filelock

_PARTIAL = ".partial"


@contextlib.contextmanager
def replacing(path, mode="w", **options):
    """Opens a file that takes the place of `path` when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}{_PARTIAL}")
    try:
        with open(partial, mode, **options) as file:
            yield file
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


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


def _read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


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


class RunIsClaimed(OSError):
    """Another process is making the run."""


class RunFolder:
    """The folder of one run.

    Args:
        results_dir: Path of the results of all experiments.
        experiment: Name of the experiment, a folder in `results_dir`.
        config: JSON-ready dict, everything that shapes the run but its data.
        fingerprint: String, the identity of the data.
    """

    def __init__(self, results_dir, experiment, config, fingerprint):
        self.id = identity(config, fingerprint)
        self.path = Path(results_dir) / experiment / self.id
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
            lock.acquire(blocking=False)
        except filelock.Timeout:
            raise RunIsClaimed(
                f"Another process is making the run {self.path}"
            ) from None
        try:
            yield
        finally:
            lock.release()

    @property
    def checkpoint(self):
        return self.path / "checkpoint.npz"

    @property
    def result(self):
        """What `finish` wrote, or `None` for a run that is not done."""
        path = self.path / "result.json"
        return _read_json(path) if path.exists() else None

    def start(self, **details):
        """Writes `run.json`; a run that goes on adds a start to it."""
        for left in self.path.glob(f"*{_PARTIAL}"):  # by a killed process
            left.unlink(missing_ok=True)
        path = self.path / "run.json"
        starts = _read_json(path)["starts"] if path.exists() else []
        starts.append(provenance())
        _write_json(path, {**self._description, **details, "starts": starts})
        (self.path / "error.txt").unlink(missing_ok=True)

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
            self.start(**details)
            try:
                self.finish(train())
            except Exception as error:
                self.fail(error)
                raise

    @property
    def is_claimed(self):
        """Whether a process is making the run."""
        try:
            with self.claim():
                return False
        except RunIsClaimed:
            return True

    def write_history(self, rows):
        """Replaces `history.csv` by these rows, dicts with the same keys."""
        with replacing(self.path / "history.csv", newline="") as file:
            if rows:
                writer = csv.DictWriter(file, rows[0].keys())
                writer.writeheader()
                writer.writerows(rows)

    def finish(self, result):
        """Writes `result.json`: from now on the run is done.

        Args:
            result: JSON-ready dict. A number that is not finite becomes
                `null`; `history.csv` tells which it was.
        """
        finite = {
            name: None
            if isinstance(value, float) and not math.isfinite(value)
            else value
            for name, value in result.items()
        }
        _write_json(self.path / "result.json", finite)
        self.checkpoint.unlink(missing_ok=True)

    def fail(self, error):
        """Keeps the traceback of a run that failed, and says where."""
        path = self.path / "error.txt"
        try:
            with replacing(path, encoding="utf-8") as file:
                file.write("".join(traceback.format_exception(error)))
            error.add_note(f"The traceback is kept in {path}")
        except OSError:  # a full disk, which may be the error itself
            error.add_note(f"It happened in the run {self.path}")


def read_history(path):
    """The rows of a `history.csv`, numbers as numbers."""
    with open(path, newline="") as file:
        return [
            {
                name: int(value) if name == "epoch" else float(value)
                for name, value in row.items()
            }
            for row in csv.DictReader(file)
        ]


def read_run(path):
    """All that stands in a run folder.

    Args:
        path: `pathlib.Path` of the folder.

    Returns:
        Dict: what `run.json` holds, `result` (`None` if not done), `error`
        (`None` if it did not fail) and `history`, a list of rows.
    """
    result, error = path / "result.json", path / "error.txt"
    history = path / "history.csv"
    return {
        **_read_json(path / "run.json"),
        "result": _read_json(result) if result.exists() else None,
        "error": error.read_text("utf-8") if error.exists() else None,
        "history": read_history(history) if history.exists() else [],
    }


def read_runs(results_dir, experiment):
    """All runs of an experiment, done or not, as `read_run` gives them."""
    found = Path(results_dir).glob(f"{experiment}/*/run.json")
    return [read_run(path.parent) for path in sorted(found)]
