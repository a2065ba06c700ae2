import tensorflow as tf

from keras_slim.recurrence import equations as eq


def through_time(equations, tensors, mask):
    """`h` of all steps and the last `c`; see `equations.forward`."""
    # Tensors, as a custom gradient wants to be told of variables.
    flat = [tf.convert_to_tensor(t) for t in tf.nest.flatten(tensors)]

    @tf.custom_gradient
    def run(*flat):
        inputs = tf.nest.pack_sequence_as(tensors, flat)
        results, saved = eq.forward(equations, _scan, inputs, mask, save=True)

        def gradient(*upstream):
            gradients = eq.backward(
                equations,
                _scan,
                _pull,
                inputs,
                mask,
                results[0],
                saved,
                upstream,
            )
            if "dropout_masks" in inputs:
                gradients["dropout_masks"] = dict.fromkeys(
                    inputs["dropout_masks"]
                )
            return tf.nest.flatten(gradients)

        return results, gradient

    return run(*flat)


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
        return tf.nest.map_structure(lambda x: x[time], xs)

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
        lambda index, *_: index < length,
        body,
        (0, init, emitted),
        maximum_iterations=length,
    )
    return carry, tf.nest.pack_sequence_as(
        example, [array.stack() for array in emitted]
    )
