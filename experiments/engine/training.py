"""Training that can be interrupted at any moment and resumed bit for bit.

Keras saves neither the states of its dropout seeds nor the order of the
batches with a model. Here the order follows from the seed and the epoch, and a
checkpoint holds every variable that changes, including seeds and optimizer.
"""

import dataclasses
import itertools
import json
import math
import sys
import time

import keras
import numpy as np

from experiments.engine.files import replacing
from experiments.engine.results import METRICS


class ShuffledBatches(keras.utils.PyDataset):
    """Batches of two arrays in an order that `begin_epoch` draws.

    Args:
        x: Array of inputs.
        y: Array of targets, as long as `x`.
        batch_size: Positive integer.
        seed: Integer.
    """

    def __init__(self, x, y, batch_size, seed):
        super().__init__()
        self.x, self.y = x, y
        self.batch_size = batch_size
        self._seed = seed
        self.begin_epoch(0)

    def begin_epoch(self, epoch):
        """Draws the order for an epoch, counted from 0."""
        random = np.random.default_rng([self._seed, epoch])
        self.order = random.permutation(len(self.x))

    def __len__(self):
        return -(-len(self.x) // self.batch_size)

    def __getitem__(self, index):
        start = index * self.batch_size
        chosen = self.order[start : start + self.batch_size]
        return self.x[chosen], self.y[chosen]


class SeededEpochs(keras.callbacks.Callback):
    """Makes all random numbers of an epoch follow from seed and epoch.

    It calls `begin_epoch` of the batches, as Keras calls the hook of a
    `PyDataset` more than once for the first epoch. With PyTorch it seeds the
    generator that Keras uses for dropout, whose state no variable holds.

    Args:
        batches: See `fit`.
        seed: Integer.
    """

    def __init__(self, batches, seed):
        super().__init__()
        self._batches = batches
        self._seed = seed

    def on_epoch_begin(self, epoch, logs=None):
        self._batches.begin_epoch(epoch)
        if keras.backend.backend() == "torch":
            import torch

            sequence = np.random.SeedSequence([self._seed, epoch])
            torch.manual_seed(int(sequence.generate_state(1)[0]))


class RunRecorder(keras.callbacks.Callback):
    """Writes history and checkpoint of a `RunFolder` after each epoch."""

    def __init__(self, folder):
        super().__init__()
        self._folder = folder
        self.history = []

    def restore(self, model):
        """Restores a built and compiled model, and returns the epochs done.

        A run without a checkpoint resumes from a kept one of the same run
        with fewer epochs, as no epoch depends on the number of epochs to come.
        """
        variables = _changing_variables(model)
        own, errors = self._folder.checkpoint, []
        paths = [own] if own.exists() else []
        # Searched for only if needed.
        kept = (path for _, path in self._folder.kept_checkpoints())
        for path in itertools.chain(paths, kept):
            try:
                self.history, values = _read_checkpoint(path, variables)
            except Exception as error:  # of many types, if it is damaged
                errors.append((path, error))
                continue
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
            if path != own:
                self._folder.note(went_on_from=path.parent.name)
                print(
                    f"Resuming after the {len(self.history)} epochs of {path}"
                )
            break
        then = "" if self.history else ", starting anew"
        for path, error in errors:
            print(f"{path} cannot be used{then}: {error}")
        # If the history is of another epoch, the checkpoint takes precedence.
        self._folder.write_history(self.history)
        return len(self.history)

    def on_epoch_begin(self, epoch, logs=None):
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - self._began
        values = {name: float(value) for name, value in logs.items()}
        row = {"epoch": epoch + 1, **values, "seconds": round(seconds, 3)}
        self.history.append(row)
        self._folder.write_history(self.history)
        variables = {
            f"variable_{k}": keras.ops.convert_to_numpy(v.value)
            for k, v in enumerate(_changing_variables(self.model))
        }
        with replacing(self._folder.checkpoint, "wb") as file:
            np.savez(file, history=json.dumps(self.history), **variables)


def _read_checkpoint(path, variables):
    """The history and the values of the variables in a checkpoint."""
    # Opened here, as NumPy leaves a damaged file open.
    with open(path, "rb") as file, np.load(file) as saved:
        history = json.loads(str(saved["history"]))
        values = [saved[f"variable_{k}"] for k in range(len(saved) - 1)]
    if [v.shape for v in values] != [v.shape for v in variables]:
        raise ValueError("it belongs to another network")
    return history, values


def _changing_variables(model):
    """The variables that training changes."""
    model.optimizer.build(model.trainable_variables)
    frozen = {
        id(weight)
        for layer in model._flatten_layers()  # nested ones, too
        if not layer.trainable
        for weight in layer.weights
    }
    variables = [*model.variables, *model.optimizer.variables]
    return [v for v in variables if id(v) not in frozen]


def train(config, folder, build, batches_of, **options):
    """Builds the model of a run and trains it, or resumes its training.

    Args:
        config: A `BaseConfig`.
        folder: The `RunFolder` of the run.
        build: Function without arguments that returns a compiled
            `keras.Model`.
        batches_of: Function of the model that returns its batches, see `fit`.
        **options: Further arguments of `fit`.

    Returns:
        Tuple of the trained model and the list of rows of `history.csv`.
    """
    keras.utils.clear_session()
    make_deterministic(config.seed)
    model = build()
    history = fit(
        model,
        batches_of(model),
        folder,
        seed=config.seed,
        epochs=config.epochs,
        **options,
    )
    return model, history


def train_on_arrays(config, folder, build, training, validation, **options):
    """Trains as `train` does, on shuffled batches of arrays.

    Runs that differ only in learning rate and seed share what is compiled.

    Args:
        config: A `BaseConfig` with `batch_size` and `learning_rate`.
        folder: The `RunFolder` of the run.
        build: See `train`.
        training: Tuple of the inputs and the targets.
        validation: The same, evaluated after each epoch.
        **options: Further arguments of `fit`.

    Returns:
        See `train`.
    """
    return train(
        config,
        folder,
        build,
        lambda model: ShuffledBatches(
            *training, config.batch_size, config.seed
        ),
        validation_data=validation,
        validation_batch_size=config.batch_size,
        share=dataclasses.replace(config, learning_rate=1.0, seed=0, epochs=1),
        **options,
    )


def adam(config):
    """The optimizer of a config with `learning_rate` and `clip_norm`."""
    return keras.optimizers.Adam(
        config.learning_rate, global_clipnorm=config.clip_norm or None
    )


def fit(
    model,
    batches,
    folder,
    *,
    seed,
    callbacks=(),
    verbose=None,
    share=None,
    on_device=None,
    **options,
):
    """Trains a model, or resumes its training after an interruption.

    Args:
        model: A compiled `keras.Model`, built after `make_deterministic`.
        batches: `keras.utils.PyDataset` with a method `begin_epoch`, which is
            called before an epoch with its number, counted from 0. The batches
            of the epoch, and the states that a stateful model starts it with,
            must follow from that number. Example: `ShuffledBatches`.
        folder: The `RunFolder` of the run.
        seed: Integer, for the random numbers of all epochs.
        callbacks: List of further `keras.callbacks.Callback`.
        verbose: As in `keras.Model.fit`. Default: `None`, a progress bar on a
            terminal and one line per epoch elsewhere.
        share: Hashable, the same for models that differ only in learning rate
            and seed. On the device they share the compiled epochs.
        on_device: Boolean, whether whole epochs run on the device, which
            requires JAX and `ShuffledBatches`. Default: `None`, they do if
            both are given and the device is not the CPU.
        **options: Arguments of `keras.Model.fit`.

    Returns:
        List of dicts, the rows of `history.csv`.

    Raises:
        ValueError: if `on_device` is `True` with other batches.
    """
    recorder = RunRecorder(folder)
    if verbose is None:
        verbose = 1 if sys.stdout.isatty() else 2
    options |= {
        "initial_epoch": recorder.restore(model),
        "callbacks": [SeededEpochs(batches, seed), recorder, *callbacks],
        "verbose": verbose,
    }
    is_shuffled = isinstance(batches, ShuffledBatches)
    if on_device is None:
        on_device = is_shuffled and _has_accelerator_of_jax()
    if on_device:
        if not is_shuffled:
            raise ValueError(
                "With `on_device=True`, `batches` must be `ShuffledBatches`. "
                f"Received: batches={batches!r}"
            )
        from experiments.engine import epochs_on_device

        epochs_on_device.fit(model, batches, share=share, **options)
    else:
        # Keras would draw another order of the batches.
        model.fit(batches, shuffle=False, **options)
    return recorder.history


def trainable_parameters(model):
    """The number of weights that training changes, an integer."""
    return sum(math.prod(w.shape) for w in model.trainable_weights)


def seconds_per_epoch(history):
    """The median over all epochs except the first, which compiles."""
    seconds = [row["seconds"] for row in history[1:] or history]
    return round(float(np.median(seconds)), 3)


def last_and_best(history):
    """`epochs` and `results.LAST_AND_BEST` from the history of a classifier."""
    best = max(history, key=lambda row: row["val_accuracy"])
    return {
        "epochs": len(history),
        "best_val_accuracy": best["val_accuracy"],
        "best_epoch": best["epoch"],
        **{name: history[-1][name] for name in METRICS},
        "seconds_per_epoch": seconds_per_epoch(history),
    }


def _has_accelerator_of_jax():
    if keras.backend.backend() != "jax":
        return False
    import jax

    return jax.default_backend() != "cpu"


def make_deterministic(seed):
    """Seeds all generators and makes the backend deterministic."""
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    elif keras.backend.backend() == "torch":
        import torch

        torch.use_deterministic_algorithms(True, warn_only=True)
        # Only helps to find bugs, and took a quarter of the time of a training
        # step of the newsgroups experiment.
        torch.utils.deterministic.fill_uninitialized_memory = False
