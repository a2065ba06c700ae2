"""A run that resumes from the checkpoint of one with fewer epochs."""

import importlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from tiny import TINY

from experiments.engine import sweep
from experiments.engine.results import collect
from experiments.engine.runs import RunFolder, read_history, read_run
from experiments.long_memory.experiment import LONG_MEMORY
from experiments.newsgroups.experiment import NEWSGROUPS

# test_training.py resumes on each backend.
pytestmark = pytest.mark.any_backend


@pytest.fixture
def settings(experiment, data_dir, tmp_path):
    """The settings of a run that trains in a second."""
    if experiment is NEWSGROUPS:
        return TINY
    sizes = {"units": 5, "seed": 3, "batch_size": 6}
    sizes |= {"backend": TINY["backend"]}
    if experiment is LONG_MEMORY:
        return {"length": 25, "samples": 30, **sizes}
    path = tmp_path / "text.txt"
    path.write_text("the rain in spain. " * 60)
    sizes |= {"characters": 1_000, "layers": 2, "timesteps": 4}
    return {"text": str(path), **sizes}


@pytest.fixture
def carry_out(experiment, settings, tmp_path):
    """Makes a run with this number of epochs, and returns its folder."""

    def make(name, epochs, **options):
        config = experiment.config_type(**{**settings, "epochs": epochs})
        return experiment.carry_out(
            config, tmp_path / name, verbose=0, **options
        )

    return make


FILES = Path(__file__).parents[1] / "files"


def history(folder):
    """What must be the same bit for bit: all but the clock."""
    rows = read_history(folder.path / "history.csv")
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def variables(folder):
    """The content of the checkpoint."""
    with np.load(folder.checkpoint) as saved:
        return {name: saved[name] for name in saved if name != "history"}


@pytest.mark.long
def test_more_epochs_go_on_bit_for_bit(experiment, carry_out, capsys):
    whole = carry_out("whole", 4, keep_checkpoint=True)
    fewer = carry_out("kept", 2, keep_checkpoint=True)
    kept = fewer.checkpoint.read_bytes()
    capsys.readouterr()
    more = carry_out("kept", 4, keep_checkpoint=True)
    told = capsys.readouterr().out
    assert f"Resuming after the 2 epochs of {fewer.checkpoint}" in told

    assert more.id == whole.id != fewer.id
    assert history(more) == history(whole)
    # Those of the first epochs are not made again, their times are kept.
    rows = [read_history(f.path / "history.csv") for f in (fewer, more)]
    assert rows[1][:2] == rows[0]
    found, expected = variables(more), variables(whole)
    assert found.keys() == expected.keys() and len(found) > 10
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
    for name in experiment.tables.result.keys() - {"seconds_per_epoch"}:
        assert more.result[name] == whole.result[name]
    for name in experiment.tables.details:
        paths = (folder.path / f"{name}.csv" for folder in (more, whole))
        assert len({path.read_bytes() for path in paths}) == 1
    (start,) = read_run(more.path)["starts"]
    assert start["went_on_from"] == fewer.id
    assert "went_on_from" not in read_run(whole.path)["starts"][0]
    assert fewer.result["epochs"] == 2
    assert fewer.checkpoint.read_bytes() == kept


@pytest.mark.skipif(
    TINY["backend"] != "torch", reason="the files are of runs with PyTorch"
)
def test_runs_of_an_earlier_version_go_on(
    experiment, carry_out, tmp_path, capsys
):
    """Their ids, settings, histories and checkpoints; see files/README.md."""
    if not (FILES / experiment.name).exists():
        pytest.skip("the experiment had no earlier version")
    runs = tmp_path / "runs" / experiment.name
    shutil.copytree(FILES / experiment.name, runs)
    by_epochs = {
        read_run(path)["config"]["epochs"]: path for path in runs.iterdir()
    }
    found = collect(tmp_path / "runs", experiment.tables)
    assert (found.runs["status"] == "done").all() and len(found.runs) == 2

    assert carry_out("runs", 4).path == by_epochs[4]
    earlier = read_history(by_epochs[4] / "history.csv")
    shutil.rmtree(by_epochs[4])
    again = carry_out("runs", 4)
    assert again.path == by_epochs[4]
    assert "Resuming after the 2 epochs of" in capsys.readouterr().out
    # Of another machine, maybe, with other last digits.
    for wanted, row in zip(earlier, history(again), strict=True):
        for name, value in row.items():
            np.testing.assert_allclose(value, wanted[name], rtol=1e-3)


@pytest.mark.parametrize("experiment", [NEWSGROUPS], indirect=True)
def test_a_checkpoint_that_cannot_be_used_is_named(carry_out, capsys):
    """Then that of fewer epochs is taken, or none."""
    expected = history(carry_out("whole", 3))
    one, two = (carry_out("kept", n, keep_checkpoint=True) for n in (1, 2))
    damages = {
        "gone": lambda path: path.unlink(),
        "empty": lambda path: path.write_bytes(b""),
        "flipped": lambda path: path.write_bytes(
            path.read_bytes()[:1000] + b"x" + path.read_bytes()[1001:]
        ),
    }
    for damage in damages.values():
        for folder, then in ((two, ""), (one, ", starting anew")):
            kept = folder.checkpoint.read_bytes()
            damage(folder.checkpoint)
            if folder is two:
                of_two = kept
            capsys.readouterr()
            more = carry_out("kept", 3)
            told = capsys.readouterr().out
            assert f"{folder.checkpoint} cannot be used{then}: " in told
            assert ("Resuming after the 1 epochs" in told) == (not then)
            assert history(more) == expected
            (more.path / "result.json").unlink()
            assert not more.checkpoint.exists()
        one.checkpoint.write_bytes(kept)
        two.checkpoint.write_bytes(of_two)


def test_checkpoints_are_kept_if_that_is_asked_for(tmp_path):
    def folder_of(name, keep):
        return RunFolder(tmp_path, "test", {"n": name}, "data", None, keep)

    for keep in (True, False):
        folder = folder_of(keep, keep)
        folder.make(lambda f=folder: f.checkpoint.write_bytes(b"x") and {})
        assert folder.checkpoint.exists() == keep
        assert folder.result == {}
        folder.checkpoint.write_bytes(b"x")  # left by a kill
    # Whether the sweep that finds it keeps others or not.
    for option in (True, False):
        folders = [folder_of(name, option) for name in (True, False)]
        planned = [
            sweep.PlannedRun(folder, folder.id, "", 1) for folder in folders
        ]
        assert list(sweep.sweep(planned, pytest.fail, Console())) == []
        assert [f.checkpoint.exists() for f in folders] == [True, False]


@pytest.mark.parametrize("command", ["run", "sweep"])
def test_the_option_of_the_command_line(
    experiment, settings, command, tmp_path, capsys
):
    cli = importlib.import_module(f"experiments.{experiment.name}.cli")
    places = {**settings, "results-dir": tmp_path / "runs"}
    given = [f"--{k.replace('_', '-')}={v}" for k, v in places.items()]
    given = [option for option in given if "epochs" not in option]
    given += ["--no-known"] if command == "sweep" else []
    line = [command, *given, "--epochs=1", "--keep-checkpoints"]
    assert cli.main(line) == 0
    (kept,) = tmp_path.glob("runs/*/*/checkpoint.npz")
    line = [command, *given, "--epochs=2"]
    if command == "sweep":
        capsys.readouterr()
        assert cli.main([*line, "--dry-run"]) == 0
        assert "1 runs: 1 left; 1 epochs to go" in capsys.readouterr().out
    assert cli.main(line) == 0
    assert "Resuming after the 1 epochs" in capsys.readouterr().out
    assert list(tmp_path.glob("runs/*/*/checkpoint.npz")) == [kept]
    if command == "run":  # too late
        capsys.readouterr()
        assert cli.main([*line, "--keep-checkpoints"]) == 0
        assert "without --keep-checkpoints" in capsys.readouterr().out
    # That it is kept is no result.
    assert "checkpoint_is_kept" not in read_run(kept.parent)["result"]
