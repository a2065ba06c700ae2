"""What test_compilations.py runs: steps between which the weights change.

XLA's log goes to standard error, among it the names of ways and steps.
"""

import sys

import keras
import numpy as np
import tensorflow as tf

import keras_slim

BATCH, TIME, FEATURES, UNITS, STEPS = 4, 3, 2, 2, 3
RNG = np.random.default_rng(0)
# Other values at every step, as constants would be compiled anew for these.
X = RNG.normal(size=(STEPS, BATCH, TIME, FEATURES)).astype("float32")
Y = RNG.normal(size=(STEPS, BATCH, 1)).astype("float32")
X[:, :, -1] = 0  # masked


def model(layer=None, jit_compile=True, batch_size=None, masked=False):
    masking = [keras.layers.Masking()] if masked else []
    model = keras.Sequential(
        [
            keras.Input((TIME, FEATURES), batch_size=batch_size),
            *masking,
            layer or keras_slim.LSTM3(UNITS),
            keras.layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse", jit_compile=jit_compile)
    return model


def regularized():
    layer = keras_slim.LSTM1(UNITS, dropout=0.2, recurrent_dropout=0.2)
    return keras.layers.Bidirectional(layer)


def change(layer):
    for weight in layer.trainable_weights:
        weight.assign_add(keras.ops.ones(weight.shape))


def training(*args, **kwargs):
    trained = model(*args, **kwargs)
    return lambda step: trained.train_on_batch(X[step], Y[step])


def fitting(**kwargs):
    fitted = model(**kwargs)
    return lambda step: fitted.fit(X[step], Y[step], BATCH, verbose=0)


def inference(name, **kwargs):
    used = model(**kwargs)
    run = getattr(used, name)

    def step(k):
        change(used)
        run(X[k], *([Y[k]] if name == "evaluate" else []), verbose=0)

    return step


def distributed():
    with tf.distribute.MirroredStrategy(["cpu:0", "cpu:1"]).scope():
        fitted = model(jit_compile="auto")  # XLA takes one device only
    # A batch on each device.
    return lambda step: fitted.fit(
        np.concatenate([X[step]] * 2),
        np.concatenate([Y[step]] * 2),
        2 * BATCH,
        verbose=0,
    )


def gradient_tape(jit_compile, function=lambda call: call):
    layer = keras_slim.LSTM3(UNITS)
    layer.build((BATCH, TIME, FEATURES))
    call = function(lambda x: layer(x, training=True))

    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(call(x) ** 2)
        values = [weight.value for weight in layer.trainable_weights]
        return tape.gradient(loss, [x, *values])

    if jit_compile is not None:
        gradients = tf.function(gradients, jit_compile=jit_compile)

    def step(k):
        change(layer)
        gradients(tf.constant(X[k]))

    return step


def traced_before(call):
    """As a function that comes from a file: it was not traced under XLA."""
    spec = tf.TensorSpec((BATCH, TIME, FEATURES))
    return tf.function(call).get_concrete_function(spec)


WAYS = {
    "train_on_batch": lambda: training(),
    "LSTM": lambda: training(keras_slim.LSTM(UNITS)),
    "train_on_batch, auto": lambda: training(jit_compile="auto"),
    "fit": lambda: fitting(),
    "evaluate": lambda: inference("evaluate"),
    "predict": lambda: inference("predict"),
    "predict, auto": lambda: inference(
        "predict", jit_compile="auto", batch_size=BATCH
    ),
    "masked, dropout": lambda: training(regularized(), masked=True),
    "masked, dropout, auto": lambda: training(
        regularized(), jit_compile="auto", masked=True
    ),
    "stateful": lambda: training(
        keras_slim.LSTM3(UNITS, stateful=True), batch_size=BATCH
    ),
    "strategy": distributed,
    "tape": lambda: gradient_tape(jit_compile=True),
    "tape, graph": lambda: gradient_tape(jit_compile=False),
    "tape, eager": lambda: gradient_tape(jit_compile=None),
    "nested": lambda: gradient_tape(True, tf.function),
    "nested, traced before": lambda: gradient_tape(True, traced_before),
}

if __name__ == "__main__":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    for name in sys.argv[1:] or WAYS:
        run = WAYS[name]()
        for k in range(STEPS):
            print(f"step {k} of {name}", file=sys.stderr, flush=True)
            run(k)
        print("step - of nothing", file=sys.stderr, flush=True)
