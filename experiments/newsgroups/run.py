"""One run of the experiment, from the data to the result."""

import math
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.engine.files import replacing
from experiments.engine.training import (
    last_and_best,
    train_on_arrays,
    trainable_parameters,
)
from experiments.newsgroups.model import IMPLEMENTATION, build_model
from keras_slim.datasets import glove, newsgroups


class Data(NamedTuple):
    """Split posts, the embedding matrix, and the sources of both."""

    train: tuple
    validation: tuple
    embeddings: np.ndarray
    label_names: tuple
    fingerprint: str
    sources: dict

    @property
    def chance(self):
        """The accuracy of the best constant answer on the validation posts."""
        counts = np.bincount(self.validation[1])
        return round(float(counts.max() / counts.sum()), 6)


def load_data(config):
    """Loads the `Data` of a run. Of its config, only `OF_DATA` matter."""
    if not glove.is_available(config.embedding_dim):
        # Before the posts are fetched, which may take minutes.
        raise FileNotFoundError(
            f"No {config.embedding_dim}-d GloVe vectors. Fetch Stanford's (862 "
            "MB) with `python -m keras_slim.datasets fetch glove`, name a "
            "folder that holds glove.6B.zip with --data-dir or "
            "KERAS_SLIM_DATA, or take the small ones with --embedding-dim "
            f"{glove.COPY_DIM}"
        )
    corpus = newsgroups.load_corpus()
    train, validation = corpus.split(
        num_words=config.num_words,
        maxlen=config.maxlen,
        validation_split=config.validation_split,
        seed=config.split_seed,
        samples=config.samples,
    )
    if not len(validation[0]):
        raise ValueError(
            "No posts are left for validation. Received: "
            f"validation_split={config.validation_split}, "
            f"samples={config.samples}"
        )
    vectors = glove.load_embeddings(
        corpus.word_index, dim=config.embedding_dim, num_words=config.num_words
    )
    return Data(
        train,
        validation,
        vectors.matrix,
        corpus.label_names,
        f"{corpus.fingerprint}+{vectors.fingerprint}",
        {
            "posts": corpus.source,
            "embeddings": vectors.source,
            "embedding_coverage": round(vectors.coverage, 4),
        },
    )


def execute(config, data, folder, save_model=False, **options):
    """Trains, or resumes training, and writes the folder of the run.

    With `save_model`, the trained model is kept in the folder; a run that is
    already done is not made again for this. `options` are arguments of
    `engine.training.fit` that do not change the result, such as `verbose` and
    `callbacks`.

    Raises:
        RunIsClaimed: if another process is making the same run.
    """

    def make():
        model, history = train_on_arrays(
            config,
            folder,
            lambda: build_model(config, data.embeddings, len(data.label_names)),
            data.train,
            data.validation,
            **options,
        )
        if save_model:
            write_model(model, folder.path / "model.keras")
        return {
            "parameters": model.get_layer("recurrent").count_params(),
            "trainable_parameters": trainable_parameters(model),
            **figures(history, data.chance),
        }

    if save_model and folder.result is not None:
        if not (folder.path / "model.keras").exists():
            print(f"{folder.path} was made without --save-model: no model.")
    folder.make(
        make,
        data_sources=data.sources,
        chance=data.chance,
        implementation=IMPLEMENTATION,
    )


def write_model(model, path):
    """Saves a model, flushed to the disk, and replaces the file at `path`."""
    with tempfile.TemporaryDirectory() as scratch:
        saved = Path(scratch, path.name)  # Keras cannot write to an open file
        model.save(saved)
        with replacing(path, "wb") as file:
            file.write(saved.read_bytes())


def figures(history, chance):
    """The results that follow from the history."""
    losses = [v for row in history if math.isfinite(v := row["val_loss"])]
    return {
        "best_val_loss": min(losses, default=math.nan),
        "breakdown_epoch": breakdown_epoch(history, chance),
        **last_and_best(history),
    }


def breakdown_epoch(history, chance):
    """The epoch from which a run no longer learns, section III.C.

    There, "the validation accuracy would reduce to less than 5% and no longer
    improve". Here a run breaks down at the first epoch with a loss that is not
    finite; or, if its validation accuracy was above twice chance before, at
    the first epoch from which it stays at chance to the end, for at least
    three epochs.

    Args:
        history: List of dicts, the rows of `history.csv`.
        chance: Float, the validation accuracy of the best constant answer.

    Returns:
        Integer, counted from 1, or `None`.
    """
    for row in history:
        if not math.isfinite(row["loss"] + row["val_loss"]):
            return row["epoch"]
    accuracies = [row["val_accuracy"] for row in history]
    at_chance = len(accuracies)
    # Accuracies are float32 sums; chance is rounded to 6 digits.
    while at_chance and accuracies[at_chance - 1] <= chance + 1e-5:
        at_chance -= 1
    stays = len(accuracies) - at_chance >= 3
    learned = max(accuracies[:at_chance], default=0.0) > 2 * chance
    return at_chance + 1 if stays and learned else None
