"""However a sweep is made, it comes to the same table."""

import multiprocessing
import random
import time
from pathlib import Path

import pandas as pd
import pytest
from tiny import replaced

from experiments.engine.launchers import LAUNCHERS
from experiments.newsgroups import cli, results

pytestmark = pytest.mark.long

# What may change while a sweep is made: the clock, and the code.
OF_THE_MOMENT = ("started", "commit")


def table(results_dir):
    """All that runs found, without when and how fast."""
    found = results.collect(results_dir)
    return (
        found.runs.drop(columns=[*OF_THE_MOMENT, "seconds_per_epoch"]),
        found.history.drop(columns=["seconds"]),
    )


def assert_same_table(one, other):
    for frame, twin in zip(table(one), table(other), strict=True):
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
    assert_same_table(tmp_path / "runs", tmp_path / launcher)


@pytest.mark.any_backend  # test_training.py resumes on each
def test_killed_twenty_times_it_gives_the_table_of_an_undisturbed_sweep(
    sweep_arguments, tmp_path, monkeypatch
):
    # The server imports Keras once; each sweep is forked from it.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["experiments.newsgroups.cli"])
    axes = ["--variant=lstm3", "--activation=tanh,relu"]
    axes += ["--learning-rate=1e-3,2e-3", "--epochs=16"]

    def start(name):
        arguments = replaced(
            sweep_arguments,
            *axes,
            f"--results-dir={tmp_path / name}",
        )
        process = context.Process(target=cli.main, args=(arguments,))
        process.start()
        return process

    undisturbed = start("undisturbed")
    undisturbed.join()
    assert undisturbed.exitcode == 0
    seconds = results.collect(tmp_path / "undisturbed").history["seconds"]

    chance = random.Random(0)
    finished = {}
    for _ in range(20):
        # At any moment of one of the next epochs, or before the first.
        goal = epochs(tmp_path / "killed") + chance.choice((0, 1, 1, 2))
        process = start("killed")
        while epochs(tmp_path / "killed") < goal:
            assert process.is_alive()
            time.sleep(0.001)
        time.sleep(chance.random() * seconds.median())
        assert process.is_alive(), "too quick to be killed"
        process.kill()
        process.join()
        for path in tmp_path.glob("killed/*/*/result.json"):
            finished.setdefault(path, path.stat().st_mtime_ns)
    assert finished
    process = start("killed")
    process.join()
    assert process.exitcode == 0
    assert_same_table(tmp_path / "undisturbed", tmp_path / "killed")
    for path, moment in finished.items():
        assert path.stat().st_mtime_ns == moment, "made again"


def epochs(results_dir):
    """How many epochs stand in all histories."""
    histories = results_dir.glob("newsgroups/*/history.csv")
    lines = (path.read_bytes().count(b"\n") for path in histories)
    return sum(max(0, count - 1) for count in lines)
