"""The network of the paper, and a network that reads a text as a stream."""

import keras
from keras import ops

import keras_slim
from experiments.engine.names import variant
from experiments.engine.training import adam
from keras_slim.memory import CellStateDifference


class CarriedState(keras.layers.Layer):
    """A recurrent layer that starts each batch with its last states.

    This is what `stateful=True` is for, but on JAX Keras does not carry these
    states from batch to batch.

    Args:
        recurrent: A recurrent layer with `return_state=True`.
        batch_size: Positive integer, the number of sequences in a batch.
    """

    def __init__(self, recurrent, batch_size):
        super().__init__()
        self.recurrent = recurrent
        self._batch_size = batch_size

    def build(self, input_shape):
        self.recurrent.build(input_shape)
        self.states = [
            self.add_weight(
                (self._batch_size, self.recurrent.units),
                initializer="zeros",
                trainable=False,
                name=name,
            )
            for name in ("h", "c")
        ]

    def call(self, inputs, training=False):
        # Copies, as PyTorch needs them unchanged for the gradients.
        states = [ops.copy(state) for state in self.states]
        *outputs, h, c = self.recurrent(
            inputs, initial_state=states, training=training
        )
        for state, value in zip(self.states, (h, c), strict=True):
            state.assign(value)
        return outputs if len(outputs) > 1 else outputs[0]

    def reset_state(self):
        for state in self.states:
            state.assign(ops.zeros(state.shape))


def build_model(config, symbols):
    """The compiled network that is trained, for a number of `symbols`.

    Returns:
        A `keras.Model` from ids `(batch_size, timesteps)` to logits
        `(batch_size, timesteps, symbols)` of the next characters.
    """
    inputs = keras.Input((config.timesteps,), config.batch_size, dtype="int32")
    outputs, _ = _stack(config, symbols, inputs, config.carry_state)
    model = keras.Model(inputs, outputs)
    model.compile(
        optimizer=adam(config),  # the only value of `config.optimizer`
        loss=_cross_entropy(keras.losses),
        # Unlike the loss, this does not include the terms of eq. 7.
        weighted_metrics=[_cross_entropy(keras.metrics), "accuracy"],
    )
    return model


def build_reader(config, symbols, timesteps):
    """A network that reads one stream piece by piece, `timesteps` at a time.

    Returns:
        A `keras.Model` that carries its states, from ids `(1, timesteps)` to
        a list of the logits `(1, timesteps, symbols)` and the cell states of
        each layer, `(1, timesteps, units)`. It has weights of the same shapes
        as that of `build_model`.
    """
    inputs = keras.Input((timesteps,), 1, dtype="int32")
    outputs, cell_states = _stack(
        config, symbols, inputs, carry_state=True, return_cell_states=True
    )
    return keras.Model(inputs, [outputs, *cell_states])


def _stack(config, symbols, inputs, carry_state, return_cell_states=False):
    """The logits, and the cell states of each layer if requested."""
    # One-hot vectors of the ids.
    x = keras.layers.Embedding(
        symbols,
        symbols,
        embeddings_initializer="identity",
        trainable=False,
        name="one_hot",
    )(inputs)
    found = []
    for number in range(1, config.layers + 1):
        r = getattr(config, f"r_{number}", 0.0)
        layer = keras_slim.SlimRNN(
            config.units,
            variant=variant(config.variant),
            unit_forget_bias=config.unit_forget_bias,
            return_sequences=True,
            cell_state_regularizer=CellStateDifference(r) if r else None,
            return_cell_states=return_cell_states,
            return_state=carry_state,
            name=f"layer_{number}",
        )
        if carry_state:
            layer = CarriedState(layer, inputs.shape[0])
        x = layer(x)
        if return_cell_states:
            x, cell_states = x
            found.append(cell_states)
        x = keras.layers.Dropout(config.dropout)(x)
    return keras.layers.Dense(symbols, name="logits")(x), found


def _cross_entropy(module):
    return module.SparseCategoricalCrossentropy(
        from_logits=True, name="cross_entropy"
    )
