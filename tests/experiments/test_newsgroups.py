import dataclasses
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from tiny import TINY, replaced

from experiments.engine import command_line
from experiments.engine.backend import choose_backend
from experiments.engine.experiment import Experiment
from experiments.engine.runs import read_runs
from experiments.newsgroups import cli, quickstart
from experiments.newsgroups import run as run_module
from experiments.newsgroups.config import Config
from experiments.newsgroups.experiment import NEWSGROUPS
from experiments.newsgroups.model import build_model
from experiments.newsgroups.run import load_data
from keras_slim.activations import keras2_hard_sigmoid
from keras_slim.variants import VARIANTS

# What depends on the backend is tested in test_training.py, in
# test_skip_padding.py and on the real posts.
pytestmark = pytest.mark.any_backend


def test_every_setting_tells_its_origin():
    for field in dataclasses.fields(Config):
        origin = field.metadata["origin"]
        assert origin in ("stated", "derived", "example", "ours"), field.name


@pytest.mark.parametrize(
    ("setting", "value", "allowed"),
    [
        ("variant", "lstm99", "lstm3"),
        ("activation", "tahn", "the name of a Keras activation"),
        ("learning_rate", -1.0, "a finite number >= 0"),
        ("learning_rate", "fast", "a finite number >= 0"),
        ("seed", -1, "an integer >= 0 and < 4294967296"),
        ("epochs", 0, "an integer >= 1"),
        ("epochs", 2.5, "an integer >= 1"),
        ("batch_size", True, "an integer >= 1"),
        ("samples", 1, "an integer >= 2"),
        ("dropout", 1.0, "a finite number >= 0 and < 1"),
        ("unit_forget_bias", "yes", "True or False"),
        ("backend", "theano", "one of tensorflow, jax, torch"),
    ],
)
def test_bad_settings_say_what_is_allowed(setting, value, allowed):
    with pytest.raises(ValueError) as error:
        Config(**{setting: value})
    message = str(error.value)
    assert f"`{setting}`" in message
    assert f"{setting}={value!r}" in message
    assert allowed in message


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_network_of_the_paper(variant):
    random = np.random.default_rng(0)
    embeddings = random.normal(size=(200, 100)).astype("float32")
    model = build_model(Config(variant=variant), embeddings, 20)
    kinds = [type(layer).__name__ for layer in model.layers]
    convolutions = ["Conv1D", "MaxPooling1D", "Dropout"] * 3
    assert kinds == [
        "InputLayer",
        "SkipPadding",
        *convolutions[2:],
        "Bidirectional",
        "Dense",
        "Dense",
    ]
    first = model.layers[1]
    parts = [first.embedding, first.conv, first.pool]
    assert [type(part).__name__ for part in parts] == [
        "Embedding",
        *convolutions[:2],
    ]
    glove = first.embedding
    assert glove.name == "glove"
    assert not glove.trainable_weights
    np.testing.assert_array_equal(glove.get_weights()[0], embeddings)
    assert len(model.to_json()) < 20_000
    recurrent = model.get_layer("recurrent")
    # 1000 words -> 996 -> 199 -> 195 -> 39 -> 35 -> 7 steps
    assert recurrent.input.shape == (None, 7, 128)
    assert recurrent.forward_layer.variant == variant
    assert recurrent.forward_layer.recurrent_activation is keras2_hard_sigmoid
    assert recurrent.forward_layer.dropout == 0.2
    assert recurrent.forward_layer.recurrent_dropout == 0.3
    assert model.output_shape == (None, 20)
    assert type(model.optimizer).__name__ == "RMSprop"
    assert float(model.optimizer.learning_rate) == pytest.approx(2e-3)


def test_a_network_with_a_row_and_an_activation_of_ones_own():
    config = Config(**{**TINY, "variant": "hb/1.0/xhb/b", "activation": "gelu"})
    model = build_model(config, np.zeros((40, 8), "float32"), 4)
    layer = model.get_layer("recurrent").forward_layer
    assert layer.cell.activation is keras.activations.gelu
    # Of two directions: the kernel and bias of n, and U of i and the candidate.
    n, m = TINY["units"], TINY["filters"]
    parameters = 2 * (n * m + 2 * n * n + 3 * n)
    assert model.get_layer("recurrent").count_params() == parameters


def test_posts_that_are_too_short_are_refused():
    config = Config(**{**TINY, "maxlen": 10})
    with pytest.raises(ValueError, match="maxlen=10, kernel_size=2"):
        build_model(config, np.zeros((10, 8), "float32"), 4)


def test_it_learns_what_words_tell(data_dir, tmp_path):
    config = Config(
        **{
            **TINY,
            "epochs": 40,
            "filters": 16,
            "units": 8,
            "learning_rate": 0.003,
            "pool_dropout": 0.0,
            "dropout": 0.0,
            "recurrent_dropout": 0.0,
        }
    )
    folder = NEWSGROUPS.carry_out(config, tmp_path)
    assert folder.result["best_val_accuracy"] > 0.5  # of four groups


def test_settings_reach_the_network_and_the_record(data_dir, tmp_path):
    config = Config(**{**TINY, "epochs": 1, "variant": "lstm1", "samples": 40})
    data = load_data(config)
    assert len(data.train[0]) == 32 and len(data.validation[0]) == 8
    assert data.embeddings.shape == (40, 8)
    folder = NEWSGROUPS.carry_out(config, tmp_path, save_model=True)
    (made,) = read_runs(tmp_path, "newsgroups")
    assert made["config"] == config.as_dict()
    assert made["implementation"] == "SkipPadding"
    assert made["data_sources"]["posts"].startswith("20_newsgroup: 80 posts")
    assert 0 < made["data_sources"]["embedding_coverage"] < 1
    # Of two directions, LSTM1: n m + 4 n^2 + 4 n.
    assert made["result"]["parameters"] == 2 * (3 * 4 + 4 * 9 + 4 * 3)
    loaded = keras.saving.load_model(folder.path / "model.keras")
    loss, accuracy = loaded.evaluate(
        *data.validation, batch_size=config.batch_size, verbose=0
    )
    assert loss == pytest.approx(made["result"]["val_loss"], rel=1e-5)
    assert accuracy == pytest.approx(made["result"]["val_accuracy"])


def test_a_model_is_on_the_disk_before_it_has_its_name(tmp_path, order):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    run_module.write_model(model, tmp_path / "model.keras")
    assert [call for call in order if call[0] != "unlink"][-3:] == [
        ("fsync", "model"),
        ("replace", "model"),
        ("fsync", tmp_path.name),
    ]
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x = np.ones((3, 2))
    np.testing.assert_array_equal(
        loaded.predict_on_batch(x), model.predict_on_batch(x)
    )


def test_the_wrong_backend_is_refused(data_dir, tmp_path):
    other = "jax" if keras.backend.backend() != "jax" else "torch"
    config = Config(**{**TINY, "backend": other})
    with pytest.raises(ValueError, match=f"backend={other!r}"):
        NEWSGROUPS.carry_out(config, tmp_path)


def test_command_line_run(arguments, tmp_path, capsys):
    assert cli.main(["run", *replaced(arguments, "--variant=lstm2")]) == 0
    output = capsys.readouterr().out
    assert "64 posts for training, 16 for validation" in output
    assert "best validation accuracy" in output
    (run,) = read_runs(tmp_path / "runs", "newsgroups")
    assert run["config"]["variant"] == "lstm2"
    assert str(tmp_path / "runs" / "newsgroups" / run["id"]) in output


def test_a_seed_not_given_comes_from_the_clock(
    arguments, tmp_path, monkeypatch
):
    arguments = [a for a in arguments if not a.startswith("--seed")]
    for now in (1_700_000_000.9, 1_700_000_001.2):
        monkeypatch.setattr(command_line.time, "time", lambda now=now: now)
        assert cli.main(["run", *replaced(arguments, "--epochs=1")]) == 0
    runs = read_runs(tmp_path / "runs", "newsgroups")
    seeds = {run["config"]["seed"] for run in runs}
    assert seeds == {1_700_000_000, 1_700_000_001}


def test_ctrl_c_says_how_to_go_on(arguments, tmp_path, monkeypatch, capsys):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(Experiment, "carry_out", interrupt)
    arguments = [a for a in arguments if not a.startswith("--seed")]
    monkeypatch.setattr(command_line.time, "time", lambda: 1_700_000_000)
    keep = "--keep-checkpoints"
    assert cli.main(["run", *arguments, keep, "--save-model"]) == 130
    message = capsys.readouterr().err
    prefix = "python -m experiments.newsgroups "
    (line,) = (line for line in message.splitlines() if prefix in line)
    assert "--seed=1700000000" in line
    assert f"--backend={keras.backend.backend()}" in line
    # What it says to type is the same run, on the same data, wherever typed.
    monkeypatch.delenv("KERAS_SLIM_DATA")
    made = []
    monkeypatch.setattr(
        Experiment,
        "carry_out",
        lambda self, *given, **options: made.append((*given, options)),
    )
    with pytest.raises(AttributeError):
        cli.main(shlex.split(line.strip().removeprefix(prefix)))
    ((config, results_dir, keep_checkpoint, options),) = made
    assert keep_checkpoint and options == {"save_model": True}
    assert config == Config(**{**TINY, "seed": 1_700_000_000})
    data = NEWSGROUPS.data_of(config)
    assert data.sources["posts"].startswith("20_newsgroup: 80 posts")
    assert results_dir == tmp_path / "runs"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--variant=lstm99", "Received: variant='lstm99'"),
        ("--epochs=0", "Received: epochs=0"),
        ("--samples=1000000", "Received: samples=1000000"),
        ("--embedding-dim=33", "No 33-d GloVe vectors"),
        ("--data-dir=/no/such/folder", "/no/such/folder"),
    ],
)
def test_command_line_errors_are_one_clear_line(
    arguments, tmp_path, capsys, option, message
):
    assert cli.main(["run", *replaced(arguments, option)]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_an_error_in_a_run_is_kept_and_pointed_to(arguments, tmp_path, capsys):
    assert cli.main(["run", *replaced(arguments, "--maxlen=10")]) == 1
    (run,) = read_runs(tmp_path / "runs", "newsgroups")
    assert "maxlen=10" in run["error"] and "Traceback" in run["error"]
    message = capsys.readouterr().err
    assert "maxlen=10" in message and f"{run['id']}/error.txt" in message


def test_a_loss_that_is_not_finite_is_shown_as_such(data_dir, tmp_path, capsys):
    settings = {**TINY, "learning_rate": 1e8, "activation": "linear"}
    assert quickstart.main(tmp_path, settings, ["lstm"]) == 0
    assert "not finite" in capsys.readouterr().out
    (run,) = read_runs(tmp_path, "newsgroups")
    assert run["result"]["val_loss"] is None
    assert not np.isfinite(run["history"][-1]["val_loss"])


def test_a_model_asked_for_too_late_is_not_kept_silently(
    tiny_config, tmp_path, capsys
):
    folder = NEWSGROUPS.carry_out(tiny_config, tmp_path)
    NEWSGROUPS.carry_out(tiny_config, tmp_path, save_model=True)
    assert "made without --save-model" in capsys.readouterr().out
    assert not (folder.path / "model.keras").exists()


@pytest.mark.parametrize("settings", [{"samples": 4}, {"validation_split": 0}])
def test_no_posts_for_validation(data_dir, settings):
    with pytest.raises(ValueError, match="No posts are left for validation"):
        load_data(Config(**{**TINY, **settings}))


def test_a_run_has_one_id_however_its_numbers_are_given():
    given = {"seed": np.int64(3), "dropout": 0, "learning_rate": np.float64(1)}
    plain = {"seed": 3, "dropout": 0.0, "learning_rate": 1.0}
    assert json.dumps(Config(**given).as_dict()) == (
        json.dumps(Config(**plain).as_dict())
    )


def test_settings_are_shown_with_their_origin(capsys):
    assert cli.main(["settings"]) == 0
    output = capsys.readouterr().out
    for field in dataclasses.fields(Config):
        assert field.name in output


@pytest.mark.parametrize("form", ["--backend=jax", "--backend jax"])
def test_backend_option_is_handed_on_to_keras(monkeypatch, form):
    monkeypatch.setenv("KERAS_BACKEND", "before")
    choose_backend(["run", *form.split(), "--epochs", "3"])
    assert os.environ["KERAS_BACKEND"] == "jax"
    for other in ([], ["--backend"], ["--backend=theano"]):
        choose_backend(["run", *other, "--epochs", "3"])
        assert os.environ["KERAS_BACKEND"] == "jax"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--backend=theano"], "Received: backend='theano'"),
        (["quickstart", "--backend=theano"], "invalid choice: 'theano'"),
        (["run", "--back=jax"], "unrecognized arguments: --back=jax"),
        (["run", f"--results-dir={__file__}"], "not a folder"),
    ],
)
def test_bad_options_before_anything_is_loaded(
    arguments, message, data_dir, capsys
):
    try:
        status = cli.main(arguments)
    except SystemExit as end:
        status = end.code
    assert status == 2
    assert message in capsys.readouterr().err


def test_missing_backend_says_what_to_install(tmp_path):
    (tmp_path / "keras.py").write_text("import no_such_backend")
    done = subprocess.run(
        [sys.executable, "-m", "experiments.newsgroups", "settings"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "no_such_backend" in done.stderr
    assert "extras tensorflow, jax, torch" in done.stderr
    assert "Traceback" not in done.stderr


def test_quickstart(data_dir, tmp_path, capsys):
    settings = {**TINY, "epochs": 2}
    assert quickstart.main(tmp_path / "runs", settings) == 0
    output = capsys.readouterr().out
    for word in (*quickstart.VARIANTS, "64 posts for training", "best val."):
        assert word in output
    picture = tmp_path / "runs" / "newsgroups" / "quickstart.png"
    assert str(picture) in output.replace("\n", "")
    assert picture.read_bytes().startswith(b"\x89PNG")
    runs = read_runs(tmp_path / "runs", "newsgroups")
    variants = {run["config"]["variant"] for run in runs}
    assert variants == set(quickstart.VARIANTS)
    for run in runs:
        assert f"{run['result']['best_val_accuracy']:.1%}" in output

    # The second time it only shows what is there.
    before = json.dumps(runs)
    assert quickstart.main(tmp_path / "runs", settings) == 0
    assert json.dumps(read_runs(tmp_path / "runs", "newsgroups")) == before


def test_quickstart_takes_the_small_vectors_where_no_others_are(
    data_dir, tmp_path
):
    settings = {**TINY, "epochs": 1}
    del settings["embedding_dim"]  # 100, which data_dir does not have
    assert quickstart.main(tmp_path / "runs", settings, ["lstm3"]) == 0
    (run,) = read_runs(tmp_path / "runs", "newsgroups")
    assert run["config"]["embedding_dim"] == 50


@pytest.mark.real_data
def test_real_run_learns(tmp_path):
    assert os.environ.get("KERAS_SLIM_DATA"), "it must name the data"
    config = Config(
        samples=4_000, epochs=3, batch_size=64, backend=TINY["backend"]
    )
    data = load_data(config)
    assert data.embeddings.shape == (20_000, 100)
    assert len(data.label_names) == 20
    folder = NEWSGROUPS.carry_out(config, tmp_path)
    assert folder.result["best_val_accuracy"] > 0.12  # chance: 0.05
