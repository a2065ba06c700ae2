"""Text classification: is a line prose or source code?

Lines of Python's language reference and of its standard library, character by
character, padded and masked, through a bidirectional recurrent layer.

    python examples/text_classification.py --layer LSTM3
"""

import argparse

import keras
import numpy as np
from keras import layers

import keras_slim
from keras_slim.datasets import text

LENGTH = 60  # characters per line


def load_lines(samples):
    """Lines as integer ids, with 0 for padding, and labels, 1 for code."""
    lines, labels = [], []
    for label, name in enumerate(("python_reference", "python_library")):
        corpus = text.load_data(name, test_split=0.0)
        found = corpus.decode(corpus.train).split("\n")
        found = [line.strip() for line in found if len(line.strip()) > 20]
        lines += found[: samples // 2]
        labels += [label] * len(found[: samples // 2])
    ids = [[min(ord(c), 127) for c in line] for line in lines]
    x = keras.utils.pad_sequences(
        ids, LENGTH, padding="post", truncating="post"
    )
    return x, np.array(labels, "float32")


def build_model(recurrent, units):
    return keras.Sequential(
        [
            keras.Input((LENGTH,), dtype="int32"),
            layers.Embedding(128, 32, mask_zero=True),
            # In Keras alone: `layers.Bidirectional(layers.LSTM(units))`.
            layers.Bidirectional(recurrent(units)),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layer", default="LSTM3", help="such as LSTM, GRU3")
    parser.add_argument("--units", type=int, default=32)
    parser.add_argument("--samples", type=int, default=6_000)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args(arguments)

    keras.utils.set_random_seed(0)
    x, y = load_lines(options.samples)
    order = np.random.permutation(len(x))
    x, y = x[order], y[order]
    model = build_model(getattr(keras_slim, options.layer), options.units)
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.summary()
    history = model.fit(
        x, y, validation_split=0.2, epochs=options.epochs, verbose=2
    )
    return history.history["val_accuracy"][-1]


if __name__ == "__main__":
    main()
