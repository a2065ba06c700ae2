import numpy as np
import pytest

from experiments.engine import training
from experiments.engine.runs import read_history, read_runs
from experiments.engine.training import ShuffledBatches
from experiments.newsgroups.run import execute, load_data


def history(folder):
    """What must be the same bit for bit: all but the clock."""
    rows = read_history(folder.path / "history.csv")
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


class CutOff(Exception):
    pass


def order(seed, epoch):
    x = np.arange(10)
    batches = ShuffledBatches(x, -x, batch_size=4, seed=seed)
    batches.shuffle(epoch)
    parts = [batches[k] for k in range(len(batches))]
    assert [len(part) for part, _ in parts] == [4, 4, 2]
    for part, target in parts:
        np.testing.assert_array_equal(part, -target)
    return np.concatenate([part for part, _ in parts]).tolist()


def test_batches_hold_every_sample_once_in_an_order_of_seed_and_epoch():
    found = [order(seed, epoch) for seed in (1, 2) for epoch in (0, 1, 2)]
    assert all(sorted(one) == list(range(10)) for one in found)
    assert len(set(map(tuple, found))) == len(found)
    assert order(seed=1, epoch=2) == found[2]


def test_the_same_seed_gives_the_same_history(tiny_run, tmp_path):
    data = load_data(tiny_run)
    first = execute(tiny_run, data, tmp_path / "a")
    second = execute(tiny_run, data, tmp_path / "b")
    assert first.id == second.id
    assert history(first) == history(second)
    assert len(history(first)) == tiny_run.epochs
    assert first.result["val_loss"] == history(first)[-1]["val_loss"]
    best = max(row["val_accuracy"] for row in history(first))
    assert first.result["best_val_accuracy"] == best


@pytest.mark.parametrize("moment", ["after", "between"])
def test_a_run_cut_off_goes_on_bit_for_bit(
    tiny_run, tmp_path, monkeypatch, moment
):
    """Cut off after epoch 2, or in epoch 3 with only half of it on disk."""
    data = load_data(tiny_run)
    whole = execute(tiny_run, data, tmp_path / "whole")

    with monkeypatch.context() as patch:
        on_epoch_end = training.RunRecorder.on_epoch_end

        def cut_off_after(self, epoch, logs=None):
            on_epoch_end(self, epoch, logs)
            if epoch == 1:
                raise CutOff

        def cut_off_between(self, epoch, logs=None):
            if epoch == 2:
                patch.setattr(training.np, "savez", raise_cut_off)
            on_epoch_end(self, epoch, logs)

        def raise_cut_off(*args, **kwargs):
            raise CutOff

        cut = cut_off_after if moment == "after" else cut_off_between
        patch.setattr(training.RunRecorder, "on_epoch_end", cut)
        with pytest.raises(CutOff):
            execute(tiny_run, data, tmp_path / "cut")

    (run,) = read_runs(tmp_path / "cut", "newsgroups")
    assert run["result"] is None and "CutOff" in run["error"]
    assert len(run["history"]) == (2 if moment == "after" else 3)
    with np.load(next(tmp_path.glob("cut/*/*/checkpoint.npz"))) as saved:
        shapes = {saved[name].shape for name in saved}
    assert data.embeddings.shape not in shapes  # frozen: it need not be kept
    resumed = execute(tiny_run, data, tmp_path / "cut")
    assert history(resumed) == history(whole)
    (run,) = read_runs(tmp_path / "cut", "newsgroups")
    assert len(run["starts"]) == 2 and run["error"] is None


def test_a_run_killed_before_its_result_is_finished(tiny_run, tmp_path):
    data = load_data(tiny_run)
    folder = execute(tiny_run, data, tmp_path)
    whole = history(folder)
    result = folder.result
    (folder.path / "result.json").unlink()
    for damage in (None, b"", b"PK\x03\x04 no checkpoint"):
        if damage is not None:
            folder.checkpoint.write_bytes(damage)
        (folder.path / "checkpoint.npz.1234.partial").write_bytes(b"half")
        again = execute(tiny_run, data, tmp_path)
        assert history(again) == whole
        for name in ("val_loss", "best_epoch", "parameters"):
            assert again.result[name] == result[name]
        assert {p.name for p in again.path.iterdir()} == {
            "run.json",
            "history.csv",
            "result.json",
        }
        (folder.path / "result.json").unlink()


def test_a_run_that_is_done_is_not_made_again(tiny_run, tmp_path, monkeypatch):
    data = load_data(tiny_run)
    first = execute(tiny_run, data, tmp_path)
    files = {p: p.stat().st_mtime_ns for p in first.path.iterdir()}
    monkeypatch.setattr(training, "np", None)
    second = execute(tiny_run, data, tmp_path)
    assert {p: p.stat().st_mtime_ns for p in second.path.iterdir()} == files
