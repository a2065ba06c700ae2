import functools

import tensorflow as tf

from keras_slim.recurrence import equations as eq


def through_time(equations, tensors, mask, training):
    """`h` of all steps and `c`; see `equations.forward`."""
    forward = functools.partial(eq.forward, equations, _scan)
    backward = functools.partial(eq.backward, equations, _scan, _pull)
    # Tensors, as a custom gradient wants to be told of variables.
    flat = [tf.convert_to_tensor(t) for t in tf.nest.flatten(tensors)]

    @tf.custom_gradient
    def run(*flat):
        inputs = tf.nest.pack_sequence_as(tensors, flat)
        results, saved = forward(inputs, mask, save=training)

        def gradient(*upstream):
            kept = saved if training else forward(inputs, mask, save=True)[1]
            gradients = backward(inputs, mask, results[0], kept, upstream)
            if "dropout_masks" in inputs:
                gradients["dropout_masks"] = dict.fromkeys(
                    inputs["dropout_masks"]
                )
            return tf.nest.flatten(gradients)

        return results, gradient

    return run(*flat)


def compiled(function, sequences, training):
    """The function compiled by XLA, if the shapes will stay as they are.

    Without XLA each small operation of a step is started by itself. With it
    all is compiled for every new shape, in about half a second: where a graph
    is traced for any number of steps, or where nothing is traced, that could
    be each call. A batch of any size is taken for one that stays in training
    only, where only the last batch of an epoch differs.
    """
    batch, timesteps, _ = sequences.shape
    if tf.executing_eagerly() or timesteps is None:
        return function
    if not training and batch is None:
        return function
    return tf.function(function, jit_compile=True, autograph=False)


def _pull(function, z, gradient):
    with tf.GradientTape() as tape:
        tape.watch(z)
        y = function(z)
    return tape.gradient(y, z, gradient)


def _scan(step, init, xs, reverse=False):
    """`jax.lax.scan`, with what a step emits in `TensorArray`s."""
    first = tf.nest.flatten(xs)[0]
    length = first.shape[0] or tf.shape(first)[0]

    def at(time):
        return tf.nest.map_structure(lambda x: tf.gather(x, time), xs)

    # Tells shapes and dtypes; no graph runs it, as nothing reads it.
    _, example = step(init, at(0))
    emitted = [
        tf.TensorArray(y.dtype, length, element_shape=y.shape)
        for y in tf.nest.flatten(example)
    ]

    def body(index, carry, emitted):
        time = length - 1 - index if reverse else index
        carry, ys = step(carry, at(time))
        emitted = [
            array.write(time, y)
            for array, y in zip(emitted, tf.nest.flatten(ys), strict=True)
        ]
        return index + 1, carry, emitted

    _, carry, emitted = tf.while_loop(
        lambda index, *_: index < length, body, (0, init, emitted)
    )
    return carry, tf.nest.pack_sequence_as(
        example, [array.stack() for array in emitted]
    )
