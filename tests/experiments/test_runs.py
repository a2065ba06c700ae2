import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.engine import runs
from experiments.engine.runs import (
    RunFolder,
    RunIsClaimed,
    identity,
    read_history,
    read_runs,
    replacing,
)

CONFIG = {"variant": "lstm3", "learning_rate": 2e-3, "seed": 0}
ROWS = [
    {"epoch": 1, "loss": 0.1 + 0.2, "seconds": 1.0},
    {"epoch": 2, "loss": float("nan"), "seconds": 0.5},
]


def test_identity_is_of_the_config_and_the_data():
    reordered = dict(reversed(CONFIG.items()))
    assert identity(CONFIG, "data") == identity(reordered, "data")
    assert len(identity(CONFIG, "data")) == 12
    assert identity(CONFIG, "data") != identity(CONFIG, "other data")
    for name, value in {"variant": "lstm", "learning_rate": 1e-3}.items():
        assert identity({**CONFIG, name: value}, "data") != (
            identity(CONFIG, "data")
        )


def test_a_run_from_start_to_result(tmp_path):
    folder = RunFolder(tmp_path, "test", CONFIG, "data")
    folder.start(data_sources={"posts": "made here"})
    described = json.loads((folder.path / "run.json").read_text())
    assert described["config"] == CONFIG
    assert described["data_fingerprint"] == "data"
    assert described["data_sources"] == {"posts": "made here"}
    (start,) = described["starts"]
    assert {"keras", "numpy", "python"} <= start["versions"].keys()
    assert start["backend"] and start["device"]
    assert folder.result is None

    folder.write_history(ROWS)
    folder.checkpoint.write_bytes(b"variables")
    folder.finish({"val_accuracy": 0.5})
    assert folder.result == {"val_accuracy": 0.5}
    assert not folder.checkpoint.exists()
    (run,) = read_runs(tmp_path, "test")
    assert run["id"] == folder.id == folder.path.name
    assert run["result"] == {"val_accuracy": 0.5}
    assert run["error"] is None
    assert str(run["history"]) == str(ROWS)  # nan is not equal to itself


def test_every_start_is_on_record(tmp_path):
    for _ in range(3):
        RunFolder(tmp_path, "test", CONFIG, "data").start()
    (run,) = read_runs(tmp_path, "test")
    assert len(run["starts"]) == 3


def test_a_claimed_run_is_free_again_when_its_process_is_killed(tmp_path):
    arguments = f"{str(tmp_path)!r}, 'test', {CONFIG!r}, 'data'"
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import time\n"
            "from experiments.engine.runs import RunFolder\n"
            f"with RunFolder({arguments}).claim():\n"
            "    print('claimed', flush=True)\n"
            "    time.sleep(600)\n",
        ],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout.readline() == "claimed\n"
        folder = RunFolder(tmp_path, "test", CONFIG, "data")
        with pytest.raises(RunIsClaimed, match=folder.id), folder.claim():
            pass
        other = RunFolder(tmp_path, "test", CONFIG, "other data")
        with other.claim():
            pass
        holder.kill()
    with folder.claim(), pytest.raises(RunIsClaimed), folder.claim():
        pass
    with folder.claim():
        pass


def test_a_failure_is_kept_until_the_next_start(tmp_path):
    folder = RunFolder(tmp_path, "test", CONFIG, "data")
    folder.start()
    try:
        raise RuntimeError("the reason")
    except RuntimeError as error:
        folder.fail(error)
    (run,) = read_runs(tmp_path, "test")
    assert "RuntimeError: the reason" in run["error"]
    assert "Traceback" in run["error"]
    folder.start()
    (run,) = read_runs(tmp_path, "test")
    assert run["error"] is None


def test_a_full_disk_does_not_hide_the_error(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path, "test", CONFIG, "data")
    error = OSError(28, "No space left on device")
    monkeypatch.setattr(runs, "replacing", lambda *a, **k: raise_(error))
    folder.fail(error)
    assert str(folder.path) in error.__notes__[0]


def raise_(error):
    raise error


def test_a_result_is_strict_json(tmp_path):
    folder = RunFolder(tmp_path, "test", CONFIG, "data")
    folder.finish({"loss": float("nan"), "epochs": 2, "name": "x"})
    assert folder.result == {"loss": None, "epochs": 2, "name": "x"}
    assert "NaN" not in (folder.path / "result.json").read_text()


def test_history_is_read_back_to_the_last_bit(tmp_path):
    folder = RunFolder(tmp_path, "test", CONFIG, "data")
    folder.write_history(ROWS)
    path = folder.path / "history.csv"
    assert read_history(path)[0] == ROWS[0]
    with open(path, newline="") as file:
        assert next(csv.reader(file)) == ["epoch", "loss", "seconds"]


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    path = tmp_path / "folder" / "file"
    with replacing(path) as file:
        file.write("before")
    with pytest.raises(RuntimeError), replacing(path) as file:
        file.write("half of")
        raise RuntimeError
    assert path.read_text() == "before"
    assert list(path.parent.iterdir()) == [path]


def test_no_runs_no_error(tmp_path):
    assert read_runs(tmp_path, "test") == []
