"""The time loops of the layers: a fused one, and that of `keras.layers.RNN`.

The fused loop projects the inputs of all time steps at once, and has a
hand-derived gradient. See the argument `recurrence` of `SlimRNN`.
"""

import functools
import importlib
import types

import keras
from keras import ops

import keras_slim.activations
from keras_slim.recurrence.fused import Equations, unrolled

# Each has a module here.
BACKENDS = ("tensorflow", "jax", "torch")

_backend = None
if keras.backend.backend() in BACKENDS:
    _backend = importlib.import_module(f"{__name__}.{keras.backend.backend()}")

# Functions of their input alone, which the loop may call again in the backward
# pass and compile separately from the model.
_PURE = {
    function
    for module in (keras.activations, keras_slim.activations)
    for function in vars(module).values()
    if isinstance(function, types.FunctionType)
}


def is_pure(activation):
    """Whether an activation is known to have no weights, state or randomness.

    A user's function may close over a variable or draw random numbers, which
    cannot be detected.
    """
    return isinstance(activation, types.FunctionType) and activation in _PURE


def time_loop(
    cell,
    sequences,
    initial_state,
    mask=None,
    training=False,
    go_backwards=False,
    zero_output_for_mask=False,
    return_sequences=True,
    return_cell_states=False,
    unroll=False,
):
    """Does what `keras.layers.RNN.inner_loop` does, with the fused loop.

    Args:
        cell: A `SlimRNNCell` that has drawn its dropout masks.
        sequences: The inputs, `(batch, timesteps, features)`.
        initial_state: List of the initial states, each `(batch, units)`.
        mask: Boolean tensor, `(batch, timesteps)`, or `None`.
        training: Boolean, whether dropout is applied and a gradient will be
            computed.
        go_backwards: Boolean, whether to begin at the last time step.
        zero_output_for_mask: Boolean, whether the output of a masked step is
            zero instead of the previous output.
        return_sequences: Boolean, whether to return the outputs of all time
            steps.
        return_cell_states: Boolean, whether to return the last state of the
            family, `c` for an LSTM, of all time steps.
        unroll: Boolean, whether to unroll the loop and let the framework
            compute the gradient.

    Returns:
        The last output `(batch, units)`; the outputs
        `(batch, timesteps, units)`, or the last one as a single time step; the
        list of the last states; and the cell states
        `(batch, timesteps, units)` or `None`.
    """
    # As Keras does when it calls the cell, whose dtype may be another one.
    dtype = cell.compute_dtype
    if keras.backend.is_float_dtype(sequences.dtype):
        sequences = ops.cast(sequences, dtype)
    initial_state = [ops.cast(state, dtype) for state in initial_state]
    dropout_masks = (None, None)
    if training:
        dropout_masks = (
            cell.get_dropout_mask(sequences[:, 0]),
            cell.get_recurrent_dropout_mask(initial_state[0]),
        )
    weights = {
        name: ops.cast(ops.convert_to_tensor(weight), dtype)
        for name in ("kernel", "bias", "recurrent_kernel", "pointwise_kernel")
        if (weight := getattr(cell, name)) is not None
    }
    function = functools.partial(
        _fused,
        cell=cell,
        mask=mask,
        dropout_masks=dropout_masks,
        training=training,
        go_backwards=go_backwards,
        zero_output_for_mask=zero_output_for_mask,
        return_sequences=return_sequences,
        return_cell_states=return_cell_states,
    )
    tensors = (sequences, initial_state, weights)
    if unroll:
        results = function(unrolled, *tensors)
    else:
        results = _backend.run(cell, function, *tensors, training=training)
    last, *states = results
    outputs, cell_states = ops.expand_dims(last, 1), None
    if return_sequences:
        outputs = ops.swapaxes(states.pop(0), 0, 1)
    if return_cell_states:
        cell_states = ops.swapaxes(states.pop(0), 0, 1)
    return last, outputs, states, cell_states


def _fused(
    loop,
    sequences,
    initial_state,
    weights,
    cell,
    mask,
    dropout_masks,
    training,
    go_backwards,
    zero_output_for_mask,
    return_sequences,
    return_cell_states,
):
    """Returns the last output, what is returned of all steps, the last states.

    Of all steps, these are the outputs and the cell states, if wanted.
    """
    dropout_mask, recurrent_dropout_masks = dropout_masks
    inputs = _time_major(sequences, go_backwards)
    if mask is not None:
        mask = _time_major(ops.expand_dims(mask, -1), go_backwards)
    equations = Equations(
        cell.gating,
        cell.activation,
        cell.recurrent_activation,
        return_sequences,
        return_cell_states,
    )
    weights = dict(weights)
    projections = cell.input_projections(
        inputs,
        weights.pop("kernel", None),
        weights.pop("bias", None),
        dropout_mask,
    )
    tensors = {
        "projections": {
            gate: value
            if gate in equations.recurrent_gates
            else equations.activation_of(gate)(value)
            for gate, value in projections.items()
        },
        "states": tuple(initial_state),
        **weights,
    }
    if recurrent_dropout_masks is not None:
        tensors["dropout_masks"] = dict(recurrent_dropout_masks)
    results = loop(equations, tensors, mask, training)
    end = len(results) - len(initial_state)
    every, states = results[:end], results[end:]
    last, outputs = states[0], every[:1] if return_sequences else ()
    cell_states = every[-1:] if return_cell_states else ()
    if mask is not None:
        # What Keras's own loops return for a masked step.
        shown = None
        if zero_output_for_mask:
            shown = mask
        elif _backend.ZEROS_BEFORE_FIRST_STEP:
            shown = ops.cumsum(ops.cast(mask, "int32"), axis=0) > 0
        if shown is not None:
            last = ops.where(shown[-1], last, ops.zeros_like(last))
            outputs = [ops.where(shown, h, ops.zeros_like(h)) for h in outputs]
    return last, *outputs, *cell_states, *states


def _time_major(sequences, go_backwards):
    sequences = ops.swapaxes(sequences, 0, 1)
    return ops.flip(sequences, axis=0) if go_backwards else sequences
