"""What shapes a run, each value with where it comes from.

The origins: `stated` in the paper, with the section; `derived` from its
figures or from the software it names; `example`, the Keras example
`pretrained_word_embeddings` that it was built from; `ours` where none of
these tells.
"""

import dataclasses
import numbers
import typing

from experiments.engine.backend import BACKENDS
from keras_slim.variants import VARIANTS

EXPERIMENT = "newsgroups"  # the folder of its runs
ACTIVATIONS = ("tanh", "linear", "sigmoid", "softmax", "relu")


def _setting(default, origin, note, choices=None, least=None, below=None):
    return dataclasses.field(
        default=default,
        metadata={
            "origin": origin,
            "note": note,
            "choices": choices,
            "least": least,
            "below": below,
        },
    )


def _seed(default, origin, note):
    return _setting(default, origin, note, least=0, below=2**32)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """One run: a network, how it is trained, and on what.

    Raises:
        ValueError: if a value is not one that its field allows.
    """

    variant: str = _setting(
        "lstm3",
        "stated",
        "lstm, lstm1, lstm2, lstm3 (II.C); the others are ours",
        choices=tuple(VARIANTS),
    )
    activation: str = _setting(
        "tanh", "stated", "of the recurrent layer (II.C)", choices=ACTIVATIONS
    )
    learning_rate: float = _setting(
        2e-3, "stated", "2e-3, 1e-3, 5e-4 (II.C)", least=0, below=1e9
    )
    seed: int = _seed(0, "stated", "from the clock unless given (III.A)")
    epochs: int = _setting(100, "stated", "Tables I and II", least=1)
    batch_size: int = _setting(128, "example", "posts a step", least=1)
    optimizer: str = _setting(
        "rmsprop", "example", "no other is offered", choices=("rmsprop",)
    )
    epsilon: float = _setting(
        1e-14,
        "derived",
        "Keras 2 adds 1e-7 or less to the root, Keras 3 adds under it",
        least=0,
    )
    backend: str = _setting(
        "tensorflow", "stated", "TensorFlow (III.A)", choices=BACKENDS
    )

    num_words: int = _setting(
        20_000, "example", "the most frequent words, and 0", least=2
    )
    maxlen: int = _setting(1_000, "example", "words kept of a post", least=1)
    samples: int | None = _setting(
        None, "ours", "all posts; a number for a quick look", least=2
    )
    validation_split: float = _setting(
        0.2,
        "derived",
        "accuracies in Table I are multiples of 1/3999",
        least=0,
        below=1,
    )
    split_seed: int = _seed(
        0, "ours", "one split for all runs; the example draws anew"
    )

    embedding_dim: int = _setting(
        100, "example", "GloVe 6B; frozen, as in the example", least=1
    )
    filters: int = _setting(128, "example", "of each convolution", least=1)
    kernel_size: int = _setting(5, "example", "of each convolution", least=1)
    pool_size: int = _setting(
        5, "example", "the third, global there, is ours", least=1
    )
    pool_dropout: float = _setting(
        0.2,
        "ours",
        "after each pooling; that there is dropout is stated (II.A)",
        least=0,
        below=1,
    )
    units: int = _setting(128, "ours", "in each direction", least=1)
    dropout: float = _setting(
        0.2, "stated", "of the recurrent layer (II.A)", least=0, below=1
    )
    recurrent_dropout: float = _setting(
        0.3, "stated", "of the recurrent layer (II.A)", least=0, below=1
    )
    recurrent_activation: str = _setting(
        "keras2_hard_sigmoid",
        "derived",
        "the default of Keras 2.0 (II.B)",
        choices=("keras2_hard_sigmoid", "hard_sigmoid", "sigmoid"),
    )
    unit_forget_bias: bool = _setting(
        True,
        "derived",
        "forget bias starts at 1, as in Keras 2.0; lab code differs",
    )
    matched_initialization: bool = _setting(
        False, "ours", "draw slim weights as wide as those of a full LSTM"
    )
    dense_units: int = _setting(128, "example", "of the first Dense", least=1)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = _checked(field, getattr(self, field.name))
            # One kind of number a field, so that one run has one id.
            object.__setattr__(self, field.name, value)

    def config(self):
        """The settings as a JSON-ready dict, of which the id of a run is made.

        A field that is added one day must be left out here where it has the
        value of all earlier runs, so that they keep their ids.
        """
        return dataclasses.asdict(self)


def value_type(field):
    """The type of a field's values, `None` left aside."""
    return typing.get_args(field.type)[0] if _optional(field) else field.type


def _optional(field):
    return type(None) in typing.get_args(field.type)


_KINDS = {
    bool: (bool, "True or False"),
    int: (numbers.Integral, "an integer"),
    float: (numbers.Real, "a number"),
    str: (str, "a string"),
}


def _checked(field, value):
    if value is None and _optional(field):
        return None
    kind = value_type(field)
    accepted, expected = _KINDS[kind]
    choices, least, below = map(
        field.metadata.get, ("choices", "least", "below")
    )
    valid = isinstance(value, accepted)
    if kind is not bool:
        valid = valid and not isinstance(value, bool)
    if choices is not None:
        expected = f"one of {', '.join(choices)}"
        valid = valid and value in choices
    if least is not None:
        expected += f" >= {least}"
        valid = valid and value >= least
    if below is not None:
        expected += f" and < {below}"
        valid = valid and value < below
    if not valid:
        raise ValueError(
            f"Invalid value for `{field.name}`. Expected {expected}. "
            f"Received: {field.name}={value!r}"
        )
    return kind(value)
