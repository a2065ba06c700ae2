"""The fast way through time: what is linear leaves the loop.

`SlimLSTM` takes it by itself where it can; see its argument `recurrence`.
"""

import functools
import importlib
import types

import keras
from keras import ops

import keras_slim.activations
from keras_slim.recurrence.equations import Equations

# A module each.
BACKENDS = ("tensorflow", "jax", "torch")

_loop = None
if keras.backend.backend() in BACKENDS:
    _loop = importlib.import_module(f"{__name__}.{keras.backend.backend()}")

# Functions of their input alone, which the loop may call again on the way back
# and compile apart from the model.
_PURE = {
    function
    for module in (keras.activations, keras_slim.activations)
    for function in vars(module).values()
    if isinstance(function, types.FunctionType)
}


def is_pure(activation):
    """Whether an activation is known to have no weights, state or randomness.

    A function of the user's own may close over a variable or draw random
    numbers, which cannot be seen.
    """
    return isinstance(activation, types.FunctionType) and activation in _PURE


def through_time(
    cell,
    sequences,
    initial_state,
    mask=None,
    training=False,
    go_backwards=False,
    zero_output_for_mask=False,
    return_cell_states=False,
):
    """Runs a cell through time, as `keras.layers.RNN.inner_loop` does.

    Args:
        cell: A `SlimLSTMCell` that has drawn its dropout masks.
        sequences: The inputs, `(batch, timesteps, features)`.
        initial_state: `[h, c]`, each `(batch, units)`.
        mask: Boolean tensor, `(batch, timesteps)`, or `None`.
        training: Boolean, whether dropout is applied and a gradient will be
            asked for.
        go_backwards: Boolean, whether to begin at the last step.
        zero_output_for_mask: Boolean, whether the output of a masked step is
            zero instead of that of the step before.
        return_cell_states: Boolean, whether to return `c` of every step.

    Returns:
        The last output `(batch, units)`, the outputs
        `(batch, timesteps, units)`, the last states `[h, c]`, and the cell
        states `(batch, timesteps, units)` or `None`.
    """
    backend = keras.backend.backend()
    dropout_masks = (None, None)
    if training:
        dropout_masks = (
            cell.get_dropout_mask(sequences[:, 0]),
            cell.get_recurrent_dropout_mask(initial_state[0]),
        )
    run = functools.partial(
        _run,
        cell=cell,
        mask=mask,
        dropout_masks=dropout_masks,
        training=training,
        go_backwards=go_backwards,
        zero_output_for_mask=zero_output_for_mask,
        return_cell_states=return_cell_states,
    )
    weights = {
        name: ops.convert_to_tensor(weight)
        for name in ("kernel", "bias", "recurrent_kernel", "pointwise_kernel")
        if (weight := getattr(cell, name)) is not None
    }
    if backend == "tensorflow" and _loop.is_compiled(sequences, training):
        results = _loop.run_compiled(run, sequences, initial_state, weights)
    else:
        results = run(_loop.through_time, sequences, initial_state, weights)
    outputs, h, c = results
    cell_states = None
    if return_cell_states:
        cell_states, c = ops.swapaxes(c, 0, 1), c[-1]
    return outputs[-1], ops.swapaxes(outputs, 0, 1), [h, c], cell_states


def _run(
    through_time,
    sequences,
    initial_state,
    weights,
    cell,
    mask,
    dropout_masks,
    training,
    go_backwards,
    zero_output_for_mask,
    return_cell_states,
):
    """Outputs of all steps, the last `h`, and `c`, of all steps or the last."""
    h, c = initial_state
    dropout_mask, recurrent_dropout_masks = dropout_masks
    inputs = _time_major(sequences, go_backwards)
    if mask is not None:
        mask = _time_major(ops.expand_dims(mask, -1), go_backwards)
    equations = Equations(
        cell.row,
        cell.activation,
        cell.recurrent_activation,
        return_cell_states,
    )
    weights = dict(weights)
    outside = cell.outside_terms(
        inputs,
        weights.pop("kernel", None),
        weights.pop("bias", None),
        dropout_mask,
    )
    tensors = {
        "outside": {
            gate: value
            if gate in equations.looped
            else equations.activation_of(gate)(value)
            for gate, value in outside.items()
        },
        "h": h,
        "c": c,
        **weights,
    }
    if recurrent_dropout_masks is not None:
        tensors["dropout_masks"] = dict(recurrent_dropout_masks)
    outputs, c = through_time(equations, tensors, mask, training)
    h = outputs[-1]
    if mask is not None:
        # What Keras's own loops return for a masked step.
        if zero_output_for_mask:
            outputs = ops.where(mask, outputs, ops.zeros_like(outputs))
        elif keras.backend.backend() != "jax":
            begun = ops.cumsum(ops.cast(mask, "int32"), axis=0) > 0
            outputs = ops.where(begun, outputs, ops.zeros_like(outputs))
    return outputs, h, c


def _time_major(sequences, go_backwards):
    sequences = ops.swapaxes(sequences, 0, 1)
    return ops.flip(sequences, axis=0) if go_backwards else sequences
