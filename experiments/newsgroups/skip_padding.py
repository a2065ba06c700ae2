"""Convolution of padded sequences that computes the padding once."""

import keras
from keras import layers, ops

# The layers for which a window of ids has exactly one pooled time step.
_REQUIRED = {
    "embedding": (layers.Embedding, {"activity_regularizer": None}),
    "conv": (
        layers.Conv1D,
        {
            "padding": "valid",
            "strides": (1,),
            "dilation_rate": (1,),
            "groups": 1,
            "data_format": "channels_last",
            "activity_regularizer": None,
        },
    ),
    "pool": (
        layers.MaxPooling1D,
        {"padding": "valid", "data_format": "channels_last"},
    ),
}


@keras.saving.register_keras_serializable("keras_slim.experiments")
class SkipPadding(layers.Layer):
    """Embedding, convolution and max pooling of ids, skipping the padding.

    The outputs are those of `pool(conv(embedding(inputs)))`, and so are the
    gradients. A pooled time step depends on a window of
    `kernel_size + pool_size - 1` ids. Windows that hold nothing but padding,
    the id 0, all have the same output: one is computed in place of all of
    them. The embedding of the id 0 may have any value.

    On JAX, which needs static shapes, the number of windows that are computed
    is rounded up to a quarter, half or all of them. On TensorFlow, XLA cannot
    compile the layer: `jit_compile=True` gives a warning and has no effect on
    a model that contains it.

    Args:
        embedding: `keras.layers.Embedding`.
        conv: `keras.layers.Conv1D` with `padding="valid"` and without strides,
            dilation or groups.
        pool: `keras.layers.MaxPooling1D` with `padding="valid"`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: Integer tensor of shape `(batch, timesteps)`, 0 for padding.
            `timesteps` must be static.

    Returns:
        Tensor of shape `(batch, pooled_timesteps, filters)`.

    Raises:
        ValueError: if a layer is of another class or has an option that is
            not supported, or if the sequences are shorter than a window.
    """

    def __init__(self, embedding, conv, pool, **kwargs):
        super().__init__(**kwargs)
        self.embedding, self.conv, self.pool = embedding, conv, pool
        for name, (kind, options) in _REQUIRED.items():
            layer = getattr(self, name)
            if not isinstance(layer, kind):
                raise ValueError(
                    f"Invalid value for argument `{name}`. Expected a "
                    f"`keras.layers.{kind.__name__}`. Received: {name}={layer}"
                )
            for option, value in options.items():
                received = getattr(layer, option)
                if received != value:
                    raise ValueError(
                        f"Invalid value for argument `{name}`. Expected a "
                        f"layer with {option}={value!r}. Received: {name} "
                        f"with {option}={received!r}"
                    )
        self._width = conv.kernel_size[0] + pool.pool_size[0] - 1
        # The number of windows varies from batch to batch.
        self.supports_jit = keras.backend.backend() != "tensorflow"

    def build(self, input_shape):
        if not self.embedding.built:
            self.embedding.build(input_shape)
        if not self.conv.built:
            self.conv.build((*input_shape, self.embedding.output_dim))

    def call(self, inputs):
        steps = self._pooled_timesteps(inputs.shape)
        first = ops.arange(steps) * self.pool.strides[0]
        ids = first[:, None] + ops.arange(self._width)
        windows = ops.reshape(ops.take(inputs, ids, axis=1), (-1, self._width))
        outputs = _zeros_computed_once(self._pooled, windows)
        return ops.reshape(outputs, (-1, steps, self.conv.filters))

    def _pooled(self, windows):
        """Maps windows `(n, width)` to pooled time steps `(n, filters)`."""
        embedded = self.embedding(windows)
        if keras.backend.backend() != "jax":
            return self.pool(self.conv(embedded))[:, 0]
        return ops.max(_as_one_product(self.conv, embedded), axis=1)

    def _pooled_timesteps(self, input_shape):
        _, timesteps = input_shape
        if timesteps is None or timesteps < self._width:
            raise ValueError(
                "The inputs must have a static number of time steps of at "
                "least kernel_size + pool_size - 1 = "
                f"{self._width}. Received: timesteps={timesteps}"
            )
        return (timesteps - self._width) // self.pool.strides[0] + 1

    def compute_output_shape(self, input_shape):
        steps = self._pooled_timesteps(input_shape)
        return input_shape[0], steps, self.conv.filters

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        nested = {name: serialize(getattr(self, name)) for name in _REQUIRED}
        return {**super().get_config(), **nested}

    @classmethod
    def from_config(cls, config):
        deserialize = keras.saving.deserialize_keras_object
        nested = {name: deserialize(config[name]) for name in _REQUIRED}
        return cls(**{**config, **nested})


def _as_one_product(conv, inputs):
    """`conv(inputs)` as a matrix product.

    In a branch of a conditional, the convolution that XLA compiles for the CPU
    is a hundred times slower.
    """
    (size,) = conv.kernel_size
    steps = inputs.shape[1] - size + 1
    patches = [inputs[:, first : first + steps] for first in range(size)]
    outputs = ops.matmul(
        ops.concatenate(patches, axis=-1),
        ops.reshape(conv.kernel, (-1, conv.filters)),
    )
    if conv.use_bias:
        outputs = outputs + conv.bias
    return conv.activation(outputs)


def _zeros_computed_once(function, rows):
    """`function(rows)`, computed once for all rows of zeros.

    Args:
        function: Function of a tensor `(n, width)` that returns a tensor with
            `n` rows, each of which depends on its own row only.
        rows: Integer tensor of shape `(rows, width)`.
    """
    occupied = ops.any(rows != 0, axis=1)
    # The outputs are those of a row of zeros and of the occupied rows.
    count = ops.cumsum(ops.cast(occupied, "int32"))
    place = ops.where(occupied, count, 0)

    def compute(chosen):
        chosen = ops.take(rows, chosen, axis=0)
        zeros = ops.zeros_like(rows[:1])
        outputs = function(ops.concatenate([zeros, chosen]))
        return ops.take(outputs, place, axis=0)

    if keras.backend.backend() == "jax":
        return _in_static_shapes(compute, occupied)
    return compute(ops.nonzero(occupied)[0])


def _in_static_shapes(compute, occupied):
    """`compute` with the smallest of a few sizes for the occupied rows."""
    import jax
    import jax.numpy as jnp

    # Few, as all of them are compiled.
    sizes = [-(-len(occupied) // part) for part in (4, 2, 1)]

    def branch(size):
        # Branches have different activations, so they are recomputed.
        return jax.checkpoint(
            lambda: compute(jnp.nonzero(occupied, size=size)[0])
        )

    which = jnp.searchsorted(jnp.array(sizes), occupied.sum())
    return jax.lax.switch(which, [branch(size) for size in sizes])
