import functools
import json

import keras
import numpy as np
import pytest
from keras import layers
from tiny import TINY

import keras_slim
from experiments.engine.training import _changing_variables
from experiments.newsgroups.config import Config
from experiments.newsgroups.model import build_model
from experiments.newsgroups.skip_padding import SkipPadding
from keras_slim.activations import keras2_hard_sigmoid

WORDS, DIM, FILTERS = 9, 4, 5
# kernel_size, pool_size, strides of the pooling, timesteps.
SIZES = {
    "divide": (5, 5, None, 24),
    "do_not_divide": (3, 4, None, 27),
    "overlapping": (3, 4, 2, 23),
    "gaps": (2, 2, 5, 21),
}
POSTS = ("padding", "full", "first", "last", "gap", "all")


def posts(kind, timesteps):
    """A batch of ids, 0 for padding."""
    random = np.random.default_rng(0)
    ids = random.integers(1, WORDS, (len(POSTS) - 1, timesteps))
    steps = np.arange(timesteps)
    kept = {
        "padding": steps < 0,
        "full": steps >= 0,
        "first": steps == 0,
        "last": steps == timesteps - 1,
        "gap": (steps == 2) | (steps > timesteps - 4),
    }
    if kind == "all":
        return ids * np.stack(list(kept.values()))
    return ids * kept[kind]


def parts(kernel_size=3, pool_size=2, strides=None, **options):
    return (
        layers.Embedding(WORDS, DIM, **options),
        layers.Conv1D(
            FILTERS, kernel_size, activation="relu", bias_initializer="normal"
        ),
        layers.MaxPooling1D(pool_size, strides),
    )


def skipping(inputs, embedding, conv, pool):
    return SkipPadding(embedding, conv, pool)(inputs)


def plain(inputs, embedding, conv, pool):
    return pool(conv(embedding(inputs)))


def weighted_sum(weights, outputs):
    return keras.ops.sum(weights * outputs)


def built(network, sizes="divide"):
    *options, timesteps = SIZES[sizes]
    inputs = keras.Input((timesteps,), dtype="int32")
    return keras.Model(inputs, network(inputs, *parts(*options)))


@functools.cache
def model(sizes, network):
    """A model of which a training step subtracts the gradients."""
    made = built(network, sizes)
    made.compile(keras.optimizers.SGD(1.0), weighted_sum)
    return made


def outputs_and_gradients(model, weights, ids):
    model.set_weights(weights)
    outputs = model.predict_on_batch(ids)
    upstream = np.random.default_rng(1).normal(size=outputs.shape)
    model.train_on_batch(ids, upstream.astype("float32"))
    after = model.get_weights()
    return outputs, [b - a for b, a in zip(weights, after, strict=True)]


@pytest.mark.parametrize("row_0", [0.0, 0.7])
@pytest.mark.parametrize("kind", POSTS)
@pytest.mark.parametrize("sizes", SIZES)
def test_outputs_and_gradients_are_those_of_the_three_layers(
    sizes, kind, row_0
):
    random = np.random.default_rng(2)
    theirs = model(sizes, plain)
    weights = [
        random.normal(size=w.shape).astype("float32") for w in theirs.weights
    ]
    weights[0][0] = row_0
    ids = posts(kind, SIZES[sizes][-1])
    expected, expected_gradients = outputs_and_gradients(theirs, weights, ids)
    ours = model(sizes, skipping)
    assert ours.output_shape == theirs.output_shape
    found, gradients = outputs_and_gradients(ours, weights, ids)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    assert len(gradients) == 3
    for one, other in zip(gradients, expected_gradients, strict=True):
        # No window may reach the last word.
        assert np.abs(other).max() > 0 or kind in ("padding", "last")
        scale = max(1.0, np.abs(other).max())
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=2e-6 * scale)


# Keras 3.10 warns so of every functional model that it loads.
@pytest.mark.filterwarnings(
    r"ignore:(.|\n)*structure of `inputs` doesn't match"
)
def test_a_model_with_the_layer_is_saved_and_loaded(tmp_path):
    ours = built(skipping)
    copy = keras.models.clone_model(ours)
    ours.save(tmp_path / "model.keras")
    ours.save_weights(tmp_path / "model.weights.h5")
    copy.load_weights(tmp_path / "model.weights.h5")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for one in copy, loaded:
        # As JSON, which has no tuples.
        configs = [json.dumps(m.layers[1].get_config()) for m in (one, ours)]
        assert configs[0] == configs[1]
    ids = posts("all", 24)
    expected = ours.predict_on_batch(ids)
    for one in copy, loaded:
        np.testing.assert_array_equal(one.predict_on_batch(ids), expected)


def test_a_config_is_not_changed_by_the_layer_made_of_it():
    config = SkipPadding(*parts(trainable=False), name="skip").get_config()
    twin = SkipPadding.from_config(config)
    assert isinstance(config["conv"], dict)
    assert twin.get_config() == config
    assert twin.name == "skip" and not twin.embedding.trainable


def test_each_of_the_layers_is_trained_or_frozen():
    layer = SkipPadding(*parts(trainable=False))
    outputs = layer(posts("all", 9))
    assert outputs.shape == layer.compute_output_shape((5, 9)) == (5, 3, 5)
    assert [w.path.split("/", 1)[1] for w in layer.weights] == [
        f"{part.name}/{name}"
        for part, name in (
            (layer.embedding, "embeddings"),
            (layer.conv, "kernel"),
            (layer.conv, "bias"),
        )
    ]
    assert layer.trainable_weights == layer.conv.weights
    layer.trainable = False
    assert not layer.trainable_weights and len(layer.weights) == 3


@pytest.mark.skipif(
    TINY["backend"] == "torch", reason="PyTorch compiles nothing by default"
)
def test_any_number_of_words_is_one_compilation(monkeypatch):
    traced = []
    call = SkipPadding.call

    def counted(self, inputs):
        traced.append(inputs)
        return call(self, inputs)

    monkeypatch.setattr(SkipPadding, "call", counted)
    made = built(skipping)
    made.compile("sgd", "mse")
    target = np.zeros((5, *made.output_shape[1:]), "float32")
    made.train_on_batch(posts("padding", 24), target)
    first = len(traced)
    for kind in POSTS:
        made.train_on_batch(posts(kind, 24), target)
    assert len(traced) == first > 0


@pytest.mark.skipif(
    TINY["backend"] != "tensorflow", reason="XLA compiles it on JAX"
)
def test_tensorflow_proceeds_without_xla():
    made = built(skipping)
    made.compile("sgd", "mse")
    assert not made.jit_compile
    with pytest.warns(UserWarning, match="doesn't support `jit_compile=True`"):
        made.compile("sgd", "mse", jit_compile=True)
    target = np.zeros((5, *made.output_shape[1:]), "float32")
    assert np.isfinite(made.train_on_batch(posts("all", 24), target))


@pytest.mark.parametrize(
    ("name", "layer", "expected", "received"),
    [
        ("embedding", layers.Dense(3), "`keras.layers.Embedding`", "Dense"),
        ("conv", layers.Dense(3), "`keras.layers.Conv1D`", "Dense"),
        (
            "pool",
            layers.AveragePooling1D(2),
            "`keras.layers.MaxPooling1D`",
            "AveragePooling1D",
        ),
        (
            "embedding",
            layers.Embedding(3, 2, activity_regularizer="l2"),
            "activity_regularizer=None",
            "activity_regularizer=<",
        ),
        (
            "conv",
            layers.Conv1D(3, 2, activity_regularizer="l2"),
            "activity_regularizer=None",
            "activity_regularizer=<",
        ),
        (
            "conv",
            layers.Conv1D(3, 2, padding="same"),
            "padding='valid'",
            "padding='same'",
        ),
        (
            "conv",
            layers.Conv1D(3, 2, padding="causal"),
            "padding='valid'",
            "padding='causal'",
        ),
        ("conv", layers.Conv1D(3, 2, 2), "strides=(1,)", "strides=(2,)"),
        (
            "conv",
            layers.Conv1D(3, 2, dilation_rate=2),
            "dilation_rate=(1,)",
            "dilation_rate=(2,)",
        ),
        ("conv", layers.Conv1D(4, 2, groups=2), "groups=1", "groups=2"),
        (
            "conv",
            layers.Conv1D(3, 2, data_format="channels_first"),
            "data_format='channels_last'",
            "data_format='channels_first'",
        ),
        (
            "pool",
            layers.MaxPooling1D(2, padding="same"),
            "padding='valid'",
            "padding='same'",
        ),
        (
            "pool",
            layers.MaxPooling1D(2, data_format="channels_first"),
            "data_format='channels_last'",
            "data_format='channels_first'",
        ),
    ],
)
def test_layers_that_are_not_supported_are_refused(
    name, layer, expected, received
):
    given = dict(zip(("embedding", "conv", "pool"), parts(), strict=True))
    with pytest.raises(ValueError) as error:
        SkipPadding(**{**given, name: layer})
    message = str(error.value)
    assert f"Invalid value for argument `{name}`. Expected a" in message
    asked, got = message.split("Received: ")
    assert expected in asked and received in got


@pytest.mark.parametrize("timesteps", [3, None])
def test_sequences_without_a_window_are_refused(timesteps):
    inputs = keras.Input((timesteps,), dtype="int32")
    with pytest.raises(ValueError) as error:
        skipping(inputs, *parts())
    assert "kernel_size + pool_size - 1 = 4" in str(error.value)
    assert f"timesteps={timesteps}" in str(error.value)


def network_of_keras_layers(config, classes):
    """The network of the experiment, written without `SkipPadding`."""
    glove = layers.Embedding(40, config.embedding_dim, trainable=False)
    recurrent = keras_slim.SlimRNN(
        config.units,
        variant=config.variant,
        recurrent_activation=keras2_hard_sigmoid,
    )
    network = [keras.Input((config.maxlen,), dtype="int32"), glove]
    for _ in range(3):
        network.append(layers.Conv1D(config.filters, config.kernel_size))
        network.append(layers.ReLU())
        network.append(layers.MaxPooling1D(config.pool_size))
    network.append(layers.Bidirectional(recurrent))
    network.append(layers.Dense(config.dense_units, activation="relu"))
    network.append(layers.Dense(classes, activation="softmax"))
    return keras.Sequential(network)


@pytest.mark.long
def test_the_network_is_that_of_keras_layers():
    rates = dict.fromkeys(("pool_dropout", "dropout", "recurrent_dropout"), 0.0)
    config = Config(**{**TINY, **rates})
    random = np.random.default_rng(0)
    embeddings = random.normal(size=(40, 8)).astype("float32")
    keras.utils.set_random_seed(config.seed)
    ours = build_model(config, embeddings, 4)
    theirs = network_of_keras_layers(config, 4)
    before = ours.get_weights()
    theirs.set_weights(before)
    ids = random.integers(1, 40, (6, config.maxlen))
    ids[np.arange(config.maxlen) < np.array([[40, 39, 30, 20, 1, 0]]).T] = 0
    classes = np.arange(6) % 4
    np.testing.assert_allclose(
        ours.predict_on_batch(ids), theirs.predict_on_batch(ids), rtol=1e-5
    )
    found = []
    for network in ours, theirs:
        network.compile(
            keras.optimizers.SGD(1.0), "sparse_categorical_crossentropy"
        )
        network.train_on_batch(ids, classes)
        found.append(network.get_weights())
    np.testing.assert_array_equal(found[0][0], embeddings)
    assert all(
        (one != other).any()
        for one, other in zip(found[0][1:], before[1:], strict=True)
    )
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_checkpoint_leaves_out_the_frozen_embedding():
    ours = build_model(Config(**TINY), np.ones((40, 8), "float32"), 4)
    glove = ours.layers[1].embedding.embeddings
    changing = [v.path for v in _changing_variables(ours)]
    assert glove.path not in changing
    assert {w.path for w in ours.trainable_weights} <= set(changing)
