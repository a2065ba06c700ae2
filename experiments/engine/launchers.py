"""Calls a function on many tasks: serially, in processes, on Ray or Slurm.

All launchers have one signature and are independent of the function:

    for task, error in launch(function, tasks, Options(launcher="processes")):
        ...

Errors are passed as text, since exceptions of a backend may not be picklable.
"""

import contextlib
import dataclasses
import functools
import importlib
import itertools
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable
from typing import NamedTuple

import psutil

from experiments.engine.config import checked, invalid, setting

# Prefixes of environment variables that Ray passes to workers on other
# machines. Workers on this one, like all processes of the other launchers,
# inherit the whole environment.
_HANDED_ON = ("KERAS_", "TF_", "JAX_", "XLA_")
# Bytes by which a process may grow before another takes its place.
_MOST_GROWTH = 2 * 2**30


def launch(function, tasks, options):
    """Calls `function` on each task.

    Args:
        function: Callable with one argument. What it returns is ignored. It is
            pickled by name, so it must be importable; the serial launcher does
            so only when this process has grown.
        tasks: Iterable of arguments of `function`, picklable.
        options: `Options`.

    Returns:
        Generator of pairs (task, error) in order of completion. `error` is a
        string, or `None`. If a process is killed, only its own task has an
        error. An interrupt is not an error: it ends all running tasks, as
        does closing the generator.

    Raises:
        ImportError: if the launcher needs a package that is not installed.
        ValueError: if an option does not fit the machine.
    """
    launcher = _LAUNCHERS[options.launcher]
    if launcher.package is not None:
        try:
            importlib.import_module(launcher.package)
        except ImportError as error:
            raise ImportError(
                f"The launcher {options.launcher!r} needs the package "
                f"{launcher.package}. Install it with: "
                f"pip install -e '.[{options.launcher}]'"
            ) from error
    return launcher.generate(function, tasks, options)


def _serial(function, tasks, options):
    tasks, has_grown = iter(tasks), _Growth(_MOST_GROWTH)
    for task in tasks:
        yield task, _attempt(function, task)
        if has_grown():  # the rest, by one worker
            yield from _processes(function, tasks, options)


def _processes(function, tasks, options):
    # A fork of a process with TensorFlow threads may hang.
    context = multiprocessing.get_context("spawn")
    waiting, idle, running = iter(tasks), [], {}
    try:
        while True:
            free = options.workers - len(running)
            for task in itertools.islice(waiting, free):
                call = _call(function, task)
                while idle:
                    worker = idle.pop()
                    # One may have died when it had nothing to do.
                    with contextlib.suppress(OSError):
                        worker.connection.send(call)
                        break
                else:
                    worker = _start(context)
                    worker.connection.send(call)
                running[worker.connection] = task, worker
            if not running:
                return
            for connection in multiprocessing.connection.wait(running):
                task, worker = running.pop(connection)
                try:
                    error, has_grown = connection.recv()
                except (EOFError, OSError):
                    worker.process.join()
                    error, has_grown = death(worker.process.exitcode), True
                if has_grown:
                    connection.close()
                    worker.process.join()
                else:
                    idle.append(worker)
                yield task, error
    finally:
        left = [*idle, *(worker for _, worker in running.values())]
        end_processes([worker.process for worker in left])


class _Worker(NamedTuple):
    connection: multiprocessing.connection.Connection
    process: multiprocessing.Process


def _start(context):
    ours, theirs = context.Pipe()
    process = context.Process(target=_child, args=(theirs, _MOST_GROWTH))
    process.start()
    theirs.close()  # so that it is closed when the process ends
    return _Worker(ours, process)


class _Growth:
    """Whether this process holds much more memory than after its first task.

    TensorFlow never frees what XLA compiled, some 40 MB per run
    (https://github.com/tensorflow/tensorflow/issues/64170).

    Args:
        most: Integer, in bytes.
    """

    def __init__(self, most):
        self._most, self._first = most, None

    def __call__(self):
        held = psutil.Process().memory_info().rss
        self._first = held if self._first is None else self._first
        return held - self._first > self._most


def _check_answers(address):
    """Raises a `ValueError` immediately, where Ray would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), 10).close()
    except (OSError, ValueError, OverflowError) as error:
        expected = f"the address of a Ray cluster that answers ({error})"
        raise invalid("ray_address", expected, address) from None


def _ray(function, tasks, options):
    # Ray reports usage statistics over the network by default.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    local = options.ray_address is None
    if not local and ":" in options.ray_address:
        _check_answers(options.ray_address)
    environment = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(_HANDED_ON)
    }
    ray.init(
        address="local" if local else options.ray_address,
        num_cpus=options.workers * options.cpus_per_run if local else None,
        runtime_env={"env_vars": environment},
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )
    waiting, running = iter(tasks), {}
    try:
        gpus = ray.cluster_resources().get("GPU", 0)
        if local and options.gpus_per_run > gpus:  # Ray would wait forever
            raise invalid(
                "gpus_per_run",
                f"at most {gpus:g}, the GPUs of this machine",
                options.gpus_per_run,
            )
        attempt = ray.remote(
            num_cpus=options.cpus_per_run,
            num_gpus=options.gpus_per_run,
            max_retries=0,
            max_calls=1,  # a GPU is freed only when its process ends
        )(_attempt)
        while True:
            free = options.workers - len(running)
            for task in itertools.islice(waiting, free):
                running[attempt.remote(*_call(function, task))] = task
            if not running:
                return
            for job in ray.wait(list(running))[0]:
                try:
                    error = ray.get(job)
                except ray.exceptions.RayTaskError as failed:
                    # This module is missing there; the last line says so.
                    error = str(failed).rpartition("\n")[2]
                except ray.exceptions.RayError as died:
                    how = str(died).partition("\n")[0]
                    error = f"the process died: {how}"
                yield running.pop(job), error
    finally:
        for job in running:
            ray.cancel(job, force=True)
        ray.shutdown()


def _slurm(function, tasks, options):
    # All are submitted at once, as an array, and keep running if this process
    # is killed rather than interrupted.
    import submitit

    if options.slurm_folder is None:
        raise invalid("slurm_folder", "a path", None)
    if options.gpus_per_run != int(options.gpus_per_run):
        raise invalid(
            "gpus_per_run", "a whole number on Slurm", options.gpus_per_run
        )
    local = options.slurm_cluster == "local"
    try:
        executor = submitit.AutoExecutor(
            options.slurm_folder, cluster=options.slurm_cluster
        )
    except RuntimeError as error:  # there is no Slurm here
        raise ValueError(
            f"{error} Without Slurm, use slurm_cluster='local'."
        ) from error
    executor.update_parameters(
        timeout_min=options.slurm_minutes,
        cpus_per_task=options.cpus_per_run,
        gpus_per_node=int(options.gpus_per_run) or None,
        slurm_partition=options.slurm_partition,
        slurm_array_parallelism=options.workers,
    )
    if local and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # As in the background of a shell. Submitit ends its local jobs with
        # this signal, which they would inherit as ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    waiting, running = list(tasks), {}
    # A job array limits the number of its running jobs itself.
    limit = options.workers if local else len(waiting)
    waiting = iter(waiting)
    try:
        while True:
            chunk = list(itertools.islice(waiting, limit - len(running)))
            if chunk:
                with executor.batch():
                    jobs = [
                        executor.submit(_attempt, *_call(function, task))
                        for task in chunk
                    ]
                running.update(zip(jobs, chunk, strict=True))
            if not running:
                return
            time.sleep(0.5)
            for job in [job for job in running if job.done()]:
                try:
                    error = job.result()
                except submitit.core.utils.UncompletedJobError:
                    error = (
                        f"the process died: {job.state}, see {job.paths.stderr}"
                    )
                yield running.pop(job), error
    finally:
        for job in running:
            job.cancel(check=False)
        for job in running if local else ():
            job.wait()


def _attempt(function, *arguments):
    """Calls a function. Returns its error as text, or `None`."""
    try:
        function(*arguments)
    except Exception as error:
        return "".join(traceback.format_exception_only(error)).strip()


def _call(function, task):
    """`function(task)` as arguments of `_attempt`, for another process."""
    threads = os.environ.get("OMP_NUM_THREADS")
    pickled = pickle.dumps((function, task))
    return _unpickle_and_call, pickled, os.getcwd(), threads


def _unpickle_and_call(pickled, folder, threads):
    # Paths in a task may be relative.
    os.chdir(folder)
    # Ray sets this variable, which would change the last bits of results.
    os.environ.pop("OMP_NUM_THREADS", None)
    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = threads
    # Unpickled here, so that a failing import is an error of the task.
    function, task = pickle.loads(pickled)
    function(task)


def _child(connection, most_growth):
    # Ctrl-C also reaches the children, but the parent ends them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    ended, has_grown = False, _Growth(most_growth)
    while not ended:
        error = _attempt(*connection.recv())
        ended = has_grown()
        connection.send((error, ended))


def end_with_parent():
    """Kills this process when the one that started it ends, however it does."""

    def wait():
        multiprocessing.parent_process().join()
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def end_processes(processes):
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(5)
        process.kill()
        process.join()


def death(exitcode):
    """How a process died, in words."""
    if exitcode < 0:
        names = {one.value: one.name for one in signal.Signals}
        name = names.get(-exitcode, f"signal {-exitcode}")  # a real-time one
        return f"the process died: {name}"
    return f"the process died: exit status {exitcode}"


class _Launcher(NamedTuple):
    generate: Callable
    takes: tuple = ()
    package: str | None = None


_RESOURCES = ("workers", "cpus_per_run", "gpus_per_run")
_SLURM = ("folder", "partition", "minutes", "cluster")
_LAUNCHERS = {
    "serial": _Launcher(_serial),
    "processes": _Launcher(_processes, ("workers",)),
    "ray": _Launcher(_ray, (*_RESOURCES, "ray_address"), "ray"),
    "slurm": _Launcher(
        _slurm, (*_RESOURCES, *(f"slurm_{n}" for n in _SLURM)), "submitit"
    ),
}

LAUNCHERS = tuple(_LAUNCHERS)
_option = functools.partial(setting, origin="ours")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """How tasks are launched; see the note of each field.

    An option that the launcher does not use must have its default. Reserved
    cores do not limit the number of threads, on which rounding depends. With
    no GPU reserved, a task sees all GPUs of its machine. The machines of a
    cluster must have the working directory at the same path.

    Raises:
        ValueError: if a value is not allowed.
    """

    launcher: str = _option(
        "serial",
        note="serial: one after another, in this process; processes: in "
        "several processes; ray: on Ray (the extra `ray`); slurm: as Slurm "
        "jobs (the extra `slurm`)",
        choices=LAUNCHERS,
    )
    workers: int = _option(1, note="number of runs at once", least=1)
    cpus_per_run: int = _option(
        1, note="cores reserved for a run, on Ray and Slurm", least=1
    )
    gpus_per_run: float = _option(
        0.0, note="GPUs reserved for a run; a fraction on Ray only", least=0
    )
    ray_address: str | None = _option(
        None, note="a running Ray cluster; default: one of this machine"
    )
    slurm_folder: str | None = _option(
        None, note="for the files of the jobs; shared by all machines"
    )
    slurm_partition: str | None = _option(
        None, note="default: that of the cluster"
    )
    slurm_minutes: int = _option(240, note="time limit of a run", least=1)
    slurm_cluster: str = _option(
        "slurm",
        note="slurm, or local to try it without a cluster",
        choices=("slurm", "local"),
    )

    def __post_init__(self):
        for field in dataclasses.fields(self):
            checked(field, getattr(self, field.name))
        takes = _LAUNCHERS[self.launcher].takes
        for field in dataclasses.fields(self)[1:]:
            value = getattr(self, field.name)
            if field.name not in takes and value != field.default:
                raise ValueError(
                    f"The launcher {self.launcher!r} takes no `{field.name}`. "
                    f"It takes: {', '.join(takes) or 'no option'}. Received: "
                    f"{field.name}={value!r}"
                )
