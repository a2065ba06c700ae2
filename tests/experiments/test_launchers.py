import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace as Namespace

import filelock
import launched
import psutil
import pytest

from experiments.engine import launchers
from experiments.engine.launchers import LAUNCHERS, Options

pytestmark = pytest.mark.any_backend

ROOT = Path(__file__).parents[2]
WORKERS = 2
OPTIONS = {
    "serial": {"launcher": "serial"},
    "processes": {"launcher": "processes", "workers": WORKERS},
    "ray": {"launcher": "ray", "workers": WORKERS},
    "slurm": {
        "launcher": "slurm",
        "workers": WORKERS,
        "slurm_folder": "jobs",
        "slurm_cluster": "local",
    },
}
PACKAGES = {"ray": "ray", "slurm": "submitit"}


def needs(name):
    if name in PACKAGES:
        pytest.importorskip(PACKAGES[name])


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """A folder to work in, where other processes find this project."""
    monkeypatch.chdir(tmp_path)
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    monkeypatch.setenv("PYTHONPATH", paths)


# Starting Ray takes long.
RAY = pytest.param("ray", marks=pytest.mark.long)


@pytest.fixture(params=[RAY if name == "ray" else name for name in LAUNCHERS])
def launcher(request, monkeypatch):
    needs(request.param)
    if request.param == "slurm":
        # The seconds that it waits for a slow file system.
        monkeypatch.setattr("submitit.Job._results_timeout_s", 0)
    return request.param


def launch(name, function, tasks):
    return launchers.launch(function, tasks, Options(**OPTIONS[name]))


def wait_for(path):
    deadline = time.monotonic() + 60
    while not Path(path).exists():
        assert time.monotonic() < deadline, f"There is no {path}"
        time.sleep(0.01)


@pytest.fixture
def stranger(monkeypatch):
    """A string that no other process can unpickle."""
    String = type("String", (str,), {"__module__": "only_here"})
    monkeypatch.setitem(sys.modules, "only_here", Namespace(String=String))
    return String("stranger")


def test_every_task_is_called_once(launcher, stranger, monkeypatch):
    monkeypatch.setenv("KERAS_OF_A_TEST", "from here")
    workers = OPTIONS[launcher].get("workers", 1)
    names = ["a", "b", "bad", "c", "d"]
    if launcher != "serial":
        names += ["killed", stranger, "e"]
    tasks = [(name, workers) for name in names]
    ended = list(launch(launcher, launched.record, iter(tasks)))
    assert sorted(task for task, _ in ended) == sorted(tasks)
    errors = {name: error for (name, _), error in ended if error is not None}
    assert errors.pop("bad") == "ValueError: the reason"
    if launcher != "serial":
        assert "the process died" in errors.pop("killed")
        assert errors.pop(stranger) == (
            "ModuleNotFoundError: No module named 'only_here'"
        )
    assert errors == {}

    calls = [json.loads(path.read_text()) for path in Path().glob("*.json")]
    assert len(calls) == len([error for _, error in ended if error is None])
    assert {call["environment"] for call in calls} == {"from here"}
    # Their number is part of how sums are rounded; Ray would set it.
    assert {call["threads"] for call in calls} == {
        os.environ.get("OMP_NUM_THREADS")
    }
    others = {call["process"] for call in calls} - {os.getpid()}
    most = {"serial": 0, "processes": workers + 1}  # one was killed
    assert len(others) <= most.get(launcher, len(calls))
    assert launcher in most or len(others) == len(calls)
    for call in calls:
        began = call["began"]
        under_way = [c for c in calls if c["began"] <= began < c["ended"]]
        assert len(under_way) <= workers


@pytest.mark.parametrize("launcher", ["serial", "processes"])
def test_a_process_that_has_grown_is_replaced(launcher, monkeypatch):
    monkeypatch.setattr(launchers, "_MOST_GROWTH", 50_000_000)
    options = Options(launcher=launcher)
    names = list("abcdefgh")
    ended = list(launchers.launch(launched.keep, names, options))
    assert ended == [(name, None) for name in names]
    found = [int(Path(f"{name}.process").read_text()) for name in names]
    processes = list(dict.fromkeys(found))
    # The first task of a process is not counted, and two more are too much.
    assert found == sorted(3 * processes, key=processes.index)[:8]
    assert (processes[0] == os.getpid()) == (launcher == "serial")


def test_a_worker_that_died_when_it_was_idle():
    options = Options(launcher="processes")
    ended = launchers.launch(launched.keep, "abc", options)
    assert next(ended) == ("a", None)
    worker = psutil.Process(int(Path("a.process").read_text()))
    worker.kill()
    while worker.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    time.sleep(0.5)  # its threads end, too, before its end of the pipe does
    assert list(ended) == [("b", None), ("c", None)]


def test_how_a_process_died():
    ended = list(launch("processes", launched.record, [("killed", 1)]))
    assert ended == [(("killed", 1), "the process died: SIGKILL")]
    ended = list(launch("processes", launched.die_by, [signal.SIGRTMIN + 1]))
    number = signal.SIGRTMIN + 1
    assert ended == [(number, f"the process died: signal {number}")]
    ended = list(launch("processes", sys.exit, [3]))
    assert ended == [(3, "the process died: exit status 3")]


@pytest.fixture
def interrupt_ignored():
    """As in the background of a shell, whose processes inherit it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


def test_nothing_is_left_running_when_it_is_closed(launcher, request):
    if launcher == "slurm":  # the one that ends its jobs by this signal
        request.getfixturevalue("interrupt_ignored")
    tasks = ["short", "long"]
    if launcher != "serial":
        # Both at once, so that one is under way while the other ends.
        tasks.reverse()
    ended = launch(launcher, launched.hold, tasks)
    with contextlib.closing(ended):
        assert next(ended) == ("short", None)
        if launcher != "serial":
            wait_for("long.held")
    filelock.FileLock("long.lock").acquire(timeout=10)


def started(name):
    """A separate process that launches an endless task."""
    process = subprocess.Popen(
        [sys.executable, launched.__file__, json.dumps(OPTIONS[name])],
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for("long.held")
    return process


def test_nothing_is_left_running_by_ctrl_c(launcher):
    with started(launcher) as process:
        # To all processes of the terminal, as a terminal does.
        os.killpg(process.pid, signal.SIGINT)
        error = process.stderr.read()
    assert process.returncode == 130
    filelock.FileLock("long.lock").acquire(timeout=0)
    if launcher == "processes":
        assert error == ""


# Slurm jobs are meant to keep running.
@pytest.mark.parametrize(
    "launcher, seconds",
    [("processes", 5), pytest.param("ray", 60, marks=pytest.mark.long)],
)
def test_nothing_outlives_the_process_that_launched_it(launcher, seconds):
    needs(launcher)
    with started(launcher) as process:
        process.kill()
        filelock.FileLock("long.lock").acquire(timeout=seconds)


FAKE_SLURM = {
    # It runs a copy, as Slurm does: submitit renames the script and goes on.
    "sbatch": """
        cp $1 submitted.sh
        for number in 0 1 2; do
            SLURM_JOB_ID=1$number SLURM_ARRAY_JOB_ID=7 \\
            SLURM_ARRAY_TASK_ID=$number bash submitted.sh &
        done > /dev/null 2>&1
        echo Submitted batch job 7""",
    # What stands before the command are options of its own.
    "srun": """
        while [ -d "$1" ] || [ ! -x "$1" ]; do shift; done
        exec "$@" """,
    "sacct": "echo 'JobID|State|NodeList'",
    "scancel": "echo $1 >> cancelled",
}


@pytest.fixture
def fake_slurm(tmp_path, monkeypatch):
    needs("slurm")
    for name, text in FAKE_SLURM.items():
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    path = os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]])
    monkeypatch.setenv("PATH", path)


def test_slurm_gets_an_array(fake_slurm):
    options = Options(
        launcher="slurm",
        workers=2,
        cpus_per_run=4,
        gpus_per_run=1,
        slurm_folder="jobs",
        slurm_partition="gpu",
        slurm_minutes=90,
    )
    tasks = [(name, 1) for name in "abc"]
    ended = dict(launchers.launch(launched.record, tasks, options))
    assert ended == dict.fromkeys(tasks)
    submitted = Path("submitted.sh").read_text().splitlines()
    for line in (
        "--array=0-2%2",
        "--cpus-per-task=4",
        "--gpus-per-node=1",
        "--partition=gpu",
        "--time=90",
    ):
        assert f"#SBATCH {line}" in submitted


def test_slurm_jobs_are_cancelled(fake_slurm):
    options = Options(launcher="slurm", workers=2, slurm_folder="jobs")
    tasks = [("a", 1), ("b", 4), ("c", 4)]
    ended = launchers.launch(launched.record, tasks, options)
    assert next(ended) == (tasks[0], None)
    ended.close()
    assert Path("cancelled").read_text() == "7_1\n7_2\n"
    Path("let them go.began").touch()


def test_slurm_without_tasks():
    needs("slurm")
    assert list(launch("slurm", print, [])) == []


def test_no_slurm(monkeypatch):
    needs("slurm")
    monkeypatch.setenv("PATH", "")
    options = Options(launcher="slurm", slurm_folder="jobs")
    with pytest.raises(ValueError, match="slurm_cluster='local'"):
        next(launchers.launch(print, ["a"], options))


@pytest.mark.parametrize("name", PACKAGES)
def test_a_missing_package(name, monkeypatch):
    monkeypatch.setitem(sys.modules, PACKAGES[name], None)
    with pytest.raises(ImportError, match=rf"pip install -e '\.\[{name}\]'"):
        launch(name, print, ["a"])


@pytest.mark.parametrize(
    "name, value",
    {
        "workers": 0,
        "cpus_per_run": 0.5,
        "gpus_per_run": -1,
        "slurm_minutes": "90",
        "slurm_cluster": "pbs",
        "launcher": "threads",
    }.items(),
)
def test_values_that_are_refused(name, value):
    with pytest.raises(ValueError, match=f"Received: {name}={value!r}"):
        Options(**{name: value})


@pytest.mark.parametrize(
    "launcher, options",
    [
        ("serial", {"workers": 2}),
        ("processes", {"gpus_per_run": 0.5}),
        ("ray", {"workers": 2, "slurm_partition": "gpu"}),
        ("slurm", {"slurm_folder": "jobs", "ray_address": "auto"}),
    ],
)
def test_options_that_a_launcher_does_not_take(launcher, options):
    name, value = list(options.items())[-1]
    with pytest.raises(ValueError, match=f"takes no `{name}`.*{value!r}"):
        Options(launcher=launcher, **options)


@pytest.mark.parametrize(
    "launcher, options",
    [
        ("slurm", {"slurm_folder": None}),
        ("slurm", {"slurm_folder": "jobs", "gpus_per_run": 0.5}),
        ("ray", {"ray_address": "127.0.0.1:1"}),  # nobody listens there
        ("ray", {"ray_address": "ray://127.0.0.1:99999"}),
        pytest.param("ray", {"gpus_per_run": 1000}, marks=pytest.mark.long),
    ],
)
def test_values_that_a_launcher_refuses(launcher, options):
    needs(launcher)
    name = list(options)[-1]
    with pytest.raises(ValueError, match=f"Invalid value for `{name}`"):
        options = Options(launcher=launcher, **options)
        next(launchers.launch(print, ["a"], options))
