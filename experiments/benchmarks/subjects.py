"""What is measured. The fields of a subject are its columns in the tables.

Nothing here imports Keras, which would fix the backend of the process.
"""

import dataclasses
from dataclasses import dataclass

KERAS_LSTM = "keras.layers.LSTM"
KERAS_GRU = "keras.layers.GRU"
KERAS_RNN = "keras.layers.RNN(LSTMCell)"
TORCH_LSTM = "torch.nn.LSTM"
CNN = "1D-CNN"
# What the command `layers` times in addition to the peers of the ratios.
CONTENDERS = ("fast", "plain", "gru", "rnn")
# The tasks of the small networks that are exported and slimmed.
TASKS = {
    "digits": "Digits of scikit-learn, 8 rows of 8 pixels as 8 time steps; the "
    "score is the accuracy on a third of them.",
    "lorenz": "The first coordinate of Lorenz's equations (1963), sampled "
    "every 0.05: 20 values are read, and the 10th after them is predicted; the "
    "score is the coefficient of determination R² on the last quarter.",
}
EPOCHS = 3  # of training after slimming
WAYS = ("right after", "fine-tuned", "distilled", "from scratch")


@dataclass(frozen=True)
class Shape:
    """The sizes of a batch of sequences and of a layer."""

    batch: int
    timesteps: int
    features: int
    units: int

    def __str__(self):
        return "x".join(map(str, dataclasses.astuple(self)))

    @classmethod
    def parse(cls, text):
        """Parses a shape such as `32x100x128x128`, or raises `ValueError`."""
        sizes = text.strip().split("x")
        if len(sizes) != 4 or not all(s.isdecimal() and int(s) for s in sizes):
            raise ValueError(
                "Invalid value for argument `shape`. Expected batch, "
                "timesteps, features and units as four positive integers, "
                f"such as 32x100x128x128. Received: shape={text!r}"
            )
        return cls(*map(int, sizes))


@dataclass(frozen=True)
class Subject:
    """What is timed. Our layers have the names of their variants."""

    backend: str
    layer: str

    def __str__(self):
        values = dataclasses.astuple(self)
        return " ".join(v for v in values if v and isinstance(v, str))


@dataclass(frozen=True)
class Contender(Subject):
    """A layer with one choice of its options."""

    recurrence: str  # "plain" or "fast", "" for layers that are not ours
    jit: bool  # whether XLA compiles it
    unroll: bool
    default: bool  # whether `jit` and `unroll` are Keras's defaults
    units: int
    # What it has in common with a full LSTM with the units of the shape:
    # "units", or "parameters", up to the rounding of its number of units.
    equal: str
    parameters: int
    dtype: str

    def __str__(self):
        settings = [self.recurrence, "jit" * self.jit, "unroll" * self.unroll]
        if self.equal == "parameters":
            settings.append(f"{self.units} units")
        return " ".join(filter(None, [self.backend, self.layer, *settings]))


@dataclass(frozen=True)
class Trained(Subject):
    """A model with one kind of recurrent layer, trained by `model.fit`."""

    jit_compile: str  # "auto" or "True"
    parameters: int  # of the model


@dataclass(frozen=True)
class Network(Subject):
    """The network of the newsgroups experiment with one recurrent layer."""

    parameters: int  # of the layer in both directions
    # "skipped" by the layer of the experiment, or "computed" by Keras's
    # embedding, convolution and pooling layers.
    padding: str
    mode: str  # "training" or "validation"


@dataclass(frozen=True)
class Exported(Subject):
    """A trained network in a file, with one recurrent layer or convolutions."""

    format: str  # of `in_worker.files.FORMATS`
    size: int  # units of the layer or filters of the convolutions
    parameters: int  # of the network


def columns_of(kind):
    """The columns that identify a subject."""
    return [field.name for field in dataclasses.fields(kind)]
