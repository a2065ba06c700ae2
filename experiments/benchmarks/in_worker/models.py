import functools
import time

import keras
import numpy as np

import keras_slim
from experiments.benchmarks.in_worker.checks import difference
from experiments.benchmarks.subjects import KERAS_LSTM, Trained

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
    """Maps a sequence to another by the states of the encoder."""
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
    """Times `model.fit` of one model with different recurrent layers.

    Args:
        name: Name of the model.
        shape: A `Shape`.
    """

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
        seconds = self._train_an_epoch(self._models[subject]) / STEPS
        return {"calls": STEPS, "seconds": float(f"{seconds:.6g}")}

    def _model(self, name, jit_compile="auto", **options):
        if name == KERAS_LSTM:
            layer = keras.layers.LSTM
        else:
            layer = functools.partial(
                keras_slim.SlimRNN, variant=name, **options
            )
        model = self._build(self._shape, layer)
        model.compile(
            "adam", self._loss, jit_compile=jit_compile == "True" or "auto"
        )
        return model

    def _train_an_epoch(self, model):
        """Trains an epoch, and returns its seconds without those around it."""
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

        Of Keras's LSTM, or of the plain time loop of a slim variant.
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
        # The logs are numbers, so all has been computed.
        self.seconds = time.perf_counter() - self._began
