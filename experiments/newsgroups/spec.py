"""What shapes a run, each value with where it comes from.

The origins: `stated` in the paper; `derived` from its figures or from the
software it names; `example`, the Keras example `pretrained_word_embeddings`
that it was built from; `ours` where none of these tells.
"""

import dataclasses
import numbers
import typing

from keras_slim.variants import VARIANTS

ACTIVATIONS = ("tanh", "linear", "sigmoid", "softmax", "relu")
BACKENDS = ("tensorflow", "jax", "torch")
SEEDS = range(2**32)  # what NumPy takes


def _setting(default, origin, why="", choices=None, least=None, below=None):
    return dataclasses.field(
        default=default,
        metadata={
            "origin": origin,
            "why": why,
            "choices": choices,
            "least": least,
            "below": below,
        },
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """One run: a network, how it is trained, and on what.

    Raises:
        ValueError: if a value is not one that its field allows.
    """

    variant: str = _setting(
        "lstm3",
        "stated",
        "II.C: LSTM, LSTM1, LSTM2, LSTM3",
        choices=tuple(VARIANTS),
    )
    activation: str = _setting("tanh", "stated", "II.C", choices=ACTIVATIONS)
    learning_rate: float = _setting(
        2e-3, "stated", "II.C: 2e-3, 1e-3, 5e-4", least=0
    )
    seed: int = _setting(
        0, "stated", "III.A: from the clock unless given", choices=SEEDS
    )
    epochs: int = _setting(100, "stated", "Tables I and II", least=1)
    batch_size: int = _setting(128, "example", least=1)
    optimizer: str = _setting("rmsprop", "example", choices=("rmsprop", "adam"))
    backend: str = _setting(
        "tensorflow", "stated", "III.A names TensorFlow", choices=BACKENDS
    )

    num_words: int = _setting(20_000, "example", "word ids below", least=2)
    maxlen: int = _setting(1_000, "example", "words a post", least=1)
    samples: int | None = _setting(
        None, "ours", "all posts; fewer for a quick look", least=2
    )
    validation_split: float = _setting(
        0.2,
        "derived",
        "accuracies are multiples of 1/3999",
        least=0,
        below=1,
    )
    split_seed: int = _setting(
        0, "ours", "one split for all runs", choices=SEEDS
    )

    embedding_dim: int = _setting(100, "example", "GloVe 6B, frozen", least=1)
    filters: int = _setting(128, "example", least=1)
    kernel_size: int = _setting(5, "example", least=1)
    pool_size: int = _setting(5, "example", least=1)
    pool_dropout: float = _setting(
        0.2, "ours", "II.A: dropout after each pooling", least=0, below=1
    )
    units: int = _setting(128, "ours", "in each direction", least=1)
    dropout: float = _setting(0.2, "stated", "II.A", least=0, below=1)
    recurrent_dropout: float = _setting(0.3, "stated", "II.A", least=0, below=1)
    recurrent_activation: str = _setting(
        "keras2_hard_sigmoid",
        "derived",
        "II.B: the default of Keras 2.0",
        choices=("keras2_hard_sigmoid", "hard_sigmoid", "sigmoid"),
    )
    unit_forget_bias: bool = _setting(
        True, "derived", "the default of Keras 2.0; the lab's slim cells: 0"
    )
    matched_initialization: bool = _setting(
        False, "ours", "drawn on the weight's own shape, as the lab does"
    )
    dense_units: int = _setting(128, "example", least=1)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            _check(field, getattr(self, field.name))

    def config(self):
        """The settings as a JSON-ready dict."""
        return dataclasses.asdict(self)


def value_type(field):
    """The type of a field's values, `None` left aside."""
    return typing.get_args(field.type)[0] if _optional(field) else field.type


def _optional(field):
    return type(None) in typing.get_args(field.type)


def _check(field, value):
    kind = value_type(field)
    limits = field.metadata
    if value is None and _optional(field):
        return
    if kind in (bool, str):
        valid = isinstance(value, kind)
    else:
        number = numbers.Integral if kind is int else numbers.Real
        valid = isinstance(value, number) and not isinstance(value, bool)
    expected = {bool: "True or False", int: "an integer", float: "a number"}
    expected = expected.get(kind, "a string")
    if limits["choices"] is not None:
        valid = valid and value in limits["choices"]
        if limits["choices"] is SEEDS:
            expected += f" from 0 to {SEEDS[-1]}"
        else:
            expected = f"one of {', '.join(limits['choices'])}"
    if limits["least"] is not None:
        valid = valid and value >= limits["least"]
        expected += f" >= {limits['least']}"
    if limits["below"] is not None:
        valid = valid and value < limits["below"]
        expected += f" and < {limits['below']}"
    if not valid:
        raise ValueError(
            f"Invalid value for `{field.name}`. Expected {expected}. "
            f"Received: {field.name}={value!r}"
        )
