"""One process for each Keras backend, as Keras has one backend per process.

A worker waits at its pipe while another measures. Waiting takes no CPU time,
except that the OpenMP threads of PyTorch look for more work for 9 ms before
they sleep; `rounds.PAUSE` gives them this time. OMP_WAIT_POLICY would avoid
this, but PyTorch does not run with that setting elsewhere.
"""

import contextlib
import importlib
import importlib.util
import json
import multiprocessing
import os
import platform
import signal
import textwrap
import time
import traceback
from pathlib import Path

import psutil

from experiments.engine.backend import BACKENDS
from experiments.engine.launchers import death, end_processes, end_with_parent

_ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # The backends share one GPU, whose memory these two take by default.
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}

# Environment variables that change the speed of a backend.
_TELLING = ("OMP_", "MKL_", "KMP_", "XLA_", "TF_NUM_", "TF_XLA_", "TF_ENABLE_")


class WorkerError(RuntimeError):
    """An error in a worker, in one line."""


def installed_backends():
    """The backends whose package is installed."""
    return tuple(b for b in BACKENDS if importlib.util.find_spec(b) is not None)


class Worker:
    """A process that holds one object and calls its methods.

    Args:
        backend: Name of the Keras backend.
        served: The class of the object, as `"module:name"`.
        *arguments: Arguments of the class.
    """

    def __init__(self, backend, served, *arguments):
        # A fork would share the coordinator's threads and locks.
        context = multiprocessing.get_context("spawn")
        self._pipe, pipe = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(pipe, backend, served, arguments)
        )
        self._process.start()
        pipe.close()  # so that it is closed when the process ends

    def call(self, method, *arguments):
        """Calls a method of the object.

        Raises:
            WorkerError: if the method raised an error or the process died.
        """
        try:
            self._pipe.send((method, arguments))
            value, error = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            raise WorkerError(death(self._process.exitcode)) from None
        if error is not None:
            raise WorkerError(error)
        return value

    def close(self):
        self._pipe.close()
        end_processes([self._process])
        self._process.close()


@contextlib.contextmanager
def start(backends, served, *arguments):
    """Starts a worker for each backend: a dict from backend to `Worker`."""
    with contextlib.ExitStack() as stack:
        workers = {}
        for backend in backends:
            workers[backend] = Worker(backend, served, *arguments)
            stack.callback(workers[backend].close)
        yield workers


def _serve(pipe, backend, served, arguments):
    # Ctrl-C also reaches the workers, but the coordinator ends them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    os.environ.update(_ENVIRONMENT, KERAS_BACKEND=backend)
    holder = None
    with contextlib.suppress(EOFError, OSError):  # the coordinator is gone
        while True:
            method, of_method = pipe.recv()
            value = error = None
            try:
                if holder is None:
                    module, _, name = served.partition(":")
                    kind = getattr(importlib.import_module(module), name)
                    holder = kind(*arguments)
                value = getattr(holder, method)(*of_method)
            except Exception as raised:
                error = in_one_line(raised)
            pipe.send((value, error))


def in_one_line(error):
    """Class and message of an exception for an entry of a table."""
    text = "".join(traceback.format_exception_only(error))
    return textwrap.shorten(text, 300, placeholder="...")


def describe(backends, command):
    """Describes machine, backends, time and command line as a dict for JSON."""
    about = "experiments.benchmarks.in_worker.timing:About"
    with start(backends, about) as started:
        described = {
            b: worker.call("describe") for b, worker in started.items()
        }
        variants = next(iter(started.values())).call("variants")
    return {
        "command": command,
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "cpu": _cpu(),
        "cores": psutil.cpu_count(logical=False),
        "logical_cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": platform.platform(),
        "environment": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(_TELLING)
        },
        "backends": described,
        "variants": variants,
        "is_gpu": any(backend["is_gpu"] for backend in described.values()),
    }


def write_description(description, path):
    """Writes what `describe` returned, and what a command adds, as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(description, indent=2) + "\n"
    path.write_text(text, encoding="utf-8")


def _cpu():
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
