"""Sequence to sequence: learning to add two numbers, digit by digit.

The decoder starts with the last states of the encoder. In training, it reads
the correct digits (teacher forcing); afterwards, it decodes one at a time.

    python examples/encoder_decoder.py --layer LSTM3
"""

import argparse

import keras
import numpy as np
from keras import layers, ops

import keras_slim

DIGITS = 2
SYMBOLS = "0123456789+ <"
QUESTION, ANSWER = 2 * DIGITS + 1, DIGITS + 1
START = SYMBOLS.index("<")


def encode(texts):
    return np.array([[SYMBOLS.index(c) for c in t] for t in texts], "int32")


def load_data(samples, seed=0):
    """Sums such as "17+5 ", and their answers backwards, such as "22 "."""
    numbers = np.random.default_rng(seed).integers(
        10**DIGITS, size=(samples, 2)
    )
    questions = [f"{a}+{b}".ljust(QUESTION) for a, b in numbers]
    answers = [str(a + b).ljust(ANSWER)[::-1] for a, b in numbers]
    return encode(questions), encode(answers)


def build_model(recurrent, units):
    """A model from questions and shifted answers to logits of the answers."""
    questions = keras.Input((QUESTION,), dtype="int32")
    shifted = keras.Input((None,), dtype="int32")
    encoder = recurrent(units, return_state=True, name="encoder")
    decoder = recurrent(
        units, return_sequences=True, return_state=True, name="decoder"
    )
    _, *states = encoder(ops.one_hot(questions, len(SYMBOLS)))
    x, *_ = decoder(ops.one_hot(shifted, len(SYMBOLS)), initial_state=states)
    logits = layers.Dense(len(SYMBOLS), name="logits")(x)
    return keras.Model([questions, shifted], logits)


def decode(model, questions):
    """The most likely answers of a trained model, one digit at a time."""
    encoder, decoder, logits = map(
        model.get_layer, ("encoder", "decoder", "logits")
    )
    _, *states = encoder(ops.one_hot(questions, len(SYMBOLS)))
    symbols = np.full((len(questions), 1), START)
    found = []
    for _ in range(ANSWER):
        x, *states = decoder(
            ops.one_hot(symbols, len(SYMBOLS)), initial_state=states
        )
        symbols = ops.convert_to_numpy(ops.argmax(logits(x), axis=-1))
        found.append(symbols)
    return np.concatenate(found, axis=1)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layer", default="LSTM3", help="such as LSTM, GRU3")
    parser.add_argument("--units", type=int, default=128)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=15)
    options = parser.parse_args(arguments)

    keras.utils.set_random_seed(0)
    questions, answers = load_data(options.samples)
    start = np.full((len(answers), 1), START, "int32")
    shifted = np.concatenate([start, answers[:, :-1]], axis=1)
    model = build_model(getattr(keras_slim, options.layer), options.units)
    model.compile(
        keras.optimizers.Adam(3e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.summary()
    model.fit(
        (questions, shifted),
        answers,
        batch_size=128,
        epochs=options.epochs,
        verbose=2,
    )
    questions, answers = load_data(500, seed=1)
    found = decode(model, questions)
    share = float((found == answers).all(axis=1).mean())
    for question, answer in zip(questions[:5], found, strict=False):
        text = "".join(SYMBOLS[k] for k in question).strip()
        print(text, "=", "".join(SYMBOLS[k] for k in answer)[::-1].strip())
    print(f"{share:.1%} of the answers to new sums are right")
    return share


if __name__ == "__main__":
    main()
