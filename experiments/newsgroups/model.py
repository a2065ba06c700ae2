import keras
from keras import layers

import keras_slim
from experiments.engine.names import activation, variant
from experiments.newsgroups.skip_padding import SkipPadding

# How the network is computed, for the record: no part of what a run is, as the
# outputs and gradients of other implementations differ by rounding only.
IMPLEMENTATION = "SkipPadding"


def build_model(run, embeddings, classes):
    """The network of Kent & Salem, figure 1 and section II.A, compiled.

    The paper names the layers; `spec.py` tells where each size comes from.

    Args:
        run: A `spec.Run`.
        embeddings: float32 array `(words, embedding_dim)`, kept as it is.
        classes: Integer, number of newsgroups.

    Returns:
        A compiled `keras.Model` from word ids `(batch, maxlen)` to class
        probabilities `(batch, classes)`.

    Raises:
        ValueError: if the posts are too short to be pooled three times.
    """
    steps = run.maxlen
    for _ in range(3):
        steps = (steps - run.kernel_size + 1) // run.pool_size
    if steps < 1:
        raise ValueError(
            "Nothing is left of a post after three convolutions and poolings. "
            f"Received: maxlen={run.maxlen}, kernel_size={run.kernel_size}, "
            f"pool_size={run.pool_size}"
        )
    words, dim = embeddings.shape
    inputs = keras.Input((run.maxlen,), dtype="int32", name="word_ids")
    # Set rather than initialised, which would put the matrix in the config.
    glove = layers.Embedding(words, dim, trainable=False, name="glove")
    x = inputs
    for number in range(3):
        conv = layers.Conv1D(run.filters, run.kernel_size, activation="relu")
        pool = layers.MaxPooling1D(run.pool_size)
        # `pool(conv(glove(inputs)))`, most of which is padding, and then
        # `pool(conv(x))`.
        x = pool(conv(x)) if number else SkipPadding(glove, conv, pool)(x)
        x = layers.Dropout(run.pool_dropout)(x)
    glove.set_weights([embeddings])
    recurrent = keras_slim.SlimRNN(
        run.units,
        variant=variant(run.variant),
        activation=activation(run.activation),
        recurrent_activation=activation(run.recurrent_activation),
        unit_forget_bias=run.unit_forget_bias,
        matched_initialization=run.matched_initialization,
        dropout=run.dropout,
        recurrent_dropout=run.recurrent_dropout,
    )
    x = layers.Bidirectional(recurrent, name="recurrent")(x)
    x = layers.Dense(run.dense_units, activation="relu")(x)
    outputs = layers.Dense(classes, activation="softmax")(x)
    model = keras.Model(inputs, outputs, name="kent_salem")

    model.compile(
        # What `run.optimizer` names: the setting has no other value yet.
        keras.optimizers.RMSprop(run.learning_rate, epsilon=run.epsilon),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model
