import functools
import weakref

import tensorflow as tf

from keras_slim.recurrence import fused

# Whether the outputs before the first unmasked step are zeros; otherwise they
# are the initial state.
ZEROS_BEFORE_FIRST_STEP = True

_MOST_SHAPES = 16
# The shapes for which XLA compiles the loop, by cell.
_shapes = weakref.WeakKeyDictionary()


def run(cell, function, *tensors, training):
    """Returns `function(loop, *tensors)` with the loop of this backend."""
    if _is_compiled(cell, tensors[0], training):
        return _run_compiled(function, *tensors)
    return function(_loop, *tensors)


def _loop(equations, tensors, mask, training, passed=None):
    """The results of `fused.forward`, with its gradient.

    `passed` is what `fused.forward` returned, if it has run already.
    """
    forward = functools.partial(fused.forward, equations, _scan)
    backward = functools.partial(fused.backward, equations, _scan, _vjp)
    # Tensors, as a custom gradient has to declare the variables it uses.
    flat = [tf.convert_to_tensor(t) for t in tf.nest.flatten(tensors)]

    @tf.custom_gradient
    def differentiable(*flat):
        inputs = tf.nest.pack_sequence_as(tensors, flat)
        results, saved = passed or forward(
            inputs, mask, save=training, joined=not training
        )

        def gradient(*upstream):
            kept = saved if training else forward(inputs, mask, save=True)[1]
            gradients = backward(inputs, mask, kept, upstream)
            if "dropout_masks" in inputs:
                gradients["dropout_masks"] = dict.fromkeys(
                    inputs["dropout_masks"]
                )
            return tf.nest.flatten(gradients)

        return results, gradient

    return differentiable(*flat)


def _is_compiled(cell, sequences, training):
    """Whether XLA compiles the loop, whatever `jit_compile` the model has.

    Without XLA, each operation of a time step is launched separately. With
    it, every new shape is compiled, which takes about half a second: in a
    graph for any number of time steps, or in eager execution, that could be
    every call. A batch size that is not static is assumed to be constant only
    in training, where only the last batch of an epoch differs. After
    `_MOST_SHAPES`, a cell is assumed to get a new shape each time.
    """
    batch, timesteps, _ = sequences.shape
    if (
        tf.executing_eagerly()
        or timesteps is None
        or not (training or batch is not None)
    ):
        return False
    shapes = _shapes.setdefault(cell, set())
    if len(shapes) < _MOST_SHAPES:
        shapes.add((batch, timesteps))
    return (batch, timesteps) in shapes


def _run_compiled(function, *tensors):
    """`function(loop, *tensors)`, compiled by XLA.

    The forward and the backward pass are separate functions, with all that
    they read as arguments, and exchange only results and what the loop saves.
    With automatic differentiation of a single function,

    - the backward pass would read small integers, such as permutations of
      axes, from the outputs of the forward pass. XLA needs those at compile
      time, and in a function that is compiled as a whole TensorFlow then
      treats all arguments of the forward pass as compile-time constants,
      weights included: each update of the weights would compile it again;
    - the gradient with respect to the inputs, one of three products with the
      kernel, would be computed even for data. Here it is left to the graph,
      which drops what is not read.
    """
    structure = tensors
    flat = [tf.convert_to_tensor(t) for t in tf.nest.flatten(tensors)]

    def call(loop, flat):
        return function(loop, *tf.nest.pack_sequence_as(structure, flat))

    @_compiled
    def forward(*tensors):
        passed = []

        def loop(equations, inputs, mask, training):
            passed.append(
                fused.forward(equations, _scan, inputs, mask, save=training)
            )
            return passed[0][0]

        call(loop, tensors)
        return passed[0]

    def replay(tensors, passed):
        """The results, and the projections before the loop."""
        projections = []

        def loop(equations, inputs, mask, training):
            projections.extend(tf.nest.flatten(inputs["projections"]))
            return _loop(equations, inputs, mask, training, passed)

        return call(loop, tensors), projections

    @_compiled
    def backward(tensors, passed, upstream):
        with tf.GradientTape() as tape:
            tape.watch(tensors[1:])
            results, projections = replay(tensors, passed)
        return tape.gradient(
            results,
            [tensors[1:], projections],
            upstream,
            unconnected_gradients="zero",
        )

    @tf.custom_gradient
    def differentiate(*args):
        return backward(*args), _refuse_to_differentiate_twice

    @tf.custom_gradient
    def results(*tensors):
        # Not recorded, as `gradient` is its derivative.
        stopped = [tf.stop_gradient(tensor) for tensor in tensors]
        passed = forward(*stopped)

        def gradient(*upstream):
            others, in_projections = differentiate(tensors, passed, upstream)
            with tf.GradientTape() as tape:
                tape.watch(tensors[0])
                _, projections = replay(tensors, passed)
            return [
                tape.gradient(projections, tensors[0], in_projections),
                *others,
            ]

        # Here the graph drops what precedes the loop, which nothing reads.
        return call(lambda *_: passed[0], stopped), gradient

    return results(*flat)


_compiled = functools.partial(tf.function, jit_compile=True, autograph=False)


def _refuse_to_differentiate_twice(*_):
    raise RuntimeError(
        "The fast time loop cannot be differentiated twice in a graph. Pass "
        "`recurrence='plain'` to the layer to compute second derivatives."
    )


def _vjp(function, z, gradient):
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

    # For shapes and dtypes; no graph runs it, as nothing reads it.
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
