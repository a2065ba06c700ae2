"""However a sweep is made, it comes to the same table."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import launched
import pandas as pd
import pytest
from tiny import replaced

from experiments.engine import results
from experiments.engine.launchers import LAUNCHERS
from experiments.newsgroups import cli
from experiments.newsgroups.results import TABLES

# test_training.py resumes on each backend.
pytestmark = [pytest.mark.long, pytest.mark.any_backend]

DEADLY = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
# What may change while a sweep is made: the clock, and the code.
OF_THE_MOMENT = ("started", "commit")


def figures(found):
    """All that runs found, without when and how fast."""
    return (
        found.runs.drop(columns=[*OF_THE_MOMENT, "seconds_per_epoch"]),
        found.history.drop(columns=["seconds"]),
    )


def assert_same_table(one, other):
    for frame, twin in zip(figures(one), figures(other), strict=True):
        assert len(frame)
        pd.testing.assert_frame_equal(frame, twin, check_exact=True)


@pytest.mark.parametrize("launcher", [n for n in LAUNCHERS if n != "serial"])
def test_launchers_give_the_same_table(launcher, sweep_arguments, tmp_path):
    package = {"ray": "ray", "slurm": "submitit"}.get(launcher)
    if package:
        pytest.importorskip(package)
    options = [f"--launcher={launcher}", "--workers=2"]
    if launcher == "slurm":
        options.append("--slurm-cluster=local")
    other = f"--results-dir={tmp_path / launcher}"
    assert cli.main(sweep_arguments) == 0
    assert cli.main(replaced(sweep_arguments, *options, other)) == 0
    assert_same_table(
        results.collect(tmp_path / "runs", TABLES),
        results.collect(tmp_path / launcher, TABLES),
    )


@pytest.fixture
def start(sweep_arguments, tmp_path, monkeypatch):
    """Starts a sweep, in a process of its own, over a folder and axes."""
    # The server imports Keras once; each sweep is forked from it.
    tests = Path(__file__).parents[1]
    paths = os.pathsep.join([str(tests.parent), str(tests)])
    monkeypatch.setenv("PYTHONPATH", paths)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["experiments.newsgroups.cli"])

    def start_sweep(name, *axes):
        arguments = replaced(
            sweep_arguments, *axes, f"--results-dir={tmp_path / name}"
        )
        process = context.Process(
            target=launched.main_of_process, args=(cli.__name__, arguments)
        )
        process.start()
        return process

    return start_sweep


def end(process):
    process.join()
    assert process.exitcode == 0


def kill(process, results_dir, goal, seconds, by=signal.SIGKILL):
    """Kills a sweep so many seconds after so many epochs are done.

    Returns:
        Boolean, whether it was under way.
    """
    while process.is_alive() and epochs(results_dir) < goal:
        time.sleep(0.001)
    time.sleep(seconds)
    was_alive = process.is_alive()
    if was_alive:
        os.kill(process.pid, by)
    process.join()
    return was_alive


def test_killed_sweeps(start, attack, tmp_path):
    """Sweeps killed twenty times each: the table of an undisturbed sweep."""
    axes = ["--variant=lstm3", "--activation=tanh,relu"]
    axes += ["--learning-rate=1e-3,2e-3", "--epochs=16"]
    end(start("undisturbed", *axes))
    undisturbed = results.collect(tmp_path / "undisturbed", TABLES)
    seconds = undisturbed.history["seconds"].median()

    chance, were_finished = attack.random, 0
    for first in range(0, attack.limit, 20):
        name, finished, killed = f"killed {first}", {}, 0
        for _ in range(min(20, attack.limit - first)):
            # At any moment of one of the next epochs, or before the first.
            goal = epochs(tmp_path / name) + chance.choice((0, 1, 1, 2))
            by, part = chance.choice(DEADLY), chance.random()
            process = start(name, *axes)
            if not kill(process, tmp_path / name, goal, part * seconds, by):
                break  # done, before all kills on a busy machine
            killed += 1
            for path in tmp_path.glob(f"{name}/*/*/result.json"):
                finished.setdefault(path, path.stat().st_mtime_ns)
            attack.tried(f"{by.name} after {goal} epochs")
        were_finished += len(finished)
        if first + 20 <= attack.limit:
            assert killed >= 10, "too quick to be killed"
        end(start(name, *axes))
        fault = None
        try:
            assert_same_table(
                undisturbed, results.collect(tmp_path / name, TABLES)
            )
            for path, moment in finished.items():
                assert path.stat().st_mtime_ns == moment, "made again"
        except AssertionError as error:
            fault = str(error)
        attack.tried("the whole sweep", fault)
    # Twenty kills may all come before the first run is finished.
    assert were_finished or attack.limit < 60


def test_killed_sweeps_of_two_machines_come_to_one_table(start, tmp_path):
    settings = ["--variant=lstm3", "--epochs=6"]
    end(start("one", *settings, "--activation=tanh,relu,linear"))
    # One run is made on both.
    axes = {"a": "--activation=tanh,relu", "b": "--activation=relu,linear"}
    orders = ("a b", "b a", "a b a b")

    def collect():
        for order in orders:
            for name in order.split():
                places = f"--results-dir={tmp_path / name}", "--to"
                to = str(tmp_path / "tables" / order)
                assert cli.main(["collect", *places, to]) == 0

    # In the first run of one machine, and in the second of the other.
    for (name, axis), goal in zip(axes.items(), (1, 8), strict=True):
        assert kill(start(name, *settings, axis), tmp_path / name, goal, 0)
    collect()  # the runs that are not done, too
    for name, axis in axes.items():
        end(start(name, *settings, axis))
    collect()
    expected = results.collect(tmp_path / "one", TABLES)
    assert list(expected.runs["status"]) == 3 * ["done"]
    for order in orders:
        assert_same_table(
            expected, results.read(tmp_path / "tables" / order, TABLES)
        )


def epochs(results_dir):
    """How many epochs stand in all histories."""
    histories = results_dir.glob("newsgroups/*/history.csv")
    lines = (path.read_bytes().count(b"\n") for path in histories)
    return sum(max(0, count - 1) for count in lines)
