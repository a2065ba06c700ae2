"""What the engine asks of an experiment, asked of each."""

import csv
import dataclasses
import importlib
import pickle
import types
from pathlib import Path

import pytest
from made_runs import EXPERIMENTS
from rich.console import Console

from experiments.engine.runs import identity
from experiments.engine.settings import from_text

pytestmark = pytest.mark.any_backend


@pytest.fixture
def small(experiment, data_dir, tmp_path):
    """Settings of small data."""
    text = tmp_path / "text.txt"
    text.write_text("the rain in spain. " * 100)
    return {
        "newsgroups": {"embedding_dim": 8, "samples": 30},
        "memory_duration": {"text": str(text), "characters": 1_500},
    }[experiment.name]


COMMANDS = ("run", "sweep", "collect", "report", "settings")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(experiment, command, capsys):
    cli = importlib.import_module(f"experiments.{experiment.name}.cli")
    with pytest.raises(SystemExit) as end:
        cli.main([command, "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert end.value.code == 0
    assert f"python -m experiments.{experiment.name} {command}" in told
    if command in ("run", "sweep"):
        for field in dataclasses.fields(experiment.run_type):
            assert f"--{field.name.replace('_', '-')} " in told
            assert field.metadata["note"] in told


def test_the_data_depend_on_no_other_setting(experiment, small):
    """A sweep loads them once for runs that differ in the others."""
    run = experiment.run_type(**small)
    settings = {name: getattr(run, name) for name in experiment.of_data}
    data = experiment.load_data(types.SimpleNamespace(**settings))
    other = experiment.run_type(variant="lstm2", seed=3, epochs=7, **small)
    assert experiment.data_of(other).fingerprint == data.fingerprint
    assert experiment.data_of(other) is experiment.data_of(run)
    assert experiment.about(data)


def test_each_setting_of_the_data_tells(experiment, small):
    run = experiment.run_type(**small)
    for name in experiment.of_data:
        settings = {n: getattr(run, n) for n in experiment.of_data if n != name}
        with pytest.raises(AttributeError, match=name):
            experiment.load_data(types.SimpleNamespace(**settings))


def test_the_cells_of_a_preset(experiment):
    for preset in experiment.presets:
        cells = experiment.cells(preset, {})
        runs = [
            experiment.run_type(**{**cell, "seed": k})
            for k, cell in enumerate(cells)
        ]
        # Each once, and each is told apart by its label.
        assert len({str(sorted(cell.items())) for cell in cells}) == len(cells)
        assert len({experiment.label(run) for run in runs}) == len(runs)
        # What is given takes the place of the preset's.
        given = {"variant": ("lstm4",), "seed": (5, 6), "epochs": 2}
        found = experiment.cells(preset, given)
        assert [cell["seed"] for cell in found[:2]] == [5, 6]
        assert {cell["variant"] for cell in found} == {"lstm4"}
        assert {cell["epochs"] for cell in found} == {2}
    with pytest.raises(ValueError, match="Received: epochs=0"):
        experiment.cells("quick", {"epochs": 0})


def test_without_a_preset_the_settings_given_are_the_grid(experiment):
    given = {"units": (64, 128), "variant": ("LSTM3", "hb/1/xhb/b"), "seed": 1}
    found = experiment.cells(None, given)
    assert [(cell["units"], cell["variant"]) for cell in found] == [
        (64, "lstm3"),
        (64, "hb/1.0/xhb/b"),
        (128, "lstm3"),
        (128, "hb/1.0/xhb/b"),
    ]
    default = experiment.run_type()
    for cell in found:
        for name in cell.keys() - given.keys():
            assert cell[name] == getattr(default, name)
    for nothing in ({}, {"backend": default.backend}):
        with pytest.raises(ValueError, match="Expected --preset, or at least"):
            experiment.cells(None, nothing)


def test_what_varies_shows_in_plan_and_labels(experiment, small, tmp_path):
    """Each run is told apart, whichever settings a sweep varies."""
    given = {name: (value,) for name, value in small.items()}
    given |= {"dropout": (0.0, 0.5), "unit_forget_bias": (True, False)}
    cells = experiment.cells(None, given)
    runs = experiment.runs_of(cells, tmp_path)
    varied = experiment.varied(cells)
    assert {"dropout", "unit_forget_bias"} <= set(varied)
    labels = {experiment.cell_of(r, tmp_path, varied).label for r in runs}
    assert len(labels) == len(runs) == 4
    console = Console(width=200)
    with console.capture() as shown:
        console.print(*experiment.plan(cells, runs, tmp_path))
    told = shown.get()
    assert "dropout" in told and "unit forget bias" in told
    rows = [line for line in told.splitlines() if "left" in line]
    assert sum("false" in row for row in rows) == 2
    assert sum("0.5" in row for row in rows) == 2


@pytest.mark.parametrize("name", ["newsgroups", "memory_duration"])
def test_runs_that_were_made_keep_their_ids(name):
    """Those of `results/`, by their settings as they stand in CSV."""
    experiment = {e.name: e for e in EXPERIMENTS}[name]
    folder = Path(__file__).parents[2] / "results" / name
    with open(folder / "runs.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        settings = {
            field.name: from_text(field, row[field.name] or "none")
            for field in dataclasses.fields(experiment.run_type)
        }
        config = experiment.run_type(**settings).config()
        assert identity(config, row["data_fingerprint"]) == row["id"]


def test_variants_follow_each_other_before_seeds(experiment):
    given = {"variant": ("lstm", "lstm3"), "seed": (0, 1)}
    found = experiment.cells("quick", given)[:4]
    assert [(cell["seed"], cell["variant"]) for cell in found] == [
        (0, "lstm"),
        (0, "lstm3"),
        (1, "lstm"),
        (1, "lstm3"),
    ]


def test_workers_get_it_by_pickle(experiment):
    copy = pickle.loads(pickle.dumps(experiment.make)).__self__
    assert copy.load_data is experiment.load_data
    assert copy.tables == experiment.tables


def test_folders_are_where_runs_are_collected(experiment, small, tmp_path):
    run = experiment.run_type(**small)
    cell = experiment.cell_of(run, tmp_path)
    assert cell.folder.path.parent == tmp_path / experiment.name
    assert (cell.task, cell.epochs) == (run, run.epochs)
    assert cell.label == experiment.label(run)
