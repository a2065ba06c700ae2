"""What the engine asks of an experiment, asked of each."""

import csv
import dataclasses
import importlib
import os
import pickle
import types
from pathlib import Path

import pytest
from rich.console import Console

from experiments.engine import merging
from experiments.engine.config import from_text, value_type
from experiments.engine.runs import identity

pytestmark = pytest.mark.any_backend


@pytest.fixture
def small(experiment, data_dir, tmp_path):
    """Settings of small data."""
    text = tmp_path / "text.txt"
    text.write_text("the rain in spain. " * 100)
    return {
        "newsgroups": {"embedding_dim": 8, "samples": 30},
        "memory_duration": {"text": str(text), "characters": 1_500},
        "long_memory": {"samples": 100, "length": 25},
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
        for field in dataclasses.fields(experiment.config_type):
            assert f"--{field.name.replace('_', '-')} " in told
            assert field.metadata["note"] in told


def test_the_data_depend_on_no_other_setting(experiment, small):
    """A sweep loads them once for runs that differ in the others."""
    config = experiment.config_type(**small)
    settings = {name: getattr(config, name) for name in experiment.of_data}
    data = experiment.load_data(types.SimpleNamespace(**settings))
    other = experiment.config_type(variant="lstm2", seed=3, epochs=7, **small)
    assert experiment.data_of(other).fingerprint == data.fingerprint
    assert experiment.data_of(other) is experiment.data_of(config)
    assert experiment.about(data)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 10**400])
def test_numbers_that_are_not_finite_are_refused(experiment, value):
    for field in dataclasses.fields(experiment.config_type):
        if value_type(field) is float:
            with pytest.raises(ValueError, match=f"`{field.name}`.*finite"):
                experiment.config_type(**{field.name: value})


def test_each_setting_of_the_data_tells(experiment, small):
    config = experiment.config_type(**small)
    for name in experiment.of_data:
        settings = {
            n: getattr(config, n) for n in experiment.of_data if n != name
        }
        with pytest.raises(AttributeError, match=name):
            experiment.load_data(types.SimpleNamespace(**settings))


def test_the_points_of_a_preset(experiment):
    for preset in experiment.presets:
        points = experiment.points(preset, {})
        configs = [
            experiment.config_type(**{**point, "seed": k})
            for k, point in enumerate(points)
        ]
        # Each once, and each is told apart by its label.
        assert len({str(sorted(point.items())) for point in points}) == len(
            points
        )
        assert len(set(map(experiment.label, configs))) == len(configs)
        # What is given takes the place of the preset's.
        given = {"variant": ("lstm4",), "seed": (5, 6), "epochs": 2}
        found = experiment.points(preset, given)
        assert [point["seed"] for point in found[:2]] == [5, 6]
        assert {point["variant"] for point in found} == {"lstm4"}
        assert {point["epochs"] for point in found} == {2}
    with pytest.raises(ValueError, match="Received: epochs=0"):
        experiment.points("quick", {"epochs": 0})


def test_without_a_preset_the_settings_given_are_the_grid(experiment):
    given = {"units": (64, 128), "variant": ("LSTM3", "hb/1/xhb/b"), "seed": 1}
    found = experiment.points(None, given)
    assert [(point["units"], point["variant"]) for point in found] == [
        (64, "lstm3"),
        (64, "hb/1.0/xhb/b"),
        (128, "lstm3"),
        (128, "hb/1.0/xhb/b"),
    ]
    default = experiment.config_type()
    for point in found:
        for name in point.keys() - given.keys():
            assert point[name] == getattr(default, name)
    for nothing in ({}, {"backend": default.backend}):
        with pytest.raises(ValueError, match="Expected --preset, or at least"):
            experiment.points(None, nothing)


def test_what_varies_shows_in_plan_and_labels(experiment, small, tmp_path):
    """Each run is told apart, whichever settings a sweep varies."""
    given = {name: (value,) for name, value in small.items()}
    given |= {"batch_size": (7, 77), "unit_forget_bias": (True, False)}
    points = experiment.points(None, given)
    configs = experiment.configs_of(points, tmp_path)
    varied = experiment.varied(points)
    assert {"batch_size", "unit_forget_bias"} <= set(varied)
    labels = {
        experiment.planned_run(config, tmp_path, varied).label
        for config in configs
    }
    assert len(labels) == len(configs) == 4
    console = Console(width=200)
    with console.capture() as shown:
        console.print(*experiment.plan(points, configs, tmp_path))
    told = shown.get()
    assert "batch size" in told and "unit forget bias" in told
    rows = [line for line in told.splitlines() if "left" in line]
    assert sum("false" in row for row in rows) == 2
    assert sum(" 77 " in row for row in rows) == 2


def test_runs_that_were_made_keep_their_ids(experiment):
    """Those of `results/`, by their settings as they stand in CSV."""
    folder = Path(__file__).parents[2] / "results" / experiment.name
    with open(folder / "runs.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        settings = {
            field.name: from_text(field, row[field.name] or "none")
            for field in dataclasses.fields(experiment.config_type)
            if field.name in row  # else it was added later
        }
        config = experiment.config_type(**settings).as_dict()
        assert identity(config, row["data_fingerprint"]) == row["id"]


def test_variants_follow_each_other_before_seeds(experiment):
    given = {"variant": ("lstm", "lstm3"), "seed": (0, 1)}
    found = experiment.points("quick", given)[:4]
    assert [(point["seed"], point["variant"]) for point in found] == [
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
    config = experiment.config_type(**small)
    planned = experiment.planned_run(config, tmp_path)
    assert planned.folder.path.parent == tmp_path / experiment.name
    assert (planned.task, planned.epochs) == (config, config.epochs)
    assert planned.label == experiment.label(config)


def test_the_origin_of_each_default_is_explained(experiment):
    found = experiment.config_type.origins
    for field in dataclasses.fields(experiment.config_type):
        assert f"{field.metadata['origin']}: " in found


def test_the_committed_results_are_reported(experiment):
    """In a terminal; their times are empty."""
    folder = Path(__file__).parents[2] / "results" / experiment.name
    found = merging.read(folder, experiment.tables)
    budget, *others = experiment.report.split(found)
    with open(os.devnull, "w") as nowhere:
        console = Console(width=300, record=True, file=nowhere)
        experiment.report.show(found, console)
    text = console.export_text()
    assert all(variant in text for variant in budget.runs["variant"])
    assert text.count("Not shown: ") == len(others) > 0
