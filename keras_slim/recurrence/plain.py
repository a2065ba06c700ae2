"""The loop of `keras.layers.RNN`, which keeps the cell state of every step."""

import keras
from keras import ops


def through_time(layer, sequences, initial_state, mask=None, training=False):
    """Does what the `inner_loop` of a layer does, and keeps `c`.

    Args:
        layer: A `keras.layers.RNN`, the cell of which has the states `[h, c]`.
        sequences, initial_state, mask, training: As for its `inner_loop`.

    Returns:
        What `inner_loop` returns, with the outputs of all steps, and the cell
        states `(batch, timesteps, units)`.
    """
    loop = keras.layers.RNN(
        _WithCellState(layer.cell, training),
        return_sequences=True,
        go_backwards=layer.go_backwards,
        stateful=layer.stateful,
        unroll=layer.unroll,
        name="with_cell_state",
    )
    last, outputs, states = loop.inner_loop(sequences, initial_state, mask)
    width = states[0].shape[-1]
    cell_states, outputs = outputs[..., width:], outputs[..., :width]
    last = last[..., :width]
    if mask is not None:
        mask = ops.expand_dims(ops.cast(mask, "bool"), -1)
        mask = ops.flip(mask, axis=1) if layer.go_backwards else mask
        # Before the first step that counts, Keras's loops emit zeros.
        begun = ops.cumsum(ops.cast(mask, "int32"), axis=1) > 0
        initial = ops.expand_dims(initial_state[1], 1)
        cell_states = ops.where(begun, cell_states, initial)
        if layer.zero_output_for_mask:
            outputs = ops.where(mask, outputs, ops.zeros_like(outputs))
            last = outputs[:, -1]
    return last, outputs, states, cell_states


class _WithCellState:
    """A cell whose output is `h` and `c`, side by side."""

    def __init__(self, cell, training):
        self._cell, self._training = cell, training
        self.state_size = cell.state_size

    def call(self, inputs, states):
        _, (h, c) = self._cell(inputs, states, training=self._training)
        return ops.concatenate([h, c], axis=-1), [h, c]

    __call__ = call
