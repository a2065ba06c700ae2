"""The tasks: sequences, targets, and the accuracy by chance."""

import gzip
import hashlib
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from sklearn.datasets import load_digits

# Adding: an answer is right within this distance (Hochreiter & Schmidhuber).
TOLERANCE = 0.04
SYMBOLS = 8  # to copy
COPIED = 10  # of them in a sequence
CLASSES = 10  # of images
SOLVED = 0.9  # of the fresh sequences right


class Data(NamedTuple):
    """The sequences of a task.

    Attributes:
        train: Tuple of inputs `(samples, time steps, features)` and targets.
        test: The same for fresh sequences.
        chance: Float, the share of the test that the best constant answer gets
            right.
        source: String, where they come from.
    """

    train: tuple
    test: tuple
    chance: float
    source: str

    @property
    def fingerprint(self):
        """sha256 of all arrays."""
        found = hashlib.sha256()
        for array in (*self.train, *self.test):
            found.update(repr((array.shape, array.dtype.str)).encode())
            found.update(np.ascontiguousarray(array))
        return found.hexdigest()


class Task(NamedTuple):
    """A task.

    Attributes:
        load: Function of the number of training sequences, their length and a
            seed that returns the first two fields of `Data` and its source.
        length: Integer, the number of time steps where it is fixed; else
            `None`.
        outputs: Integer, the size of the output.
        answers: Integer, the number of last time steps that have a target.
        about: String.
    """

    load: Callable
    length: int | None
    outputs: int
    answers: int
    about: str


def _generated(draw):
    """Draws training sequences, and a tenth as many fresh ones."""

    def load(samples, length, seed):
        random = np.random.default_rng(seed)
        train, test = (
            draw(random, count, length)
            for count in (samples, max(100, samples // 10))
        )
        return train, test, "drawn here"

    return load


def _adding(random, count, length):
    values = random.uniform(-1, 1, (count, length))
    markers = np.zeros((count, length))
    markers[:, [0, -1]] = -1
    rows = np.arange(count)
    first = random.integers(0, 10, count)
    # One of the others within the first half.
    second = random.integers(0, length // 2 - 2, count)
    second += second >= first
    values[first == 0, 0] = values[second == 0, 0] = 0
    markers[rows, first] = markers[rows, second] = 1
    y = 0.5 + (values[rows, first] + values[rows, second]) / 4
    x = np.stack([values, markers], axis=-1)
    return x.astype("float32"), y[:, None].astype("float32")


def _copy(random, count, length):
    y = random.integers(0, SYMBOLS, (count, COPIED))
    blank, go = SYMBOLS, SYMBOLS + 1
    x = np.full((count, length), blank)
    x[:, :COPIED] = y
    x[:, -COPIED - 1] = go
    return np.eye(SYMBOLS + 2, dtype="uint8")[x], y.astype("int32")


def _images(load_images, shape):
    """The images of a function, shuffled, as sequences of a shape."""

    def load(samples, length, seed):
        (x, y), test, source = load_images()
        if test is None:  # one set, of which the last fifth is for the test
            order = np.random.default_rng(seed).permutation(len(x))
            x, y = x[order], y[order]
            cut = len(x) * 4 // 5
            (x, y), test = (x[:cut], y[:cut]), (x[cut:], y[cut:])
        train = (x[:samples], y[:samples])
        train, test = (
            (x.reshape(len(x), *shape).astype("float32"), y.astype("int32"))
            for x, y in (train, test)
        )
        return train, test, source

    return load


def _digits():
    x, y = load_digits(return_X_y=True)
    return (x / 16, y), None, "scikit-learn's digits"


def _of_keras(name):
    """Images in KERAS_SLIM_DATA, or those that Keras downloads."""

    def load():
        own = os.environ.get("KERAS_SLIM_DATA")
        if own and (folder := Path(own, name)).is_dir():
            found = [
                tuple(
                    _read_idx(folder / f"{part}-{kind}-ubyte.gz")
                    for kind in ("images-idx3", "labels-idx1")
                )
                for part in ("train", "t10k")
            ]
            source = f"{name}, IDX files"
        else:
            module = getattr(keras.datasets, name.replace("-", "_"))
            found, source = module.load_data(), f"{name}, of keras.datasets"
        train, test = ((x / 255, y) for x, y in found)
        return train, test, source

    return load


def _read_idx(path):
    """An array of unsigned bytes in the IDX format of MNIST."""
    try:
        with gzip.open(path) as file:
            content = file.read()
        zero, kind, dimensions = struct.unpack(">HBB", content[:4])
        start = 4 + 4 * dimensions
        shape = struct.unpack(f">{dimensions}I", content[4:start])
        if zero or kind != 8:
            raise ValueError("it is not an array of bytes")
        return np.frombuffer(content, "uint8", offset=start).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


TASKS = {
    "adding": Task(
        _generated(_adding),
        None,
        1,
        1,
        "the sum of two marked numbers of the first half (Hochreiter & "
        "Schmidhuber, NIPS 1996, experiment 1, without random lengths)",
    ),
    "copy": Task(
        _generated(_copy),
        None,
        SYMBOLS,
        COPIED,
        f"repeats {COPIED} symbols at the end",
    ),
}
for _name, _load, _size in (
    ("digits", _digits, 8),
    ("mnist", _of_keras("mnist"), 28),
    ("fashion_mnist", _of_keras("fashion-mnist"), 28),
):
    for _way, _shape in (
        ("pixel", (_size * _size, 1)),
        ("row", (_size, _size)),
    ):
        TASKS[f"{_name}_by_{_way}"] = Task(
            _images(_load, _shape),
            _shape[0],
            CLASSES,
            1,
            f"images of {_size} x {_size}, {_way} by {_way}",
        )


def load(name, samples, length, seed):
    """The `Data` of a task, of as many training `samples` and time steps.

    Of images, `samples` is the largest number. The seed is of what is drawn.
    """
    train, test, source = TASKS[name].load(samples, length, seed)
    return Data(train, test, _chance(test[1]), source)


def _chance(y):
    if y.dtype.kind == "i":
        return float(np.bincount(y.ravel()).max() / y.size)
    return max(float(np.mean(is_near(y, guess))) for guess in y[:200])


def is_near(y, answer):
    """Whether an answer of the adding task is right."""
    return abs(y - answer) < TOLERANCE
