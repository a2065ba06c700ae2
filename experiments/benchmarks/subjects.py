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


@dataclass(frozen=True)
class Shape:
    """The sizes of a batch of sequences and of a layer."""

    batch: int
    timesteps: int
    features: int
    units: int

    def __str__(self):
        return "x".join(str(size) for size in dataclasses.astuple(self))

    @classmethod
    def parse(cls, text):
        """Parses a shape such as `32x100x128x128`.

        Raises:
            ValueError: if the text is not a shape.
        """
        sizes = text.strip().split("x")
        if len(sizes) != 4 or not all(s.isdecimal() and int(s) for s in sizes):
            raise ValueError(
                "Invalid value for argument `shape`. Expected batch, "
                "timesteps, features and units as four positive integers, "
                f"such as 32x100x128x128. Received: shape={text!r}"
            )
        return cls(*map(int, sizes))


@dataclass(frozen=True)
class Contender:
    """A layer with one choice of its options.

    Args:
        backend: Name of the Keras backend.
        layer: Name of the layer; of ours, the name of the variant.
        recurrence: `"plain"` or `"fast"`, and `""` for layers not ours.
        jit: Boolean, whether XLA compiles it.
        unroll: Boolean, see the layer.
        default: Boolean, whether `jit` and `unroll` are Keras's defaults.
        units: Integer, number of units.
        equal: What it has in common with a full LSTM with the units of the
            shape: `"units"`, or `"parameters"`, up to the rounding of its
            number of units.
        parameters: Integer, number of weights.
        dtype: Name of the dtype of weights, inputs and outputs.
    """

    backend: str
    layer: str
    recurrence: str
    jit: bool
    unroll: bool
    default: bool
    units: int
    equal: str
    parameters: int
    dtype: str

    def __str__(self):
        settings = [self.recurrence] if self.recurrence else []
        settings += [name for name in ("jit", "unroll") if getattr(self, name)]
        if self.equal == "parameters":
            settings.append(f"{self.units} units")
        return " ".join([self.backend, self.layer, *settings])


@dataclass(frozen=True)
class Part:
    """A part of the matrix products of a training step.

    Args:
        backend: Name of the Keras backend.
        layer: Name of our variant.
        part: Which products, see `in_worker.products.PARTS`.
        jit: Boolean, whether XLA compiles them.
        dtype: Name of the dtype.
    """

    backend: str
    layer: str
    part: str
    jit: bool
    dtype: str

    def __str__(self):
        return f"{self.backend} {self.layer} {self.part}"


@dataclass(frozen=True)
class Trained:
    """A model with one kind of recurrent layer, trained by `model.fit`.

    Args:
        backend: Name of the Keras backend.
        layer: Name of the layer; of ours, the name of the variant.
        jit_compile: `"auto"` or `"True"`, see `keras.Model.compile`.
        parameters: Integer, weights of the model.
    """

    backend: str
    layer: str
    jit_compile: str
    parameters: int

    def __str__(self):
        by_xla = "jit_compile=True" if self.jit_compile == "True" else ""
        return " ".join([self.backend, self.layer, by_xla]).strip()


@dataclass(frozen=True)
class Network:
    """The network of the newsgroups experiment with one recurrent layer.

    Args:
        backend: Name of the Keras backend.
        layer: Name of the layer; of ours, the name of the variant.
        parameters: Integer, weights of the layer in both directions.
        padding: `"skipped"` by the layer of the experiment, or `"computed"` by
            Keras's embedding, convolution and pooling layers.
        mode: `"training"` or `"validation"`.
    """

    backend: str
    layer: str
    parameters: int
    padding: str
    mode: str

    def __str__(self):
        padding = f"padding {self.padding}"
        return " ".join([self.backend, self.layer, padding, self.mode])


@dataclass(frozen=True)
class Exported:
    """A trained network in a file, with one recurrent layer or convolutions.

    Args:
        backend: Name of the Keras backend that exports it.
        layer: Name of the layer; of ours, the name of the variant.
        format: Name in `in_worker.files.FORMATS`.
        size: Integer, units of the layer or filters of the convolutions.
        parameters: Integer, weights of the network.
    """

    backend: str
    layer: str
    format: str
    size: int
    parameters: int

    def __str__(self):
        return f"{self.layer} {self.format}"


def columns_of(kind):
    """The columns that identify a subject."""
    return [field.name for field in dataclasses.fields(kind)]
