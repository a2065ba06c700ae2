"""The layers and cells of each family, and of the variants of the papers."""

import inspect

import keras

from keras_slim import variants
from keras_slim.cells import SlimRNNCell
from keras_slim.layers import SlimRNN


def _documented(cls):
    """Adds the equations, and the arguments of the base, to a docstring."""
    if not cls.__doc__:  # None under `python -OO`
        return cls
    base = SlimRNN if issubclass(cls, SlimRNN) else SlimRNNCell
    of_base = inspect.getdoc(base)
    start, end, arguments = map(
        of_base.index, ("Each gate is", "Source:", "Args:")
    )
    terms = of_base[start:end].strip()
    arguments = of_base[arguments:].replace(', variant="gru3"', "")
    arguments = arguments.replace(base.__name__, cls.__name__)
    row, family = cls.named_variant, cls.family
    gates = row.equations().values() if row else ()
    equations = (f"    {line}" for line in (*gates, *family.equations))
    full = variants.VARIANTS[family.name]
    states = "` and `".join(family.states)
    cls.__doc__ = "\n\n".join(
        [
            inspect.cleandoc(cls.__doc__),
            f"Given `{states}` of the previous time step, a step computes"
            + ("" if row else " the gates of the `variant`, and then"),
            "\n".join(equations),
            *([] if row else [terms]),
            f"Source: {(row or full).source}.",
            arguments,
        ]
    )
    return cls


def _register(cls):
    return keras.saving.register_keras_serializable("keras_slim")(
        _documented(cls)
    )


class _ArgumentsOfLSTM:
    """Puts `unit_forget_bias` in the position it has in Keras."""

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
        *args,
        **kwargs,
    ):
        super().__init__(
            units,
            activation,
            recurrent_activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            *args,
            unit_forget_bias=unit_forget_bias,
            **kwargs,
        )


class _ArgumentsOfGRU:
    """Accepts `reset_after=False`, for code written for Keras's GRU."""

    def __init__(self, *args, reset_after=False, **kwargs):
        if reset_after:
            raise ValueError(
                "Invalid value for argument `reset_after`. Expected False, as "
                "the reset gate of Dey & Salem multiplies `h` before the "
                "product with the recurrent kernel. Received: "
                f"reset_after={reset_after!r}"
            )
        super().__init__(*args, **kwargs)


@_register
class SlimLSTM(_ArgumentsOfLSTM, SlimRNN, family="lstm"):
    """Long Short-Term Memory layer with gates of your choice.

    The full variant, `"lstm"`, is `keras.layers.LSTM`, weight for weight.
    """


@_register
class SlimLSTMCell(_ArgumentsOfLSTM, SlimRNNCell, family="lstm"):
    """Cell of the slim LSTM family: one time step of `SlimLSTM`.

    The full variant, `"lstm"`, is `keras.layers.LSTMCell`, weight for weight.
    """


@_register
class SlimGRU(_ArgumentsOfGRU, SlimRNN, family="gru"):
    """Gated Recurrent Unit layer with gates of your choice.

    The full variant, `"gru"`, is `keras.layers.GRU(reset_after=False)`,
    weight for weight. `z` has Keras's sign: `z = 1` keeps the state.
    `reset_after=True`, Keras's default, is a different cell, and is refused.
    """


@_register
class SlimGRUCell(_ArgumentsOfGRU, SlimRNNCell, family="gru"):
    """Cell of the slim GRU family: one time step of `SlimGRU`.

    The full variant, `"gru"`, is `keras.layers.GRUCell` with
    `reset_after=False`, weight for weight. `z` has Keras's sign: `z = 1` keeps
    the state.
    """


@_register
class SlimMGU(SlimRNN, family="mgu"):
    """Minimal Gated Unit layer with gates of your choice.

    Its one gate `f` does the work of both gates of a GRU.
    """


@_register
class SlimMGUCell(SlimRNNCell, family="mgu"):
    """Cell of the slim MGU family: one time step of `SlimMGU`.

    Its one gate `f` does the work of both gates of a GRU.
    """


@_register
class LSTM(SlimLSTM, variant="lstm"):
    """The standard LSTM, `keras.layers.LSTM` weight for weight."""


@_register
class LSTM1(SlimLSTM, variant="lstm1"):
    """Slim LSTM whose gates do not read the input."""


@_register
class LSTM2(SlimLSTM, variant="lstm2"):
    """Slim LSTM whose gates read only the previous output."""


@_register
class LSTM3(SlimLSTM, variant="lstm3"):
    """Slim LSTM whose gates have only a bias, and are constant over time."""


@_register
class GRU(SlimGRU, variant="gru"):
    """The GRU, `keras.layers.GRU(reset_after=False)` weight for weight."""


@_register
class GRU1(SlimGRU, variant="gru1"):
    """Slim GRU whose gates do not read the input."""


@_register
class GRU2(SlimGRU, variant="gru2"):
    """Slim GRU whose gates read only the previous output."""


@_register
class GRU3(SlimGRU, variant="gru3"):
    """Slim GRU whose gates have only a bias, and are constant over time."""


@_register
class MGU(SlimMGU, variant="mgu"):
    """The minimal gated unit of Zhou et al."""


@_register
class MGU1(SlimMGU, variant="mgu1"):
    """Slim MGU whose gate does not read the input."""


@_register
class MGU2(SlimMGU, variant="mgu2"):
    """Slim MGU whose gate reads only the previous output."""


@_register
class MGU3(SlimMGU, variant="mgu3"):
    """Slim MGU whose gate has only a bias, and is constant over time."""


@_register
class LSTMCell(SlimLSTMCell, variant="lstm"):
    """Cell of the standard LSTM, `keras.layers.LSTMCell` weight for weight."""


@_register
class LSTM1Cell(SlimLSTMCell, variant="lstm1"):
    """Cell of LSTM1: the gates do not read the input."""


@_register
class LSTM2Cell(SlimLSTMCell, variant="lstm2"):
    """Cell of LSTM2: the gates read only the previous output."""


@_register
class LSTM3Cell(SlimLSTMCell, variant="lstm3"):
    """Cell of LSTM3: the gates have only a bias, and are constant over time."""


@_register
class GRUCell(SlimGRUCell, variant="gru"):
    """Cell of the GRU, `keras.layers.GRUCell` with `reset_after=False`."""


@_register
class GRU1Cell(SlimGRUCell, variant="gru1"):
    """Cell of GRU1: the gates do not read the input."""


@_register
class GRU2Cell(SlimGRUCell, variant="gru2"):
    """Cell of GRU2: the gates read only the previous output."""


@_register
class GRU3Cell(SlimGRUCell, variant="gru3"):
    """Cell of GRU3: the gates have only a bias, and are constant over time."""


@_register
class MGUCell(SlimMGUCell, variant="mgu"):
    """Cell of the minimal gated unit of Zhou et al."""


@_register
class MGU1Cell(SlimMGUCell, variant="mgu1"):
    """Cell of MGU1: the gate does not read the input."""


@_register
class MGU2Cell(SlimMGUCell, variant="mgu2"):
    """Cell of MGU2: the gate reads only the previous output."""


@_register
class MGU3Cell(SlimMGUCell, variant="mgu3"):
    """Cell of MGU3: the gate has only a bias, and is constant over time."""
