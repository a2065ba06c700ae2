"""Names of variants and activations in command lines and run ids."""

import functools

import keras

import keras_slim
from experiments.engine.config import setting
from keras_slim.variants import VARIANTS, get


def variant_name(name):
    """Returns the canonical name of a variant, which is part of run ids.

    Args:
        name: String, a name in `keras_slim.variants.VARIANTS` in upper or
            lower case, or the gates of a custom variant joined by `/`: i, f,
            c and o of an LSTM, such as `"hb/1.0/xhb/b"`, z, r and h of a GRU,
            f and h of an MGU.

    Returns:
        String, the name in `VARIANTS` if the variant has one.

    Raises:
        ValueError: if it is neither. The message says what is expected.
    """
    lower = name.lower()
    if lower in VARIANTS:
        return lower
    try:
        row = get(_row(lower))
    except ValueError:
        raise ValueError(
            f"one of {', '.join(VARIANTS)}, or the gates i, f, c, o of an "
            "LSTM, z, r, h of a GRU or f, h of an MGU joined by '/', each of "
            "the terms x, h, u and b or a number, such as hb/1.0/xhb/b"
        ) from None
    return row.name or "/".join(map(str, row.terms))


def variant(name):
    """The argument `variant` of `keras_slim.SlimRNN` for such a name."""
    return name if name in VARIANTS else _row(name)


def family(name):
    """The family of a variant, such as `"lstm"`."""
    return get(variant(name)).family.name


def parameters(name, units, features):
    """The number of weights of a layer of a variant."""
    return get(variant(name)).count_params(units, features)


def equal_units(name, units, features):
    """Units of a variant with about the weights of a full LSTM of `units`."""
    full = parameters("lstm", units, features)
    more = units
    while parameters(name, more, features) < full:
        more += 1
    below, above = (
        abs(parameters(name, n, features) - full) for n in (more - 1, more)
    )
    return more - 1 if below < above else more


def _row(name):
    return tuple(map(_gate, name.split("/")))


def _gate(text):
    try:
        return float(text)
    except ValueError:
        return text


# Activations that Keras does not know by name.
_OWN = {
    name: function
    for name, function in vars(keras_slim.activations).items()
    if getattr(function, "__module__", "") == keras_slim.activations.__name__
}


def activation(name):
    """The activation function for a name from `activation_name`."""
    return _OWN.get(name) or keras.activations.get(name)


@functools.cache
def activation_name(name):
    """Returns the canonical name of an activation, which is part of run ids.

    Args:
        name: String, an activation of Keras, or one of
            `keras_slim.activations`.

    Returns:
        String. Aliases such as `"swish"` and `"silu"` get the same name.

    Raises:
        ValueError: if it is not the name of an activation that keeps the
            shape of its input. The message says what is expected.
    """
    try:
        function = activation(name)
        if tuple(function(keras.ops.ones((2, 4))).shape) == (2, 4):
            return function.__name__
    except (TypeError, ValueError):  # TypeError: more arguments are needed
        pass
    raise ValueError(
        "the name of a Keras activation that keeps the shape of its input, "
        f"such as tanh, relu or gelu, or one of {', '.join(_OWN)}"
    )


# Fields of a config. Not in `config.py`, which does not import Keras.
variant_setting = functools.partial(setting, read=variant_name)
activation_setting = functools.partial(setting, read=activation_name)
