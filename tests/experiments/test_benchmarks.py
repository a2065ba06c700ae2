import contextlib
import dataclasses
import functools
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import filelock
import keras
import numpy as np
import pandas as pd
import pytest
from frameworks import gradients, to_numpy
from rich.console import Console
from tiny import TINY

from experiments.benchmarks import cli, page, rounds, summary, workers
from experiments.benchmarks.in_worker import (
    deploy,
    layers,
    models,
    soak,
    timing,
)
from experiments.benchmarks.subjects import (
    CNN,
    CONTENDERS,
    KERAS_GRU,
    KERAS_LSTM,
    KERAS_RNN,
    TORCH_LSTM,
    WAYS,
    Contender,
    Exported,
    Network,
    Shape,
    Trained,
    columns_of,
)
from experiments.engine.names import equal_units, parameters
from experiments.newsgroups.model import build_model
from experiments.newsgroups.skip_padding import SkipPadding

ROOT = Path(__file__).parents[2]
LARGE = "32x100x128x128"


def contender(layer, recurrence="", **settings):
    defaults = {
        "backend": "tensorflow",
        "jit": False,
        "unroll": False,
        "default": True,
        "units": 128,
        "equal": "units",
        "parameters": 1000,
        "dtype": "float32",
    }
    return Contender(
        layer=layer, recurrence=recurrence, **{**defaults, **settings}
    )


KERAS = contender(KERAS_LSTM)
KERAS_JIT = contender(KERAS_LSTM, jit=True, default=False)
TORCH = contender(TORCH_LSTM, backend="torch")
OURS = contender("lstm3", "fast")


def write_rounds(folder, seconds, others=None, shape=LARGE, mode="training"):
    """A rounds.csv of made-up seconds: a list for each contender."""
    columns = ["shape", "mode", *columns_of(Contender)]
    count = max(map(len, seconds.values()))
    with rounds.rounds_file(folder / "rounds.csv", columns) as write:

        def append(subject, number, **outcome):
            where = {"shape": shape, "mode": mode, "round": number}
            write([{**where, **dataclasses.asdict(subject), **outcome}])

        for subject in seconds:
            append(subject, 0, compile_seconds=1.5)
        for number in range(count):
            other_cpu = others[number] if others else 0.0
            for subject, own in seconds.items():
                append(
                    subject,
                    number + 1,
                    calls=1,
                    seconds=own[number],
                    other_cpu=other_cpu,
                )


def summarized(folder, subject):
    """The row of a subject in layers.csv."""
    table = summary.layers(summary.read(folder / "rounds.csv"))
    values = dataclasses.asdict(subject)
    same = (table[list(values)] == list(values.values())).all(axis=1)
    (row,) = table[same].to_dict("records")
    return row


def write_page(folder, command="layers"):
    """README.md and what the terminal shows of it."""
    about = {
        "command": "a command",
        "date": "a day",
        "cpu": "a CPU",
        "cores": 2,
        "logical_cores": 2,
        "memory_bytes": 2**34,
        "system": "a system",
        "environment": {},
        "backends": {},
        "is_gpu": False,
        "seeds": 3,
        "runtimes": {"onnxruntime": "1.0"},
    }
    workers.write_description(about, folder / f"{command}.json")
    console = Console(record=True, width=200, file=open(os.devnull, "w"))
    with console.file:
        page.write(folder, console)
    return (folder / "README.md").read_text("utf-8"), console.export_text()


@pytest.mark.any_backend
def test_ratios_are_taken_round_by_round(tmp_path):
    write_rounds(
        tmp_path,
        {
            KERAS: [6.0, 8.0, 12.0],
            KERAS_JIT: [4.0, 5.0, 6.0],
            TORCH: [1.0, 3.0, 3.0],
            OURS: [2.0, 4.0, 3.0],
        },
    )
    row = summarized(tmp_path, OURS)
    assert row["seconds"] == 3
    assert row["us_per_step"] == pytest.approx(3e6 / 100)
    assert row["compile_seconds"] == 1.5
    # 3, 2 and 4; that of the medians would be 8 / 3.
    assert row["keras_default"] == 3
    assert row["keras_default_p10"] == pytest.approx(2.2)
    assert row["keras_default_p90"] == pytest.approx(3.8)
    assert row["keras_best"] == 2  # to jit: 2, 1.25 and 2
    assert row["torch_lstm"] == 0.75  # 0.5, 0.75 and 1
    assert summarized(tmp_path, KERAS_JIT)["keras_best"] == 1


@pytest.mark.any_backend
def test_a_gru_is_compared_with_that_of_keras(tmp_path):
    gru = contender(KERAS_GRU)
    ours = contender("gru3", "fast")
    write_rounds(tmp_path, {KERAS: [6.0], OURS: [2.0]})
    assert np.isnan(summarized(tmp_path, OURS)["keras_gru"])
    assert "x Keras GRU" not in write_page(tmp_path)[0]
    write_rounds(tmp_path, {KERAS: [6.0], gru: [8.0], ours: [2.0]})
    assert summarized(tmp_path, ours)["keras_default"] == 3
    assert summarized(tmp_path, ours)["keras_gru"] == 4
    text, _ = write_page(tmp_path)
    assert (
        "| gru3 | tensorflow | 3.00x (3.00–3.00) | 3.00x (3.00–3.00) "
        "| 4.00x (4.00–4.00) |" in text
    )


@pytest.mark.any_backend
def test_equal_parameters_stand_next_to_equal_units(tmp_path):
    larger = contender("lstm3", "fast", units=303, equal="parameters")
    write_rounds(tmp_path, {KERAS: [6.0], OURS: [2.0], larger: [5.0]})
    readme, _ = write_page(tmp_path)
    assert "With equal parameters: lstm3 has 303 units." in readme
    assert (
        "| lstm3 | tensorflow | 3.00x (3.00–3.00) | 3.00x (3.00–3.00) | – "
        "| 1.20x (1.20–1.20) |" in readme
    )
    assert readme.count("| lstm3 |") == 1


@pytest.mark.any_backend
def test_busy_rounds_do_not_count(tmp_path):
    seconds = {KERAS: [4.0, 4.0, 90.0, 4.0], OURS: [2.0, 2.0, 1.0, 2.0]}
    write_rounds(tmp_path, seconds, others=[0.0, 0.05, 0.3, 0.01])
    row = summarized(tmp_path, OURS)
    assert (row["rounds"], row["busy_rounds"]) == (4, 1)
    assert (row["seconds_p10"], row["keras_default_p90"]) == (2, 2)
    readme, told = write_page(tmp_path)
    assert "Rounds: 4, busy ones: 1; medians over the quiet ones" in readme
    assert "was busy" not in readme + told


@pytest.mark.any_backend
def test_too_many_busy_rounds_are_reported(tmp_path):
    seconds = {KERAS: [4.0, 6.0, 6.0], OURS: [2.0, 1.0, 1.0]}
    write_rounds(tmp_path, seconds, others=[0.0, 0.3, 0.06])
    row = summarized(tmp_path, OURS)
    assert row["busy_rounds"] == 2
    assert row["keras_default"] == 6  # of all three
    for text in write_page(tmp_path):
        assert (
            f"machine was busy in more than half of the rounds of {LARGE}"
            in (text)
        )


@pytest.mark.any_backend
def test_a_killed_run_is_summarized(tmp_path):
    seconds = {KERAS: [5.0, 5.0], OURS: [2.5, 2.5]}
    write_rounds(tmp_path, seconds)
    path = tmp_path / "rounds.csv"
    text = path.read_text()
    at = text.rindex("1,2.5,0.0")  # the calls, seconds and rest of the last row
    path.write_text(text[: at + len("1,2")])
    row = summarized(tmp_path, OURS)
    assert (row["rounds"], row["seconds"]) == (2, 2.5)
    assert np.isnan(row["torch_lstm"])
    assert (
        "| lstm3 | tensorflow | 2.00x (2.00–2.00) |" in write_page(tmp_path)[0]
    )

    path.write_text(text[: text.index("\n", text.index("\n") + 1) + 1])
    (tmp_path / "models_rounds.csv").write_text("")  # before its header
    write_page(tmp_path)  # before the first round


@pytest.mark.any_backend
def test_what_is_summarized_can_be_told_again_without_its_rounds(tmp_path):
    write_rounds(tmp_path, {KERAS: [4.0], OURS: [2.0]})
    readme, _ = write_page(tmp_path)
    (tmp_path / "rounds.csv").unlink()
    assert write_page(tmp_path)[0] == readme


class Fake:
    """A worker that takes a second for all, and fails where it is told."""

    def __init__(self, fails):
        self.fails = fails

    def call(self, method, subject):
        if (method, subject) in self.fails:
            raise workers.WorkerError("the reason | of it")
        return {"calls": 1, "seconds": 1.0} if method == "measure" else {}


@pytest.mark.any_backend
def test_a_contender_that_fails_stays_visible_and_stops_no_other(tmp_path):
    never, late = contender("lstm1", "fast"), contender("lstm2", "fast")
    subjects = [KERAS, KERAS_JIT, OURS, never, late]
    worker = Fake({("prepare", never), ("measure", late)})
    found = []
    rounds.measure(
        subjects, {"tensorflow": worker}, 8, found.extend, lambda text: None
    )
    orders = {
        number: [s for s, outcome in found if outcome["round"] == number]
        for number in range(9)
    }
    assert orders[0] == subjects
    assert never not in orders[1] and late in orders[1]
    assert all(set(orders[n]) == {KERAS, KERAS_JIT, OURS} for n in range(2, 9))
    assert len({tuple(orders[n]) for n in range(2, 9)}) > 1  # shuffled
    # Its ticks are longer than these rounds, which may have any share.
    assert all(o["other_cpu"] >= 0 for _, o in found if o["round"])

    with rounds.rounds_file(
        tmp_path / "rounds.csv", ["shape", "mode", *columns_of(Contender)]
    ) as write:
        where = {"shape": LARGE, "mode": "training"}
        write(
            {**where, **dataclasses.asdict(s), **outcome}
            for s, outcome in found
        )
    for failed in (never, late):
        assert summarized(tmp_path, failed)["error"] == "the reason | of it"
    readme, told = write_page(tmp_path)
    assert "### Failed: 2" in readme and "2 failed" in told
    assert "| lstm1 (failed, see below) |" in readme
    assert "the reason \\| of it |" in readme


@pytest.mark.any_backend
@pytest.mark.parametrize(
    "shape, layer, seconds, is_impossible",
    [
        (LARGE, "lstm3", 4.6, True),
        (LARGE, "lstm3", 4.4, False),
        ("31x100x128x128", "lstm3", 4.6, False),
        ("32x100x128x127", "lstm3", 4.6, False),
        (LARGE, "lstm10", 4.6, False),  # has no product to take time
    ],
)
def test_what_cannot_be_true_is_flagged(
    tmp_path, shape, layer, seconds, is_impossible
):
    ours = contender(layer, "fast")
    write_rounds(tmp_path, {TORCH: [seconds], ours: [1.0]}, shape=shape)
    readme, told = write_page(tmp_path)
    for text in (readme, told):
        assert ("the arithmetic allows" in text) is is_impossible
    # A busy machine is reason enough.
    write_rounds(tmp_path, {TORCH: [seconds], ours: [1.0]}, [0.5], shape)
    for text in write_page(tmp_path):
        assert "was busy" in text and "arithmetic allows" not in text


@pytest.mark.any_backend
def test_models_are_set_next_to_the_same_model_with_keras_layer(tmp_path):
    columns = ["model", "shape", *columns_of(Trained)]
    seconds = {
        ("auto", KERAS_LSTM): [0.006, 0.008, 0.012],
        ("auto", "lstm3"): [0.002, 0.004, 0.003],
        ("True", KERAS_LSTM): [0.004, 0.004, 0.004],
        ("True", "lstm3"): [0.002, 0.002, 0.002],
    }
    with rounds.rounds_file(tmp_path / "models_rounds.csv", columns) as write:
        for (jit, layer), own in seconds.items():
            subject = Trained("tensorflow", layer, jit, 1000)
            where = {"model": "forecaster", "shape": "32x100x8x64"}
            where |= dataclasses.asdict(subject)
            write([{**where, "round": 0, "compile_seconds": 2.0}])
            for number, of_round in enumerate(own):
                outcome = {"seconds": of_round, "other_cpu": 0.0}
                write([{**where, "round": number + 1, **outcome}])
        failed = Trained("jax", "lstm3", "auto", 1000)
        where |= dataclasses.asdict(failed)
        write([{**where, "round": 0, "error": "the reason"}])
    readme, told = write_page(tmp_path, "models")
    auto = "| lstm3 | tensorflow | 3.00x (2.20–3.80) | 1,000 | 3.00 | 2.00 |"
    by_xla = "| lstm3 | tensorflow, jit_compile=True | 2.00x (2.00–2.00) |"
    assert auto in readme and by_xla in readme
    assert "### forecaster, 32x100x8x64" in readme
    assert "### Failed: 1" in readme and "1 failed" in told
    (tmp_path / "models_rounds.csv").unlink()
    assert write_page(tmp_path, "models")[0] == readme


@pytest.mark.any_backend
def test_files_are_set_next_to_those_of_keras_in_the_same_format(tmp_path):
    columns = ["task", *columns_of(Exported), *summary.FILE_COLUMNS]
    seconds = {
        (KERAS_LSTM, "LiteRT"): [60e-6, 80e-6, 120e-6],
        ("lstm3", "LiteRT"): [20e-6, 40e-6, 30e-6],
        (KERAS_LSTM, "LiteRT int8"): [10e-6, 10e-6, 10e-6],
        ("lstm3", "LiteRT int8"): [5e-6, 5e-6, 5e-6],
        (CNN, "LiteRT int8"): [2e-6, 2e-6, 2e-6],
    }
    outcome = {"score": 0.95, "score_min": 0.9, "score_max": 1.0}
    outcome |= {"file_bytes": 12_345, "peak_memory_bytes": 40_960}
    with rounds.rounds_file(tmp_path / "deploy_rounds.csv", columns) as write:
        for (layer, format), own in seconds.items():
            subject = Exported("tensorflow", layer, format, 8, 1000)
            where = {"task": "digits", **dataclasses.asdict(subject)}
            write([{**where, "round": 0, **outcome}])
            for number, of_round in enumerate(own):
                timed = {"seconds": of_round, "other_cpu": 0.0}
                write([{**where, "round": number + 1, **timed}])
        failed = Exported("torch", "lstm3", "ONNX", 8, 1000)
        where |= dataclasses.asdict(failed)
        write([{**where, "round": 0, "error": "the reason"}])
    readme, told = write_page(tmp_path, "deploy")
    scores = "95.0 (90.0–100.0)"
    of = f"1,000 | {scores} | 12.3 | 41.0"
    assert f"| lstm3 | LiteRT | {of} | 30.0 | 3.00x (2.20–3.80) |" in readme
    assert f"| lstm3 | LiteRT int8 | {of} | 5.00 | 2.00x" in readme
    assert f"| 1D-CNN, 8 filters | LiteRT int8 | {of} | 2.00 | 5.00x" in readme
    assert "### Failed: 1" in readme and "1 failed" in told
    assert (tmp_path / "deploy.png").stat().st_size > 10_000
    (tmp_path / "deploy_rounds.csv").unlink()
    assert write_page(tmp_path, "deploy")[0] == readme


@pytest.mark.long
def test_slimmed_networks_are_scored(tmp_path, monkeypatch):
    """On made-up data; the table of the page has the scores of the worker."""
    random = np.random.default_rng(0)
    x = random.normal(size=(40, 3, 2)).astype("float32")
    y = (x[:, -1, 0] > 0).astype(int)
    task = deploy.Task(
        (x, y),
        (x, y),
        functools.partial(keras.layers.Dense, 2, "softmax"),
        "sparse_categorical_crossentropy",
        1,
        lambda y, found: np.mean(y == found.argmax(axis=1)),
    )
    monkeypatch.setitem(deploy.TASKS, "digits", lambda: task)
    served = deploy.Slimming("digits")
    original = served.train(0)
    scores = served.scores("lstm3", 0)
    assert len(scores) == len(WAYS)
    assert all(0 <= score <= 1 for score in [original, *scores])
    rows = [("digits", 0, "lstm", "original", original)]
    rows += [
        ("digits", seed, "lstm3", way, score - seed / 10)
        for seed in (0, 1)
        for way, score in zip(WAYS, scores, strict=True)
    ]
    columns = ["task", "seed", "layer", "way", "score"]
    summary.write(
        pd.DataFrame(rows, columns=columns), tmp_path / "slimming.csv"
    )
    readme, _ = write_page(tmp_path, "slimming")
    cells = " | ".join(
        f"{100 * s - 5:.1f} ({100 * s - 10:.1f}–{100 * s:.1f})" for s in scores
    )
    assert f"| lstm3 |  | {cells} |" in readme
    assert f"| {100 * original:.1f} (" in readme


def test_whole_numbers_are_written_with_all_digits(tmp_path):
    table = pd.DataFrame(
        {"bytes": [716_649_472, None], "seconds": [1.2345678, None]}
    )
    summary.write(table, path := tmp_path / "table.csv")
    assert path.read_text() == "bytes,seconds\n716649472,1.2346\n,\n"


@pytest.mark.parametrize("layer", ["lstm", "lstm3"])
def test_nothing_grows_once_all_shapes_were_there(layer, monkeypatch):
    monkeypatch.setattr(soak, "MOST_ROWS", 2)
    monkeypatch.setattr(soak, "MOST_STEPS", 2)
    served = soak.Calls(layer)
    before, after = (served.call(count) for count in (30, 20))
    assert (before["done"], after["done"]) == (30, 50)
    for name in ("open_files", "compilations"):
        assert after[name] == before[name]
    compiles = keras.backend.backend() != "torch"
    assert bool(after["compilations"]) == compiles


@pytest.mark.long
def test_calls_models_and_runs_are_sampled(tmp_path):
    rows = []
    for mode, served in ("calls", soak.Calls), ("models", soak.Models):
        called = served("lstm3")
        rows += [(mode, "lstm3", called.call(2)) for _ in range(3)]
    runs = soak.Sweep(2).sweep(4)
    assert [sample["done"] for sample in runs] == [2, 4]
    rows += [("runs", "lstm3", sample) for sample in runs]
    found = pd.DataFrame(
        {"backend": "jax", "mode": mode, "layer": layer, "error": ""} | row
        for mode, layer, row in [*rows, ("calls", "lstm", {"error": "died"})]
    )
    assert set(found) == {
        *("backend", "mode", "layer", "error", "done", "seconds"),
        *("memory_bytes", "open_files", "compilations"),
    }
    summary.write(found, tmp_path / "soak.csv")
    readme, _ = write_page(tmp_path, "soak")
    for row in rows:
        megabytes = f"{row[2]['memory_bytes'] / 1e6:,.1f}"
        assert f"| {row[2]['done']} {row[0]} | {megabytes} |" in readme
    assert "| calls | jax | lstm | died |" in readme
    assert (tmp_path / "soak.png").stat().st_size > 10_000


def test_a_soak_goes_on_after_a_layer_that_died(tmp_path, monkeypatch):
    class Dying:
        def __init__(self, name):
            self.name = name

        def call(self, method, count):
            if self.name == KERAS_LSTM and method == "call":
                raise workers.WorkerError("the process died: SIGSEGV")
            return [] if method == "sweep" else {"done": count, "seconds": 1.0}

    @contextlib.contextmanager
    def start(backends, served, name):
        yield {backends[0]: Dying(name)}

    monkeypatch.setattr(workers, "start", start)
    options = SimpleNamespace(results_dir=tmp_path, backend=["jax"], **cli.SOAK)
    cli._soak(options, {}, Console())
    found = pd.read_csv(tmp_path / "soak.csv").groupby(["mode", "layer"])
    assert found["error"].count().to_dict() == {
        (mode, layer): int(layer == KERAS_LSTM)
        for mode in ("calls", "models")
        for layer in (KERAS_LSTM, "lstm", "lstm3")
    }


def test_a_page_of_a_soak_that_measured_nothing(tmp_path):
    row = {"backend": "jax", "mode": "calls", "layer": "lstm", "error": "died"}
    names = "done seconds memory_bytes open_files compilations".split()
    summary.write(
        pd.DataFrame([row | dict.fromkeys(names)]), tmp_path / "soak.csv"
    )
    readme, told = write_page(tmp_path, "soak")
    assert "| died |" in readme and "1 failed" in told


def test_a_sweep_of_a_soak_that_is_refused_ends(monkeypatch):
    def refuse(arguments):
        raise SystemExit(2)

    monkeypatch.setattr(soak.cli, "main", refuse)
    with pytest.raises(SystemExit):
        soak.Sweep(2).sweep(4)


@pytest.mark.any_backend
@pytest.mark.parametrize(
    "command, options",
    [
        ("layers", "--rounds"),
        ("models", "--rounds"),
        ("newsgroups", "--rounds"),
        ("deploy", "--rounds"),
        ("slimming", "--seeds"),
        ("soak", "--runs"),
    ],
)
def test_every_command_has_help(command, options, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([command, "--help"])
    assert end.value.code == 0
    told = capsys.readouterr().out
    for option in ("--backend", options, "--results-dir"):
        assert option in told


@pytest.mark.any_backend
@pytest.mark.parametrize("text", ["32x100x128", "32x0x1x1", "axbxcxd", ""])
def test_a_shape_that_is_none(text, capsys):
    assert str(Shape.parse("2x3x4x5")) == "2x3x4x5"
    with pytest.raises(SystemExit) as stopped:
        cli.main(["layers", f"--shape=2x3x4x5,{text}"])
    assert stopped.value.code == 2
    told = capsys.readouterr().err
    for part in ("`shape`", "four positive integers", f"shape={text!r}"):
        assert part in told


@pytest.mark.any_backend
def test_what_is_given_twice_is_measured_once():
    twice = ["--shape=2x3x4x5,2x3x4x5", "--variant=lstm3,lstm,lstm3"]
    options = cli._parser().parse_args(["layers", *twice, "--mode=inference"])
    assert options.shape == (Shape(2, 3, 4, 5),)
    assert options.variant == ("lstm3", "lstm")


@pytest.mark.any_backend
@pytest.mark.parametrize(
    "table", sorted((ROOT / "results/benchmarks").glob("**/layers.csv"))
)
def test_a_report_of_committed_results(table, tmp_path, capsys):
    """Those of earlier versions, too."""
    for path in [*table.parent.glob("*.csv"), *table.parent.glob("*.json")]:
        shutil.copy(path, tmp_path)
    assert cli.main(["report", f"--results-dir={tmp_path}"]) == 0
    found = (tmp_path / "README.md").read_text("utf-8")
    assert found == table.with_name("README.md").read_text("utf-8")


@pytest.mark.any_backend
def test_a_report_of_nothing(tmp_path, capsys):
    assert cli.main(["report", f"--results-dir={tmp_path}"]) == 2
    assert str(tmp_path) in capsys.readouterr().err


@pytest.mark.any_backend
def test_units_for_equal_parameters():
    # n^2 + 8 n is 180 for 10 units, 209 for 11; a full LSTM of 5 has 200.
    assert equal_units("lstm3", 5, 4) == 11
    # 16 n + 4 n^2 is 180 for 5 units and 240 for 6: the smaller is nearer.
    assert parameters("lstm1", 5, 4) == 140
    assert equal_units("lstm1", 5, 4) == 6


@pytest.mark.any_backend
def test_a_worker_answers_fails_and_dies():
    with workers.start(["jax"], "fractions:Fraction", 3, 7) as started:
        worker = started["jax"]
        assert worker.call("limit_denominator", 2) == 0.5
        with pytest.raises(workers.WorkerError, match="AttributeError"):
            worker.call("nonsense")
        assert worker.call("as_integer_ratio") == (3, 7)
    with workers.start(["jax"], "os:_exit", 3) as started:
        for _ in range(2):
            with pytest.raises(workers.WorkerError, match="exit status 3"):
                started["jax"].call("anything")


@pytest.mark.any_backend
def test_no_worker_outlives_the_process_that_started_it(tmp_path, monkeypatch):
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    monkeypatch.setenv("PYTHONPATH", paths)
    code = (
        "from experiments.benchmarks import workers; "
        "workers.Worker('jax', 'launched:Holder').call('hold', 'long')"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=tmp_path) as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "long.held").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
    filelock.FileLock(tmp_path / "long.lock").acquire(timeout=5)


@pytest.mark.any_backend
def test_the_coordinator_has_no_backend():
    code = "import sys, experiments.benchmarks.cli as _; print(*sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert not {"keras", "tensorflow", "jax", "torch"} & set(told.split())


class Here:
    """A worker in this process."""

    def __init__(self, served):
        self.served = served

    def call(self, method, *arguments):
        try:
            return getattr(self.served, method)(*arguments)
        except Exception as error:
            raise workers.WorkerError(workers.in_one_line(error)) from error


def measured(served, subjects, count):
    found = []
    backend = keras.backend.backend()
    rounds.measure(
        subjects,
        {backend: Here(served)},
        count,
        found.extend,
        lambda text: None,
    )
    return found


@pytest.fixture
def brief(monkeypatch):
    """On a machine that others use, calls may take a thousand times longer."""
    monkeypatch.setattr(timing, "LONG_ENOUGH", 1e-6)


def test_layers_are_checked_and_timed(monkeypatch, brief):
    right = layers.build

    def build(contender, shape):
        layer = right(contender, shape)
        if contender.layer == "lstm1" and contender.recurrence == "fast":
            layer.set_weights([1.01 * w for w in layer.get_weights()])
        return layer

    monkeypatch.setattr(layers, "build", build)
    served = layers.Layers(Shape(2, 3, 4, 5), "training", "float32", CONTENDERS)
    names = ["lstm", "lstm1"]
    subjects = [
        subject
        for subject in served.subjects(names)
        if subject.default
        and (subject.recurrence == "fast" or subject.layer != "lstm1")
        and (subject.recurrence == "fast" or subject.layer not in names)
        and subject.equal == "units"
    ]
    found = measured(served, subjects, 2)
    first = {s: outcome for s, outcome in found if outcome["round"] == 0}
    backend = keras.backend.backend()
    assert (TORCH_LSTM in {s.layer for s in first}) == (backend == "torch")
    for subject, outcome in first.items():
        timed = [o for s, o in found if s == subject and o["round"] > 0]
        if subject.layer == "lstm1":
            assert "wrong results" in outcome["error"] and not timed
        else:
            assert "error" not in outcome and len(timed) == 2
            assert all(o["seconds"] > 0 and o["calls"] >= 1 for o in timed)
            assert ("difference" in outcome) == (subject.layer != KERAS_GRU)


def test_contenders_are_chosen_the_peers_always_compete():
    shape, names = Shape(2, 30, 4, 5), ["lstm", "lstm3"]
    peers = {KERAS_LSTM} | (
        {TORCH_LSTM} if keras.backend.backend() == "torch" else set()
    )
    for kinds, others in {
        (): set(),
        ("fast",): {"lstm fast", "lstm3 fast"},
        ("plain", "gru"): {"lstm plain", "lstm3 plain", KERAS_GRU},
        ("rnn",): {KERAS_RNN},
    }.items():
        found = layers.contenders(shape, names, "float32", kinds)
        named = {f"{c.layer} {c.recurrence}".strip() for c in found}
        assert named == peers | others
        # One as large as the full LSTM wherever it has as many units.
        assert [
            (c.units, c.equal == "parameters", c.jit)
            for c in found
            if c.layer == "lstm3" and c.recurrence == "fast"
        ] == [
            (units, units > 5, jit)
            for jit in timing.BACKEND.JITS
            for units in (5, equal_units("lstm3", 5, 4))
            if "fast" in kinds
        ]


def test_training_takes_all_gradients():
    served = layers.Layers(Shape(2, 3, 4, 5), "training", "float32", CONTENDERS)
    subject = served.subjects(["lstm3"])[0]
    assert (subject.layer, subject.default) == (KERAS_LSTM, True)
    outputs, *found = map(to_numpy, served.build(subject)())
    layer = layers.build(subject, Shape(2, 3, 4, 5))
    inputs, upstream = to_numpy(served._inputs), to_numpy(served._random(5))
    np.testing.assert_allclose(outputs, to_numpy(layer(inputs)), rtol=1e-5)
    expected = gradients(layer, inputs, upstream).values()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_a_training_step_updates_the_weights(monkeypatch):
    monkeypatch.setattr(layers, "LEARNING_RATE", 0.1)
    served = layers.Layers(Shape(2, 3, 4, 5), "training", "float32", CONTENDERS)
    inputs, upstream = to_numpy(served._inputs), to_numpy(served._random(5))
    keras_lstm, *others = served.subjects(["lstm3"])
    tested = [
        subject
        for subject in others
        if subject.equal == "units"
        and subject.layer in (KERAS_LSTM, TORCH_LSTM, "lstm3")
    ]
    for subject in [keras_lstm, *tested]:
        slim = subject.layer == "lstm3"
        layer = layers.build(subject if slim else keras_lstm, Shape(2, 3, 4, 5))
        rates = [0.1] * len(layer.weights)
        if subject.layer == TORCH_LSTM:
            rates[-1] = 0.2  # it has two biases that are added
        call = served.build(subject)
        for _ in range(3):
            outputs = to_numpy(call()[0])
            np.testing.assert_allclose(
                outputs, to_numpy(layer(inputs)), rtol=1e-4, atol=1e-6
            )
            *by_weights, _ = gradients(layer, inputs, upstream).values()
            layer.set_weights(
                [
                    weight - rate * gradient
                    for weight, rate, gradient in zip(
                        layer.get_weights(), rates, by_weights, strict=True
                    )
                ]
            )


def test_inference_is_timed(brief):
    served = layers.Layers(
        Shape(2, 3, 4, 5), "inference", "float32", CONTENDERS
    )
    subject = next(
        s for s in served.subjects(["lstm3"]) if s.equal == "parameters"
    )
    assert subject.units == 11
    (prepared, timed) = measured(served, [subject], 1)
    assert prepared[1]["difference"] < 1e-6
    assert timed[1]["seconds"] > 0


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(models, "STEPS", 3)


@pytest.mark.long
@pytest.mark.parametrize("name", models.MODELS)
def test_models_are_trained_by_fit(name, few_steps):
    shape = Shape(2, 5, 3, 4)
    served = models.Models(name, shape)
    jits = {"tensorflow": ["auto", "True"]}.get(
        keras.backend.backend(), ["auto"]
    )
    subjects = served.subjects(["lstm3"])
    assert [(s.layer, s.jit_compile) for s in subjects] == [
        (layer, jit) for jit in jits for layer in (KERAS_LSTM, "lstm3")
    ]
    ours = subjects[1]
    first, second = measured(served, [ours], 1)
    assert first[1]["compile_seconds"] > 0
    assert first[1]["difference"] < 1e-3
    assert second[1]["seconds"] > 0 and second[1]["calls"] == 3
    initial, _ = served._reference("lstm3")
    trained = served._models[ours].get_weights()
    for before, after in zip(initial, trained, strict=True):
        assert not np.allclose(before, after, rtol=0, atol=1e-4)


def test_a_model_with_wrong_numbers_is_not_timed(few_steps):
    served = models.Models("forecaster", Shape(2, 5, 3, 4))
    subject = served.subjects([])[-1]  # with TensorFlow, jit_compile=True
    initial, expected = served._reference(KERAS_LSTM)
    served._references[KERAS_LSTM] = initial, 1.01 * expected
    ((_, outcome),) = measured(served, [subject], 1)
    assert "wrong results" in outcome["error"]


def test_tokens_are_padded_to_the_right():
    tokens, _ = models._tokens(np.random.default_rng(0), 50, Shape(2, 9, 3, 4))
    lengths = (tokens != 0).sum(1)
    assert set(lengths) == set(range(1, 10))
    assert all(
        (row[:n] != 0).all() for row, n in zip(tokens, lengths, strict=True)
    )


@pytest.mark.long
def test_training_and_validation_of_the_network_are_timed(data_dir, tmp_path):
    settings = {k: v for k, v in TINY.items() if k not in ("backend", "epochs")}
    served = models.Newsgroups(tmp_path / "checkpoints", None, **settings)
    assert served.describe()["padding"] == 0  # 50 words of 40
    subjects = served.subjects(["lstm3"])
    assert len(subjects) == len(set(map(str, subjects))) == 8
    training, validation = (
        n for n in subjects if n.layer == "lstm3" and n.padding == "skipped"
    )
    # Both directions: 3 units, 4 filters.
    assert training.parameters == 2 * (3 * 3 + 3 * 4 + 4 * 3)
    found = measured(served, [training, validation], 2)
    assert len(found) == 6
    outcomes = {n.mode: o for n, o in found if "seconds" in o}
    for mode, batches in ("training", 4), ("validation", 1):
        assert outcomes[mode]["calls"] == batches
        assert outcomes[mode]["seconds"] > 0
    (model,) = served._models.values()
    assert model.optimizer.iterations == 3 * 4


def test_ratios_of_networks_are_to_the_same_backend_and_mode():
    def row(backend, layer, padding, mode, seconds):
        network = Network(backend, layer, 7, padding, mode)
        return dataclasses.asdict(network) | {
            "round": 1,
            "seconds": seconds,
            "other_cpu": 0.0,
            "error": "",
        }

    rows = [
        row(backend, layer, padding, mode, seconds * factor)
        for backend, mode, factor in (
            ("jax", "training", 3.0),
            ("torch", "training", 5.0),
            ("jax", "validation", 1.0),
        )
        for layer, padding, seconds in (
            (KERAS_LSTM, "computed", 8.0),
            (KERAS_LSTM, "skipped", 4.0),
            ("lstm3", "computed", 6.0),
            ("lstm3", "skipped", 2.0),
        )
    ]
    first = [{**r, "round": 0, "seconds": None} for r in rows]
    table = summary.newsgroups(
        pd.DataFrame(first + rows).assign(
            compile_seconds=1.0, peak_memory_bytes=None, difference=None
        )
    )
    assert table["computed"].tolist() == 3 * [1.0, 2.0, 1.0, 3.0]
    assert table["keras"].tolist() == pytest.approx(3 * [1.0, 2.0, 8 / 6, 4.0])


@pytest.mark.parametrize("skips_padding", [True, False])
def test_the_network_with_the_layers_of_keras_is_the_same(
    tiny_config, skips_padding
):
    config = dataclasses.replace(tiny_config, variant="lstm")
    embeddings = np.random.default_rng(0).normal(size=(40, 8)).astype("float32")
    ours = build_model(config, embeddings, 4)
    theirs = models._with_layers(ours, True, skips_padding)
    kinds = {type(layer) for layer in theirs._flatten_layers()}
    assert (SkipPadding in kinds) == skips_padding
    assert {keras.layers.Conv1D, keras.layers.Embedding} < kinds
    layer = theirs.get_layer("recurrent").forward_layer
    assert type(layer) is keras.layers.LSTM
    assert (layer.dropout, layer.recurrent_dropout) == (0.2, 0.3)
    (frozen,) = theirs.non_trainable_weights
    assert frozen.shape == embeddings.shape
    words = np.arange(80).reshape(2, 40) % 40
    np.testing.assert_allclose(
        to_numpy(theirs(words)), to_numpy(ours(words)), rtol=1e-5, atol=1e-6
    )
