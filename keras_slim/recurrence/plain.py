"""The loop of `keras.layers.RNN`, with the states of all time steps."""

import itertools

import keras
import numpy as np
from keras import ops, tree


def time_loop(layer, sequences, initial_state, mask=None, training=False):
    """Does what the `inner_loop` of a layer does, and keeps the cell states.

    Args:
        layer: A `SlimRNN`.
        sequences, initial_state, mask, training: As for its `inner_loop`.

    Returns:
        What `inner_loop` returns, with the outputs of all time steps, and the
        cell states `(batch, timesteps, units)`.
    """
    # The output is h, and Keras's loop treats what is recorded as an output.
    index = layer.cell.cell_state_index
    last, (outputs, cell_states), states = _loop(
        layer, (0, index), sequences, initial_state, mask, training
    )
    last, _ = ops.split(last, 2, axis=-1)
    if mask is not None:
        mask = in_order_of_steps(layer, mask)
        cell_states = _before_first_step(
            cell_states, initial_state[index], mask
        )
        if layer.zero_output_for_mask:
            outputs = ops.where(
                ops.expand_dims(mask, -1), outputs, ops.zeros_like(outputs)
            )
            last = outputs[:, -1]
    return last, outputs, states, cell_states


def recorded_states(layer, indices, sequences, initial_state, mask=None):
    """The states after every time step, from the cell run in Keras's loop.

    Args:
        layer: A `keras.layers.RNN`.
        indices: Positions of the states to keep among the states of the cell,
            those of stacked cells one after another.
        sequences, initial_state, mask: As for its `inner_loop`.

    Returns:
        List of tensors `(batch, timesteps, size)`, one for each index. A
        masked time step has the state of the previous one.
    """
    _, found, _ = _loop(layer, indices, sequences, initial_state, mask, False)
    if mask is None:
        return found
    mask = in_order_of_steps(layer, mask)
    initial = tree.flatten(initial_state)
    return [
        _before_first_step(states, initial[index], mask)
        for states, index in zip(found, indices, strict=True)
    ]


def step_mask(mask):
    """A boolean mask `(batch, timesteps)`, or `None`, from a mask for Keras.

    `keras.layers.LSTM` also accepts masks with a last axis of size one, and a
    list of the masks of the inputs and of each state.
    """
    if isinstance(mask, (list, tuple)):
        mask = mask[0]
    if mask is None:
        return None
    if len(mask.shape) == 3:
        mask = ops.squeeze(mask, axis=-1)
    return ops.cast(mask, "bool")


def in_order_of_steps(layer, mask):
    """A boolean mask `(batch, timesteps)` in the order of processing."""
    return ops.flip(mask, axis=1) if layer.go_backwards else mask


def _before_first_step(states, initial, mask):
    """Puts the initial state where Keras's loops emit zeros."""
    begun = ops.cumsum(ops.cast(mask, "int32"), axis=1) > 0
    initial = ops.cast(ops.expand_dims(initial, 1), states.dtype)
    return ops.where(ops.expand_dims(begun, -1), states, initial)


def _loop(layer, indices, sequences, initial_state, mask, training):
    """Returns the last records, all records by index, and the last states."""
    cell = _Recorder(layer.cell, indices, training)
    loop = keras.layers.RNN(
        cell,
        return_sequences=True,
        go_backwards=layer.go_backwards,
        stateful=layer.stateful,
        unroll=layer.unroll,
        name="with_recorded_states",
    )
    last, recorded, (_, *states) = loop.inner_loop(
        sequences, [cell.record(initial_state), *initial_state], mask
    )
    flat = tree.flatten(initial_state)
    ends = np.cumsum([0] + [flat[index].shape[-1] for index in indices])
    parts = [recorded[..., i:j] for i, j in itertools.pairwise(ends.tolist())]
    return last, parts, states


class _Recorder:
    """A cell that outputs chosen states of another cell, concatenated.

    They are also its first state, because with a mask Keras's loop on JAX
    returns the first state as the output of a masked step.
    """

    def __init__(self, cell, indices, training):
        self._cell, self._indices = cell, indices
        # As `RNN` does: not every cell has the argument.
        takes_training = getattr(cell, "_call_has_training_arg", False)
        self._options = {"training": training} if takes_training else {}
        # Only its length is read.
        size = cell.state_size
        states = [size] if isinstance(size, int) else size
        self.state_size = [None, *states]

    def record(self, states):
        flat = tree.flatten(states)
        return ops.concatenate([flat[k] for k in self._indices], axis=-1)

    def call(self, inputs, states):
        _, *states = states
        _, new = self._cell(inputs, states, **self._options)
        recorded = self.record(new)
        return recorded, [
            recorded,
            *tree.pack_sequence_as(states, tree.flatten(new)),
        ]

    __call__ = call
