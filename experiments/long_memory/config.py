"""The settings of a run, and where each default comes from."""

import dataclasses

from experiments.engine.backend import BACKENDS
from experiments.engine.config import (
    BaseConfig,
    epochs_setting,
    invalid,
    seed_setting,
    setting,
)
from experiments.engine.names import variant_setting
from experiments.long_memory.tasks import TASKS

EXPERIMENT = "long_memory"  # the folder of its runs
# The settings that the data depend on, first their name.
OF_DATA = ("task", "length", "samples", "data_seed")
LENGTH = 50  # default of the tasks without a fixed length
LEAST_LENGTH = 25
MOST_TIME_STEPS = 2**28  # of all sequences, which are in memory


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(BaseConfig):
    """A task, a recurrent layer, and how it is trained.

    Raises:
        ValueError: if a value is not one that its field allows.
    """

    origins = (
        "published: with the task, or in the papers on slim gates; ours: they "
        "do not say"
    )
    task: str = setting(
        "adding",
        "ours",
        "adding, copy: sequences drawn from a seed; digits: scikit-learn's; "
        "mnist, fashion_mnist: in KERAS_SLIM_DATA, or downloaded by Keras",
        choices=tuple(TASKS),
    )
    length: int | None = setting(
        None,
        "ours",
        f"time steps, for adding and copy only; none means {LENGTH}",
        least=1,
    )
    variant: str = variant_setting(
        "lstm3", "published", "any of the table, or a custom one, hb/1.0/xhb/b"
    )
    units: int = setting(32, "ours", "of the full LSTM", least=1)
    equal: str = setting(
        "units",
        "ours",
        "which of these numbers equals that of the full LSTM",
        choices=("units", "parameters"),
    )
    learning_rate: float = setting(3e-3, "ours", "of Adam", least=0, below=1e9)
    seed: int = seed_setting(0, "ours", "of the weights and of the batches")
    epochs: int = epochs_setting(40, "ours", "passes over the sequences")

    samples: int = setting(
        6_400, "ours", "training sequences; of images, at most", least=1
    )
    data_seed: int = seed_setting(0, "ours", "of the sequences")
    batch_size: int = setting(64, "ours", "sequences in a batch", least=1)
    optimizer: str = setting(
        "adam", "ours", "the only one supported", choices=("adam",)
    )
    clip_norm: float = setting(
        1.0, "ours", "of the gradient of all weights together", least=0
    )
    unit_forget_bias: bool = setting(
        True, "ours", "forget bias starts at 1, as in Keras"
    )
    backend: str = setting(
        "tensorflow", "ours", "that of Keras", choices=BACKENDS
    )

    def __post_init__(self):
        super().__post_init__()
        fixed = TASKS[self.task].length
        if self.length is None:
            object.__setattr__(self, "length", fixed or LENGTH)
        if fixed is None:
            valid, expected = self.length >= LEAST_LENGTH, f">= {LEAST_LENGTH}"
        else:
            valid, expected = self.length == fixed, f"none or {fixed}"
        if not valid:
            expected += f" with task={self.task}"
            raise invalid("length", expected, self.length)
        most = MOST_TIME_STEPS // self.samples
        if fixed is None and self.length > most:
            if most < LEAST_LENGTH:
                most = MOST_TIME_STEPS // self.length
                expected = f"<= {most:,} with length={self.length}"
                raise invalid("samples", expected, self.samples)
            expected = f"<= {most:,} with samples={self.samples}"
            raise invalid("length", expected, self.length)
