"""What the engine asks of an experiment, asked of each."""

import dataclasses
import importlib
import pickle
import types

import pytest

from experiments.memory_duration.experiment import MEMORY_DURATION
from experiments.newsgroups.experiment import NEWSGROUPS

pytestmark = pytest.mark.any_backend

EXPERIMENTS = (NEWSGROUPS, MEMORY_DURATION)


@pytest.fixture(params=EXPERIMENTS, ids=lambda e: e.name)
def experiment(request):
    return request.param


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
