"""The machine and the backends of a measurement."""

import json
import os
import platform
import time
from pathlib import Path

import psutil

from experiments.benchmarks import workers

# Environment variables that change the speed of a backend.
_TELLING = ("OMP_", "MKL_", "KMP_", "XLA_", "TF_NUM_", "TF_XLA_", "TF_ENABLE_")


def describe(backends, command):
    """Describes machine, backends and time as a dict for JSON.

    Args:
        backends: Names of the backends.
        command: String, the command line of the measurement.
    """
    about = "experiments.benchmarks.in_worker.about:About"
    with workers.start(backends, about) as started:
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


def write(description, path):
    """Writes a description as JSON."""
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
