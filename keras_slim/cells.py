import inspect
import numbers

import keras
from keras import ops

from keras_slim import variants
from keras_slim.variants import GATES


class NamedVariant:
    """Lets a subclass stand for one row: `class LSTM1(..., variant="lstm1")`.

    Such a class takes no other `variant`.
    """

    named_variant = None

    def __init_subclass__(cls, variant=None, **kwargs):
        super().__init_subclass__(**kwargs)
        if variant is not None:
            cls.named_variant = variants.get(variant)

    def _resolve_variant(self, variant):
        own = self.named_variant
        if variant is None:
            return own or variants.get("lstm")
        row = variants.get(variant)
        if own is not None and row.row != own.row:
            raise ValueError(
                f"Invalid value for argument `variant`. {type(self).__name__} "
                f"is always {own.name or own.row!r}; another variant is a "
                "SlimLSTM or SlimLSTMCell. "
                f"Received: variant={variant!r}"
            )
        return row


def document_row(cls):
    """Adds the equations of its row, and what its base takes, to a class."""
    if cls.__doc__:  # None under `python -OO`
        row = cls.named_variant
        base = cls.__mro__[1]
        of_base = inspect.getdoc(base)
        equations = [*row.equations().values(), *variants.STATE_EQUATIONS]
        cls.__doc__ = (
            f"{inspect.cleandoc(cls.__doc__)}\n\n"
            "`h` and `c` being those of the previous step:\n\n"
            + "".join(f"    {line}\n" for line in equations)
            + f"\nSource: {row.source}.\n\n"
            + of_base[of_base.index("Args:") :].replace(
                f"keras_slim.{base.__name__}(", f"keras_slim.{cls.__name__}("
            )
        )
    return cls


def _check_rate(name, rate):
    # Keras clips a rate without a word, and drops nothing at a rate of 1.
    if not isinstance(rate, numbers.Real) or not 0 <= rate < 1:
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected a number with "
            f"0 <= {name} < 1. Received: {name}={rate!r}"
        )


@keras.saving.register_keras_serializable("keras_slim")
class SlimLSTMCell(NamedVariant, keras.layers.LSTMCell):
    """Cell of the slim LSTM family: one step of `SlimLSTM`.

    A step computes the gates `i`, `f`, `o` and the candidate `c̃` as the
    `variant` says, then

        c_t = f ⊙ c + i ⊙ c̃
        h_t = o ⊙ g(c_t)

    Each gate is `σ` of the sum of its terms: `W x` (a product with the
    input), `U h` (with the previous output), `u ⊙ h` (pointwise) and `b`; or
    a constant. The candidate is `g` of its terms. Weights keep Keras's names,
    and their columns stand in Keras's gate order `i, f, c, o`, for the gates
    that carry the term:

    - `kernel`, `(features, units * gates with W x)`
    - `recurrent_kernel`, `(units, units * gates with U h)`
    - `pointwise_kernel`, `(units, gates with u ⊙ h)`
    - `bias`, `(units * gates with b,)`

    The full row, `variant="lstm"`, is `keras.layers.LSTMCell`, weight for
    weight.

    Source: Kent & Salem, arXiv:1901.00525, section I, eq. 1-6, and the source
    of each row in `keras_slim.variants.VARIANTS`.

    Args:
        units: Positive integer, dimensionality of the output space.
        activation: Activation function `g` of the candidate and of the
            output, a name, a function or a layer. Default: hyperbolic tangent
            (`"tanh"`). `None` is linear.
        recurrent_activation: Activation function `σ` of the gates. Default:
            `"sigmoid"`. `None` is linear.
        use_bias: Boolean (default `True`). `False` takes the biases out of
            every gate that the variant gives one.
        kernel_initializer: Initializer of `kernel`, the products with the
            input. Default: `"glorot_uniform"`.
        recurrent_initializer: Initializer of `recurrent_kernel` and of
            `pointwise_kernel`, the products with the previous output.
            Default: `"orthogonal"`.
        bias_initializer: Initializer of the biases. Default: `"zeros"`.
        unit_forget_bias: Boolean (default `True`). If `True`, the bias of the
            forget gate, where the variant has one, starts at 1.
        kernel_regularizer: Regularizer of `kernel`. Default: `None`.
        recurrent_regularizer: Regularizer of `recurrent_kernel` and of
            `pointwise_kernel`. Default: `None`.
        bias_regularizer: Regularizer of the biases. Default: `None`.
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
        variant: Name of a row in `keras_slim.variants.VARIANTS`, in upper or
            lower case, or a row of four gates `(i, f, c, o)`, each a string
            of the terms `x`, `h`, `u`, `b`, or a number. Default: the full
            row, `"lstm"`. The classes named after a row, such as LSTM3, take
            no other.
        matched_initialization: Boolean (default `False`). If `False`, an
            initializer is called on the shape of the weight itself, as the
            lab's code does for LSTM1, LSTM2 and LSTM3; a slim weight is then
            drawn wider than the same columns of a full LSTM (for 128 units
            and features a Glorot limit of 0.153 instead of 0.097). If `True`,
            it is called on the shape for four gates and the weight takes its
            columns of that. Biases are the same either way.
        implementation: `1` or `2` (default). With `1`, or with any
            `recurrent_dropout`, every gate draws dropout masks of its own;
            with `2` the gates share one mask of the inputs. It changes
            nothing else.

    Call arguments:
        inputs: A 2D tensor, with shape `(batch, features)`.
        states: The states `[h, c]` of the previous step, two 2D tensors with
            shape `(batch, units)`.
        training: Python boolean, whether dropout is applied.

    Returns:
        `(h, [h, c])`, the output and the new states.

    Raises:
        ValueError: if `units`, `variant`, `dropout`, `recurrent_dropout` or
            `implementation` is not one of the values above.

    Example:

    >>> inputs = np.random.random((32, 10, 8))
    >>> rnn = keras.layers.RNN(keras_slim.SlimLSTMCell(4))
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
        unit_forget_bias=True,
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
        row = self._resolve_variant(variant)
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
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            unit_forget_bias=unit_forget_bias,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            implementation=implementation,
            **kwargs,
        )
        self.row = row
        self.matched_initialization = matched_initialization
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
        shapes = self.row.weight_shapes(
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
                    gates = self.row.gates_with(term)
                    initializer = _columns_of_full_draw(
                        options["initializer"], gates
                    )
                    options = {**options, "initializer": initializer}
                weight = self.add_weight(shapes[name], name=name, **options)
            setattr(self, name, weight)
        # With weights from the start, which no loop can create.
        for activation in (self.activation, self.recurrent_activation):
            if isinstance(activation, keras.Layer) and not activation.built:
                activation.build((*input_shape[:-1], self.units))
        self.built = True

    def _initial_bias(self, shape, dtype=None):
        gates = self.row.gates_with("b")
        if not self.unit_forget_bias or "f" not in gates:
            return self.bias_initializer(shape, dtype=dtype)
        # Draws of the lengths that Keras draws, which a seed must repeat.
        before = gates.index("f")
        parts = [ops.ones((self.units,), dtype=dtype)]
        for place, count in ((0, before), (2, len(gates) - before - 1)):
            if count:
                length = (count * self.units,)
                part = self.bias_initializer(length, dtype=dtype)
                parts.insert(place, part)
        return ops.concatenate(parts)

    # The masks of `LSTMCell`, drawn in its order, for the gates that use one.
    # `RNN` asks for them before the loop and resets them after it.

    def get_dropout_mask(self, step_input):
        if self._dropout_mask is None and self.dropout > 0:
            if self.implementation == 1:
                self._dropout_mask = {
                    gate: self._draw_mask(step_input, self.dropout)
                    for gate in self.row.gates_with("x")
                }
            else:
                self._dropout_mask = self._draw_mask(step_input, self.dropout)
        return self._dropout_mask

    def get_recurrent_dropout_mask(self, step_input):
        if self._recurrent_dropout_mask is None and self.recurrent_dropout > 0:
            self._recurrent_dropout_mask = {
                gate: self._draw_mask(step_input, self.recurrent_dropout)
                for gate in self.row.gates_with("hu")
            }
        return self._recurrent_dropout_mask

    def _draw_mask(self, step_input, rate):
        return keras.random.dropout(
            ops.ones_like(step_input), rate, seed=self.seed_generator
        )

    def call(self, inputs, states, training=False):
        h, c = states
        z = self._sums_of_terms(inputs, h, training)
        # In the order of Keras's cell, as activations may draw random numbers.
        i, f = (self._gate(gate, z) for gate in "if")
        c = f * c + i * self.activation(z["c"])
        h = self._gate("o", z) * self.activation(c)
        return h, [h, c]

    def _gate(self, gate, z):
        terms = getattr(self.row, gate)
        if isinstance(terms, str):
            return self.recurrent_activation(z[gate])
        return terms  # a constant

    def _sums_of_terms(self, inputs, h, training):
        """What goes into the activation of each gate, by gate."""
        mask = self.get_dropout_mask(inputs) if training else None
        sums = self.outside_terms(inputs, self.kernel, self.bias, mask)
        mask = self.get_recurrent_dropout_mask(h) if training else None

        def add(term, values):
            gates = self.row.gates_with(term)
            for gate, value in zip(gates, values, strict=True):
                sums[gate] = sums[gate] + value if gate in sums else value

        if self.recurrent_kernel is not None:
            add("h", self._products("h", h, mask, self.recurrent_kernel))
        if self.pointwise_kernel is not None:
            gates = self.row.gates_with("u")
            masked = [h if mask is None else h * mask[g] for g in gates]
            u = self.pointwise_kernel
            add("u", [hg * u[:, j] for j, hg in enumerate(masked)])
        return sums

    def outside_terms(self, inputs, kernel, bias, dropout_mask=None):
        """The terms that do not read the previous output, summed by gate.

        Args:
            inputs: Tensor with shape `(..., batch, features)`.
            kernel, bias: The weights, or `None` where the cell has none.
            dropout_mask: What `get_dropout_mask` returns, or `None`.

        Returns:
            Dict from gate to a tensor with shape `(..., batch, units)`, or
            `(1, units)` for a gate that does not read the inputs. A gate that
            only reads the previous output is missing.
        """
        gates = self.row.gates_with("x")
        products = self._products("x", inputs, dropout_mask, kernel)
        sums = dict(zip(gates, products, strict=True))
        if bias is not None:
            # A row, not a vector: Keras's softmax refuses a vector.
            row = ops.expand_dims(bias, 0)
            gates = self.row.gates_with("b")
            for gate, part in zip(gates, _columns(row, gates), strict=True):
                sums[gate] = sums[gate] + part if gate in sums else part
        for gate, terms in zip(GATES, self.row.row, strict=True):
            if terms == "b" and gate not in sums:  # a bias, without it
                sums[gate] = ops.zeros((1, self.units), self.compute_dtype)
        return sums

    def _products(self, term, tensor, mask, weight):
        """The products of the gates that carry `term`, one tensor each."""
        gates = self.row.gates_with(term)
        if isinstance(mask, dict):  # a mask a gate
            return [
                ops.matmul(tensor * mask[gate], columns)
                for gate, columns in zip(
                    gates, _columns(weight, gates), strict=True
                )
            ]
        if mask is not None:
            tensor = tensor * mask
        return _columns(ops.matmul(tensor, weight), gates)

    @property
    def variant(self):
        """Name of the row, or the row `(i, f, c, o)` if it has none."""
        return self.row.name or self.row.row

    def get_config(self):
        return {
            **super().get_config(),
            "variant": self.row.name or [*self.row.row],
            "matched_initialization": self.matched_initialization,
            "implementation": self.implementation,
        }


def _columns(tensor, gates):
    """The columns of each gate, in the order of `gates`."""
    return ops.split(tensor, len(gates), axis=-1)


def _columns_of_full_draw(initializer, gates):
    """An initializer that draws for four gates and keeps those of `gates`."""

    def initialize(shape, dtype=None):
        rows, columns = shape
        full = initializer((rows, columns // len(gates) * 4), dtype=dtype)
        by_gate = dict(zip(GATES, _columns(full, GATES), strict=True))
        return ops.concatenate([by_gate[gate] for gate in gates], axis=-1)

    return initialize


@document_row
@keras.saving.register_keras_serializable("keras_slim")
class LSTMCell(SlimLSTMCell, variant="lstm"):
    """Cell of the standard LSTM, `keras.layers.LSTMCell` weight for weight."""


@document_row
@keras.saving.register_keras_serializable("keras_slim")
class LSTM1Cell(SlimLSTMCell, variant="lstm1"):
    """Cell of LSTM1: the gates do not see the input."""


@document_row
@keras.saving.register_keras_serializable("keras_slim")
class LSTM2Cell(SlimLSTMCell, variant="lstm2"):
    """Cell of LSTM2: the gates see neither input nor bias."""


@document_row
@keras.saving.register_keras_serializable("keras_slim")
class LSTM3Cell(SlimLSTMCell, variant="lstm3"):
    """Cell of LSTM3: the gates are biases, the same at every step."""
