"""The settings of a run, and where each default comes from."""

import dataclasses
from pathlib import Path

from experiments.engine.backend import BACKENDS
from experiments.engine.config import (
    BaseConfig,
    epochs_setting,
    invalid,
    path_setting,
    seed_setting,
    setting,
)
from experiments.engine.names import variant_setting

EXPERIMENT = "memory_duration"  # the folder of its runs
# The settings that the data depend on, first their name.
OF_DATA = ("text", "characters", "test_split")
# Of eq. 7: those of the first, the second and the third layer.
COEFFICIENTS = ("r_1", "r_2", "r_3")


def _coefficient(layer):
    return setting(
        0.0,
        "stated",
        f"coefficient of eq. 7 for layer {layer}; its values are not printed",
        least=0,
        below=1e9,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(BaseConfig):
    """A stack of recurrent layers, how it is trained, and on what text.

    Raises:
        ValueError: if a value is not one that its field allows.
    """

    origins = "stated: in the paper; ours: it does not say"
    variant: str = variant_setting(
        "lstm",
        "stated",
        "lstm (section 2); others are ours, as are custom ones such as "
        "hb/1.0/xhb/b",
    )
    text: str = path_setting(
        "python_reference",
        "ours",
        "python_reference, python_library, king_lear, linux, wikipedia (the "
        "paper's, Table 1), or the path of a file",
    )
    characters: int | None = setting(
        100_000,
        "ours",
        "from the start of the text; about as many as King Lear has",
        least=1_000,
    )
    layers: int = setting(3, "stated", "recurrent layers (3.3)", least=1)
    units: int = setting(400, "stated", "of each layer (3.3)", least=1)
    r_1: float = _coefficient(1)
    r_2: float = _coefficient(2)
    r_3: float = _coefficient(3)
    seed: int = seed_setting(0, "ours", "the paper shows one run of each")
    epochs: int = epochs_setting(10, "ours", "passes over the training text")

    batch_size: int = setting(
        100, "stated", "sequences in a batch (3.3)", least=1
    )
    timesteps: int = setting(
        10, "stated", "characters of a sequence (3.3)", least=1
    )
    carry_state: bool = setting(
        True,
        "ours",
        "a sequence starts with the states of the one before it in the text; "
        "otherwise with zeros",
    )
    optimizer: str = setting(
        "adam", "stated", "the only one supported (3.3)", choices=("adam",)
    )
    learning_rate: float = setting(
        1e-3, "ours", "the default of Adam", least=0, below=1e9
    )
    clip_norm: float = setting(
        5.0,
        "stated",
        "of the gradient (3.3); taking all weights together is ours",
        least=0,
    )
    dropout: float = setting(
        0.5,
        "stated",
        "in training (3.3); its place, after each recurrent layer, is ours",
        least=0,
        below=1,
    )
    test_split: float = setting(
        0.1, "stated", "the last 10 % of the text (3.2)", above=0, below=1
    )
    unit_forget_bias: bool = setting(
        True, "ours", "forget bias starts at 1, as in Keras"
    )
    backend: str = setting(
        "tensorflow", "ours", "the paper names none", choices=BACKENDS
    )

    def __post_init__(self):
        super().__post_init__()
        for name in COEFFICIENTS[self.layers :]:
            if getattr(self, name):
                expected = f"0 with layers={self.layers}"
                raise invalid(name, expected, getattr(self, name))

    def as_dict(self):
        # The id depends on the content of a file, through its fingerprint, but
        # not on its path.
        return {**super().as_dict(), "text": self.text_name}

    @property
    def text_name(self):
        """The name of the text or of its file."""
        return Path(self.text).name
