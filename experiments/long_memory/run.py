"""One run of the experiment, from the task to the result."""

import keras

import keras_slim
from experiments.engine.names import equal_units, variant
from experiments.engine.training import (
    adam,
    last_and_best,
    train_on_arrays,
    trainable_parameters,
)
from experiments.long_memory import tasks
from experiments.long_memory.tasks import SOLVED, TASKS


def load_data(config):
    """Loads the task of a run, `tasks.Data`."""
    return tasks.load(
        config.task, config.samples, config.length, config.data_seed
    )


def units_of(config, features):
    """The number of units of the layer."""
    if config.equal == "units":
        return config.units
    return equal_units(config.variant, config.units, features)


def build_model(config, features):
    """The compiled network, from `(batch, time steps, features)` to answers."""
    task = TASKS[config.task]
    inputs = keras.Input((config.length, features))
    x = keras_slim.SlimRNN(
        units_of(config, features),
        variant=variant(config.variant),
        unit_forget_bias=config.unit_forget_bias,
        return_sequences=task.answers > 1,
    )(inputs)
    if task.answers > 1:
        x = x[:, -task.answers :]
    outputs = keras.layers.Dense(task.outputs, name="answers")(x)
    model = keras.Model(inputs, outputs)
    if task.outputs == 1:
        loss = keras.losses.MeanSquaredError()
        right = keras.metrics.MeanMetricWrapper(_is_near, name="accuracy")
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        right = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    model.compile(
        optimizer=adam(config),  # the only value of `config.optimizer`
        loss=loss,
        metrics=[right],
    )
    return model


def _is_near(y, answer):
    return keras.ops.cast(tasks.is_near(y, answer), "float32")


def execute(config, data, folder, **options):
    """Trains, or resumes training, and writes the folder of the run.

    `options` are arguments of `engine.training.fit` that do not change the
    result, such as `verbose` and `callbacks`.

    Raises:
        RunIsClaimed: if another process is making the same run.
    """
    features = data.train[0].shape[-1]

    def make():
        model, history = train_on_arrays(
            config,
            folder,
            lambda: build_model(config, features),
            data.train,
            data.test,
            **options,
        )
        return {
            "layer_units": units_of(config, features),
            "trainable_parameters": trainable_parameters(model),
            "steps_per_epoch": -(-len(data.train[0]) // config.batch_size),
            **figures(history),
        }

    folder.make(
        make, data_sources={"task_source": data.source}, chance=data.chance
    )


def figures(history):
    """The JSON-ready results that follow from the rows of the history."""
    solved = [row["epoch"] for row in history if row["val_accuracy"] >= SOLVED]
    return {
        "solved_epoch": solved[0] if solved else None,
        **last_and_best(history),
    }
