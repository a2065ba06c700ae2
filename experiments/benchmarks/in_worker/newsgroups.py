import dataclasses
import time

import keras

from experiments.benchmarks.in_worker.contenders import parameters
from experiments.benchmarks.subjects import KERAS_LSTM, Network
from experiments.engine.runs import RunFolder
from experiments.engine.training import ShuffledBatches, fit, make_deterministic
from experiments.newsgroups.config import EXPERIMENT, Config
from experiments.newsgroups.model import build_model
from experiments.newsgroups.run import load_data
from experiments.newsgroups.skip_padding import SkipPadding
from keras_slim.datasets import glove


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
        """The networks in both modes, that with Keras's layers first."""
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
        seconds = self._seconds(network) / batches
        return {"calls": batches, "seconds": float(f"{seconds:.6g}")}

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

    Args:
        model: What `build_model` returned.
        keras_lstm: Boolean, whether to replace our layer by
            `keras.layers.LSTM`.
        skips_padding: Boolean, whether to keep `SkipPadding` rather than
            replace it by three layers of Keras.
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
