import dataclasses

import keras
import numpy as np
import pytest
from tiny import TINY

from experiments.engine.runs import RunFolder, read_history
from experiments.engine.training import ShuffledBatches, fit
from experiments.newsgroups.experiment import NEWSGROUPS

if TINY["backend"] == "jax":
    from experiments.engine import epochs_on_device

pytestmark = pytest.mark.skipif(
    TINY["backend"] != "jax", reason="only JAX runs whole epochs on the device"
)


def history(config, results_dir, on_device=True):
    """The history of a run, all but the clock."""
    folder = NEWSGROUPS.carry_out(
        config, results_dir, verbose=0, on_device=on_device
    )
    rows = read_history(folder.path / "history.csv")
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def test_epochs_on_the_device_give_what_fit_gives(tiny_config, tmp_path):
    # The last batch of an epoch is smaller than the others.
    tiny_config = dataclasses.replace(tiny_config, batch_size=24)
    fitted = history(tiny_config, tmp_path / "fit", on_device=False)
    found = history(tiny_config, tmp_path / "device")
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
    tiny_config, tmp_path, monkeypatch
):
    monkeypatch.setattr(epochs_on_device, "_programs", {})
    alone = dataclasses.replace(tiny_config, learning_rate=0.05, seed=9)
    expected = history(alone, tmp_path / "alone")

    monkeypatch.setattr(epochs_on_device, "_programs", {})
    history(tiny_config, tmp_path / "shared")
    (program,) = epochs_on_device._programs.values()
    shared = history(alone, tmp_path / "shared")
    assert shared == expected
    assert program.train._cache_size() == program.test._cache_size() == 1
    other = dataclasses.replace(tiny_config, variant="lstm")
    history(other, tmp_path / "shared")
    assert len(epochs_on_device._programs) == 2


def test_on_the_device_no_more_programs_are_kept_than_take_turns(
    tiny_config, tmp_path, monkeypatch
):
    monkeypatch.setattr(epochs_on_device, "_programs", {})
    monkeypatch.setattr(epochs_on_device, "_MOST_PROGRAMS", 2)
    configs = [
        dataclasses.replace(tiny_config, epochs=1, units=n) for n in (2, 3, 4)
    ]
    for config in [configs[k] for k in (0, 1, 0, 2)]:
        config = dataclasses.replace(
            config, seed=len(epochs_on_device._programs)
        )
        history(config, tmp_path / str(config.seed))
    kept = [share.units for share in epochs_on_device._programs]
    assert kept == [2, 4]
