"""Functions that tests launch and other processes import."""

import importlib
import json
import os
import signal
import sys
import time
from pathlib import Path

import filelock

from experiments.engine.launchers import Options, launch


def record(task):
    """Records a call in a file, once as many calls are running at once."""
    name, company = task
    began = time.time()
    Path(f"{name}.began").touch(exist_ok=False)
    # Not forever: no task of a test may outlive the tests.
    while len(list(Path().glob("*.began"))) < company:
        if time.time() - began > 120:
            raise TimeoutError("no company came")
        time.sleep(0.01)
    if name == "bad":
        raise ValueError("the reason")
    if name == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    told = {
        "process": os.getpid(),
        "environment": os.environ.get("KERAS_OF_A_TEST"),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "began": began,
        "ended": time.time(),
    }
    Path(f"{name}.json").write_text(json.dumps(told))


def die_by(number):
    os.kill(os.getpid(), number)
    time.sleep(60)


_kept = []


def keep(name):
    """Keeps 30 MB, and records the process."""
    _kept.append(b"x" * 30_000_000)
    Path(f"{name}.process").write_text(str(os.getpid()))


def hold(name):
    """Holds a lock until the process ends."""
    if name == "short":
        return
    with filelock.FileLock(f"{name}.lock"):
        Path(f"{name}.held").touch()
        time.sleep(600)


class Holder:
    """Served by a worker of the benchmarks."""

    def hold(self, name):
        hold(name)


def main_of_process(module, arguments):
    """Ends the process with the status of the command line of a module."""
    # Ctrl-C is ignored if the tests run in the background or by workers.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(importlib.import_module(module).main(arguments))


if __name__ == "__main__":
    # As an imported module, which other processes can import, too.
    from launched import hold

    # It is ignored if the tests run in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    options = Options(**json.loads(sys.argv[1]))
    try:
        list(launch(hold, ["long"], options))
    except KeyboardInterrupt:
        sys.exit(130)
