import io
import json
import shutil
import time
from types import SimpleNamespace

import pandas as pd
import pytest
from rich.console import Console
from tiny import TINY, replaced

from experiments.engine import parsers, results, seeds, sweep
from experiments.engine.grid import CLOCK, parse_axis
from experiments.engine.runs import RunFolder, identity, read_runs
from experiments.engine.seeds import clock_seeds
from experiments.newsgroups import cli
from experiments.newsgroups import run as run_module
from experiments.newsgroups.config import Config
from experiments.newsgroups.experiment import NEWSGROUPS
from experiments.newsgroups.report import published
from experiments.newsgroups.results import TABLES

pytestmark = pytest.mark.any_backend


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("made") / "runs"


@pytest.fixture
def made_sweep(kept, sweep_arguments, tmp_path):
    """The results folder of a sweep that is done, made once for all tests."""
    if not kept.exists():
        assert cli.main(replaced(sweep_arguments, f"--results-dir={kept}")) == 0
    return shutil.copytree(kept, tmp_path / "runs")


def test_presets_are_those_of_the_paper():
    points = NEWSGROUPS.points
    paper = points("paper", {})
    assert len(paper) == 4 * 5 * 3
    assert {point["seed"] for point in paper} == {CLOCK}
    assert {Config(**{**point, "seed": 0}).epochs for point in paper} == {100}
    # The entries of Table I, as published.
    axes = ["activation", "learning_rate", "variant"]
    assert {tuple(point[a] for a in axes) for point in paper} == set(
        published.load().index
    )
    listed = [0, 100, 500, 1000, 5000, 9001, 10000, 100000, CLOCK]
    assert [point["seed"] for point in points("seeds", {})] == listed
    assert len(points("replicates", {})) == 60 * 5
    assert (
        len(points("replicates", {"seed": parse_axis(Config, "seed", "0-9")}))
        == 600
    )
    assert {point["activation"] for point in points("breakdown", {})} == {
        "linear"
    }
    assert set(NEWSGROUPS.presets) == {
        "paper",
        "seeds",
        "replicates",
        "breakdown",
        "quick",
    }


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("seed", "0-3", (0, 1, 2, 3)),
        ("seed", "7, 9-10,clock", (7, 9, 10, CLOCK)),
        ("learning_rate", "1e-3,0.5", (1e-3, 0.5)),
        ("variant", "lstm,lstm3", ("lstm", "lstm3")),
    ],
)
def test_axes(name, text, values):
    assert parse_axis(Config, name, text) == values


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--seed=9-0", "Received: seed='9-0'"),
        ("--seed=soon", "ranges such as 0-9, and 'clock'"),
        ("--seed=1,0-2", "`seed` is given twice"),
        ("--learning-rate=fast", "Expected numbers, between commas"),
        ("--learning-rate=-1", "Received: learning_rate=-1.0"),
        ("--variant=lstm99", "Received: variant='lstm99'"),
        ("--activation=", "Received: activation=''"),
        ("--epochs=0", "Received: epochs=0"),
        ("--seed=0-9999999999", "`seed`"),
        ("--seed=0-99999999", "at most 100,000 values"),
        ("--seed=0-99999", "at most 100,000 runs"),
        ("--dropout=inf", "Received: dropout=inf"),
        ("--workers=0", "Received: workers=0"),
        ("--workers=2", "`workers`"),
        ("--gpus-per-run=0.5", "`gpus_per_run`"),
        ("--data-dir=/no/such/folder", "/no/such/folder"),
    ],
)
def test_bad_options_before_anything_is_made(
    sweep_arguments, tmp_path, capsys, option, message
):
    assert cli.main(replaced(sweep_arguments, option)) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_seeds_from_the_clock_are_drawn_once(tmp_path, monkeypatch):
    place = (tmp_path, "test")
    assert clock_seeds(*place, ["a", "b"], draw=False) == [None, None]
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(seeds.time, "time", lambda: 1_700_000_000.9)
    drawn = clock_seeds(*place, ["a", "b"])
    assert drawn == [1_700_000_000, 1_700_000_001]
    monkeypatch.setattr(seeds.time, "time", lambda: 1_800_000_000.9)
    for again in (True, False):
        assert clock_seeds(*place, ["a", "b"], again) == drawn
    assert clock_seeds(*place, ["b", "c", "a"]) == [
        1_700_000_001,
        1_800_000_000,
        1_700_000_000,
    ]


def test_a_sweep_of_clock_seeds_finds_its_runs(
    sweep_arguments, tmp_path, capsys
):
    arguments = replaced(sweep_arguments, "--seed=clock", "--epochs=1")
    assert cli.main(replaced(arguments, "--dry-run")) == 0
    told = capsys.readouterr().out
    assert "2 runs: 2 left; 2 epochs to go" in told
    assert "Posts: 20_newsgroup" in told
    assert not (tmp_path / "runs").exists()
    assert cli.main(arguments) == 0
    made = read_runs(tmp_path / "runs", "newsgroups")
    assert len({run["config"]["seed"] for run in made}) == 2
    assert cli.main(arguments) == 0
    assert "2 of 2 runs are done" in capsys.readouterr().out
    assert read_runs(tmp_path / "runs", "newsgroups") == made


def test_dry_run_tells_what_is_done_and_how_long_the_rest_takes(
    sweep_arguments, tmp_path, capsys, monkeypatch
):
    assert cli.main(replaced(sweep_arguments, "--variant=lstm")) == 0
    # One that was interrupted, and one that failed.
    begun, failed = (
        RunFolder(
            tmp_path / "runs", "newsgroups", config, run["data_fingerprint"]
        )
        for run in read_runs(tmp_path / "runs", "newsgroups")
        for config in (
            {**run["config"], "variant": variant}
            for variant in ("lstm2", "lstm3")
        )
    )
    for folder in (begun, failed):
        folder.start(data_sources={"posts": "made here"}, chance=0.25)
    metrics = dict.fromkeys(
        ("loss", "accuracy", "val_loss", "val_accuracy"), 1.0
    )
    begun.write_history([{"epoch": 1, **metrics, "seconds": 600.0}])
    begun.checkpoint.write_bytes(b"variables")  # from which it resumes
    failed.fail(ValueError("on purpose"))
    before = sorted((tmp_path / "runs").rglob("*"))
    capsys.readouterr()
    monkeypatch.setattr(
        "experiments.engine.experiment.collect",
        lambda *where: _with_seconds(results.collect(*where), 60),
    )
    arguments = replaced(sweep_arguments, "--variant=lstm,lstm1,lstm2,lstm3")
    assert cli.main(replaced(arguments, "--dry-run")) == 0
    told = capsys.readouterr().out
    assert "4 runs: 1 done, 1 failed, 1 begun, 1 left; 5 epochs to go" in told
    assert "About 5 min, one run at a time, at the 60.0 s per epoch" in told
    row = next(line for line in told.splitlines() if "tanh" in line)
    words = [word.strip() for word in row.strip("│").split("│")]
    assert words == ["tanh", "0.002", "done", "left", "1 epochs", "failed"]
    assert sorted((tmp_path / "runs").rglob("*")) == before


def _with_seconds(found, seconds):
    return found._replace(history=found.history.assign(seconds=seconds))


def test_a_failed_run_is_kept_and_does_not_stop_the_others(
    sweep_arguments, tmp_path, capsys, monkeypatch
):
    build_model = run_module.build_model

    def broken(config, *args):
        if config.variant == "lstm":
            raise ArithmeticError("on purpose")
        return build_model(config, *args)

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "build_model", broken)
        assert cli.main(sweep_arguments) == 1
    told, errors = capsys.readouterr()
    failed = "Failed: lstm tanh 0.002 seed 3: ArithmeticError: on purpose"
    assert failed in errors
    assert "lstm3 tanh 0.002 seed 3: best validation accuracy" in told
    runs = results.collect(tmp_path / "runs", TABLES).runs.set_index("variant")
    assert runs["status"].to_dict() == {"lstm": "failed", "lstm3": "done"}
    assert "on purpose" in runs.loc["lstm", "error"]
    # The next sweep makes it.
    assert cli.main(sweep_arguments) == 0
    runs = results.collect(tmp_path / "runs", TABLES).runs
    assert list(runs["status"]) == ["done", "done"]
    assert runs["error"].isna().all()


def test_a_run_that_fails_says_where_its_traceback_is(
    sweep_arguments, tmp_path, capsys, monkeypatch
):
    """In a line, whatever the error: memory, or one of a backend's own."""

    def broken(*args):
        raise MemoryError

    monkeypatch.setattr(run_module, "build_model", broken)
    settings = [a for a in sweep_arguments[2:] if "--variant" not in a]
    assert cli.main(["run", *settings]) == 1
    told = capsys.readouterr().err
    assert "experiments.newsgroups run: MemoryError\n" in told
    (kept,) = (tmp_path / "runs").glob("*/*/error.txt")
    assert str(kept) in told and "Traceback" not in told


def test_interrupted_it_says_how_to_go_on(
    sweep_arguments, tmp_path, capsys, monkeypatch
):
    build_model = run_module.build_model

    def interrupted(config, *args):
        if config.variant == "lstm3":
            raise KeyboardInterrupt
        return build_model(config, *args)

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "build_model", interrupted)
        assert cli.main(sweep_arguments) == 130
    assert "Stopped with 1 of 2 runs done" in capsys.readouterr().err
    assert cli.main(sweep_arguments) == 0
    assert "1 of 2 runs are done" in capsys.readouterr().out


def test_a_run_that_another_process_makes_is_waited_for(
    tiny_config, tmp_path, monkeypatch
):
    """The other sweep finishes one run, and dies over the second."""
    folders = [RunFolder(tmp_path, "test", {"n": n}, "data") for n in range(3)]
    planned = [
        sweep.PlannedRun(f, n, f"run {n}", 1) for n, f in enumerate(folders)
    ]
    claims = [folder.claim() for folder in folders[1:]]
    for claim in claims:
        claim.__enter__()
    launched = []

    def launch(tasks):
        launched.append(tasks)
        for task in tasks:
            folders[task].make(lambda: {"made by": "us"})
            yield task, None

    def wait(seconds):
        folders[1].start()
        folders[1].finish({"made by": "another"})
        for claim in claims:
            claim.__exit__(None, None, None)

    monkeypatch.setattr(sweep.time, "sleep", wait)
    console = Console()
    ended = [run.task for run, error in sweep.sweep(planned, launch, console)]
    assert sorted(ended) == [0, 1, 2]
    assert [task for tasks in launched for task in tasks] == [0, 2]
    made_by = [folder.result["made by"] for folder in folders]
    assert made_by == ["us", "another", "us"]


def test_nothing_is_launched_while_all_runs_are_made_elsewhere(
    tmp_path, monkeypatch
):
    folder = RunFolder(tmp_path, "test", {}, "data")
    planned = [sweep.PlannedRun(folder, 0, "run", 1)]
    waits = []

    def wait(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            folder.start()
            folder.finish({"made by": "another"})

    monkeypatch.setattr(sweep.time, "sleep", wait)
    launch = pytest.fail
    with folder.claim():
        ended = list(sweep.sweep(planned, launch, Console()))
    assert ended == [(planned[0], None)] and len(waits) == 3


def test_a_sweep_names_damaged_files_and_makes_their_runs_again(
    tmp_path, capsys
):
    folders = [RunFolder(tmp_path, "test", {"n": n}, "data") for n in range(3)]
    planned = [
        sweep.PlannedRun(f, n, f"run {n}", 1) for n, f in enumerate(folders)
    ]
    launched = []

    def launch(tasks):
        for task in tasks:
            launched.append(task)
            folders[task].make(lambda: {"loss": 0.5})
            yield task, None

    for damage in ("", "{}", None):
        list(sweep.sweep(planned, launch, Console()))
        assert launched == ([0, 1, 2] if damage == "" else [1])
        launched.clear()
        if damage is not None:
            (folders[1].path / "result.json").write_text(damage)
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert all(str(folders[1].path / "result.json") in line for line in told)


def test_a_checkpoint_that_a_kill_left_goes(tmp_path):
    folder = RunFolder(tmp_path, "test", {}, "data")
    folder.make(lambda: {"loss": 0.5})
    folder.checkpoint.write_bytes(b"variables")
    run = sweep.PlannedRun(folder, 0, "run", 1)
    assert list(sweep.sweep([run], pytest.fail, Console())) == []
    assert not folder.checkpoint.exists()


@pytest.mark.parametrize("kept", ["", "{", "null", "[]", "{}", "text", None])
def test_damaged_seeds_from_the_clock_are_found_in_runs(
    tmp_path, monkeypatch, capsys, kept
):
    configs = [{"variant": name} for name in ("lstm", "lstm1", "lstm2")]
    keys = [identity(config, "data") for config in configs]
    monkeypatch.setattr(seeds.time, "time", lambda: 1_700_000_000.0)
    drawn = clock_seeds(tmp_path, "test", keys)
    # Two are started, one of them with a seed of its user's, too.
    for config, seed in zip(configs, drawn[:2], strict=False):
        RunFolder(tmp_path, "test", {**config, "seed": seed}, "data").start()
    RunFolder(tmp_path, "test", {**configs[0], "seed": 7}, "data").start()
    path = tmp_path / "test" / "clock_seeds.json"
    if kept in ("text", None):
        kept = json.dumps({**dict.fromkeys(keys, kept), keys[1]: drawn[1]})
    path.write_text(kept)

    monkeypatch.setattr(seeds.time, "time", lambda: 1_800_000_000.0)
    found = clock_seeds(tmp_path, "test", keys, draw=False)
    assert found == [*drawn[:2], None]
    (line,) = capsys.readouterr().err.splitlines()
    assert str(path) in line
    assert path.read_text() == kept
    found = clock_seeds(tmp_path, "test", keys[:2])
    assert found == drawn[:2]
    capsys.readouterr()
    assert clock_seeds(tmp_path, "test", keys) == [*drawn[:2], 1_800_000_000]
    assert capsys.readouterr().err == ""  # it is whole again


@pytest.mark.parametrize("now", [4.4e9, -5.0])
def test_seeds_from_a_clock_that_is_wrong_are_allowed(
    tmp_path, monkeypatch, now
):
    monkeypatch.setattr(seeds.time, "time", lambda: now)
    keys = [str(k) for k in range(9)]
    for seed in clock_seeds(tmp_path, "test", keys):
        assert Config(seed=seed)


def test_progress_of_all_runs_and_of_those_under_way(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "_POLL_SECONDS", 0.01)
    folders = [RunFolder(tmp_path, "test", {"n": n}, "data") for n in range(3)]
    planned = [
        sweep.PlannedRun(f, n, f"run {n}", 2) for n, f in enumerate(folders)
    ]
    rows = [{"epoch": 1, "loss": 1.0}, {"epoch": 2, "loss": 0.5}]
    folders[0].make(lambda: folders[0].write_history(rows) or {"loss": 0.5})
    console = Console(file=io.StringIO(), force_terminal=True, width=100)

    def shown(text):
        deadline = time.monotonic() + 20
        while text not in console.file.getvalue():
            assert time.monotonic() < deadline, console.file.getvalue()
            time.sleep(0.01)

    def train(folder, label):
        shown(label)
        folder.write_history(rows[:1])
        shown("1/2")
        folder.write_history(rows)
        if label == "run 2":
            raise ArithmeticError("on purpose")
        return {"loss": 0.5}

    def launch(tasks):
        for n in tasks:
            try:
                folders[n].make(lambda n=n: train(folders[n], f"run {n}"))
                yield n, None
            except ArithmeticError as error:
                yield n, str(error)

    ended = sweep.sweep(planned, launch, console)
    ended = [(run.task, error) for run, error in ended]
    assert ended == [(1, None), (2, "on purpose")]
    last = console.file.getvalue().rsplit("all runs", 1)[1]
    assert "6/6" in last and "run 1" not in last and "run 2" not in last
    assert "run 0" not in console.file.getvalue()  # it was done before


def test_logs_for_tensorboard(sweep_arguments, tmp_path, monkeypatch):
    writer = pytest.importorskip("tensorboardX.event_file_writer")
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    arguments = replaced(sweep_arguments, "--variant=lstm3", "--tensorboard")
    # Runs of less than a second, after which logs have their names.
    monkeypatch.setattr(writer, "time", SimpleNamespace(time=lambda: 1e9))
    assert cli.main(arguments) == 0
    (run,) = read_runs(tmp_path / "runs", "newsgroups")
    (log,) = (tmp_path / "runs" / "newsgroups" / "tensorboard").iterdir()
    assert log.name == f"lstm3-tanh-0.002-seed-3-{run['id']}"
    events = accumulator.EventAccumulator(str(log)).Reload()
    for name in ("loss", "accuracy", "val_loss", "val_accuracy", "seconds"):
        logged = {event.step: event.value for event in events.Scalars(name)}
        for row in run["history"]:
            assert logged[row["epoch"]] == pytest.approx(row[name], rel=1e-5)
    summary = events.SummaryMetadata("_hparams_/session_start_info")
    for setting in (b"variant", b"learning_rate", b"seed", b"units"):
        assert setting in summary.plugin_data.content


def test_the_log_of_a_run_that_was_stopped_after_its_last_epoch(tmp_path):
    """And whose label is longer than the name of a folder may be."""
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    from experiments.engine.tensorboard import TensorBoardLog

    run = SimpleNamespace(id="0123", path=tmp_path / "runs" / "0123")
    run.path.mkdir(parents=True)
    (run.path / "history.csv").write_text("epoch,loss\n1,0.5\n2,0.25\n")
    log = TensorBoardLog(
        SimpleNamespace(label=300 * "n", folder=run), {"seed": 1}
    )
    log.on_train_begin()
    log.on_train_end()
    (folder,) = (tmp_path / "runs" / "tensorboard").iterdir()
    events = accumulator.EventAccumulator(str(folder)).Reload()
    logged = {event.step: event.value for event in events.Scalars("loss")}
    assert (logged[1], logged[2]) == (0.5, 0.25)


def test_logs_without_tensorboard(
    sweep_arguments, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(parsers.importlib.util, "find_spec", lambda name: None)
    assert cli.main(replaced(sweep_arguments, "--tensorboard")) == 2
    assert "pip install -e '.[tensorboard]'" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_collected_tables_survive_csv(made_sweep, tmp_path, capsys):
    to = tmp_path / "collected"
    collect = ["collect", f"--results-dir={made_sweep}", f"--to={to}"]
    assert cli.main(collect) == 0
    assert f"2 runs (2 done) in {to}" in capsys.readouterr().out
    found = results.collect(made_sweep, TABLES)
    read = results.read(to, TABLES)
    assert found.details == read.details == {}
    for frame, twin in zip(found[:2], read[:2], strict=True):
        pd.testing.assert_frame_equal(frame, twin, check_exact=True)
    assert set(Config.__dataclass_fields__) <= set(found.runs.columns)
    first = found.runs.iloc[0]
    assert first["status"] == "done" and first["epochs_done"] == 2
    assert first["posts"].startswith("20_newsgroup: 80 posts")
    assert first["backend"] == TINY["backend"]
    assert cli.main([*collect, "--without-seconds"]) == 0
    timeless = results.read(to, TABLES)
    assert timeless.runs["seconds_per_epoch"].isna().all()
    assert timeless.history["seconds"].isna().all()
    assert timeless.runs["val_loss"].equals(found.runs["val_loss"])
    for name in ("device", "backend_version", "keras", "python", "started"):
        assert first[name]
    history = json.loads(
        found.history[found.history["id"] == first["id"]].to_json()
    )
    assert len(history["epoch"]) == 2


def test_runs_that_did_not_keep_chance_are_collected_too(arguments, tmp_path):
    assert cli.main(["run", *replaced(arguments, "--epochs=1")]) == 0
    (path,) = (tmp_path / "runs").glob("*/*/run.json")
    described = json.loads(path.read_text())
    assert 0 < described.pop("chance") < 1
    path.write_text(json.dumps(described))
    # Nor its sum.
    result = json.loads(path.with_name("result.json").read_text())
    del result["sha256"]["run.json"]
    path.with_name("result.json").write_text(json.dumps(result))
    (run,) = results.collect(tmp_path / "runs", TABLES).runs.to_dict("records")
    assert run["status"] == "done" and pd.isna(run["chance"])


@pytest.mark.parametrize(
    "command", [["collect"], ["collect", "--epochs=2"], ["report"]], ids=str
)
def test_no_runs_to_read(command, tmp_path, capsys):
    assert cli.main([*command, f"--results-dir={tmp_path}"]) == 2
    assert f"--results-dir={tmp_path}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_report_of_runs(made_sweep, tmp_path, capsys):
    runs, to = made_sweep, tmp_path / "collected"
    places = [f"--results-dir={runs}", f"--to={to}"]
    assert cli.main(["collect", *places]) == 0
    capsys.readouterr()
    assert cli.main(["report", f"--results-dir={runs}"]) == 0
    shown = capsys.readouterr().out
    assert "epochs 2 of 100" in " ".join(shown.split())
    index = runs / "newsgroups" / "report" / "index.html"
    assert str(index) in shown.replace("\n", "")
    again = ["report", f"--from={to}", f"--to={to / 'report'}"]
    assert cli.main(again) == 0
    # The same from the CSV, but for where it is.
    assert (
        capsys.readouterr().out.splitlines()[:-1] == (shown.splitlines()[:-1])
    )
    assert (to / "report" / "index.html").read_text() == index.read_text()
    assert cli.main([*again, "--budget=1"]) == 2
    assert "budget=1" in capsys.readouterr().err
    missing = tmp_path / "missing"
    assert cli.main(["report", f"--from={missing}"]) == 2
    assert str(missing) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("accuracies", "epoch"),
    [
        ([0.2, 0.5, 0.05, 0.05, 0.05], 3),
        ([0.2, 0.5, 0.05, 0.05], None),  # may come back
        ([0.2, 0.05, 0.05, 0.05, 0.06], None),  # came back
        ([0.05, 0.05, 0.05, 0.05], None),  # never learned
        ([0.2, 0.05, 0.3, 0.04, 0.05, 0.05], 4),
    ],
)
def test_breakdown_is_a_fall_to_chance_that_stays(accuracies, epoch):
    history = [
        {"epoch": k, "val_accuracy": accuracy, "loss": 1.0, "val_loss": 1.0}
        for k, accuracy in enumerate(accuracies, 1)
    ]
    assert run_module.breakdown_epoch(history, chance=0.05) == epoch


@pytest.mark.parametrize("loss", ["loss", "val_loss"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_breakdown_is_a_loss_that_is_not_finite(loss, value):
    row = {"val_accuracy": 0.5, "loss": 1.0, "val_loss": 1.0}
    history = [
        {"epoch": 1, **row},
        {"epoch": 2, **row, loss: value},
        {"epoch": 3, **row},
    ]
    assert run_module.breakdown_epoch(history, chance=0.05) == 2
