"""One run of the experiment, from the data to the result."""

import sys
from typing import NamedTuple

import keras
import numpy as np

from experiments.engine.runs import RunFolder
from experiments.engine.training import (
    RunRecorder,
    SeededEpochs,
    ShuffledBatches,
    make_deterministic,
)
from experiments.newsgroups.model import build_model
from keras_slim.datasets import glove, newsgroups

EXPERIMENT = "newsgroups"


class Data(NamedTuple):
    """Split posts, the embedding matrix, and where both come from."""

    train: tuple
    validation: tuple
    embeddings: np.ndarray
    label_names: tuple
    fingerprint: str
    sources: dict


def load_data(run):
    """Loads what a run trains on.

    Args:
        run: A `spec.Run`.

    Returns:
        `Data`.
    """
    if not glove.is_available(run.embedding_dim):
        # Before the posts are fetched, which may take minutes.
        raise FileNotFoundError(
            f"No {run.embedding_dim}-d GloVe vectors. Fetch Stanford's (862 "
            "MB) with `python -m keras_slim.datasets fetch glove`, name a "
            "folder that holds glove.6B.zip with --data-dir or "
            "KERAS_SLIM_DATA, or take the small ones with --embedding-dim "
            f"{glove.COPY_DIM}"
        )
    corpus = newsgroups.load_corpus()
    train, validation = corpus.split(
        num_words=run.num_words,
        maxlen=run.maxlen,
        validation_split=run.validation_split,
        seed=run.split_seed,
        samples=run.samples,
    )
    if not len(validation[0]):
        raise ValueError(
            "No posts are left for validation. Received: "
            f"validation_split={run.validation_split}, samples={run.samples}"
        )
    vectors = glove.load_embeddings(
        corpus.word_index, dim=run.embedding_dim, num_words=run.num_words
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


def execute(run, data, results_dir, save_model=False):
    """Trains, or goes on training, and leaves a run folder.

    Args:
        run: A `spec.Run`.
        data: What `load_data(run)` returned.
        results_dir: Path of the results of all experiments.
        save_model: Boolean, whether to keep the trained model in the folder.
            A run that is done already is not made again for it.

    Returns:
        The `RunFolder`, done.

    Raises:
        ValueError: if Keras runs on another backend than the run's.
        RunIsClaimed: if another process is making the same run.
    """
    if run.backend != keras.backend.backend():
        raise ValueError(
            "The backend of a run is chosen before Keras is imported, by "
            f"--backend or KERAS_BACKEND. Expected {keras.backend.backend()!r}"
            f". Received: backend={run.backend!r}"
        )
    folder = RunFolder(results_dir, EXPERIMENT, run.config(), data.fingerprint)
    with folder.claim():
        if folder.result is None:
            folder.start(data_sources=data.sources)
            try:
                _train(run, data, folder, save_model)
            except Exception as error:
                folder.fail(error)
                raise
        elif save_model and not (folder.path / "model.keras").exists():
            print(f"{folder.path} was made without --save-model: no model.")
    return folder


def _train(run, data, folder, save_model):
    keras.utils.clear_session()
    make_deterministic(run.seed)
    model = build_model(run, data.embeddings, len(data.label_names))
    recorder = RunRecorder(folder)
    done = recorder.restore(model)
    batches = ShuffledBatches(*data.train, run.batch_size, run.seed)
    model.fit(
        batches,
        shuffle=False,  # Keras would draw another order of the batches
        validation_data=data.validation,
        validation_batch_size=run.batch_size,
        initial_epoch=done,
        epochs=run.epochs,
        callbacks=[SeededEpochs(batches, run.seed), recorder],
        verbose=1 if sys.stdout.isatty() else 2,
    )
    if save_model:
        model.save(folder.path / "model.keras")
    folder.finish(summarise(model, recorder.history))


def summarise(model, history):
    """The figures that tables show, of a finished run.

    Args:
        model: The trained model.
        history: List of dicts, the rows of `history.csv`.

    Returns:
        JSON-ready dict.
    """
    best = max(history, key=lambda row: row["val_accuracy"])
    last = history[-1]
    # The first epoch compiles.
    seconds = [row["seconds"] for row in history[1:] or history]
    return {
        "parameters": model.get_layer("recurrent").count_params(),
        "trainable_parameters": sum(
            int(np.prod(w.shape)) for w in model.trainable_weights
        ),
        "epochs": len(history),
        "best_val_accuracy": best["val_accuracy"],
        "best_epoch": best["epoch"],
        "val_accuracy": last["val_accuracy"],
        "val_loss": last["val_loss"],
        "accuracy": last["accuracy"],
        "loss": last["loss"],
        "seconds_per_epoch": round(float(np.median(seconds)), 3),
    }
