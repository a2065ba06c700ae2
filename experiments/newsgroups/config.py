"""The settings of a run, and where each default comes from."""

import dataclasses

from experiments.engine.backend import BACKENDS
from experiments.engine.config import (
    BaseConfig,
    epochs_setting,
    seed_setting,
    setting,
)
from experiments.engine.names import activation_setting, variant_setting

EXPERIMENT = "newsgroups"  # the folder of its runs
# The settings that the data depend on.
OF_DATA = (
    "embedding_dim",
    "num_words",
    "maxlen",
    "samples",
    "validation_split",
    "split_seed",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(BaseConfig):
    """A network, how it is trained, and on what data.

    Raises:
        ValueError: if a value is not one that its field allows.
    """

    origins = (
        "stated: in the paper; derived: from its figures or the software that "
        "it names; example: Keras's example pretrained_word_embeddings, from "
        "which the paper's network was built; ours: none of these says"
    )
    variant: str = variant_setting(
        "lstm3",
        "stated",
        "lstm, lstm1, lstm2, lstm3 (II.C); others are ours, as are custom "
        "ones such as hb/1.0/xhb/b",
    )
    activation: str = activation_setting(
        "tanh",
        "stated",
        "of the recurrent layer: tanh, linear, sigmoid, softmax, relu (II.C); "
        "the others of Keras are ours",
    )
    learning_rate: float = setting(
        2e-3, "stated", "2e-3, 1e-3, 5e-4 (II.C)", least=0, below=1e9
    )
    seed: int = seed_setting(0, "stated", "from the clock unless given (III.A)")
    epochs: int = epochs_setting(100, "stated", "Tables I and II")
    batch_size: int = setting(
        128, "example", "posts per training step", least=1
    )
    optimizer: str = setting(
        "rmsprop", "example", "the only one supported", choices=("rmsprop",)
    )
    epsilon: float = setting(
        1e-14,
        "derived",
        "Keras 2 adds 1e-7 or less to the root, Keras 3 under it",
        least=0,
    )
    backend: str = setting(
        "tensorflow", "stated", "TensorFlow (III.A)", choices=BACKENDS
    )

    num_words: int = setting(
        20_000, "example", "the most frequent words, and 0", least=2
    )
    maxlen: int = setting(1_000, "example", "words kept of a post", least=1)
    samples: int | None = setting(
        None, "ours", "all posts; a number for a quick look", least=2
    )
    validation_split: float = setting(
        0.2,
        "derived",
        "accuracies in Table I are multiples of 1/3999",
        least=0,
        below=1,
    )
    split_seed: int = seed_setting(
        0, "ours", "one split for all runs; the example draws a new one"
    )

    embedding_dim: int = setting(
        100, "example", "GloVe 6B; frozen, as in the example", least=1
    )
    filters: int = setting(128, "example", "of each convolution", least=1)
    kernel_size: int = setting(5, "example", "of each convolution", least=1)
    pool_size: int = setting(
        5,
        "example",
        "that of the third pooling, global there, is ours",
        least=1,
    )
    pool_dropout: float = setting(
        0.2,
        "ours",
        "after each pooling; only its presence is stated (II.A)",
        least=0,
        below=1,
    )
    units: int = setting(128, "ours", "in each direction", least=1)
    dropout: float = setting(
        0.2, "stated", "of the recurrent layer (II.A)", least=0, below=1
    )
    recurrent_dropout: float = setting(
        0.3, "stated", "of the recurrent layer (II.A)", least=0, below=1
    )
    recurrent_activation: str = activation_setting(
        "keras2_hard_sigmoid", "derived", "the default of Keras 2.0 (II.B)"
    )
    unit_forget_bias: bool = setting(
        True,
        "derived",
        "forget bias starts at 1, as in Keras 2.0; the lab's code differs",
    )
    matched_initialization: bool = setting(
        False, "ours", "draw slim weights as widely as those of a full LSTM"
    )
    dense_units: int = setting(128, "example", "of the first Dense", least=1)
