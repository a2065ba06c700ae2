import jax
import jax.numpy as jnp

JITS = (True,)


def has_gpu():
    return jax.default_backend() != "cpu"


def threads():
    return "one per core"


def tensor(array, dtype):
    return jnp.asarray(array, dtype)


def inference(layer, inputs, jit):
    forward, weights = _of_layer(layer, training=False)
    return compiled(forward, (weights, inputs), jit)


def training(layer, inputs, upstream, jit, learning_rate):
    forward, weights = _of_layer(layer, training=True)
    weights = [jnp.copy(weight) for weight in weights]

    def step(weights, inputs, upstream):
        outputs, gradients_of = jax.vjp(forward, weights, inputs)
        by_weights, by_inputs = gradients_of(upstream)
        updated = [
            weight - learning_rate * gradient
            for weight, gradient in zip(weights, by_weights, strict=True)
        ]
        return updated, [outputs, *by_weights, by_inputs]

    # Keras donates the old weights, too, so that the new ones replace them.
    step = jax.jit(step, donate_argnums=0)
    step = step.lower(weights, inputs, upstream).compile()

    def call():
        nonlocal weights
        weights, result = step(weights, inputs, upstream)
        jax.block_until_ready(weights)
        return jax.block_until_ready(result)

    call.executable = step
    return call


def _of_layer(layer, training):
    others = [v.value for v in layer.non_trainable_variables]

    def forward(weights, inputs):
        return layer.stateless_call(weights, others, inputs, training=training)[
            0
        ]

    return forward, [v.value for v in layer.trainable_variables]


def compiled(function, arguments, jit):
    if jit:
        function = jax.jit(function).lower(*arguments).compile()

    def call():
        return jax.block_until_ready(function(*arguments))

    call.executable = function if jit else None
    return call


def product_in_a_loop(state, matrix, steps, jit):
    """`state @ matrix` in a loop, each on the result of the one before."""
    batch, units = state.shape
    rows, columns = matrix.shape

    def loop(state, matrix):
        def step(state, _):
            wide = jnp.tile(state, (1, rows // units))
            product = (wide @ matrix).reshape(batch, columns // units, units)
            return product.mean(1), None

        return jax.lax.scan(step, state, length=steps)[0]

    return compiled(loop, (state, matrix), jit)


def peak_memory(call):
    if not has_gpu():
        # XLA keeps freed memory, so its own account is used.
        account = call.executable and call.executable.memory_analysis()
        return account and (
            account.temp_size_in_bytes
            + account.output_size_in_bytes
            - account.alias_size_in_bytes
        )
    device = jax.devices()[0]
    before = device.memory_stats()
    call()
    peak = device.memory_stats()["peak_bytes_in_use"]
    # The peak is that of the process and cannot be reset.
    if peak == before["peak_bytes_in_use"]:
        return None
    return peak - before["bytes_in_use"]


def compilations():
    found = 0

    def count(event, seconds, **metadata):
        nonlocal found
        found += event == "/jax/core/compile/backend_compile_duration"

    jax.monitoring.register_event_duration_secs_listener(count)
    return lambda: found
