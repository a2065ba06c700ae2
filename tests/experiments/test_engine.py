"""The engine with an experiment that has other axes."""

import argparse
import dataclasses
import functools
import gc
import json
import math
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import types

import keras
import pandas as pd
import pytest
from rich.console import Console

from experiments.engine import command_line, parsers
from experiments.engine.config import (
    BaseConfig,
    path_setting,
    seed_setting,
    setting,
)
from experiments.engine.experiment import Experiment
from experiments.engine.grid import CLOCK, parse_axis, product
from experiments.engine.launchers import Options
from experiments.engine.results import (
    PROVENANCE,
    Tables,
    collect,
    read,
    without_seconds,
    write,
)
from experiments.engine.runs import RunFolder

pytestmark = pytest.mark.any_backend


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(BaseConfig):
    variant: str = setting("lstm", "stated", "", choices=("lstm", "lstm3"))
    text: str = setting("play", "stated", "")
    units: int = setting(8, "ours", "", least=1)
    r_1: float = setting(0.0, "stated", "", least=0)
    seed: int = seed_setting(0, "ours", "")
    epochs: int = setting(2, "ours", "", least=1)
    window: int | None = setting(None, "ours", "", least=1)
    shuffled: bool = setting(False, "ours", "")
    backend: str = setting(keras.backend.backend(), "ours", "")


TABLES = Tables(
    "test",
    Config,
    result={"loss": float, "seconds_per_epoch": float},
    provenance={"error": str, "source": str, **PROVENANCE},
    metrics={"loss": float},
)


def execute(config, data, folder, **options):
    """Makes a run with as many seconds per epoch as it has units."""

    def train():
        if config.r_1 > 1:
            raise ArithmeticError("on purpose")
        rows = [
            {"epoch": epoch + 1, "loss": 1.5, "seconds": float(config.units)}
            for epoch in range(config.epochs)
        ]
        folder.write_history(rows)
        return {"loss": 1.5, "seconds_per_epoch": float(config.units)}

    folder.make(train, data_sources={"source": "made here"})


def load_data(config):
    sys.stdout.write("A progress bar.")  # of which a sweep shows only its own
    return types.SimpleNamespace(fingerprint=config.text)


EXPERIMENT = Experiment(
    tables=TABLES,
    axes=("text", "units", "r_1", "variant", "seed"),
    presets={},
    load_data=load_data,
    of_data=("text",),
    about=lambda data: "",
    execute=execute,
    label=lambda config: f"{config.variant} {config.units}",
    outcome=lambda folder: f"loss {folder.result['loss']}",
    report=None,
    timed_by=("units",),
)


def make_runs(points, results_dir):
    return command_line.make_runs(
        [EXPERIMENT.planned_run(Config(**p), results_dir) for p in points],
        functools.partial(EXPERIMENT.make, results_dir=results_dir),
        EXPERIMENT.outcome,
        Options(),
    )


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("text", "play, code", ("play", "code")),
        ("text", "clock", ("clock",)),
        ("units", "8,16-18", (8, 16, 17, 18)),
        ("r_1", "0,1e-2", (0.0, 0.01)),
        ("seed", "0-1,clock", (0, 1, CLOCK)),
        ("window", "5", (5,)),
    ],
)
def test_an_axis_is_read_by_the_type_of_its_field(name, text, values):
    found = parse_axis(Config, name, text)
    assert found == values
    assert [type(value) for value in found] == [type(v) for v in values]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("units", "few", "integers and ranges such as 0-9, between commas"),
        ("units", "clock", "integers and ranges such as 0-9, between commas"),
        ("units", "9-8", "integers and ranges such as 0-9, between commas"),
        ("r_1", "clock", "numbers, between commas"),
        ("r_1", "0-1", "numbers, between commas"),
        ("seed", "soon", "integers, ranges such as 0-9, and 'clock', between"),
    ],
)
def test_what_an_axis_does_not_take(name, text, expected):
    with pytest.raises(ValueError) as error:
        parse_axis(Config, name, text)
    assert f"`{name}`. Expected {expected}" in str(error.value)
    assert f"Received: {name}={text!r}" in str(error.value)


def test_the_product_over_axes_and_its_seeds(tmp_path):
    settings = {
        "variant": ("lstm", "lstm3"),
        "units": (8, 16),
        "seed": (3, CLOCK),
        "epochs": 1,
    }
    points = product(Config, settings)
    found = [(c["units"], c["seed"], c["variant"]) for c in points]
    assert found == [
        (units, seed, variant)
        for units in (8, 16)
        for seed in (3, CLOCK)
        for variant in ("lstm", "lstm3")
    ]
    assert EXPERIMENT.configs_of(points, tmp_path, draw=False)[2] is None
    configs = EXPERIMENT.configs_of(points, tmp_path)
    assert EXPERIMENT.configs_of(points, tmp_path, draw=False) == configs
    # Of other data, other seeds.
    others = [{**point, "text": "code"} for point in points]
    assert EXPERIMENT.configs_of(others, tmp_path, draw=False)[2] is None
    assert [config.seed for config in configs[:2]] == [3, 3]
    assert {config.epochs for config in configs} == {1}
    assert len({config.seed for config in configs}) == 1 + 4
    settings["units"] = (8, 0)
    with pytest.raises(ValueError, match="Received: units=0"):
        product(Config, settings)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LaterConfig(Config):
    added: int = setting(0, "ours", "")

    def as_dict(self):
        found = super().as_dict()
        if self.added == 0:  # as in all runs of before
            del found["added"]
        return found


def test_a_setting_that_was_added_later(tmp_path):
    later = dataclasses.replace(
        EXPERIMENT, tables=TABLES._replace(config_type=LaterConfig)
    )
    points = later.points(None, {"added": (0, 1), "units": 8})
    assert later.varied(points) == ["added"]
    before, after = later.configs_of(points, tmp_path)
    before = later.planned_run(before, tmp_path, ["added"])
    assert before.folder.id == EXPERIMENT.folder_of(Config(), tmp_path).id
    assert before.label == "lstm 8 added=0"
    later.make(after, tmp_path)
    found = collect(tmp_path, later.tables).runs
    assert list(found["added"]) == [1]
    table, text = later.plan(points, [before.task, after], tmp_path)
    assert text.startswith("2 runs: 1 done, 1 left")
    (added,) = [c for c in table.columns if c.header == "added"]
    assert [*added.cells] == ["0", "1"]


def settings_of(line, several):
    parser = parsers.Parser()
    parsers.add_settings(parser, Config, several)
    experiment = types.SimpleNamespace(config_type=Config)
    given = parsers.settings_given(parser.parse_args(line), experiment, several)
    del given["backend"]
    return given


def test_options_of_a_command_line_and_back():
    line = ["--variant=lstm3", "--r-1=0.5", "--window=none", "--shuffled"]
    given = settings_of(line, several=False)
    assert given == {
        "variant": "lstm3",
        "r_1": 0.5,
        "window": None,
        "shuffled": True,
    }
    assert shlex.split(parsers.as_options(given)) == line
    assert parsers.as_options({"shuffled": False}) == "--no-shuffled"


def test_every_setting_of_a_sweep_takes_several_values():
    line = ["--variant=lstm", "--variant=lstm3,lstm", "--r-1=0,0.5"]
    line += ["--epochs=2-4", "--window=3,none", "--shuffled", "--no-shuffled"]
    assert settings_of(line, several=True) == {
        "variant": ("lstm", "lstm3"),
        "r_1": (0.0, 0.5),
        "epochs": (2, 3, 4),
        "window": (3, None),
        "shuffled": (True, False),
    }


@pytest.mark.parametrize(
    ("line", "several", "message"),
    [
        (["--units=8", "--units=9"], False, "`units`. Received: units='8' and"),
        (["--shuffled", "--no-shuffled"], False, "one value of `shuffled`"),
        (["--units=8,9"], False, "`units`. Expected an integer >= 1"),
        (["--units=9,8-9"], True, "`units` is given twice"),
        (["--units=none"], True, "`units`. Expected integers and ranges"),
    ],
    ids=str,
)
def test_a_value_never_replaces_another(line, several, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        settings_of(line, several)


def test_other_options_are_given_once(capsys):
    parser = parsers.Parser()
    parsers.add_places(parser.add_subparsers().add_parser("run"), "data")
    for name in ("--results-dir", "--data-dir"):
        with pytest.raises(SystemExit):
            parser.parse_args(["run", f"{name}=a", name, "b"])
        assert f"{name} is given twice" in capsys.readouterr().err


def test_home_is_expanded_in_every_path(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    experiment = types.SimpleNamespace(
        name="test", config_type=Config, presets=()
    )
    for add, names in (
        (parsers.add_collect, ("results_dir", "to")),
        (functools.partial(parsers.add_report, axes=""), ("collected",)),
        (
            functools.partial(parsers.add_sweep, data="", presets=""),
            ("results_dir", "data_dir", "slurm_folder"),
        ),
    ):
        for name in names:
            parser = parsers.Parser()
            add(parser, experiment)
            option = {"collected": "from"}.get(name, name.replace("_", "-"))
            options = parser.parse_args([f"--{option}=~/x"])
            assert getattr(options, name) == tmp_path / "x"
    assert FileConfig(text="~/x").text == str(tmp_path / "x")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileConfig(Config):
    text: str = path_setting("play", "stated", "")


@pytest.mark.parametrize(
    "path", ["", "~nosuchuser/x", 300 * "n", "a\0b", "a\rb", "caf\udce9"]
)
def test_a_path_that_no_file_can_have_is_refused(path):
    with pytest.raises(ValueError, match="`text`. Expected a name.*Received"):
        FileConfig(text=path)


def test_a_path_with_commas_is_one_value(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Lear, King.txt").write_text("Nothing, my lord.")
    given = ("Lear, King.txt", "play,code")
    assert parse_axis(FileConfig, "text", *given) == (given[0], "play", "code")


def test_the_plan_of_a_sweep_has_a_row_for_each_combination(tmp_path):
    settings = {"variant": ("lstm", "lstm3"), "seed": (0,)}
    settings |= {"text": ("play",), "units": (8, 60), "r_1": (0.0, 0.5)}
    points = product(Config, settings)
    assert make_runs([points[0], points[4]], tmp_path) == 0  # of lstm
    configs = [None, *EXPERIMENT.configs_of(points, tmp_path)[1:]]
    table, text = EXPERIMENT.plan(points, configs, tmp_path)
    # Seven runs of two epochs: four of 8 s per epoch and three of 60.
    assert text.startswith("8 runs: 1 done, 7 left; 14 epochs to go\nAbout 7 ")
    console = Console(width=100)
    with console.capture() as shown:
        console.print(table)
    rows = [
        [word.strip() for word in line.strip("│").split("│")]
        for line in shown.get().splitlines()
        if "play" in line
    ]
    assert rows == [
        ["play", "8", "0", "left", "left"],
        ["play", "8", "0.5", "left", "left"],
        ["play", "60", "0", "done", "left"],
        ["play", "60", "0.5", "left", "left"],
    ]


def test_runs_are_made_reported_and_collected(tmp_path, capsys):
    points = [{"r_1": r_1} for r_1 in (0.5, 2.0)]
    assert make_runs(points, tmp_path) == 1
    told, errors = capsys.readouterr()
    assert "0 of 2 runs are done" in told
    assert "[1 of 2] lstm 8: loss 1.5" in told
    assert "Failed: lstm 8: ArithmeticError: on purpose" in errors
    assert make_runs(points[:1], tmp_path) == 0
    assert "1 of 1 runs are done" in capsys.readouterr().out

    found = collect(tmp_path, TABLES)
    assert list(found.runs["status"]) == ["done", "failed"]
    assert list(found.runs["source"]) == 2 * ["made here"]
    assert list(found.history) == ["id", "epoch", "loss", "seconds"]
    write(found, tmp_path)
    kept = read(tmp_path, TABLES)
    for frame, twin in zip(found[:2], kept[:2], strict=True):
        pd.testing.assert_frame_equal(frame, twin, check_exact=True)
    assert found.details == kept.details == {}
    assert without_seconds(found).runs["seconds_per_epoch"].isna().all()


def test_a_number_beyond_what_tables_hold_is_refused():
    assert Config(units=2**53 - 1).units == 2**53 - 1
    with pytest.raises(ValueError, match=r"< 2\*\*53. Received: units=9007"):
        Config(units=2**53)


def test_zero_has_no_sign():
    assert math.copysign(1, Config(r_1=-0.0).r_1) == 1


@pytest.mark.parametrize("name", ["NA", "null", "nan", "None", "1e3", "007"])
def test_a_text_survives_csv_whatever_its_name(tmp_path, name):
    assert make_runs([{"text": name}, {"text": "play"}], tmp_path) == 0
    write(collect(tmp_path, TABLES), tmp_path)
    found = read(tmp_path, TABLES).runs
    assert set(found["text"]) == {name, "play"}
    assert found["error"].isna().all() and found["window"].isna().all()


def test_runs_of_before_a_setting_was_there_had_its_default(tmp_path):
    config = Config().as_dict()
    del config["window"], config["shuffled"]
    folder = RunFolder(tmp_path, "test", config, "data")
    folder.start(data_sources={"source": "made here"})
    found = collect(tmp_path, TABLES).runs
    assert found["window"].isna().all() and not found["shuffled"].any()


def test_a_collected_table_that_is_damaged_is_named(tmp_path):
    write(collect(tmp_path, TABLES), tmp_path)
    (tmp_path / "history.csv").write_text("")
    with pytest.raises(ValueError, match="history.csv cannot be read"):
        read(tmp_path, TABLES)


@pytest.mark.parametrize(
    ("backend", "floatx", "message"),
    [
        ("tensorfow", "float32", "the backend 'tensorfow'"),
        (keras.backend.backend(), "float64", "`floatx`.* floatx='float64'"),
    ],
)
def test_what_keras_is_set_to(backend, floatx, message, tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"floatx": floatx}))
    done = subprocess.run(
        [sys.executable, "-m", "experiments.long_memory", "sweep", "--dry-run"],
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            "KERAS_HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert re.search(message, done.stderr) and "Traceback" not in done.stderr


@pytest.fixture
def interruptible():
    """Workers of pytest ignore Ctrl-C."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


def test_an_interrupt_in_a_callback_of_the_garbage_collector(
    interruptible, capsys
):
    """Where Python prints and ignores it, as JAX has such a callback."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command")

    def interrupted(phase, info):
        gc.callbacks.remove(interrupted)
        raise KeyboardInterrupt

    def work(options):
        gc.callbacks.append(interrupted)
        gc.collect()
        for _ in range(200):
            time.sleep(0.1)
        return 0

    began = time.monotonic()
    assert command_line.main(parser, {"work": work}, ["work"]) == 130
    assert time.monotonic() - began < 10
    assert "Stopped" in capsys.readouterr().err
