import contextvars

import keras
import numpy as np
from keras import InputSpec, ops, tree

from keras_slim.cells import NamedVariant, SlimRNNCell
from keras_slim.recurrence import BACKENDS, is_pure, plain, time_loop

# Passes the cell states from `inner_loop` to `call`, as `RNN.call` passes on
# only what it knows. Not an attribute: several threads may call the layer.
_cell_states = contextvars.ContextVar("cell_states", default=None)


@keras.saving.register_keras_serializable("keras_slim")
class SlimRNN(NamedVariant, keras.layers.RNN):
    """Recurrent layer with gates of your choice, of any family.

    The state equations are those of the family of the `variant`; see
    `SlimLSTM`, `SlimGRU` and `SlimMGU`.

    Each gate is `σ` of the sum of its terms, `W x` (a product with the
    input), `U h` (with the previous output), `u ⊙ h` (pointwise) and `b` (a
    bias), or a constant. The candidate is `g` of the sum of its terms; in a
    family with a reset gate, it reads `h` multiplied by that gate.

    The weights are named as in Keras. Their columns are in the order of the
    gates of the family, for the gates that have the term:

    - `kernel`, `(features, units * gates with W x)`
    - `recurrent_kernel`, `(units, units * gates with U h)`
    - `pointwise_kernel`, `(units, gates with u ⊙ h)`
    - `bias`, `(units * gates with b,)`

    Source: see each variant in `keras_slim.variants.VARIANTS`.

    Args:
        units: Positive integer, dimensionality of the output space.
        activation: Activation function `g` of the candidate and, in an LSTM,
            the output: a name, a function or a layer, whose weights are trained
            with those of the cell. On JAX, an activation that updates state or
            draws random numbers needs `unroll=True`, as in
            `keras.layers.LSTM`. Default: hyperbolic tangent (`"tanh"`). If
            `None`, no activation is applied (linear).
        recurrent_activation: Activation function `σ` of the gates, likewise.
            Default: `"sigmoid"`.
        use_bias: Boolean (default `True`). If `False`, the bias is left out
            of every gate and candidate that has one in the variant.
        kernel_initializer: Initializer for `kernel`, used in the products
            with the input. Default: `"glorot_uniform"`.
        recurrent_initializer: Initializer for `recurrent_kernel` and
            `pointwise_kernel`, used in the products with the previous output.
            Default: `"orthogonal"`.
        bias_initializer: Initializer for the biases. Default: `"zeros"`.
        kernel_regularizer: Regularizer for `kernel`. Default: `None`.
        recurrent_regularizer: Regularizer for `recurrent_kernel` and
            `pointwise_kernel`. Default: `None`.
        bias_regularizer: Regularizer for the biases. Default: `None`.
        activity_regularizer: Regularizer for the output of the layer.
            Default: `None`.
        kernel_constraint: Constraint for `kernel`. Default: `None`.
        recurrent_constraint: Constraint for `recurrent_kernel` and
            `pointwise_kernel`. Default: `None`.
        bias_constraint: Constraint for the biases. Default: `None`.
        dropout: Float, `0 <= dropout < 1`. Fraction of the inputs to drop
            in the term `W x`. Default: 0.
        recurrent_dropout: Float, `0 <= recurrent_dropout < 1`. Fraction of
            the previous outputs to drop in the terms `U h` and `u ⊙ h`.
            Default: 0.
        seed: Random seed for dropout.
        return_sequences: Boolean (default `False`). Whether to return the
            outputs of all time steps instead of the last output.
        return_state: Boolean (default `False`). Whether to return the last
            states, `[h, c]` for an LSTM and `[h]` for the others, in addition
            to the output.
        go_backwards: Boolean (default `False`). If `True`, process the input
            sequence backwards and return the reversed sequence.
        stateful: Boolean (default `False`). If `True`, the last state of the
            sample at index i of a batch is the initial state of the sample at
            index i of the next batch.
        unroll: Boolean (default `False`). If `True`, the time loop is
            unrolled, which needs a static number of time steps.
        use_cudnn: `"auto"` (default) or `False`, which have the same effect:
            no cuDNN kernel computes slim gates. `True` raises an error.
        variant: Name of a variant in `keras_slim.variants.VARIANTS`, in upper
            or lower case, or a tuple or list of gates, `(i, f, c, o)` for an
            LSTM, `(z, r, h)` for a GRU or `(f, h)` for an MGU, each a string
            of the terms `x`, `h`, `u`, `b`, or a number. A class of a family
            accepts its variants, by default the full one; a class named after
            a variant, such as LSTM3, accepts no other.
        unit_forget_bias: Boolean (default `True`). If `True`, the bias of the
            forget gate of an LSTM, where the variant has one, is initialized
            to 1. This is recommended by Jozefowicz et al., 2015. The 2019 code
            of Salem's lab initializes it to 0 in the slim variants, its
            earlier code to 1. It has no effect in the other families.
        recurrence: `"auto"` (default), `"fast"` or `"plain"`: the time loop.
            The plain loop is that of `keras.layers.RNN` around the cell,
            differentiated by the framework. The fast loop multiplies the inputs
            by `kernel` for all time steps at once, computes only the recurrence
            step by step, and has a hand-derived gradient; outputs and gradients
            equal those of the plain loop, up to rounding. It needs functions of
            `keras.activations` or `keras_slim.activations` as activations,
            because any other callable may have weights, state or randomness,
            and the TensorFlow, JAX or PyTorch backend. `"auto"` uses the fast
            loop where possible, and the plain loop otherwise. With
            `unroll=True`, the time steps of the fast loop are unrolled and
            differentiated by the framework, so that every derivative exists. On
            TensorFlow, XLA compiles the forward and the backward pass of the
            fast loop in any `tf.function` in which the number of time steps
            and, except in training, the batch size are static: once for each
            shape, for up to sixteen shapes per layer; with `jit_compile=True`
            as part of the model, otherwise as two separate functions. Second
            derivatives in a `tf.function`, and forward-mode derivatives on JAX,
            need the plain loop or `unroll=True`. On PyTorch, second
            derivatives, `torch.func`, `torch.jit.trace`, `torch.export` and
            ONNX export use an unrolled loop with the same results;
            `torch.compile` leaves the fast loop out of its graph and refuses
            `fullgraph=True`.
        return_cell_states: Boolean (default `False`). Whether to return, after
            the output, the cell states `c` of all time steps (`h` in a family
            without a cell state), in the order of processing. `Bidirectional`
            does not accept such a layer; for a layer inside it, use
            `keras_slim.memory.cell_states`.
        cell_state_regularizer: Regularizer for the cell states, such as
            `keras_slim.memory.CellStateDifference`. It is called on a tensor
            `(batch, timesteps + 1, units)` of the initial cell state and those
            of all time steps. Default: `None`.
        matched_initialization: Boolean (default `False`). If `False`, an
            initializer is called with the shape of the weight itself, as in
            the code of Salem's lab for LSTM1, LSTM2 and LSTM3; a slim
            weight is then drawn from a wider range than the same columns of a
            full LSTM (for 128 units and features, with a Glorot limit of 0.153
            instead of 0.097). If `True`, it is called with the shape for all
            gates, and the weight takes its columns from the result. Biases are
            the same either way.
        implementation: `1` or `2` (default). With `1`, or with any
            `recurrent_dropout`, every gate has its own dropout masks; with
            `2`, the gates share one mask for the inputs. It has no other
            effect.

    Call arguments:
        inputs: A 3D tensor, with shape `(batch, timesteps, features)`.
        mask: Binary tensor of shape `(batch, timesteps)` or
            `(batch, timesteps, 1)` (optional). A time step that is `False`
            leaves the states unchanged, and its inputs, even NaN, affect
            neither outputs nor gradients. Default: `None`.
        training: Python boolean, whether dropout is applied. Default: `False`.
        initial_state: List of the initial states, `[h, c]` for an LSTM and
            `[h]` or `h` for the others, tensors of shape `(batch, units)`
            (optional). A mask or a state with a batch size of one applies to
            every sample. Default: `None`, zeros.

    Returns:
        A 2D tensor, `(batch, units)`, or with `return_sequences=True` a 3D
        tensor, `(batch, timesteps, units)`. With `return_cell_states=True`, it
        is followed by `c` of all time steps, `(batch, timesteps, units)`, and
        with `return_state=True` by the last states, each `(batch, units)`.

    Raises:
        ValueError: if `units`, `variant`, `dropout`, `recurrent_dropout`,
            `implementation`, `use_cudnn` or `recurrence` is not one of the
            values above, `recurrence="fast"` cannot be used, `mask` or
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
            # `RNN` does not pass these to its cell.
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
        # Not a property: TensorFlow does not set one to the value it has.
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
        # Only `Bidirectional` of newer Keras sets it after `__init__`.
        if getattr(self, "return_cell_states", False):
            raise ValueError(
                "Invalid value for argument `return_cell_states`. Expected "
                "False in a layer whose `use_cudnn` is set, as `Bidirectional` "
                "does; `keras_slim.memory.cell_states` reads its cell states. "
                "Received: return_cell_states=True"
            )

    def inner_loop(self, sequences, initial_state, mask, training=False):
        keeps_cell_states = (
            self.return_cell_states or self.cell_state_regularizer is not None
        )
        # The gradient reads them, and on PyTorch they may be overwritten first,
        # the states by a stateful layer.
        initial_state = [ops.copy(state) for state in initial_state]
        if mask is not None:
            mask = ops.copy(mask)
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
        """Refuses a mask or initial states of a known, wrong shape."""
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
        """The states as a list; as in Keras, a tensor may be the only one."""
        is_one = len(self.cell.gating.family.states) == 1
        return [states] if is_one and hasattr(states, "shape") else states

    def _obstacle(self):
        """What the fast loop does not support in the layer, or `None`."""
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

    A wrong size that is known only when a graph runs raises an error there.
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


# Attributes of `keras.layers.LSTM`. Properties, as torch modules have a
# `__getattr__` of their own.
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
