"""Whole models in `model.fit`: three common kinds, and the paper's network."""

import dataclasses
import functools
import time

import keras
import numpy as np

from experiments.benchmarks.in_worker.timing import difference, layer_of, timed
from experiments.benchmarks.subjects import KERAS_LSTM, Network, Trained
from experiments.engine.names import parameters
from experiments.engine.runs import RunFolder
from experiments.engine.training import ShuffledBatches, fit, make_deterministic
from experiments.newsgroups.config import EXPERIMENT, Config
from experiments.newsgroups.model import build_model
from experiments.newsgroups.run import load_data
from experiments.newsgroups.skip_padding import SkipPadding
from keras_slim.datasets import glove

STEPS = 20  # training steps per epoch
VOCABULARY = 5_000


def classifier(shape, layer):
    """Classifies token sequences in both directions, with masked padding."""
    return keras.Sequential(
        [
            keras.Input((shape.timesteps,), dtype="int32"),
            keras.layers.Embedding(VOCABULARY, shape.features, mask_zero=True),
            keras.layers.Bidirectional(layer(shape.units)),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


def forecaster(shape, layer):
    """Predicts a number from a series with two layers."""
    return keras.Sequential(
        [
            keras.Input((shape.timesteps, shape.features)),
            layer(shape.units, return_sequences=True),
            layer(shape.units),
            keras.layers.Dense(1),
        ]
    )


def encoder_decoder(shape, layer):
    """Maps a sequence to another one through the states of the encoder."""
    inputs = keras.Input((shape.timesteps, shape.features))
    previous = keras.Input((shape.timesteps, shape.features))
    _, *states = layer(shape.units, return_state=True)(inputs)
    decoded = layer(shape.units, return_sequences=True)(
        previous, initial_state=states
    )
    outputs = keras.layers.Dense(shape.features)(decoded)
    return keras.Model([inputs, previous], outputs)


def _tokens(random, samples, shape):
    size = (samples, shape.timesteps)
    tokens = random.integers(1, VOCABULARY, size, "int32")
    lengths = random.integers(1, shape.timesteps + 1, (samples, 1))
    tokens *= np.arange(shape.timesteps) < lengths  # 0 is padding
    return tokens, (tokens[:, :1] % 2).astype("float32")


def _series(random, samples, shape):
    size = (samples, shape.timesteps, shape.features)
    series = random.normal(size=size).astype("float32")
    return series, series[:, -1].mean(-1, keepdims=True)


def _pairs(random, samples, shape):
    inputs, _ = _series(random, samples, shape)
    outputs = inputs[:, ::-1]
    previous = np.roll(outputs, 1, axis=1)
    previous[:, 0] = 0
    return [inputs, previous], outputs


# For each model, functions that build it and make its data, and its loss.
MODELS = {
    "classifier": (classifier, _tokens, "binary_crossentropy"),
    "forecaster": (forecaster, _series, "mse"),
    "encoder_decoder": (encoder_decoder, _pairs, "mse"),
}


class Models:
    """Times `model.fit` of one model with different recurrent layers."""

    def __init__(self, name, shape):
        self._shape = shape
        self._build, data, self._loss = MODELS[name]
        samples = shape.batch * STEPS
        self._data = data(np.random.default_rng(0), samples, shape)
        self._references, self._models = {}, {}

    def subjects(self, names):
        backend = keras.backend.backend()
        settings = ("auto", "True") if backend == "tensorflow" else ("auto",)
        return [
            Trained(backend, layer, jit, self._model(layer).count_params())
            for jit in settings
            for layer in (KERAS_LSTM, *names)
        ]

    def prepare(self, subject):
        """Trains the first epoch, which compiles, and checks predictions."""
        initial, expected = self._reference(subject.layer)
        model = self._model(subject.layer, subject.jit_compile)
        model.set_weights(initial)
        first = self._train_an_epoch(model)
        found = self._predictions(model)
        self._models[subject] = model
        return {
            "compile_seconds": round(first, 4),
            "difference": difference([found], [expected], "float32"),
        }

    def measure(self, subject):
        """Seconds per training step, the mean over an epoch."""
        seconds = self._train_an_epoch(self._models[subject])
        return timed(seconds / STEPS, STEPS)

    def _model(self, name, jit_compile="auto", **options):
        if name == KERAS_LSTM:
            options = {}  # those of our layers
        layer = functools.partial(layer_of, name, **options)
        model = self._build(self._shape, layer)
        model.compile(
            "adam", self._loss, jit_compile=jit_compile == "True" or "auto"
        )
        return model

    def _train_an_epoch(self, model):
        """Trains an epoch, and returns its seconds without the overhead."""
        timer = _Timer()
        model.fit(
            *self._data,
            batch_size=self._shape.batch,
            shuffle=False,
            verbose=0,
            callbacks=[timer],
        )
        return timer.seconds

    def _predictions(self, model):
        inputs = keras.tree.map_structure(
            lambda array: array[: self._shape.batch], self._data[0]
        )
        predictions = model.predict_on_batch(inputs)
        # A common offset would hide a difference.
        return predictions - predictions.mean()

    def _reference(self, name):
        """Initial weights, and expected predictions after the first epoch.

        They are those of Keras's LSTM, or of a slim variant's plain time loop.
        """
        key = KERAS_LSTM if name == "lstm" else name
        if key not in self._references:
            keras.utils.set_random_seed(0)
            model = self._model(key, recurrence="plain")
            initial = model.get_weights()
            self._train_an_epoch(model)
            self._references[key] = initial, self._predictions(model)
        return self._references[key]


class _Timer(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        # The logs are numbers, so everything has been computed.
        self.seconds = time.perf_counter() - self._began


class Newsgroups:
    """Times training and validation of the newsgroups experiment.

    Args:
        folder: Path of a folder for temporary checkpoints.
        posts: Integer, the number of posts, including those for validation, or
            `None` for all.
        **settings: Further fields of the experiment's `Config`.
    """

    def __init__(self, folder, posts, **settings):
        backend = keras.backend.backend()
        self._config = Config(backend=backend, samples=posts, **settings)
        if not glove.is_available(self._config.embedding_dim):
            self._config = dataclasses.replace(
                self._config, embedding_dim=glove.COPY_DIM
            )
        self._folder = folder
        self._data = load_data(self._config)
        self._models, self._epochs = {}, {}

    def describe(self):
        return {
            "posts_for_training": len(self._data.train[0]),
            "posts_for_validation": len(self._data.validation[0]),
            "padding": round(float((self._data.train[0] == 0).mean()), 4),
            "embedding_dim": self._config.embedding_dim,
            "units": self._config.units,
            "batch_size": self._config.batch_size,
        }

    def subjects(self, names):
        """The networks in both modes, the one with Keras's layers first."""
        config = self._config
        layers = {KERAS_LSTM: "lstm"} | {name: name for name in names}
        return [
            Network(
                config.backend,
                layer,
                2 * parameters(variant, config.units, config.filters),
                padding,
                mode,
            )
            for mode in ("training", "validation")
            for layer, variant in layers.items()
            for padding in ("computed", "skipped")
        ]

    def prepare(self, network):
        """Trains or validates once, which compiles."""
        return {"compile_seconds": self._seconds(network)}

    def measure(self, network):
        """Seconds per batch, the mean over an epoch or a validation."""
        data = getattr(
            self._data, "train" if network.mode == "training" else network.mode
        )
        batches = -(-len(data[0]) // self._config.batch_size)
        return timed(self._seconds(network) / batches, batches)

    def _seconds(self, network):
        """Seconds of an epoch of training, or of a validation."""
        config, data = self._config, self._data
        # Both modes use the same model.
        network, mode = dataclasses.replace(network, mode=""), network.mode
        if network not in self._models:
            self._models[network] = self._model(network)
            self._epochs[network] = 0
        model = self._models[network]
        if mode == "validation":
            began = time.perf_counter()
            model.evaluate(
                *data.validation, batch_size=config.batch_size, verbose=0
            )
            return time.perf_counter() - began
        self._epochs[network] += 1
        folder = RunFolder(
            self._folder,
            EXPERIMENT,
            dataclasses.asdict(network),
            data.fingerprint,
        )
        return fit(
            model,
            ShuffledBatches(*data.train, config.batch_size, config.seed),
            folder,
            seed=config.seed,
            epochs=self._epochs[network],
            share=network,
            verbose=0,
        )[-1]["seconds"]

    def _model(self, network):
        keras_lstm = network.layer == KERAS_LSTM
        config = dataclasses.replace(
            self._config, variant="lstm" if keras_lstm else network.layer
        )
        make_deterministic(config.seed)
        classes = len(self._data.label_names)
        return _with_layers(
            build_model(config, self._data.embeddings, classes),
            keras_lstm,
            network.padding == "skipped",
        )


def _with_layers(model, keras_lstm, skips_padding):
    """A copy of the experiment's network with the same weights.

    With `keras_lstm`, `keras.layers.LSTM` replaces our layer. Without
    `skips_padding`, three layers of Keras replace `SkipPadding`.
    """

    def copy_of(layer):
        return type(layer).from_config(layer.get_config())

    def copied(layer):
        if keras_lstm and layer.name == "recurrent":
            return keras.layers.Bidirectional(
                _as_keras_lstm(layer.forward_layer), name=layer.name
            )
        if isinstance(layer, SkipPadding) and not skips_padding:
            parts = (layer.embedding, layer.conv, layer.pool)
            return keras.Sequential(map(copy_of, parts))
        return copy_of(layer)

    copy = keras.models.clone_model(model, clone_function=copied)
    copy.set_weights(model.get_weights())
    copy.compile_from_config(model.get_compile_config())
    return copy


def _as_keras_lstm(layer):
    known = keras.layers.LSTM(layer.units).get_config()
    config = layer.get_config()
    return keras.layers.LSTM.from_config(
        {name: value for name, value in config.items() if name in known}
    )
