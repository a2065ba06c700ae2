"""One run of the experiment, from the text to the result."""

from experiments.engine.files import replacing
from experiments.engine.training import (
    seconds_per_epoch,
    train,
    trainable_parameters,
)
from experiments.memory_duration.model import build_model
from experiments.memory_duration.reading import frequency_bits, read
from experiments.memory_duration.results import detail_rows
from experiments.memory_duration.streams import Streams
from keras_slim.datasets import text


def load_data(config):
    """Loads the text of a run, a `keras_slim.datasets.text.Corpus`."""
    return text.load_data(
        config.text, test_split=config.test_split, characters=config.characters
    )


def execute(config, data, folder, **options):
    """Trains, or resumes training, reads the test text, writes the folder.

    `options` are arguments of `engine.training.fit` that do not change the
    result, such as `verbose` and `callbacks`.

    Raises:
        ValueError: if the text is too short.
        RunIsClaimed: if another process is making the same run.
    """
    symbols = len(data.symbols)

    def make():
        model, history = train(
            config,
            folder,
            lambda: build_model(config, symbols),
            lambda model: Streams(
                data.train, config.batch_size, config.timesteps, model
            ),
            **options,
        )
        found = read(model, config, symbols, data.test)
        for name, rows in detail_rows(found.durations).items():
            with replacing(folder.path / f"{name}.csv", newline="") as file:
                rows.to_csv(file, index=False, lineterminator="\n")
        last = history[-1]
        return {
            "trainable_parameters": trainable_parameters(model),
            "epochs": len(history),
            "loss": last["loss"],
            "cross_entropy": last["cross_entropy"],
            "accuracy": last["accuracy"],
            "test_bits_per_character": found.bits_per_character,
            "test_accuracy": found.accuracy,
            "mean_durations": [each.mean() for each in found.durations],
            "seconds_per_epoch": seconds_per_epoch(history),
            "frequency_bits": frequency_bits(data.train, data.test, symbols),
        }

    folder.make(
        make,
        data_sources={"text_source": data.source},
        text_characters=data.counts.characters,
        text_symbols=symbols,
    )
