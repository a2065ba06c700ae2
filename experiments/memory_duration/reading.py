"""Measures a trained network on a text that it reads as one stream."""

import math
from typing import NamedTuple

import numpy as np
from keras import ops
from scipy.special import log_softmax

from experiments.memory_duration.model import build_reader
from keras_slim.memory import DurationCounter

PIECE = 100  # characters per call of the reader
_PIECES = 100  # whose cell states are held in memory at once


class Reading(NamedTuple):
    """The measurements.

    Attributes:
        bits_per_character: Float, the mean of -log2 of the probability that
            the network gave the next character.
        accuracy: Float, how often the most likely character was right.
        durations: List of `keras_slim.memory.Durations`, one per layer.
    """

    bits_per_character: float
    accuracy: float
    durations: list


def frequency_bits(train, test, symbols):
    """Bits per character of a predictor that knows only frequencies.

    It predicts each character with its share of the training text, in which
    every symbol is counted once more (Laplace's rule), so that no symbol of
    the test text has the probability zero.

    Args:
        train: Integer array, the training text.
        test: Integer array, the text that is predicted from its second
            character on, as in `read`.
        symbols: Integer, the number of different characters.

    Returns:
        Float, the mean of -log2 of the share.
    """
    shares = (np.bincount(train, minlength=symbols) + 1) / (
        len(train) + symbols
    )
    return float(-np.log2(shares[test[1:]]).mean())


def read(model, config, symbols, ids):
    """Reads a text from its first character on, starting with zero states.

    `model` is that of `build_model(config, symbols)`, trained, and `ids` an
    integer array, a text of at least two characters.
    """
    reader = build_reader(config, symbols, PIECE)
    for own, trained in zip(
        reader.trainable_variables, model.trainable_variables, strict=True
    ):
        # A copy, as JAX donates the memory of variables.
        own.assign(ops.copy(trained))
    steps = len(ids) - 1
    inputs = np.zeros(-(-steps // PIECE) * PIECE, "int32")
    inputs[:steps] = ids[:-1]  # the padding comes last
    inputs = inputs.reshape(-1, PIECE)
    counters = [DurationCounter() for _ in range(config.layers)]
    log_likelihood, hits = 0.0, 0
    for start in range(0, len(inputs), _PIECES):
        logits, *cell_states = reader.predict(
            inputs[start : start + _PIECES], batch_size=1, verbose=0
        )
        logits = logits.reshape(-1, symbols).astype("float64")
        targets = ids[1:][start * PIECE :][: len(logits)]
        logits = logits[: len(targets)]
        found = log_softmax(logits, axis=-1)
        log_likelihood += found[np.arange(len(targets)), targets].sum()
        hits += int((logits.argmax(axis=-1) == targets).sum())
        for counter, states in zip(counters, cell_states, strict=True):
            counter.update(states.reshape(-1, config.units)[: len(targets)])
    return Reading(
        float(-log_likelihood / math.log(2) / steps),
        hits / steps,
        [counter.result() for counter in counters],
    )
