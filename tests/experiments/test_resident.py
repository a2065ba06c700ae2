import dataclasses

import keras
import numpy as np
import pytest
from tiny import TINY

from experiments.engine.runs import RunFolder, read_history
from experiments.engine.training import ShuffledBatches, fit
from experiments.newsgroups.experiment import NEWSGROUPS

if TINY["backend"] == "jax":
    from experiments.engine import resident

pytestmark = pytest.mark.skipif(
    TINY["backend"] != "jax", reason="only JAX runs whole epochs on the device"
)


def history(run, results_dir, on_device=True):
    """The history of a run, all but the clock."""
    folder = NEWSGROUPS.carry_out(
        run, results_dir, verbose=0, on_device=on_device
    )
    rows = read_history(folder.path / "history.csv")
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def test_epochs_on_the_device_give_what_fit_gives(tiny_run, tmp_path):
    # The last batch of an epoch is smaller than the others.
    tiny_run = dataclasses.replace(tiny_run, batch_size=24)
    fitted = history(tiny_run, tmp_path / "fit", on_device=False)
    found = history(tiny_run, tmp_path / "device")
    for row, twin in zip(found, fitted, strict=True):
        assert row.keys() == twin.keys()
        assert row == pytest.approx(twin, rel=1e-4)


def test_on_the_device_without_validation(tmp_path):
    x = np.arange(10.0).reshape(-1, 1)
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    model.compile("rmsprop", "mse")
    batches = ShuffledBatches(x, -x, batch_size=4, seed=3)
    folder = RunFolder(tmp_path, "test", {}, "data")
    rows = fit(
        model, batches, folder, seed=3, epochs=2, verbose=0, on_device=True
    )
    assert [list(row) for row in rows] == 2 * [["epoch", "loss", "seconds"]]
    assert rows[1]["loss"] < rows[0]["loss"]


def test_on_the_device_learning_rates_and_seeds_share_what_is_compiled(
    tiny_run, tmp_path, monkeypatch
):
    monkeypatch.setattr(resident, "_programs", {})
    alone = dataclasses.replace(tiny_run, learning_rate=0.05, seed=9)
    expected = history(alone, tmp_path / "alone")

    monkeypatch.setattr(resident, "_programs", {})
    history(tiny_run, tmp_path / "shared")
    (program,) = resident._programs.values()
    shared = history(alone, tmp_path / "shared")
    assert shared == expected
    assert program.train._cache_size() == program.test._cache_size() == 1
    other = dataclasses.replace(tiny_run, variant="lstm")
    history(other, tmp_path / "shared")
    assert len(resident._programs) == 2


def test_on_the_device_no_more_programs_are_kept_than_take_turns(
    tiny_run, tmp_path, monkeypatch
):
    monkeypatch.setattr(resident, "_programs", {})
    monkeypatch.setattr(resident, "_MOST_PROGRAMS", 2)
    runs = [dataclasses.replace(tiny_run, epochs=1, units=n) for n in (2, 3, 4)]
    for run in (runs[0], runs[1], runs[0], runs[2]):
        run = dataclasses.replace(run, seed=len(resident._programs))
        history(run, tmp_path / str(run.seed))
    kept = [share.units for share in resident._programs]
    assert kept == [2, 4]
