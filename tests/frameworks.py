"""The little that Keras does not say the same way on each backend."""

import keras
import numpy as np


def weights_of(layer):
    """Weights by name as float64 arrays."""
    return {
        w.path.split("/")[-1]: to_numpy(w).astype("float64")
        for w in layer.trainable_weights
    }


def to_numpy(tensor):
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def gradients(layer, inputs, upstream, call=None, graph=False, **kwargs):
    """Gradients of `sum(layer(inputs) * upstream)` by the framework.

    Returns a dict from weight name to gradient, and `"inputs"`. With
    TensorFlow a `graph` computes them, as in a model, if asked for.
    """
    return outputs_and_gradients(
        layer, inputs, upstream, call, graph, **kwargs
    )[1]


def outputs_and_gradients(
    layer, inputs, upstream, call=None, graph=False, **kwargs
):
    """The same, after the outputs of the one call that it takes."""
    names = [*weights_of(layer), "inputs"]
    call = call or (lambda x, **kw: layer(x, **kw))
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        def run(inputs):
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                outputs = call(inputs, **kwargs)
                loss = tf.reduce_sum(outputs * upstream)
            sources = [w.value for w in layer.trainable_weights] + [inputs]
            return outputs, tape.gradient(loss, sources)

        run = tf.function(run, autograph=False) if graph else run
        outputs, found = run(tf.convert_to_tensor(inputs))
    elif backend == "jax":
        import jax

        def loss_of(weights, inputs):
            pairs = list(zip(layer.trainable_weights, weights, strict=True))
            with keras.StatelessScope(state_mapping=pairs):
                outputs = call(inputs, **kwargs)
            return (outputs * upstream).sum(), outputs

        weights = [w.value for w in layer.trainable_weights]
        # Compiled as a whole, which takes less time than op by op.
        (by_weights, by_inputs), outputs = jax.jit(
            jax.grad(loss_of, argnums=(0, 1), has_aux=True)
        )(weights, np.asarray(inputs))
        found = [*by_weights, by_inputs]
    else:
        import torch

        inputs = torch.tensor(inputs, requires_grad=True)
        sources = [w.value for w in layer.trainable_weights] + [inputs]
        outputs = call(inputs, **kwargs)
        loss = (outputs * torch.as_tensor(upstream)).sum()
        found = torch.autograd.grad(loss, sources)
    found = {name: to_numpy(g) for name, g in zip(names, found, strict=True)}
    return to_numpy(outputs), found
