"""Models with slim recurrent layers in place of full ones, and back."""

import warnings

import keras
import numpy as np

from keras_slim import variants
from keras_slim.cells import SlimRNNCell
from keras_slim.layers import SlimRNN
from keras_slim.places import OURS, places
from keras_slim.replacement import rebuilt


def slim(model, variant="lstm3", layers=None, unroll=None):
    """Returns a copy of a model with slim layers in place of recurrent ones.

    Every LSTM layer, or every GRU layer if the variant is of that family,
    becomes a layer of the variant: on its own, in `Bidirectional`,
    `TimeDistributed` and other wrappers, as a cell of `RNN`, in nested models,
    and if it is called several times. Everything else stays as it is in the
    model: the graph, the names, and the weights of the other layers.

    A slim layer starts with the weights that it shares with the full one: the
    columns of `kernel`, `recurrent_kernel` and `bias` of its gates. A
    pointwise weight `u` starts with the diagonal of `U`. A GRU with
    `reset_after=True`, the default of Keras, becomes one whose reset gate
    multiplies `h` before the product with `U`, with the sum of its two biases.
    The outputs therefore differ: train the new model for a few more epochs.
    A term that the layer does not have yet starts from its initializer; if the
    new layers are larger for that reason, a warning says so.

    Args:
        model: A functional or `Sequential` model, which is not changed.
        variant: Name of a variant in `keras_slim.variants.VARIANTS`, or the
            terms of the gates; see `SlimRNN`. Default: `"lstm3"`.
        layers: List of the names of layers to slim: recurrent layers, cells,
            wrappers or nested models around them. Default: `None`, all
            recurrent layers of the family of the variant.
        unroll: Boolean or `None`. Whether the time loops of the slim layers
            are unrolled, which makes exported files faster and larger.
            Default: `None`, as in `model`.

    Returns:
        A new model. It is compiled like `model`, with a new optimizer of the
        same config; what an optimizer has in no config, such as that of
        `exclude_from_weight_decay`, is lost. A warning says if the new model
        could not be compiled, or is not of the class of `model`.

    Raises:
        ValueError: if the model is not functional or `Sequential`, is not
            built, or has no layer to slim; if `variant` is unknown; if a name
            in `layers` is not that of a layer to slim; if `unroll` is not a
            boolean or `None`; if a layer has an option that no slim layer
            has, such as `use_cudnn=True`; if the config of a layer does not
            hold the recurrent layers in it, each with a name of its own; or if
            layers share a cell.

    Example:

    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((None, 8)),
    ...         keras.layers.Bidirectional(keras.layers.LSTM(16)),
    ...         keras.layers.Dense(1),
    ...     ]
    ... )
    >>> slimmed = keras_slim.slim(model, "lstm3")
    >>> model.count_params(), slimmed.count_params()
    (3233, 929)
    """
    variant = variants.get(variant)
    if unroll is not None and not isinstance(unroll, (bool, np.bool_)):
        raise ValueError(
            "Invalid value for argument `unroll`. Expected True, False or "
            f"None. Received: unroll={unroll!r}"
        )
    _check_model(model)
    found = places(model)
    obstacles = {place: _obstacle(place, variant) for place in found}
    if layers is None:
        chosen = [place for place in found if not obstacles[place]]
    else:
        chosen = _named(found, layers)
        for place in chosen:
            if obstacles[place]:
                raise ValueError(
                    "Invalid value for argument `layers`. Expected layers "
                    f"of the family {variant.family.title}. "
                    f"Received: {place.name!r}, {obstacles[place]}"
                )
    if not chosen:
        families = {place.gating.family for place in found if place.gating}
        hint = "".join(
            f" For the family {family.title}, choose "
            f"variant={family.name + '3'!r} or another one."
            for family in families
        )
        listed = (f"{place.name!r} ({obstacles[place]})" for place in found)
        raise ValueError(
            "Invalid value for argument `model`. Expected a model with a "
            f"layer of the family {variant.family.title}. Received: "
            f"{model.name!r} with {', '.join(listed) or _NONE}.{hint}"
        )
    for place in chosen:
        if getattr(place.layer, "use_cudnn", None) is True:
            raise ValueError(
                "Invalid value for argument `model`. No cuDNN kernel computes "
                "slim gates. Expected layers with use_cudnn='auto' or False. "
                f"Received: {place.name!r} with use_cudnn=True"
            )
    row = variant.name or [*variant.terms]
    classes = {
        is_cell: _class_of(variant, SlimRNNCell if is_cell else SlimRNN)
        for is_cell in (True, False)
    }

    def converted(place):
        config = place.part.get_config()
        config.pop("reset_after", None)
        if unroll is not None and not place.is_cell:
            config["unroll"] = bool(unroll)
        return classes[place.is_cell], {**config, "variant": row}

    slimmed = rebuilt(model, chosen, converted, _carry_over)
    more = sum(_size(p, variant) - _size(p, p.gating) for p in chosen)
    if more > 0:
        warnings.warn(
            f"The copy of the model {model.name!r} has {more:,} parameters "
            f"more, as gates of the variant {row!r} have terms that its layers "
            "lacked.",
            stacklevel=2,
        )
    return slimmed


def to_keras(model):
    """Returns a copy of a model with layers of Keras in place of slim ones.

    Every layer of `keras_slim` becomes a `keras.layers.LSTM`, or a
    `keras.layers.GRU` with `reset_after=False`, that computes the same: a term
    that a gate lacks has zero weights, a pointwise weight `u` is the diagonal
    of `U`, and a constant gate has zero weights and a bias at which the
    activation has the value of the constant. An MGU becomes a GRU whose reset
    gate is `f` and whose update gate `z` is `1 - f`. The model then runs where
    only the layers of Keras are supported, with as many weights as a full one.
    Training changes the zeros: slim the model again afterwards, or train the
    slim model instead. Regularizers and constraints act on the new weights; a
    warning says if what the regularizers add to the loss has changed. An
    activation of `keras_slim` stays in the model.

    Args:
        model: A functional or `Sequential` model, which is not changed.

    Returns:
        A new model, compiled as by `slim`.

    Raises:
        ValueError: if the model is not functional or `Sequential`, is not
            built, or has no layer of `keras_slim`; or if such a layer has
            something that no layer of Keras has: `return_cell_states=True`, a
            `cell_state_regularizer`, a constant gate with a value that its
            activation does not have, or, in an MGU, a `recurrent_activation`
            for which `1 - σ(a)` is not `σ(-a)`; if the config of a layer does
            not hold the layers in it, each with a name of its own; or if layers
            share a cell.

    Example:

    >>> inputs = keras.Input((None, 8))
    >>> model = keras.Model(inputs, keras_slim.LSTM3(16)(inputs))
    >>> type(keras_slim.to_keras(model).layers[1])
    <class 'keras.src.layers.rnn.lstm.LSTM'>
    """
    _check_model(model)
    found = places(model)
    chosen = [place for place in found if type(place.part) in OURS]
    if not chosen:
        raise ValueError(
            "Invalid value for argument `model`. Expected a model with a "
            f"layer of keras_slim. Received: {model.name!r} with "
            f"{', '.join(map(str, found)) or _NONE}"
        )
    terms = {place: _terms_of_keras(place) for place in chosen}

    def converted(place):
        cell, config = place.cell, place.part.get_config()
        for name in _ONLY_OURS:
            config.pop(name, None)
        config["use_bias"] = _has_bias(cell)
        if cell.gating.family is variants.LSTM:
            kind = keras.layers.LSTM, keras.layers.LSTMCell
        else:
            kind = keras.layers.GRU, keras.layers.GRUCell
            config["reset_after"] = False
            del config["unit_forget_bias"]
        return kind[place.is_cell], config

    def carry_over(place, new):
        _assign(new, terms[place])
        before, after = map(_penalty, (place.cell, new))
        if not np.isclose(before, after):
            warnings.warn(
                f"The regularizers of the layer {place.name!r} add "
                f"{after:.5g} to the loss in training, instead of "
                f"{before:.5g}, as a layer of Keras has other weights. Its "
                "outputs are the same.",
                stacklevel=4,
            )

    return rebuilt(model, chosen, converted, carry_over)


_NONE = "no recurrent layer"
_ONLY_OURS = (
    "variant",
    "recurrence",
    "return_cell_states",
    "cell_state_regularizer",
    "matched_initialization",
)


def _check_model(model):
    if not isinstance(model, keras.Model):
        raise ValueError(
            "Invalid value for argument `model`. Expected a Keras model, such "
            "as `keras.saving.load_model(path)` returns. Received: "
            f"model={model!r}"
        )
    is_sequential = isinstance(model, keras.Sequential)
    if not is_sequential and not hasattr(model, "operations"):
        raise ValueError(
            "Invalid value for argument `model`. Expected a functional or "
            "Sequential model; of a subclassed one the layers are known, but "
            "not the calls between them: replace the layers where its class "
            f"creates them. Received: {model!r}"
        )
    if not model.built:
        raise ValueError(
            "Invalid value for argument `model`. Expected a model that is "
            "built; start it with `keras.Input`, or call it. Received: "
            f"{model.name!r}"
        )


def _obstacle(place, variant):
    """Why a cell cannot become one of the variant, or `None`."""
    if place.gating is None:
        kind = type(place.part).__name__
        return f"a {kind}, not an LSTM or GRU of Keras or keras_slim"
    if place.gating.family is not variant.family:
        return f"of the family {place.gating.family.title}"
    return None


def _named(found, layers):
    """The places that have one of the names in their path."""
    is_list = isinstance(layers, (list, tuple)) and layers
    if not is_list or not all(isinstance(name, str) for name in layers):
        raise ValueError(
            "Invalid value for argument `layers`. Expected a list of names "
            f"of layers. Received: layers={layers!r}"
        )
    chosen = []
    for name in layers:
        here = [p for p in found if name in p.path or name == p.name]
        if not here:
            raise ValueError(
                "Invalid value for argument `layers`. Expected names from "
                f"{sorted({n for p in found for n in (*p.path, p.name)})}. "
                f"Received: {name!r}"
            )
        chosen += [place for place in here if place not in chosen]
    return chosen


def _class_of(variant, base):
    """The class that is named after a variant, or that of its family."""
    of_family = None
    for kind in OURS:
        if issubclass(kind, base) and kind.family is variant.family:
            own = kind.named_variant
            if own == variant:
                return kind
            if own is None:
                of_family = kind
    return of_family


_WEIGHTS = {
    "x": "kernel",
    "h": "recurrent_kernel",
    "u": "pointwise_kernel",
    "b": "bias",
}


def _terms(cell, gating):
    """A dict from each term to a dict from gates to arrays."""
    found = {}
    for term, name in _WEIGHTS.items():
        gates = gating.gates_with(term)
        weight = getattr(cell, name, None)
        if weight is None or not gates:
            found[term] = {}
            continue
        weight = keras.ops.convert_to_numpy(weight)
        if term == "b" and weight.ndim == 2:  # of a GRU with `reset_after`
            weight = weight.sum(axis=0)
        parts = np.split(weight, len(gates), axis=-1)
        if term == "u":
            parts = [part[:, 0] for part in parts]
        found[term] = dict(zip(gates, parts, strict=True))
    return found


def _size(place, variant):
    """The number of weights with which a cell would be one of a variant."""
    cell = place.cell
    return variant.count_params(cell.units, cell.kernel.shape[0], cell.use_bias)


def _carry_over(place, new):
    """Gives a slim cell the weights that it shares with a full one."""
    old, own = _terms(place.cell, place.gating), _terms(new, new.gating)
    for term, gates in own.items():
        for gate in gates:
            if gate in old[term]:
                gates[gate] = old[term][gate]
            elif term == "u" and gate in old["h"]:
                gates[gate] = np.diagonal(old["h"][gate])
    _assign(new, own)


def _assign(cell, terms):
    """Sets the weights of a cell, except those of an activation."""
    for term, gates in terms.items():
        if gates:
            join = np.stack if term == "u" else np.concatenate
            weight = getattr(cell, _WEIGHTS[term])
            weight.assign(join([*gates.values()], axis=-1))


def _terms_of_keras(place):
    """The terms of a cell of Keras that computes the same as a slim one."""
    cell, layer = place.cell, place.layer
    gating, units = cell.gating, cell.units
    if getattr(layer, "return_cell_states", False):
        obstacle = "return_cell_states=True"
    elif getattr(layer, "cell_state_regularizer", None) is not None:
        obstacle = "a cell_state_regularizer"
    else:
        obstacle = None
    terms = _terms(cell, gating)
    features = cell.kernel.shape[0]
    columns = {}
    for gate, constant in gating.gates.items():
        x = terms["x"].get(gate, np.zeros((features, units)))
        h = terms["h"].get(gate, np.zeros((units, units)))
        h = h + np.diag(terms["u"].get(gate, np.zeros(units)))
        b = terms["b"].get(gate, np.zeros(units))
        if not isinstance(constant, str):
            b = _inverse(cell.recurrent_activation, constant, units)
            if b is None:
                obstacle = (
                    f"a gate {gate} = {constant:g}, a value that "
                    f"{_name_of(cell.recurrent_activation)} does not have"
                )
                b = 0.0
            b = np.full(units, b)
        columns[gate] = x, h, b
    if gating.family is variants.MGU:
        if not _is_odd(cell.recurrent_activation) and obstacle is None:
            obstacle = (
                f"recurrent_activation {_name_of(cell.recurrent_activation)}, "
                "for which 1 - σ(a) is not σ(-a), as a GRU would need"
            )
        x, h, b = columns["f"]
        columns = {"z": (-x, -h, -b), "r": (x, h, b), "h": columns["h"]}
    if obstacle:
        raise ValueError(
            "Invalid value for argument `model`. Expected layers that a layer "
            f"of Keras can replace. Received: {place.name!r} with {obstacle}"
        )
    found = {
        term: {gate: parts[k] for gate, parts in columns.items()}
        for k, term in enumerate("xhb")
    }
    return found if _has_bias(cell) else {**found, "b": {}}


def _penalty(cell):
    """What the regularizers of the weights of a cell add to the loss."""
    return float(keras.ops.convert_to_numpy(sum(cell.losses)))


def _has_bias(cell):
    """Whether a cell of Keras needs a bias to compute the same as this one."""
    return bool(cell.use_bias or cell.gating.constants)


def _name_of(activation):
    return keras.activations.serialize(activation)


def _inverse(activation, value, units):
    """Where an activation has a value, found by bisection, or `None`."""

    def at(x):
        x = keras.ops.convert_to_tensor(np.full((1, units), x, "float32"))
        return float(keras.ops.convert_to_numpy(activation(x))[0, 0])

    low, high = np.float32(-100.0), np.float32(100.0)
    value = float(np.float32(value))
    for end in (low, high):
        if at(end) == value:
            return float(end)
    if not at(low) < value < at(high):
        return None
    while low < (middle := np.float32((low + high) / 2)) < high:
        if at(middle) < value:
            low = middle
        else:
            high = middle
    best = min((low, high), key=lambda x: abs(at(x) - value))
    # An activation that jumps over the value does not have it.
    return float(best) if abs(at(best) - value) <= 1e-6 else None


def _is_odd(activation):
    """Whether 1 - σ(a) = σ(-a)."""
    a = np.linspace(-6, 6, 49, dtype="float32").reshape(1, -1)
    both = [
        keras.ops.convert_to_numpy(activation(keras.ops.convert_to_tensor(x)))
        for x in (a, -a)
    ]
    return bool(np.allclose(both[0] + both[1], 1.0, atol=1e-6))
