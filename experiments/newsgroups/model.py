import keras
from keras import layers

import keras_slim
from experiments.engine.names import activation, variant
from experiments.newsgroups.skip_padding import SkipPadding

# How the network is computed, for the record. It is not a setting, as outputs
# and gradients of other implementations differ only by rounding.
IMPLEMENTATION = "SkipPadding"


def build_model(config, embeddings, classes):
    """The network of Kent & Salem, figure 1 and section II.A, compiled.

    The paper names the layers; `config.py` says where each size comes from.

    Args:
        config: A `Config`.
        embeddings: float32 array with shape `(words, embedding_dim)`. It is
            not trained.
        classes: Integer, the number of newsgroups.

    Returns:
        A compiled `keras.Model` from word ids `(batch, maxlen)` to class
        probabilities `(batch, classes)`.

    Raises:
        ValueError: if the posts are too short to be pooled three times.
    """
    steps = config.maxlen
    for _ in range(3):
        steps = (steps - config.kernel_size + 1) // config.pool_size
    if steps < 1:
        raise ValueError(
            "Nothing is left of a post after three convolutions and poolings. "
            f"Received: maxlen={config.maxlen}, "
            f"kernel_size={config.kernel_size}, pool_size={config.pool_size}"
        )
    words, dim = embeddings.shape
    inputs = keras.Input((config.maxlen,), dtype="int32", name="word_ids")
    # Set rather than initialized, which would put the matrix in the config.
    glove = layers.Embedding(words, dim, trainable=False, name="glove")
    x = inputs
    for number in range(3):
        conv = layers.Conv1D(
            config.filters, config.kernel_size, activation="relu"
        )
        pool = layers.MaxPooling1D(config.pool_size)
        # `pool(conv(glove(inputs)))`, most of which is padding, and then
        # `pool(conv(x))`.
        x = pool(conv(x)) if number else SkipPadding(glove, conv, pool)(x)
        x = layers.Dropout(config.pool_dropout)(x)
    glove.set_weights([embeddings])
    recurrent = keras_slim.SlimRNN(
        config.units,
        variant=variant(config.variant),
        activation=activation(config.activation),
        recurrent_activation=activation(config.recurrent_activation),
        unit_forget_bias=config.unit_forget_bias,
        matched_initialization=config.matched_initialization,
        dropout=config.dropout,
        recurrent_dropout=config.recurrent_dropout,
    )
    x = layers.Bidirectional(recurrent, name="recurrent")(x)
    x = layers.Dense(config.dense_units, activation="relu")(x)
    outputs = layers.Dense(classes, activation="softmax")(x)
    model = keras.Model(inputs, outputs, name="kent_salem")

    model.compile(
        # The only value of `config.optimizer`.
        keras.optimizers.RMSprop(config.learning_rate, epsilon=config.epsilon),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model
