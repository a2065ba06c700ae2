"""What differs between backends.

Each module has the same functions. `inference`, `training` and `compiled`
compile as Keras would, and return a function without arguments that waits
until all is computed. Each call of the function of `training` updates the
weights by gradient descent, and returns the outputs and gradients before the
update. `peak_memory` takes such a function and returns the peak memory of a
call in bytes, or `None` if it is unknown. `compilations` returns a function
that counts what has been compiled since, or returns `None` where nothing is.
"""

import importlib

import keras


def own_backend():
    """The module of the backend that Keras runs on."""
    return importlib.import_module(f"{__name__}.{keras.backend.backend()}")
