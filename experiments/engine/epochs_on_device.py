"""Whole epochs as one JAX program, with the data on the device.

`keras.Model.fit` returns to Python for every batch, which takes longer than a
training step of a small network on a GPU.
"""

import functools

import jax
import keras

# By `share`, the latest last. A program keeps its model in memory, so only as
# many are kept as there are variants that alternate in a sweep.
_programs = {}
_MOST_PROGRAMS = 16


class _Program:
    """The compiled epochs of a model. Learning rate and seed are inputs."""

    def __init__(self, model):
        def epoch(step, state, order, x, y, batch_size):
            def one(state, chosen):
                return step(state, (x[chosen], y[chosen]))[1], None

            whole = len(order) // batch_size * batch_size
            if whole:
                order_of_whole = order[:whole].reshape(-1, batch_size)
                state, _ = jax.lax.scan(one, state, order_of_whole)
            if whole < len(order):
                state, _ = one(state, order[whole:])
            return state

        def compiled(step):
            return jax.jit(
                functools.partial(epoch, step),
                static_argnames="batch_size",
                donate_argnums=0,
            )

        self.train = compiled(model.train_step)
        self.test = compiled(model.test_step)


def fit(
    model,
    batches,
    *,
    initial_epoch,
    epochs,
    callbacks,
    verbose,
    validation_data=None,
    validation_batch_size=None,
    share=None,
):
    """Trains like `keras.Model.fit`, but without batch-level callbacks.

    `batches` are `training.ShuffledBatches`, shuffled by a callback, and
    `validation_data` is a tuple of two arrays. `share` is hashable, the same
    for models that differ only in the values of their variables, such as
    learning rate and seed: they share the compiled epochs.
    """
    callbacks = keras.callbacks.CallbackList(
        callbacks,
        add_progbar=verbose != 0,
        model=model,
        verbose=verbose,
        epochs=epochs,
        steps=len(batches),
    )
    # `fit` builds the metrics from its first batch.
    classes = keras.ops.ones((1, *model.output_shape[1:]))
    model.compute_metrics(None, batches.y[:1], classes)
    program = _programs.pop(share, None) or _Program(model)
    if share is not None:
        _programs[share] = program
        for oldest in list(_programs)[:-_MOST_PROGRAMS]:
            del _programs[oldest]
    train = jax.device_put([batches.x, batches.y])
    validation = jax.device_put(validation_data)

    def compute(function, variables, order, data, batch_size):
        """Computes an epoch of training or validation. Returns its metrics."""
        model.reset_metrics()
        variables = [*variables, model.metrics_variables]
        state = tuple([v.value for v in group] for group in variables)
        state = function(state, order, *data, batch_size=batch_size)
        for group, values in zip(variables, state, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)
        return {k: float(v) for k, v in model.get_metrics_result().items()}

    weights = [model.trainable_variables, model.non_trainable_variables]
    callbacks.on_train_begin()
    for epoch in range(initial_epoch, epochs):
        callbacks.on_epoch_begin(epoch)
        logs = compute(
            program.train,
            [*weights, model.optimizer.variables],
            batches.order,
            train,
            batches.batch_size,
        )
        if validation is not None:
            measured = compute(
                program.test,
                weights,
                jax.numpy.arange(len(validation[0])),
                validation,
                validation_batch_size,
            )
            logs |= {f"val_{name}": value for name, value in measured.items()}
        callbacks.on_epoch_end(epoch, logs)
    callbacks.on_train_end()
