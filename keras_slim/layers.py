import contextvars

import keras
import numpy as np
from keras import InputSpec, ops, tree

from keras_slim.cells import NamedVariant, SlimRNNCell
from keras_slim.recurrence import BACKENDS, is_pure, plain, time_loop

# From `inner_loop` to `call`, as `RNN.call` hands on what it knows of. Not an
# attribute of the layer, which several threads may call at once.
_cell_states = contextvars.ContextVar("cell_states", default=None)


@keras.saving.register_keras_serializable("keras_slim")
class SlimRNN(NamedVariant, keras.layers.RNN):
    """Recurrent layer with gates of your choice, of any family.

    The state equations are those of the family of the `variant`; see
    `SlimLSTM`, `SlimGRU` and `SlimMGU`.

    Each gate is `σ` of the sum of its terms: `W x` (a product with the
    input), `U h` (with the previous output), `u ⊙ h` (pointwise) and `b`; or
    a constant. The candidate is `g` of its terms; in a family with a reset
    gate it reads `h` multiplied by that gate.

    Weights have Keras's names, and their columns stand in the order of the
    gates of the family, for the gates that have the term:

    - `kernel`, `(features, units * gates with W x)`
    - `recurrent_kernel`, `(units, units * gates with U h)`
    - `pointwise_kernel`, `(units, gates with u ⊙ h)`
    - `bias`, `(units * gates with b,)`

    Source: that of each row in `keras_slim.variants.VARIANTS`.

    Args:
        units: Positive integer, dimensionality of the output space.
        activation: Activation function `g` of the candidate and of the
            output: a name, a function or a layer, the weights of which are
            trained with those of the cell. On JAX one that updates state or
            draws random numbers needs `unroll=True`, as in
            `keras.layers.LSTM`. Default: hyperbolic tangent (`"tanh"`).
            `None` is linear.
        recurrent_activation: Activation function `σ` of the gates, likewise.
            Default: `"sigmoid"`. `None` is linear.
        use_bias: Boolean (default `True`). `False` takes the biases out of
            every gate that the variant gives one.
        kernel_initializer: Initializer of `kernel`, the products with the
            input. Default: `"glorot_uniform"`.
        recurrent_initializer: Initializer of `recurrent_kernel` and of
            `pointwise_kernel`, the products with the previous output.
            Default: `"orthogonal"`.
        bias_initializer: Initializer of the biases. Default: `"zeros"`.
        kernel_regularizer: Regularizer of `kernel`. Default: `None`.
        recurrent_regularizer: Regularizer of `recurrent_kernel` and of
            `pointwise_kernel`. Default: `None`.
        bias_regularizer: Regularizer of the biases. Default: `None`.
        activity_regularizer: Regularizer of the output of the layer.
            Default: `None`.
        kernel_constraint: Constraint of `kernel`. Default: `None`.
        recurrent_constraint: Constraint of `recurrent_kernel` and of
            `pointwise_kernel`. Default: `None`.
        bias_constraint: Constraint of the biases. Default: `None`.
        dropout: Float, `0 <= dropout < 1`. Fraction of the inputs to drop
            for the term `W x`. Default: 0.
        recurrent_dropout: Float, `0 <= recurrent_dropout < 1`. Fraction of
            the previous outputs to drop for the terms `U h` and `u ⊙ h`.
            Default: 0.
        seed: Random seed for dropout.
        return_sequences: Boolean (default `False`). Whether to return the
            output of every step instead of the last one.
        return_state: Boolean (default `False`). Whether to return the last
            states `h` and `c` in addition to the output.
        go_backwards: Boolean (default `False`). If `True`, process the input
            sequence backwards and return the reversed sequence.
        stateful: Boolean (default `False`). If `True`, the last state of the
            sample at index i of a batch is the initial state of the sample at
            index i of the next batch.
        unroll: Boolean (default `False`). If `True`, the steps are unrolled
            instead of looped over; it needs a static number of steps.
        use_cudnn: `"auto"` (default) or `False`, which do the same: no cuDNN
            kernel computes slim gates. `True` is refused.
        variant: Name of a row in `keras_slim.variants.VARIANTS`, in upper or
            lower case, or a row of the gates `(i, f, c, o)` of an LSTM,
            `(z, r, h)` of a GRU or `(f, h)` of an MGU, each a string of the
            terms `x`, `h`, `u`, `b`, or a number. The classes of a family take
            its variants, by default the full one; those named after a row,
            such as LSTM3, no other.
        unit_forget_bias: Boolean (default `True`). If `True`, the bias of the
            forget gate of an LSTM, where the variant has one, starts at 1.
            This is recommended by Jozefowicz et al., 2015. The lab's code of
            2019 starts it at 0 in the slim variants, its earlier code at 1.
            The other families have no such gate.
        recurrence: `"auto"` (default), `"fast"` or `"plain"`: the time loop.
            The plain loop is that of `keras.layers.RNN` around the cell,
            differentiated by the framework. The fast loop multiplies the inputs
            by `kernel` for all steps at once, computes only the recurrence step
            by step, and has a hand-derived gradient; outputs and gradients are
            those of the plain loop, to rounding. It needs activations out of
            `keras.activations` or `keras_slim.activations`, as any other
            callable may have weights, state or randomness, and the TensorFlow,
            JAX or PyTorch backend. `"auto"` is the fast loop where it can be
            used, and the plain loop elsewhere. With `unroll=True` the steps of
            the fast loop are computed one after another, differentiated by the
            framework, so that every derivative exists. On TensorFlow, XLA
            compiles the forward and the backward pass of the fast loop in any
            `tf.function` whose number of steps is static and, except in
            training, whose batch size is, too; once for each shape, up to
            sixteen of a layer, with `jit_compile=True` as a part of the model,
            without it as two functions of their own. Second derivatives in a
            `tf.function`, and forward-mode derivatives on JAX, need the plain
            loop or `unroll=True`. On PyTorch, second derivatives, `torch.func`,
            `torch.jit.trace`, `torch.export` and ONNX export use an unrolled
            loop with the same results; `torch.compile` leaves the fast loop out
            of its graph and refuses `fullgraph=True`.
        return_cell_states: Boolean (default `False`). Whether to return the
            cell states `c` of all steps after the output, in the order in
            which the steps are processed; `h` in a family without a cell
            state. `Bidirectional` does not take such a layer;
            `keras_slim.memory.cell_states` reads its cell states.
        cell_state_regularizer: Regularizer of the cell states, such as
            `keras_slim.memory.CellStateDifference`. It is called on a tensor
            `(batch, timesteps + 1, units)`, the initial cell state and those
            of all steps. Default: `None`.
        matched_initialization: Boolean (default `False`). If `False`, an
            initializer is called on the shape of the weight itself, as the
            lab's code does for LSTM1, LSTM2 and LSTM3; a slim weight is then
            drawn wider than the same columns of a full LSTM (for 128 units
            and features a Glorot limit of 0.153 instead of 0.097). If `True`,
            it is called on the shape for all gates and the weight takes its
            columns of that. Biases are the same either way.
        implementation: `1` or `2` (default). With `1`, or with any
            `recurrent_dropout`, every gate draws dropout masks of its own;
            with `2` the gates share one mask of the inputs. It changes
            nothing else.

    Call arguments:
        inputs: A 3D tensor, with shape `(batch, timesteps, features)`.
        mask: Binary tensor of shape `(batch, timesteps)` or
            `(batch, timesteps, 1)` (optional). A step that is `False` leaves
            the states as they are, and its inputs reach neither outputs nor
            gradients, NaN included. Default: `None`.
        training: Python boolean, whether dropout is applied. Default: `None`.
        initial_state: List of the initial states, `[h, c]` of an LSTM and
            `[h]` or `h` of the others, tensors of shape `(batch, units)`
            (optional). A mask or a state of a batch of one is that of every
            sample. Default: `None`, zeros.

    Returns:
        A 2D tensor, `(batch, units)`, or with `return_sequences=True` a 3D
        tensor, `(batch, timesteps, units)`. With `return_cell_states=True`
        then `c` of all steps, `(batch, timesteps, units)`, and with
        `return_state=True` then the last states, each `(batch, units)`.

    Raises:
        ValueError: if `units`, `variant`, `dropout`, `recurrent_dropout`,
            `implementation`, `use_cudnn` or `recurrence` is not one of the
            values above, `recurrence="fast"` is not supported, `mask` or
            `initial_state` has another shape, or `Bidirectional` wraps a layer
            with `return_cell_states=True`.

    Example:

    >>> inputs = np.random.random((32, 10, 8))
    >>> layer = keras_slim.SlimRNN(4, variant="gru3")
    >>> layer(inputs).shape
    (32, 4)
    >>> model = keras.Sequential(
    ...     [keras.layers.Bidirectional(layer), keras.layers.Dense(1)]
    ... )
    """

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        use_cudnn="auto",
        *,
        variant=None,
        unit_forget_bias=True,
        recurrence="auto",
        return_cell_states=False,
        cell_state_regularizer=None,
        matched_initialization=False,
        implementation=2,
        **kwargs,
    ):
        gating = self._resolve_variant(variant)
        cell = SlimRNNCell(
            units,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            variant=gating,
            unit_forget_bias=unit_forget_bias,
            matched_initialization=matched_initialization,
            implementation=implementation,
            # `RNN` does not hand these to its cell.
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
            name=f"{gating.family.name}_cell",
        )
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.input_spec = InputSpec(ndim=3)
        self.use_cudnn = use_cudnn
        if recurrence not in ("auto", "fast", "plain"):
            raise ValueError(
                "Invalid value for argument `recurrence`. Expected 'auto', "
                f"'fast' or 'plain'. Received: recurrence={recurrence!r}"
            )
        self.recurrence = recurrence
        self.return_cell_states = return_cell_states
        self.cell_state_regularizer = keras.regularizers.get(
            cell_state_regularizer
        )
        if recurrence == "fast" and self._obstacle():
            raise ValueError(
                "Invalid value for argument `recurrence`. The fast loop does "
                f"not support {self._obstacle()}. Expected 'auto' or 'plain'. "
                "Received: recurrence='fast'"
            )

    def __setattr__(self, name, value):
        # Not a property: TensorFlow skips one that is set to its own value.
        if name == "use_cudnn":
            self._check_use_cudnn(value)
        super().__setattr__(name, value)

    def _check_use_cudnn(self, value):
        if value not in ("auto", False):
            raise ValueError(
                "Invalid value for argument `use_cudnn`. Expected 'auto' or "
                "False, as no cuDNN kernel computes slim gates. "
                f"Received: use_cudnn={value!r}"
            )
        # Only `Bidirectional`, of newer Keras, sets it on a complete layer.
        if getattr(self, "return_cell_states", False):
            raise ValueError(
                "Invalid value for argument `return_cell_states`. Expected "
                "False in a layer that `Bidirectional` wraps; "
                "`keras_slim.memory.cell_states` reads its cell states. "
                "Received: return_cell_states=True"
            )

    def inner_loop(self, sequences, initial_state, mask, training=False):
        keeps_cell_states = (
            self.return_cell_states or self.cell_state_regularizer is not None
        )
        if mask is not None:
            # NaN or inf in a masked step would reach the gradients.
            sequences = ops.where(
                ops.expand_dims(mask, -1), sequences, ops.zeros_like(sequences)
            )
        if self.recurrence == "plain" or self._obstacle():
            if not keeps_cell_states:
                return super().inner_loop(
                    sequences, initial_state, mask=mask, training=training
                )
            *results, cell_states = plain.time_loop(
                self, sequences, initial_state, mask, training
            )
        else:
            *results, cell_states = time_loop(
                self.cell,
                sequences,
                initial_state,
                mask,
                training=training,
                go_backwards=self.go_backwards,
                zero_output_for_mask=self.zero_output_for_mask,
                return_sequences=self.return_sequences,
                return_cell_states=keeps_cell_states,
                unroll=self.unroll,
            )
        if self.cell_state_regularizer is not None:
            initial = initial_state[self.cell.cell_state_index]
            initial = ops.cast(initial, cell_states.dtype)
            path = [ops.expand_dims(initial, 1), cell_states]
            self.add_loss(
                self.cell_state_regularizer(ops.concatenate(path, axis=1))
            )
        if self.return_cell_states:
            _cell_states.set(cell_states)
        return results

    def call(self, sequences, initial_state=None, mask=None, training=False):
        self._check_shapes(sequences, initial_state, mask)
        batch, timesteps = ops.shape(sequences)[:2]
        mask = plain.step_mask(mask)
        if mask is not None:
            mask = _fitted(mask, batch, timesteps)
        if initial_state is not None:
            initial_state = [
                _fitted(ops.convert_to_tensor(state), batch, self.units)
                for state in self._listed(initial_state)
            ]
        results = super().call(
            sequences,
            initial_state=initial_state,
            mask=mask,
            training=training,
        )
        if not self.return_cell_states:
            return results
        cell_states = _cell_states.get()
        _cell_states.set(None)
        output, *states = results if self.return_state else [results]
        return output, cell_states, *states

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        shapes = super().compute_output_shape(
            sequences_shape, initial_state_shape
        )
        if not self.return_cell_states:
            return shapes
        output, *states = shapes if self.return_state else [shapes]
        return output, (*sequences_shape[:2], self.units), *states

    def compute_mask(self, inputs, mask):
        masks = super().compute_mask(inputs, mask)
        if not self.return_cell_states:
            return masks
        output, *states = masks if self.return_state else [masks]
        return [output, tree.flatten(mask)[0], *states]

    def compute_output_spec(
        self, sequences, initial_state=None, mask=None, training=False
    ):
        self._check_shapes(sequences, initial_state, mask)
        return super().compute_output_spec(
            sequences,
            initial_state=initial_state,
            mask=mask,
            training=training,
        )

    def _check_shapes(self, sequences, initial_state, mask):
        """Refuses a mask or initial states of another shape, if it is known."""
        batch, timesteps = sequences.shape[:2]
        if isinstance(mask, (list, tuple)):
            mask = mask[0]  # Of the inputs; see `plain.step_mask`.
        if mask is not None:
            shape = _shape_of(mask)
            per_step = shape[:2] if shape[2:] == (1,) else shape
            if not _fits(per_step, batch, timesteps):
                raise ValueError(
                    "Invalid value for argument `mask`. Expected a tensor "
                    f"with shape (batch, timesteps) = {(batch, timesteps)}, "
                    "or (batch, timesteps, 1). Received: a mask with shape "
                    f"{shape}"
                )
        if initial_state is None:
            return
        states = self.cell.gating.family.states
        listed = self._listed(initial_state)
        is_list = isinstance(listed, (list, tuple))
        shapes = [_shape_of(state) for state in listed] if is_list else []
        if len(shapes) != len(states) or not all(
            _fits(shape, batch, self.units) for shape in shapes
        ):
            received = type(initial_state).__name__
            if is_list:
                received += f" of tensors with shapes {shapes}"
            raise ValueError(
                "Invalid value for argument `initial_state`. Expected a list "
                f"of tensors [{', '.join(states)}], each with shape (batch, "
                f"units) = {(batch, self.units)}. Received: {received}"
            )

    def _listed(self, states):
        """The list of states that Keras takes a single tensor for."""
        is_tensor = hasattr(states, "shape")
        return (
            [states] if is_tensor and not self.cell.cell_state_index else states
        )

    def _obstacle(self):
        """What keeps the layer from the fast loop, or `None`."""
        for name in ("activation", "recurrent_activation"):
            activation = getattr(self, name)
            if not is_pure(activation):
                return (
                    f"{name}={activation!r}, only functions of "
                    "`keras.activations` and `keras_slim.activations`"
                )
        if keras.backend.backend() not in BACKENDS:
            return f"the backend {keras.backend.backend()!r}"
        return None

    def get_config(self):
        config = super().get_config()
        del config["cell"]
        cell_config = self.cell.get_config()
        for of_any_layer in ("name", "trainable", "dtype"):
            del cell_config[of_any_layer]
        return {
            **config,
            **cell_config,
            "activity_regularizer": keras.regularizers.serialize(
                self.activity_regularizer
            ),
            "use_cudnn": self.use_cudnn,
            "recurrence": self.recurrence,
            "return_cell_states": self.return_cell_states,
            "cell_state_regularizer": keras.regularizers.serialize(
                self.cell_state_regularizer
            ),
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def _shape_of(value):
    shape = value.shape if hasattr(value, "shape") else np.shape(value)
    return tuple(shape)


def _fits(shape, batch, size):
    """Whether a shape may be `(batch, size)`, or `(1, size)` to be repeated."""
    return (
        len(shape) == 2
        and (_equal(shape[0], batch) is not False or shape[0] == 1)
        and _equal(shape[1], size) is not False
    )


def _fitted(tensor, batch, size):
    """The tensor with shape `(batch, size)`, a batch of one being repeated.

    Where sizes are known in a running graph only, that is where this fails.
    """
    rows, columns = ops.shape(tensor)
    if not _equal(rows, batch):
        tensor = ops.broadcast_to(tensor, (batch, columns))
    if not _equal(columns, size):
        tensor = ops.reshape(tensor, (batch, size))
    return tensor


def _equal(a, b):
    """Whether two sizes are equal, or `None` if one of them is unknown."""
    return a == b if isinstance(a, int) and isinstance(b, int) else None


def _of_cell(name):
    return property(lambda self: getattr(self.cell, name))


# What a user reads off a `keras.layers.LSTM`. Real properties, as torch
# modules define `__getattr__` for themselves.
for _name in (
    "units",
    "variant",
    "activation",
    "recurrent_activation",
    "use_bias",
    "unit_forget_bias",
    "kernel_initializer",
    "recurrent_initializer",
    "bias_initializer",
    "kernel_regularizer",
    "recurrent_regularizer",
    "bias_regularizer",
    "kernel_constraint",
    "recurrent_constraint",
    "bias_constraint",
    "dropout",
    "recurrent_dropout",
):
    setattr(SlimRNN, _name, _of_cell(_name))
