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
    both = ops.concatenate(initial_state, axis=-1)
    last, outputs, (both,) = loop.inner_loop(sequences, [both], mask)
    last, _ = ops.split(last, 2, axis=-1)
    outputs, cell_states = ops.split(outputs, 2, axis=-1)
    states = ops.split(both, 2, axis=-1)
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
    """A cell whose output and only state is `h` and `c`, side by side.

    With a mask Keras puts the first state in the place of an output.
    """

    def __init__(self, cell, training):
        self._cell, self._training = cell, training
        self.state_size = sum(cell.state_size)

    def call(self, inputs, states):
        states = ops.split(states[0], 2, axis=-1)
        _, states = self._cell(inputs, states, training=self._training)
        both = ops.concatenate(states, axis=-1)
        return both, [both]

    __call__ = call
