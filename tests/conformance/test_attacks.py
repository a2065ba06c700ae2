"""Attacks on layers and model files, counted by the fixture `attack`."""

import json
import zipfile

import keras
import numpy as np
import pytest
from frameworks import to_numpy

import keras_slim
from keras_slim.variants import VARIANTS

pytestmark = pytest.mark.attacks


def drawn(random):
    """Options of a layer, the shape of its inputs, and options of a call."""
    batch, timesteps, features = (random.choice([1, 2, 5]) for _ in range(3))
    options = {
        "units": random.choice([2, 3, 7]),
        "variant": random.choice(sorted(VARIANTS)),
        "use_bias": random.random() < 0.8,
        "activation": random.choice(["tanh", "relu", "softmax", "linear"]),
        "recurrent_activation": random.choice(["sigmoid", "hard_sigmoid"]),
        "return_sequences": random.random() < 0.5,
        "go_backwards": random.random() < 0.3,
        "unit_forget_bias": random.random() < 0.5,
    }
    mask = None
    if random.random() < 0.5:
        mask = [
            [random.random() < 0.7 for _ in range(timesteps)]
            for _ in range(batch)
        ]
        mask = np.array(mask)
    return options, (batch, timesteps, features), {"mask": mask}


def test_both_loops(attack):
    """Layers and inputs by chance: the fast loop gives what the plain does."""
    for number in range(attack.limit):
        options, shape, call = drawn(attack.random)
        x = np.random.default_rng(number).normal(size=shape).astype("float32")
        fast = keras_slim.SlimRNN(**options, recurrence="fast")
        plain = keras_slim.SlimRNN(**options, recurrence="plain")
        fast.build(shape)
        plain.build(shape)
        plain.set_weights(fast.get_weights())
        found, wanted = (to_numpy(layer(x, **call)) for layer in (fast, plain))
        same = np.allclose(found, wanted, rtol=1e-4, atol=1e-5)
        fault = None if same else f"{np.abs(found - wanted).max():.1e} apart"
        attack.tried(f"{options} {shape}", fault)


def test_rows_of_a_batch(attack):
    """NaN, infinity and 1e30 in a row of a batch: no other row changes."""
    for number in range(attack.limit):
        options, (_, *shape), _ = drawn(attack.random)
        shape = (3, *shape)
        x = np.random.default_rng(number).normal(size=shape).astype("float32")
        layer = keras_slim.SlimRNN(**options)
        wanted = to_numpy(layer(x))
        bad = attack.random.choice([np.nan, np.inf, -np.inf, 1e30])
        x[1, attack.random.randrange(shape[1])] = bad
        found = to_numpy(layer(x))
        same = np.array_equal(found[[0, 2]], wanted[[0, 2]])
        attack.tried(f"{bad} {options}", None if same else "another row")


def test_model_files(attack, tmp_path):
    """Tampered model files: no code of theirs runs, and they are refused."""
    model = keras.Sequential([keras.Input((3, 2)), keras_slim.LSTM3(4)])
    path, ran = tmp_path / "model.keras", tmp_path / "ran"
    model.save(path)
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    code = {
        "module": "builtins",
        "class_name": "exec",
        "config": f"open({str(ran)!r}, 'w')",
        "registered_name": None,
    }
    harmful = (
        code,
        {"class_name": "function", "config": "os.system", "module": "os"},
        {"class_name": "__lambda__", "config": {"value": "AAAA"}},
    )
    for _ in range(attack.limit):
        config = json.loads(parts["config.json"])
        layer = config["config"]["layers"][-1]["config"]
        name = attack.random.choice(sorted(layer))
        layer[name] = attack.random.choice(harmful)
        with zipfile.ZipFile(path, "w") as file:
            for part, content in parts.items():
                if part == "config.json":
                    content = json.dumps(config)
                file.writestr(part, content)
        fault = None
        try:
            loaded = keras.models.load_model(path)
            loaded(np.zeros((1, 3, 2), "float32"))
        except Exception:
            pass
        if ran.exists():
            fault = "it ran"
        attack.tried(name, fault)
