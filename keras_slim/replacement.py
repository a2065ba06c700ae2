"""A copy of a model in which some of its recurrent layers are replaced.

`keras.models.clone_model` makes the graph. The rest is here: layers inside
wrappers, cells, inputs, the state of the other layers, and what the model was
compiled with.
"""

import collections
import contextlib
import tempfile
import warnings

import keras

from keras_slim.places import direct, places


def rebuilt(model, chosen, converted, carry_over):
    """A clone of a model in which the chosen parts are replaced.

    Args:
        model: The model.
        chosen: List of `Place`.
        converted: Function of a `Place` that returns the class and the config
            of its replacement.
        carry_over: Function of a `Place` and of the new cell there, which sets
            the weights of that cell.
    """
    parts = {id(place.part) for place in chosen}
    cells = {id(place.cell): place for place in chosen}
    uses = collections.Counter(id(place.cell) for place in places(model))
    if shared := [str(p) for p in chosen if uses[id(p.cell)] > 1]:
        raise ValueError(
            "Invalid value for argument `model`. Expected cells of one layer "
            "each, as Keras does not copy those that layers share. "
            f"Received: {model.name!r} with a shared cell: {', '.join(shared)}"
        )

    def clone(layer):
        if isinstance(layer, keras.layers.Lambda):
            return layer  # it has no safe config, and no weights
        here = [p for p in places(layer) if id(p.part) in parts]
        if not here:
            return type(layer).from_config(layer.get_config())
        if here[0].part is layer:
            kind, config = converted(here[0])
            return _created(kind, config)
        # By name, as the config of a wrapper holds those of the layers in it.
        pairs = [(place.part.name, converted(place)) for place in here]
        others = dict(pairs)
        config, replaced = _with_others(layer.get_config(), others)
        if sorted(replaced) != sorted(name for name, _ in pairs) or any(
            others[name] != other for name, other in pairs
        ):
            raise ValueError(
                "Invalid value for argument `model`. Expected layers whose "
                "config holds every recurrent layer in them, each with a name "
                "of its own; replace the others where the class creates them. "
                f"Received: {layer.name!r} with {', '.join(map(str, here))}"
            )
        return type(layer).from_config(config)

    with _uncompiled(model) as compiled:
        new_model = keras.models.clone_model(
            model, _inputs_like(model), clone_function=clone, recursive=True
        )
    for old, new in _pairs(model, new_model):
        if id(old) in cells:
            carry_over(cells[id(old)], new)
        elif old.built:  # a layer used as an activation may not be
            _copy_state(old, new)
    for old, new in _pairs(model, new_model):
        kind = type(old)
        if isinstance(old, keras.Model) and type(new) is not kind:
            warnings.warn(
                f"The copy of the model {old.name!r} is a "
                f"{type(new).__name__}, as Keras does not copy models of the "
                f"class {kind.__name__}: its methods, such as a `train_step`, "
                "are lost. To keep them, create the slim layers in the class.",
                stacklevel=3,
            )
        if id(old) in compiled:
            try:
                _compile_like(old, new)
            except Exception as error:  # by code of the user's, of any kind
                warnings.warn(
                    f"The copy of the model {old.name!r} is not compiled, as "
                    "an optimizer, loss or metric cannot be copied: "
                    f"{type(error).__name__}: {error}",
                    stacklevel=3,
                )
    return new_model


@contextlib.contextmanager
def _uncompiled(model):
    """Hides that models are compiled; returns their ids.

    Keras would compile a clone from a config, which holds no function or class
    that is not registered.
    """
    models = [
        layer
        for layer in model._flatten_layers()
        if getattr(layer, "compiled", False)
    ]
    try:
        for one in models:
            one.compiled = False
        yield set(map(id, models))
    finally:
        for one in models:
            one.compiled = True


def _compile_like(old, new):
    """Compiles a model with the losses and metrics of another one."""
    if type(old).compile is not keras.Model.compile:  # with other arguments
        new.compile_from_config(old.get_compile_config())
        return

    def own(value):
        # Only these have a state.
        if not isinstance(value, (keras.Metric, keras.Optimizer)):
            return value
        functions = {
            one.__name__: one
            for one in vars(value).values()
            if callable(one) and hasattr(one, "__name__")
        }
        config = value.get_config()
        rate = getattr(value, "_learning_rate", None)
        if callable(rate):  # a schedule, which has no state
            config["learning_rate"] = rate
        with keras.saving.custom_object_scope(functions):
            return type(value).from_config(config)

    settings = old._compile_config.config
    new.compile(**keras.tree.map_structure(own, settings))
    if new.optimizer is not None:
        new.optimizer.build(new.trainable_variables)


def _created(kind, config):
    try:
        return kind.from_config(config)
    except ValueError as error:
        raise ValueError(
            "Invalid value for argument `model`. The layer "
            f"{config['name']!r} cannot be converted: {error}"
        ) from error


def _inputs_like(model):
    """New inputs for a clone; Keras would lose their names and options."""
    if isinstance(model, keras.Sequential):  # there it keeps them
        return None

    def like(tensor):
        layer = tensor._keras_history.operation
        return type(layer).from_config(layer.get_config()).output

    return keras.tree.map_structure(like, model.input)


def _with_others(config, others):
    """A config in which layers are replaced by name, and the names."""
    replaced = []

    def replace(config):
        if isinstance(config, dict):
            inner = config.get("config")
            if "class_name" in config and isinstance(inner, dict):
                name = inner.get("name")
                if name in others:
                    replaced.append(name)
                    return keras.saving.serialize_keras_object(
                        _created(*others[name])
                    )
            return {key: replace(value) for key, value in config.items()}
        if isinstance(config, (list, tuple)):
            return type(config)(map(replace, config))
        return config

    return replace(config), replaced


def _pairs(old, new):
    """Pairs of the layers of a model and its clone, nested ones included."""
    yield old, new
    for a, b in zip(direct(old), direct(new), strict=True):
        yield from _pairs(a, b)


def _copy_state(old, new):
    """Copies what Keras saves of a layer, without the layers inside it."""
    kind = type(old)
    if kind.load_own_variables is not keras.Layer.load_own_variables:
        # `Normalization` computes from its variables what it uses.
        store = {}
        old.save_own_variables(store)
        new.load_own_variables(
            {key: keras.ops.convert_to_numpy(v) for key, v in store.items()}
        )
    else:
        for variable, value in zip(_own(new), _own(old), strict=True):
            # In training, JAX reuses the arrays of a model.
            variable.assign(keras.ops.copy(value))
    if hasattr(old, "save_assets"):  # such as the vocabulary of a lookup
        with tempfile.TemporaryDirectory() as folder:
            old.save_assets(folder)
            new.load_assets(folder)


def _own(layer):
    """The variables of a layer that belong to no layer inside it."""
    inner = {
        id(v)
        for other in layer._flatten_layers(include_self=False)
        for v in other.variables
    }
    return [v for v in layer.variables if id(v) not in inner]
