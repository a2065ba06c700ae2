import tensorflow as tf

JITS = (False, True)

# It warns of functions that look alike: here a new one for each layer.
tf.get_logger().setLevel("ERROR")


def has_gpu():
    return bool(tf.config.list_physical_devices("GPU"))


def threads():
    chosen = tf.config.threading.get_intra_op_parallelism_threads()
    return chosen or "one a core"


def tensor(array, dtype):
    return tf.cast(tf.convert_to_tensor(array), dtype)


def inference(layer, inputs, jit):
    @tf.function(jit_compile=jit)
    def forward(inputs):
        return layer(inputs, training=False)

    return _waiting(forward, inputs)


def training(layer, inputs, upstream, jit):
    weights = [weight.value for weight in layer.trainable_weights]

    @tf.function(jit_compile=jit)
    def step(inputs, upstream):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
        sources = [*weights, inputs]
        return [outputs, *tape.gradient(outputs, sources, upstream)]

    return _waiting(step, inputs, upstream)


def compiled(function, arguments, jit):
    return _waiting(tf.function(function, jit_compile=jit), *arguments)


def product_in_a_loop(state, matrix, steps, jit):
    """`state @ matrix` so many times, each on what came of the one before."""
    batch, units = state.shape
    rows, columns = matrix.shape

    def step(number, state, matrix):
        wide = tf.tile(state, (1, rows // units))
        product = tf.reshape(wide @ matrix, (batch, columns // units, units))
        return number + 1, tf.reduce_mean(product, 1), matrix

    @tf.function(jit_compile=jit)
    def loop(state, matrix):
        return tf.while_loop(
            lambda number, *_: number < steps,
            step,
            (0, state, matrix),
            maximum_iterations=steps,
        )[1]

    return _waiting(loop, state, matrix)


def _waiting(function, *arguments):
    on_gpu = has_gpu()

    def call():
        result = function(*arguments)
        if on_gpu:  # the CPU has computed all when it returns
            tf.test.experimental.sync_devices()
        return result

    return call


def peak_on_gpu(call):
    tf.config.experimental.reset_memory_stats("GPU:0")
    before = tf.config.experimental.get_memory_info("GPU:0")["current"]
    call()
    return tf.config.experimental.get_memory_info("GPU:0")["peak"] - before
