"""Experiments of keras_slim, run from a checkout and never installed."""
