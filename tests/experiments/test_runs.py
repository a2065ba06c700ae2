import csv
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import filelock
import pytest

from experiments.engine import runs
from experiments.engine.checks import DamagedFile
from experiments.engine.files import lock_of, replacing
from experiments.engine.runs import (
    RunFolder,
    RunIsClaimed,
    identity,
    read_history,
    read_runs,
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
    folder.start()
    folder.write_history(ROWS)
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


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, order):
    with replacing(tmp_path / "new" / "file") as file:
        file.write("content")
    assert [call for call in order if call[0] != "unlink"] == [
        ("fsync", tmp_path.name),  # which has the name of the new folder
        ("fsync", "file"),
        ("replace", "file"),
        ("fsync", "new"),
    ]


def test_the_checkpoint_goes_when_the_result_is_on_the_disk(tmp_path, order):
    folder = RunFolder(tmp_path, "test", CONFIG, "data")
    folder.start()
    folder.checkpoint.write_bytes(b"variables")
    order.clear()
    folder.finish({"loss": 1.0})
    steps = [call for call in order if call != ("unlink", "result")]
    assert steps == [
        ("fsync", "result"),
        ("replace", "result"),
        ("fsync", folder.id),
        ("unlink", "checkpoint"),
    ]


def test_a_partial_file_of_a_killed_process_is_removed(tmp_path):
    left = tmp_path / "file2.0.partial"
    left.write_text("half of")
    with replacing(tmp_path / "slow") as held:
        (slow,) = tmp_path.glob("slow.*")
        with replacing(tmp_path / "file") as file:
            file.write("content")
        assert not left.exists() and slow.exists()  # one is being written
        held.write("all of it")
    assert (tmp_path / "slow").read_text() == "all of it"


def test_a_file_that_is_removed_before_it_is_locked_is_begun_again(
    tmp_path, monkeypatch
):
    fcntl, taken = pytest.importorskip("fcntl"), []
    flock = fcntl.flock

    def lock(file, how):
        if not taken:  # another process takes it for one that was left
            taken.append(True)
            with replacing(tmp_path / "other") as other:
                other.write("theirs")
            assert not any(tmp_path.glob("file.*"))
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", lock)
    with replacing(tmp_path / "file") as file:
        file.write("ours")
    assert taken and (tmp_path / "file").read_text() == "ours"
    assert (tmp_path / "other").read_text() == "theirs"


def test_a_look_at_a_run_keeps_nobody_from_making_it(tmp_path):
    """One that takes long: the lock is held, and freed after a moment."""
    folder = RunFolder(tmp_path, "test", CONFIG, "data")
    assert not folder.is_claimed
    path = lock_of(folder.path).lock_file
    look = filelock.FileLock(path, thread_local=False)
    look.acquire()
    end = threading.Timer(0.1, look.release, [True])
    end.start()
    with folder.claim():
        assert folder.is_claimed
    end.join()
    assert not folder.is_claimed


DETAIL = {"layer": int, "mean": float}


class Table:
    """As much of `results.Tables` as a run folder asks for."""

    result = {"loss": float, "best_epoch": int}
    details = {"units": DETAIL}
    detail_columns = {"units": {"id": str, **DETAIL}}


def make(results_dir, seed=0):
    """A run of two epochs that is done, and leaves a table."""
    config = {**CONFIG, "seed": seed, "epochs": 2}
    folder = RunFolder(results_dir, "test", config, "data", Table)

    def train():
        folder.write_history(ROWS)
        (folder.path / "units.csv").write_text("layer,mean\n1,2.5\n")
        return {"loss": 0.5, "best_epoch": 2, "epochs": 2}

    folder.make(train, data_sources={"posts": "made here"})
    return folder


NOT_JSON = ["", " \n", "{", "null", "[]", "{}", "7", "\0", "[" * 100_000]
DAMAGES = [
    *(("result.json", text) for text in NOT_JSON),
    ("result.json", '{"loss": "low"}'),
    ("result.json", '{"best_epoch": 1e3}'),
    ("result.json", f'{{"best_epoch": {10**30}}}'),
    ("result.json", '{"loss": 0.5, "epochs": 3}'),
    ("result.json", '{"loss": 0.5, "sha256": []}'),
    *(("run.json", text) for text in NOT_JSON),
    ("run.json", '{"starts": null}'),
    ("run.json", None),
    ("history.csv", ""),
    ("history.csv", "epoch,loss,seconds\n1,0.5,1\n"),
    ("history.csv", "epoch,loss,seconds\n1,0.5,1\n2,0.5"),
    ("history.csv", None),
    ("units.csv", ""),
    ("units.csv", "layer,mean\n1,2.6\n"),
    ("units.csv", None),
]


@pytest.mark.parametrize(
    ("name", "content"),
    DAMAGES,
    ids=[f"{name}-{k}" for k, (name, _) in enumerate(DAMAGES)],
)
def test_a_damaged_file_is_named_and_its_run_made_again(
    tmp_path, capsys, name, content
):
    folder, other = make(tmp_path), make(tmp_path, seed=1)
    path = folder.path / name
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    # A change of the result shows in the file that it speaks of, too.
    told = "history.csv" if '"epochs": 3' in str(content) else name

    assert folder.result is None and folder.damaged
    assert other.result is not None and not other.damaged
    assert capsys.readouterr().err == ""  # each command names it once
    runs = {r["id"]: r for r in read_runs(tmp_path, "test", Table)}
    (line,) = capsys.readouterr().err.splitlines()
    assert str(folder.path / told) in line
    assert runs.pop(other.id)["result"] == other.result
    # Without its settings a run has no row.
    assert [run["result"] for run in runs.values()] == (
        [] if name == "run.json" else [None]
    )

    make(tmp_path)
    (line,) = capsys.readouterr().err.splitlines()
    assert str(folder.path / told) in line
    assert folder.result == other.result and not folder.damaged
    assert len(read_runs(tmp_path, "test", Table)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(folder.path) in line and "result.json.damaged" in line


@pytest.mark.parametrize(
    "text", ["", "mean\n2.5\n", "layer,mean\n1\n", "layer,mean\nx,1\n"]
)
def test_without_sums_tables_are_read(tmp_path, text):
    """As of runs that were made before the sums were kept."""
    folder = make(tmp_path)
    path = folder.path / "result.json"
    result = json.loads(path.read_text())
    del result["sha256"]
    path.write_text(json.dumps(result))
    assert folder.result == result
    (folder.path / "units.csv").write_text(text)
    assert folder.result is None
    (error,) = folder.damaged
    assert error.path == folder.path / "units.csv"


@pytest.mark.parametrize("text", ["", "\n", "epoch,loss\n1,0.5\n2,0."])
@pytest.mark.parametrize("name", ["error.txt", "history.csv"])
def test_damaged_files_of_a_run_that_is_not_done(tmp_path, capsys, name, text):
    folder = RunFolder(tmp_path, "test", CONFIG, "data")
    folder.start()
    (folder.path / name).write_text(text)
    is_whole = name == "error.txt" and bool(text.strip())
    (run,) = read_runs(tmp_path, "test")
    assert (capsys.readouterr().err == "") == is_whole
    assert run["history"] == [] and run["result"] is None
    assert (run["error"] is not None) == (name == "error.txt")


def test_without_epochs_there_is_no_history(tmp_path, capsys):
    folder = RunFolder(tmp_path, "test", CONFIG, "data")
    folder.start()
    folder.write_history(ROWS)
    folder.write_history([])
    (run,) = read_runs(tmp_path, "test")
    assert run["history"] == [] and capsys.readouterr().err == ""


def test_a_copy_of_a_run_folder_is_left_out(tmp_path, capsys):
    folder = make(tmp_path)
    copies = [
        folder.path.with_name(f"{folder.id} (copy)"),
        tmp_path / "other" / folder.id,
    ]
    for copy in copies:
        shutil.copytree(folder.path, copy)
    assert [run["id"] for run in read_runs(tmp_path, "test")] == [folder.id]
    (line,) = capsys.readouterr().err.splitlines()
    assert str(copies[0]) in line and "left out" in line
    assert read_runs(tmp_path, "other") == []
    assert str(copies[1]) in capsys.readouterr().err


def test_what_does_not_fit_its_id_is_damaged(tmp_path, capsys):
    folder = make(tmp_path)
    path = folder.path / "run.json"
    run = json.loads(path.read_text())
    path.write_text(json.dumps({**run, "config": {**run["config"], "seed": 9}}))
    assert folder.result is None
    assert read_runs(tmp_path, "test") == []
    assert str(path) in capsys.readouterr().err


def test_a_folder_that_is_moved_away_meanwhile(tmp_path):
    folder = RunFolder(tmp_path, "test", CONFIG, "data")

    def train():
        shutil.move(folder.path, tmp_path / "elsewhere")
        folder.write_history(ROWS)
        return {"loss": 0.5, "epochs": 2}

    folder.make(train, data_sources={"posts": "made here"})
    (run,) = read_runs(tmp_path, "test")
    assert run["result"] == {"loss": 0.5, "epochs": 2}
    assert run["data_sources"] == {"posts": "made here"}
    assert len(run["starts"]) == 1


def test_a_run_that_lacks_epochs_fails_and_keeps_its_checkpoint(tmp_path):
    folder = RunFolder(tmp_path, "test", {**CONFIG, "epochs": 3}, "data")

    def train():
        folder.write_history(ROWS)
        folder.checkpoint.write_bytes(b"variables")
        return {"loss": 0.5}

    with pytest.raises(DamagedFile, match="it has 2 of 3 epochs"):
        folder.make(train)
    assert folder.checkpoint.exists() and folder.result is None
    (run,) = read_runs(tmp_path, "test")
    assert "2 of 3 epochs" in run["error"]
