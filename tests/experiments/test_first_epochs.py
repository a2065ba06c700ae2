"""Runs of more epochs that count as runs of fewer."""

import dataclasses
import importlib
import shutil
from pathlib import Path

import pandas as pd
import pytest
from made_runs import make_run

from experiments.memory_duration.experiment import MEMORY_DURATION
from experiments.newsgroups import cli
from experiments.newsgroups.experiment import NEWSGROUPS

pytestmark = pytest.mark.any_backend


def read(folder, name="runs"):
    return pd.read_csv(folder / f"{name}.csv", dtype="str")


def test_first_epochs_are_those_of_a_run_of_so_many(
    tiny_config, arguments, tmp_path, capsys
):
    tables, of_two = tmp_path / "tables", tmp_path / "two"
    more = NEWSGROUPS.carry_out(tiny_config, tmp_path / "runs", verbose=0)
    two = dataclasses.replace(tiny_config, epochs=2)
    fewer = NEWSGROUPS.carry_out(two, of_two, verbose=0)
    assert cli.main(["collect", f"--results-dir={of_two}"]) == 0
    collect = ["collect", "--epochs=2", f"--to={tables}"]
    for _ in range(2):  # again: nothing changes
        assert cli.main([*collect, f"--results-dir={tmp_path / 'runs'}"]) == 0
        assert read(tables)["id"].tolist() == [fewer.id, more.id]
    of_the_moment = ["started", "seconds", "seconds_per_epoch"]
    for name in ("runs", "history"):
        found, expected = read(tables, name), read(of_two / "newsgroups", name)
        found = found[found["id"] == fewer.id].reset_index(drop=True)
        if name == "runs":
            assert found.pop("first_epochs_of").tolist() == [more.id]
        pd.testing.assert_frame_equal(
            found.drop(columns=of_the_moment, errors="ignore"),
            expected.drop(columns=of_the_moment, errors="ignore"),
        )
    # A sweep need not make it, and the run itself fits.
    sweep = ["sweep", *arguments, "--epochs=2", "--dry-run"]
    capsys.readouterr()
    sweep = [option for option in sweep if option != "--epochs=4"]
    assert cli.main([*sweep, f"--known={tables}"]) == 0
    assert "1 runs: 1 known; 0 epochs to go" in capsys.readouterr().out
    # The run itself takes its place, and keeps it.
    shutil.copytree(of_two / "newsgroups", tmp_path / "real")
    for results_dir, to in ((of_two, tables), (tmp_path / "runs", "real")):
        options = [f"--results-dir={results_dir}", f"--to={tmp_path / to}"]
        assert cli.main(["collect", "--epochs=2", *options]) == 0
        found = read(tmp_path / to).set_index("id")
        assert found.index.tolist() == [fewer.id, more.id]
        assert found.get("first_epochs_of", pd.Series()).isna().all()


def test_what_comes_later_is_no_part_of_the_first_epochs(tmp_path):
    """The results of the checkout: one run breaks down in epoch 58."""
    results = Path(__file__).parents[2] / "results" / "newsgroups"
    tables = shutil.copytree(results, tmp_path / "tables")
    before = read(tables)
    collect = ["collect", f"--to={tables}", f"--results-dir={tmp_path}"]
    for epochs in (60, 57):
        assert cli.main([*collect, f"--epochs={epochs}"]) == 0
    found = read(tables).set_index("id")
    assert found.index.is_unique
    assert set(before["id"]) < set(found.index)
    (broken,) = before.loc[before["breakdown_epoch"] == "58", "id"]
    cut = found[found["first_epochs_of"] == broken].set_index("epochs")
    assert pd.isna(cut.loc["57", "breakdown_epoch"])
    assert cut.loc["60", "breakdown_epoch"] == "58"
    history = read(tables, "history").set_index(["id", "epoch"])
    for epoch in ("57", "60"):
        last = history.loc[(broken, epoch)]
        for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
            assert cut.loc[epoch, name] == last[name]


@pytest.mark.parametrize("done", [None, 2])
def test_runs_that_are_not_longer_or_not_done_are_left_as_they_are(
    tmp_path, done
):
    for seed, epochs in ((0, 2), (1, 3)):
        make_run(NEWSGROUPS, tmp_path, seed, epochs, done=done)
    assert cli.main(["collect", f"--results-dir={tmp_path}", "--epochs=2"]) == 0
    found = read(tmp_path / "newsgroups")
    assert len(found) == (3 if done is None else 2)


@pytest.mark.parametrize(
    ("experiment", "epochs", "message"),
    [
        (NEWSGROUPS, 0, "`epochs`. Expected an integer >= 1"),
        (MEMORY_DURATION, 2, "not from its history"),
    ],
    ids=["newsgroups", "memory_duration"],
)
def test_what_cannot_be_told_is_refused(
    experiment, epochs, message, tmp_path, capsys
):
    make_run(experiment, tmp_path)
    command = importlib.import_module(f"experiments.{experiment.name}.cli")
    collect = ["collect", f"--results-dir={tmp_path}", f"--epochs={epochs}"]
    assert command.main(collect) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("*/*.csv"))
