import tensorflow as tf
from tensorflow.python.eager import context  # no public name

from experiments.benchmarks.in_worker.memory import peak_of

JITS = (False, True)

# Hides warnings of retracing: each layer has a function of its own.
tf.get_logger().setLevel("ERROR")


def has_gpu():
    return bool(tf.config.list_physical_devices("GPU"))


def threads():
    chosen = tf.config.threading.get_intra_op_parallelism_threads()
    return chosen or "one per core"


def tensor(array, dtype):
    return tf.cast(tf.convert_to_tensor(array), dtype)


def inference(layer, inputs, jit):
    def forward(inputs):
        return layer(inputs, training=False)

    return compiled(forward, (inputs,), jit)


def training(layer, inputs, upstream, jit, learning_rate):
    weights = [weight.value for weight in layer.trainable_weights]

    def step(inputs, upstream):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
        *by_weights, by_inputs = tape.gradient(
            outputs, [*weights, inputs], upstream
        )
        for weight, gradient in zip(weights, by_weights, strict=True):
            weight.assign_sub(learning_rate * gradient)
        return [outputs, *by_weights, by_inputs]

    return compiled(step, (inputs, upstream), jit)


def product_in_a_loop(state, matrix, steps, jit):
    """`state @ matrix` in a loop, each on the result of the one before."""
    batch, units = state.shape
    rows, columns = matrix.shape

    def step(number, state, matrix):
        wide = tf.tile(state, (1, rows // units))
        product = tf.reshape(wide @ matrix, (batch, columns // units, units))
        return number + 1, tf.reduce_mean(product, 1), matrix

    def loop(state, matrix):
        return tf.while_loop(
            lambda number, *_: number < steps,
            step,
            (0, state, matrix),
            maximum_iterations=steps,
        )[1]

    return compiled(loop, (state, matrix), jit)


def compiled(function, arguments, jit):
    function = tf.function(function, jit_compile=jit)
    on_gpu = has_gpu()

    def call():
        result = function(*arguments)
        if on_gpu:  # the CPU has computed all when it returns
            tf.test.experimental.sync_devices()
        return result

    def uses_xla():
        graph = function.get_concrete_function(*arguments).graph
        functions = graph.as_graph_def().library.function
        return jit or any(f.attr["_XlaMustCompile"].b for f in functions)

    call.uses_xla = uses_xla
    return call


def peak_memory(call):
    if not has_gpu():
        # XLA keeps freed memory, so the peak is not visible.
        return None if call.uses_xla() else peak_of(call)
    tf.config.experimental.reset_memory_stats("GPU:0")
    before = tf.config.experimental.get_memory_info("GPU:0")["current"]
    call()
    return tf.config.experimental.get_memory_info("GPU:0")["peak"] - before


def compilations():
    # Those of the functions that are kept.
    return lambda: len(context.context().list_function_names())
