"""Forecasting: the next values of a chaotic time series.

Stacked recurrent layers read 50 values of the Mackey-Glass series and predict
the 10 that follow.

    python examples/forecasting.py --layer LSTM3
"""

import argparse

import keras
import numpy as np
from keras import layers

import keras_slim

PAST, AHEAD = 50, 10


def mackey_glass(length, delay=17):
    """The series of Mackey & Glass (1977), standardized."""
    x = np.full(length + 500 + delay, 1.2)
    for t in range(delay, len(x) - 1):
        past = x[t - delay]
        x[t + 1] = x[t] + 0.2 * past / (1 + past**10) - 0.1 * x[t]
    x = x[-length:]
    return ((x - x.mean()) / x.std()).astype("float32")


def windows(series):
    """All windows of the series: the past, and what follows it."""
    view = np.lib.stride_tricks.sliding_window_view(series, PAST + AHEAD)
    return view[:, :PAST, None], view[:, PAST:]


def build_model(recurrent, units):
    return keras.Sequential(
        [
            keras.Input((PAST, 1)),
            recurrent(units, return_sequences=True),
            recurrent(units),
            layers.Dense(AHEAD),
        ]
    )


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layer", default="LSTM3", help="such as LSTM, GRU3")
    parser.add_argument("--units", type=int, default=32)
    parser.add_argument("--length", type=int, default=4_000)
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args(arguments)

    keras.utils.set_random_seed(0)
    x, y = windows(mackey_glass(options.length))
    cut = int(0.8 * len(x))
    model = build_model(getattr(keras_slim, options.layer), options.units)
    model.compile("adam", "mse")
    model.summary()
    # The test set comes last, without windows that overlap the training set.
    test = x[cut + PAST + AHEAD :], y[cut + PAST + AHEAD :]
    history = model.fit(
        x[:cut],
        y[:cut],
        validation_data=test,
        epochs=options.epochs,
        verbose=2,
    )
    return history.history["val_loss"][-1]


if __name__ == "__main__":
    main()
