"""The network of the paper, and the one that reads a text as a stream."""

import keras

import keras_slim
from keras_slim.memory import CellStateDifference


def layer_name(number):
    """The name of a recurrent layer, counted from 1."""
    return f"layer_{number}"


def build_model(run, symbols):
    """The network that is trained, compiled.

    Args:
        run: A `spec.Run`.
        symbols: Integer, how many different characters there are.

    Returns:
        A `keras.Model` from ids `(batch_size, timesteps)` to logits
        `(batch_size, timesteps, symbols)` of the next characters.
    """
    inputs = keras.Input((run.timesteps,), run.batch_size, dtype="int32")
    outputs, _ = _stack(run, symbols, inputs, stateful=run.carry_state)
    model = keras.Model(inputs, outputs)
    model.compile(
        optimizer=keras.optimizers.Adam(
            run.learning_rate, global_clipnorm=run.clip_norm or None
        ),
        loss=_cross_entropy(keras.losses),
        # The loss has the terms of eq. 7 in it, this has not.
        weighted_metrics=[_cross_entropy(keras.metrics), "accuracy"],
    )
    return model


def build_reader(run, symbols, timesteps):
    """A network that reads one stream, piece by piece.

    Args:
        run: A `spec.Run`.
        symbols: Integer, how many different characters there are.
        timesteps: Integer, the length of a piece.

    Returns:
        A stateful `keras.Model` from ids `(1, timesteps)` to a list of the
        logits `(1, timesteps, symbols)` and the cell states of each layer,
        `(1, timesteps, units)`. Its weights are those of `build_model`.
    """
    inputs = keras.Input((timesteps,), 1, dtype="int32")
    outputs, cell_states = _stack(
        run, symbols, inputs, stateful=True, return_cell_states=True
    )
    return keras.Model(inputs, [outputs, *cell_states])


def _stack(run, symbols, inputs, **options):
    """Logits, and the cell states of each layer if they are asked for."""
    # One-hot vectors, of ids.
    x = keras.layers.Embedding(
        symbols,
        symbols,
        embeddings_initializer="identity",
        trainable=False,
        name="one_hot",
    )(inputs)
    found = []
    for number in range(1, run.layers + 1):
        r = run.coefficient(number)
        x = keras_slim.SlimLSTM(
            run.units,
            variant=run.variant,
            unit_forget_bias=run.unit_forget_bias,
            return_sequences=True,
            cell_state_regularizer=CellStateDifference(r) if r else None,
            name=layer_name(number),
            **options,
        )(x)
        if options.get("return_cell_states"):
            x, cell_states = x
            found.append(cell_states)
        x = keras.layers.Dropout(run.dropout)(x)
    return keras.layers.Dense(symbols, name="logits")(x), found


def _cross_entropy(module):
    return module.SparseCategoricalCrossentropy(
        from_logits=True, name="cross_entropy"
    )
