import dataclasses

import keras

import keras_slim
from experiments.benchmarks.in_worker.contenders import RECURRENCES, parameters
from experiments.benchmarks.subjects import KERAS_LSTM, Network
from experiments.engine.runs import RunFolder
from experiments.engine.training import ShuffledBatches, fit, make_deterministic
from experiments.newsgroups.model import build_model
from experiments.newsgroups.run import load_data
from experiments.newsgroups.spec import EXPERIMENT, Run
from keras_slim.datasets import glove


class Newsgroups:
    """Times epochs of the newsgroups experiment, validation included.

    Args:
        folder: Path, where the networks keep their checkpoints meanwhile.
        posts: Integer, how many are taken, those for validation included.
            `None` for all.
        **settings: Further fields of the experiment's `Run`.
    """

    def __init__(self, folder, posts, **settings):
        backend = keras.backend.backend()
        self._run = Run(backend=backend, samples=posts, **settings)
        if not glove.is_available(self._run.embedding_dim):
            self._run = dataclasses.replace(
                self._run, embedding_dim=glove.COPY_DIM
            )
        self._folder = folder
        self._data = load_data(self._run)
        self._train_an_epoch, self._epochs = {}, {}

    def describe(self):
        return {
            "posts_for_training": len(self._data.train[0]),
            "posts_for_validation": len(self._data.validation[0]),
            "embedding_dim": self._run.embedding_dim,
            "units": self._run.units,
            "batch_size": self._run.batch_size,
        }

    def subjects(self, names):
        """The networks, that of Keras's layer first."""
        run = self._run

        def network(layer, recurrence, variant):
            count = 2 * parameters(variant, run.units, run.filters)
            return Network(run.backend, layer, recurrence, count)

        return [network(KERAS_LSTM, "", "lstm")] + [
            network(name, recurrence, name)
            for name in names
            for recurrence in RECURRENCES
        ]

    def prepare(self, network):
        """Trains the first epoch, which compiles."""
        keras_lstm = network.layer == KERAS_LSTM
        run = dataclasses.replace(
            self._run, variant="lstm" if keras_lstm else network.layer
        )
        make_deterministic(run.seed)
        classes = len(self._data.label_names)
        model = build_model(run, self._data.embeddings, classes)
        if keras_lstm:
            model = _with_recurrent_layer(model, _as_keras_lstm)
        else:
            model = _with_recurrent_layer(
                model,
                lambda layer: keras_slim.SlimLSTM.from_config(
                    {**layer.get_config(), "recurrence": network.recurrence}
                ),
            )
        batches = ShuffledBatches(*self._data.train, run.batch_size, run.seed)
        folder = RunFolder(
            self._folder,
            EXPERIMENT,
            dataclasses.asdict(network),
            self._data.fingerprint,
        )

        def train_an_epoch(number):
            return fit(
                model,
                batches,
                folder,
                seed=run.seed,
                validation_data=self._data.validation,
                validation_batch_size=run.batch_size,
                epochs=number,
                share=network,
                verbose=0,
            )[-1]["seconds"]

        self._train_an_epoch[network] = train_an_epoch
        self._epochs[network] = 1
        return {"compile_seconds": train_an_epoch(1)}

    def measure(self, network):
        self._epochs[network] += 1
        seconds = self._train_an_epoch[network](self._epochs[network])
        return {"calls": 1, "seconds": seconds}


def _with_recurrent_layer(model, change):
    """A copy of the experiment's network, with the same weights.

    Args:
        model: What `build_model` made.
        change: Function from its recurrent layer to the one to take instead.
    """

    def copied(layer):
        if layer.name != "recurrent":
            return type(layer).from_config(layer.get_config())
        return keras.layers.Bidirectional(
            change(layer.forward_layer), name=layer.name
        )

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
