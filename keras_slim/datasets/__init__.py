"""Data of the experiments, in the style of `keras.datasets`."""

from keras_slim.datasets import glove, newsgroups, text

__all__ = ["glove", "newsgroups", "text"]
