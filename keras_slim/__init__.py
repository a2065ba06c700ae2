"""Recurrent layers for Keras 3 with slimmer gates."""

from keras_slim import activations, datasets, memory, variants
from keras_slim._version import __version__
from keras_slim.cells import (
    LSTM1Cell,
    LSTM2Cell,
    LSTM3Cell,
    LSTMCell,
    SlimLSTMCell,
)
from keras_slim.layers import LSTM, LSTM1, LSTM2, LSTM3, SlimLSTM
from keras_slim.table import VariantTable, variant_table

__all__ = [
    "LSTM",
    "LSTM1",
    "LSTM1Cell",
    "LSTM2",
    "LSTM2Cell",
    "LSTM3",
    "LSTM3Cell",
    "LSTMCell",
    "SlimLSTM",
    "SlimLSTMCell",
    "VariantTable",
    "__version__",
    "activations",
    "datasets",
    "memory",
    "variant_table",
    "variants",
]
