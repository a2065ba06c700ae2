import keras
import numpy as np
import pytest

from experiments.engine import training
from experiments.engine.runs import RunFolder, read_history, read_runs
from experiments.engine.training import (
    ShuffledBatches,
    fit,
    make_deterministic,
    seconds_per_epoch,
)
from experiments.newsgroups.experiment import NEWSGROUPS
from keras_slim import LSTM3


def history(folder):
    """What must be the same bit for bit: all but the clock."""
    rows = read_history(folder.path / "history.csv")
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


class CutOff(Exception):
    pass


def order(seed, epoch):
    x = np.arange(10)
    batches = ShuffledBatches(x, -x, batch_size=4, seed=seed)
    batches.begin_epoch(epoch)
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


@pytest.mark.any_backend
def test_the_same_seed_gives_the_same_history(tiny_config, tmp_path):
    first = NEWSGROUPS.carry_out(tiny_config, tmp_path / "a")
    second = NEWSGROUPS.carry_out(tiny_config, tmp_path / "b")
    assert first.id == second.id
    assert history(first) == history(second)
    assert len(history(first)) == tiny_config.epochs
    assert first.result["val_loss"] == history(first)[-1]["val_loss"]
    best = max(row["val_accuracy"] for row in history(first))
    assert first.result["best_val_accuracy"] == best


@pytest.mark.long
@pytest.mark.parametrize("moment", ["after", "between"])
def test_a_run_cut_off_goes_on_bit_for_bit(
    tiny_config, tmp_path, monkeypatch, moment
):
    """Cut off after epoch 2, or in epoch 3 with only half of it on disk."""
    whole = NEWSGROUPS.carry_out(tiny_config, tmp_path / "whole")

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
            NEWSGROUPS.carry_out(tiny_config, tmp_path / "cut")

    (run,) = read_runs(tmp_path / "cut", "newsgroups")
    assert run["result"] is None and "CutOff" in run["error"]
    assert len(run["history"]) == (2 if moment == "after" else 3)
    with np.load(next(tmp_path.glob("cut/*/*/checkpoint.npz"))) as saved:
        shapes = {saved[name].shape for name in saved}
    embeddings = NEWSGROUPS.data_of(tiny_config).embeddings
    assert embeddings.shape not in shapes  # frozen: it need not be kept
    resumed = NEWSGROUPS.carry_out(tiny_config, tmp_path / "cut")
    assert history(resumed) == history(whole)
    (run,) = read_runs(tmp_path / "cut", "newsgroups")
    assert len(run["starts"]) == 2 and run["error"] is None


@pytest.mark.any_backend
def test_a_run_killed_before_its_result_is_finished(tiny_config, tmp_path):
    folder = NEWSGROUPS.carry_out(tiny_config, tmp_path)
    whole = history(folder)
    result = folder.result
    (folder.path / "result.json").unlink()
    for damage in (None, b"", b"PK\x03\x04 no checkpoint"):
        if damage is not None:
            folder.checkpoint.write_bytes(damage)
        (folder.path / "checkpoint.npz.1234.partial").write_bytes(b"half")
        again = NEWSGROUPS.carry_out(tiny_config, tmp_path)
        assert history(again) == whole
        for name in ("val_loss", "best_epoch", "parameters"):
            assert again.result[name] == result[name]
        assert {p.name for p in again.path.iterdir()} == {
            "run.json",
            "history.csv",
            "result.json",
        }
        (folder.path / "result.json").unlink()


@pytest.mark.any_backend
def test_a_run_that_is_done_is_not_made_again(
    tiny_config, tmp_path, monkeypatch
):
    first = NEWSGROUPS.carry_out(tiny_config, tmp_path)
    files = {p: p.stat().st_mtime_ns for p in first.path.iterdir()}
    monkeypatch.setattr(training, "np", None)
    second = NEWSGROUPS.carry_out(tiny_config, tmp_path)
    assert {p: p.stat().st_mtime_ns for p in second.path.iterdir()} == files


class Windows(keras.utils.PyDataset):
    """Consecutive windows of parallel streams, to a network that remembers."""

    def __init__(self, model):
        super().__init__()
        self._model = model
        self._streams = np.random.default_rng(0).normal(size=(2, 13, 1))

    def begin_epoch(self, epoch):
        self._model.get_layer("memory").reset_states()

    def __len__(self):
        return 3

    def __getitem__(self, index):
        start = 4 * index
        return (
            self._streams[:, start : start + 4],
            self._streams[:, start + 1 : start + 5],
        )


def fit_windows(folder, epochs, **options):
    keras.utils.clear_session()
    make_deterministic(3)
    inputs = keras.Input(batch_shape=(2, 4, 1))
    memory = LSTM3(3, stateful=True, return_sequences=True, name="memory")
    model = keras.Model(inputs, keras.layers.Dense(1)(memory(inputs)))
    model.compile("rmsprop", "mse")
    fit(
        model,
        Windows(model),
        folder,
        seed=3,
        epochs=epochs,
        verbose=0,
        **options,
    )
    return history(folder)


def test_any_batches_that_begin_an_epoch_and_no_validation(tmp_path):
    whole, cut = (
        RunFolder(tmp_path, "test", {"name": name}, "data")
        for name in ("whole", "cut")
    )
    fitted = fit_windows(whole, epochs=3)
    assert [list(row) for row in fitted] == 3 * [["epoch", "loss"]]
    assert fit_windows(cut, epochs=1) == fitted[:1]
    assert fit_windows(cut, epochs=3) == fitted


def test_on_the_device_batches_must_be_shuffled_ones(tmp_path):
    folder = RunFolder(tmp_path, "test", {}, "data")
    with pytest.raises(ValueError, match="batches=<.*Windows"):
        fit_windows(folder, epochs=1, on_device=True)


def test_seconds_per_epoch_leave_out_the_first_which_compiles():
    rows = [{"seconds": seconds} for seconds in (9.0, 2.0, 1.0, 1.0004)]
    assert seconds_per_epoch(rows) == 1.0
    assert seconds_per_epoch(rows[:1]) == 9.0
