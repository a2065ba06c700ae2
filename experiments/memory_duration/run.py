"""One run of the experiment, from the text to the result."""

import keras
import numpy as np

from experiments.engine.backend import check_backend
from experiments.engine.files import replacing
from experiments.engine.training import (
    fit,
    make_deterministic,
    seconds_per_epoch,
)
from experiments.memory_duration.model import build_model
from experiments.memory_duration.reading import frequency_bits, read
from experiments.memory_duration.results import detail_rows
from experiments.memory_duration.streams import Streams
from keras_slim.datasets import text

OF_DATA = ("text", "characters", "test_split")  # what the data depend on


def load_data(config):
    """Loads the text of a run, a `keras_slim.datasets.text.Corpus`."""
    return text.load_data(
        config.text, test_split=config.test_split, characters=config.characters
    )


def execute(config, data, folder, **options):
    """Trains, or resumes training, reads the test text, fills the folder.

    Args:
        config: A `Config`.
        data: What `load_data(config)` returned.
        folder: The `RunFolder` of the run on these data.
        **options: Arguments of `engine.training.fit` that do not change the
            result, such as `verbose` and `callbacks`.

    Raises:
        ValueError: if Keras runs on another backend than the run's, or the
            text is too short.
        RunIsClaimed: if another process is making the same run.
    """
    check_backend(config.backend)
    symbols = len(data.symbols)

    def train():
        keras.utils.clear_session()
        make_deterministic(config.seed)
        model = build_model(config, symbols)
        streams = Streams(
            data.train, config.batch_size, config.timesteps, model
        )
        history = fit(
            model,
            streams,
            folder,
            seed=config.seed,
            epochs=config.epochs,
            **options,
        )
        found = read(model, config, symbols, data.test)
        for name, rows in detail_rows(found.durations).items():
            with replacing(folder.path / f"{name}.csv", newline="") as file:
                rows.to_csv(file, index=False, lineterminator="\n")
        return {
            **_summarise(model, history, found),
            "frequency_bits": frequency_bits(data.train, data.test, symbols),
        }

    folder.make(
        train,
        data_sources={"text_source": data.source},
        text_characters=data.counts.characters,
        text_symbols=symbols,
    )


def _summarise(model, history, reading):
    last = history[-1]
    return {
        "trainable_parameters": sum(
            int(np.prod(w.shape)) for w in model.trainable_weights
        ),
        "epochs": len(history),
        "loss": last["loss"],
        "cross_entropy": last["cross_entropy"],
        "accuracy": last["accuracy"],
        "test_bits_per_character": reading.bits_per_character,
        "test_accuracy": reading.accuracy,
        "mean_durations": [found.mean() for found in reading.durations],
        "seconds_per_epoch": seconds_per_epoch(history),
    }
