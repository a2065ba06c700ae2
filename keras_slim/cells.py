import numbers

import keras
from keras import ops

from keras_slim import variants


class NamedVariant:
    """Lets a subclass stand for a family or for one of its variants.

    `class SlimLSTM(..., family="lstm")` accepts the variants of that family, by
    default the full one; `class LSTM1(..., variant="lstm1")` accepts no other.
    """

    family = named_variant = None

    def __init_subclass__(cls, family=None, variant=None, **kwargs):
        super().__init_subclass__(**kwargs)
        if family is not None:
            cls.family = variants.FAMILIES[family]
        if variant is not None:
            cls.named_variant = variants.get(variant, cls.family)

    @classmethod
    def _resolve_variant(cls, variant):
        own = cls.named_variant
        if variant is None and own is not None:
            return own
        if variant is None and cls.family is not None:
            variant = cls.family.name
        found = variants.get(variant, cls.family)
        if own is not None and found != own:
            raise ValueError(
                f"Invalid value for argument `variant`. {cls.__name__} is "
                f"always {own.name or own.terms!r}. "
                f"Received: variant={variant!r}"
            )
        return found


def _check_rate(name, rate):
    # Keras clips a rate silently; at 1, backends differ in what they drop.
    if not isinstance(rate, numbers.Real) or not 0 <= rate < 1:
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected a number with "
            f"0 <= {name} < 1. Received: {name}={rate!r}"
        )


@keras.saving.register_keras_serializable("keras_slim")
class SlimRNNCell(NamedVariant, keras.layers.SimpleRNNCell):
    """Cell of any variant of any family: one time step of `SlimRNN`.

    The state equations are those of the family of the `variant`; see
    `SlimLSTMCell`, `SlimGRUCell` and `SlimMGUCell`.

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
            the output: a name, a function or a layer. Default: hyperbolic
            tangent (`"tanh"`). If `None`, no activation is applied (linear).
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
        variant: Name of a variant in `keras_slim.variants.VARIANTS`, in upper
            or lower case, or a tuple or list of gates, `(i, f, c, o)` for an
            LSTM, `(z, r, h)` for a GRU or `(f, h)` for an MGU, each a string
            of the terms `x`, `h`, `u`, `b`, or a number. A class of a family
            accepts its variants, by default the full one; a class named after
            a variant, such as LSTM3, accepts no other.
        unit_forget_bias: Boolean (default `True`). If `True`, the bias of the
            forget gate of an LSTM, where the variant has one, is initialized
            to 1. It has no effect in the other families.
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
        inputs: A 2D tensor, with shape `(batch, features)`.
        states: The states of the previous time step, `[h, c]` for an LSTM and
            `[h]` or `h` for the others, 2D tensors with shape
            `(batch, units)`.
        training: Python boolean, whether dropout is applied. Default:
            `False`.

    Returns:
        A tuple `(h, states)`: the output, with shape `(batch, units)`, and the
        new states, a tensor or a list like the argument `states`.

    Raises:
        ValueError: if `units`, `variant`, `dropout`, `recurrent_dropout` or
            `implementation` is not one of the values above.

    Example:

    >>> inputs = np.random.random((32, 10, 8))
    >>> rnn = keras.layers.RNN(keras_slim.SlimRNNCell(4, variant="gru3"))
    >>> rnn(inputs).shape
    (32, 4)
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
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        *,
        variant=None,
        unit_forget_bias=True,
        matched_initialization=False,
        implementation=2,
        **kwargs,
    ):
        if (
            not isinstance(units, numbers.Integral)
            or isinstance(units, bool)
            or units <= 0
        ):
            raise ValueError(
                "Invalid value for argument `units`. Expected a positive "
                f"integer. Received: units={units!r}"
            )
        gating = self._resolve_variant(variant)
        _check_rate("dropout", dropout)
        _check_rate("recurrent_dropout", recurrent_dropout)
        if implementation not in (1, 2):
            raise ValueError(
                "Invalid value for argument `implementation`. Expected 1 or "
                f"2. Received: implementation={implementation!r}"
            )
        super().__init__(
            int(units),
            activation=activation,
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
            **kwargs,
        )
        self.recurrent_activation = keras.activations.get(recurrent_activation)
        self.gating = gating
        self.unit_forget_bias = unit_forget_bias
        self.matched_initialization = matched_initialization
        self.implementation = 1 if recurrent_dropout else implementation
        # As in Keras, an integer stands for a single state.
        states = len(gating.family.states)
        self.state_size = [self.units] * states if states > 1 else self.units
        self.cell_state_index = states - 1
        self._dropout_mask = None
        self._recurrent_dropout_mask = None

    def build(self, input_shape):
        kernel_options = {
            "initializer": self.kernel_initializer,
            "regularizer": self.kernel_regularizer,
            "constraint": self.kernel_constraint,
        }
        recurrent_options = {
            "initializer": self.recurrent_initializer,
            "regularizer": self.recurrent_regularizer,
            "constraint": self.recurrent_constraint,
        }
        bias_options = {
            "initializer": self._initial_bias,
            "regularizer": self.bias_regularizer,
            "constraint": self.bias_constraint,
        }
        shapes = self.gating.weight_shapes(
            self.units, input_shape[-1], self.use_bias
        )
        for name, term, options in (
            ("kernel", "x", kernel_options),
            ("recurrent_kernel", "h", recurrent_options),
            ("pointwise_kernel", "u", recurrent_options),
            ("bias", "b", bias_options),
        ):
            weight = None
            if name in shapes:
                if self.matched_initialization and term != "b":
                    gates = self.gating.gates_with(term)
                    initializer = _columns_of_full_draw(
                        options["initializer"], self.gating.family, gates
                    )
                    options = {**options, "initializer": initializer}
                weight = self.add_weight(shapes[name], name=name, **options)
            setattr(self, name, weight)
        # Its weights must exist before the time loop, which creates none.
        for activation in (self.activation, self.recurrent_activation):
            if isinstance(activation, keras.Layer) and not activation.built:
                activation.build((*input_shape[:-1], self.units))
        self.built = True

    def _initial_bias(self, shape, dtype=None):
        gates = self.gating.gates_with("b")
        forget = self.gating.family.forget
        if not self.unit_forget_bias or forget not in gates:
            return self.bias_initializer(shape, dtype=dtype)
        # Drawn in the same lengths as in Keras, so that a seed agrees.
        before = gates.index(forget)
        parts = [ops.ones((self.units,), dtype=dtype)]
        for place, count in ((0, before), (2, len(gates) - before - 1)):
            if count:
                length = (count * self.units,)
                part = self.bias_initializer(length, dtype=dtype)
                parts.insert(place, part)
        return ops.concatenate(parts)

    # The same masks as in Keras's cells, drawn in the same order, for the gates
    # that use one. `RNN` gets them before the loop and resets them after it.

    def get_dropout_mask(self, step_input):
        if self._dropout_mask is None and self.dropout > 0:
            if self.implementation == 1:
                self._dropout_mask = {
                    gate: self._draw_mask(step_input, self.dropout)
                    for gate in self.gating.gates_with("x")
                }
            else:
                self._dropout_mask = self._draw_mask(step_input, self.dropout)
        return self._dropout_mask

    def get_recurrent_dropout_mask(self, step_input):
        if self._recurrent_dropout_mask is None and self.recurrent_dropout > 0:
            self._recurrent_dropout_mask = {
                gate: self._draw_mask(step_input, self.recurrent_dropout)
                for gate in self.gating.gates_with("hu")
            }
        return self._recurrent_dropout_mask

    def _draw_mask(self, step_input, rate):
        return keras.random.dropout(
            ops.ones_like(step_input), rate, seed=self.seed_generator
        )

    def get_initial_state(self, batch_size=None):
        return [
            ops.zeros((batch_size, self.units), dtype=self.compute_dtype)
            for _ in self.gating.family.states
        ]

    def call(self, inputs, states, training=False):
        family = self.gating.family
        is_nested = keras.tree.is_nested(states)
        states = tuple(states) if is_nested else (states,)
        if len(states) != len(family.states):
            raise ValueError(
                "Invalid value for argument `states`. Expected the states "
                f"{' and '.join(family.states)}. Received: {len(states)} "
                "tensors"
            )
        h = states[0]
        mask = self.get_dropout_mask(inputs) if training else None
        sums = self.input_projections(inputs, self.kernel, self.bias, mask)
        mask = self.get_recurrent_dropout_mask(h) if training else None
        values = self.gating.constants
        for phase in family.phases:
            if family.reset is not None and family.candidate in phase:
                h = values[family.reset] * h
            self._add_recurrent_terms(sums, phase, h, mask)
            # In the order of Keras's cells, as activations may draw random
            # numbers.
            for gate in phase:
                if gate not in values:
                    values[gate] = self._activation_of(gate)(sums[gate])
        new_states, _ = family.update(values, states, self.activation)
        h = new_states[0]
        return h, [*new_states] if is_nested else h

    def _activation_of(self, gate):
        if gate == self.gating.family.candidate:
            return self.activation
        return self.recurrent_activation

    def _add_recurrent_terms(self, sums, phase, h, mask):
        """Adds to the sums of the gates of a phase their terms with `h`."""

        def add(gates, values):
            for gate, value in zip(gates, values, strict=True):
                sums[gate] = sums[gate] + value if gate in sums else value

        every = self.gating.gates_with("h")
        gates = [gate for gate in every if gate in phase]
        if gates:
            start = every.index(gates[0]) * self.units
            columns = slice(start, start + len(gates) * self.units)
            kernel = self.recurrent_kernel[:, columns]
            add(gates, _products(gates, h, mask, kernel))
        every = self.gating.gates_with("u")
        gates = [gate for gate in every if gate in phase]
        u = self.pointwise_kernel
        add(
            gates,
            [
                (h if mask is None else h * mask[gate])
                * u[:, every.index(gate)]
                for gate in gates
            ],
        )

    def input_projections(self, inputs, kernel, bias, dropout_mask=None):
        """Sums the terms of each gate that do not read the previous output.

        Args:
            inputs: Tensor with shape `(..., batch, features)`.
            kernel, bias: The weights, or `None` where the cell has none.
            dropout_mask: What `get_dropout_mask` returns, or `None`.

        Returns:
            Dict from gate to a tensor with shape `(..., batch, units)`, or
            `(1, units)` for a gate that does not read the inputs. A gate that
            reads only the previous output is missing.
        """
        gates = self.gating.gates_with("x")
        products = _products(gates, inputs, dropout_mask, kernel)
        sums = dict(zip(gates, products, strict=True))
        if bias is not None:
            # 2D, as Keras's softmax refuses a vector.
            row = ops.expand_dims(bias, 0)
            gates = self.gating.gates_with("b")
            for gate, part in zip(gates, _columns(row, gates), strict=True):
                sums[gate] = sums[gate] + part if gate in sums else part
        for gate, terms in self.gating.gates.items():
            if terms == "b" and gate not in sums:  # only a bias, not used
                sums[gate] = ops.zeros((1, self.units), self.compute_dtype)
        return sums

    @property
    def variant(self):
        """Name of the variant, or the terms of its gates if it has none."""
        return self.gating.name or self.gating.terms

    def get_config(self):
        return {
            **super().get_config(),
            "recurrent_activation": keras.activations.serialize(
                self.recurrent_activation
            ),
            "variant": self.gating.name or [*self.gating.terms],
            "unit_forget_bias": self.unit_forget_bias,
            "matched_initialization": self.matched_initialization,
            "implementation": self.implementation,
        }


def _products(gates, tensor, mask, weight):
    """The products of a tensor with the columns of each gate."""
    if isinstance(mask, dict):  # a mask per gate
        return [
            ops.matmul(tensor * mask[gate], columns)
            for gate, columns in zip(
                gates, _columns(weight, gates), strict=True
            )
        ]
    if mask is not None:
        tensor = tensor * mask
    return _columns(ops.matmul(tensor, weight), gates)


def _columns(tensor, gates):
    """The columns of each gate, in the order of `gates`."""
    return ops.split(tensor, len(gates), axis=-1)


def _columns_of_full_draw(initializer, family, gates):
    """An initializer that draws for all gates and keeps those of `gates`."""

    every = family.gates

    def initialize(shape, dtype=None):
        rows, columns = shape
        full = initializer(
            (rows, columns // len(gates) * len(every)), dtype=dtype
        )
        by_gate = dict(zip(every, _columns(full, every), strict=True))
        return ops.concatenate([by_gate[gate] for gate in gates], axis=-1)

    return initialize
