"""Attacks on layers and model files, counted by the fixture `attack`."""

import json
import zipfile

import keras
import numpy as np
import pytest
from drawn import randomise
from frameworks import to_numpy
from hypothesis import strategies as st

import keras_slim
from keras_slim.variants import VARIANTS

OPTIONS = st.fixed_dictionaries(
    {
        "units": st.integers(2, 6),
        "variant": st.sampled_from(sorted(VARIANTS)),
        "activation": st.sampled_from(["tanh", "relu", "softmax", "linear"]),
        "recurrent_activation": st.sampled_from(["sigmoid", "hard_sigmoid"]),
        **dict.fromkeys(
            ["use_bias", "return_sequences", "go_backwards"], st.booleans()
        ),
    }
)
SHAPES = st.tuples(*[st.integers(1, 6)] * 3)
SEEDS = st.integers(0, 2**32 - 1)


def twins(options, shape, **others):
    """Two layers with the same weights, the second with other options."""
    layers = [keras_slim.SlimRNN(**{**options, **o}) for o in ({}, others)]
    for layer in layers:
        layer.build(shape)
    randomise(layers[0])
    layers[1].set_weights(layers[0].get_weights())
    return layers


# On JAX each shape is compiled.
@pytest.mark.long
def test_both_loops(attack):
    """Any layers, inputs and masks: fast and plain time loop give the same."""

    @attack.given(OPTIONS, SHAPES, SEEDS, st.booleans(), st.booleans())
    def case(options, shape, seed, is_masked, unroll):
        random = np.random.default_rng(seed)
        x = random.normal(size=shape).astype("float32")
        mask = random.random(shape[:2]) < 0.7 if is_masked else None
        options = {**options, "unroll": unroll}
        fast, plain = twins(options, shape, recurrence="plain", unroll=False)
        found, wanted = (to_numpy(f(x, mask=mask)) for f in (fast, plain))
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.long
def test_padding(attack):
    """Masked time steps at the end, with any content: no effect on outputs."""

    @attack.given(OPTIONS, SHAPES, SEEDS, st.floats(width=32))
    def case(options, shape, seed, padding):
        options = {**options, "return_sequences": False, "go_backwards": False}
        (layer, _), (batch, timesteps, features) = twins(options, shape), shape
        x = np.random.default_rng(seed).normal(size=shape).astype("float32")
        end = np.full((batch, 3, features), padding, "float32")
        mask = np.arange(timesteps + 3) < timesteps
        found = layer(
            np.concatenate([x, end], axis=1), mask=np.tile(mask, (batch, 1))
        )
        np.testing.assert_allclose(
            to_numpy(found), to_numpy(layer(x)), rtol=1e-4, atol=1e-6
        )


@pytest.mark.long
def test_rows_of_a_batch(attack):
    """NaN, infinity and huge numbers in a sequence: no effect on others."""

    @attack.given(
        OPTIONS,
        SHAPES,
        SEEDS,
        st.sampled_from([np.nan, np.inf, -np.inf, 1e30, -1e38]),
    )
    def case(options, shape, seed, bad):
        shape = (3, *shape[1:])
        random = np.random.default_rng(seed)
        x = random.normal(size=shape).astype("float32")
        layer, _ = twins(options, shape)
        wanted = to_numpy(layer(x))
        x[1, random.integers(shape[1])] = bad
        found = to_numpy(layer(x))
        np.testing.assert_array_equal(found[[0, 2]], wanted[[0, 2]])


def test_model_files(attack, tmp_path):
    """Tampered model files: none of their code runs."""
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
