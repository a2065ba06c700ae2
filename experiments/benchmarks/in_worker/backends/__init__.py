"""The little that each backend does in its own way.

Each module has the same functions. `inference`, `training` and `compiled`
compile as Keras would, and return a function without arguments that waits
until all is computed. Each call of that of `training` updates the weights by
gradient descent, and returns outputs and gradients of before. `peak_memory`
takes such a function and returns the bytes that a call takes at its peak, or
`None` where nothing tells.
"""

import importlib

import keras


def own_backend():
    """The module of the backend that Keras runs on."""
    return importlib.import_module(f"{__name__}.{keras.backend.backend()}")
