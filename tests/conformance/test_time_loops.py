"""The fast time loop against the plain one, and which is taken when."""

import frameworks
import keras
import numpy as np
import pytest
from drawn import random_array, randomise
from frameworks import to_numpy
from keras import ops

import keras_slim

BATCH, TIME, FEATURES, UNITS = 3, 5, 4, 3
MASK = np.array([[1, 1, 0, 1, 0], [0, 0, 1, 1, 1], [0, 0, 0, 0, 0]], bool)


def built(variant, **options):
    options = {"return_sequences": True, "return_state": True, **options}
    layer = keras_slim.SlimRNN(UNITS, variant=variant, **options)
    layer.build((BATCH, TIME, FEATURES))
    randomise(layer)
    return layer


def number_of_states(layer):
    return len(layer.cell.gating.family.states)


def upstream_of(layer):
    outputs = TIME if layer.return_sequences else 1
    width = (outputs + number_of_states(layer)) * UNITS
    return random_array(BATCH, width, seed=5)


def everything(layer, **call):
    """A function of inputs and initial states to outputs and last states.

    Both are packed into one array, for one gradient.
    """

    def function(packed):
        states = [
            packed[:, 0, FEATURES : FEATURES + UNITS],
            packed[:, 1, FEATURES + UNITS :],
        ][: number_of_states(layer)]
        results = layer(packed[..., :FEATURES], initial_state=states, **call)
        flat = [ops.reshape(r, (BATCH, -1)) for r in results]
        return ops.cast(ops.concatenate(flat, axis=-1), "float32")

    return function


def outputs_and_gradients(layer, graph=False, **call):
    outputs, gradients = frameworks.outputs_and_gradients(
        layer,
        random_array(BATCH, TIME, FEATURES + 2 * UNITS),
        upstream_of(layer),
        everything(layer, **call),
        graph=graph,
    )
    return {"outputs": outputs, **gradients}


def assert_same(found, wanted):
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, atol=1e-5, err_msg=name)


@pytest.mark.compiles
@pytest.mark.parametrize(
    ("options", "call", "atol"),
    [
        (
            {"activation": "elu", "recurrent_activation": "softmax"},
            {"training": True},
            1e-5,
        ),
        ({"go_backwards": True}, {"mask": MASK}, 1e-5),
        (
            {"zero_output_for_mask": True, "activation": "softmax"},
            {"mask": MASK, "training": True},
            1e-5,
        ),
        (
            {
                "dropout": 0.4,
                "recurrent_dropout": 0.4,
                "seed": 1,
                "use_bias": False,
                "recurrent_activation": "hard_sigmoid",
                "return_sequences": False,
            },
            {"training": True},
            1e-5,
        ),
        (
            {"zero_output_for_mask": True, "return_sequences": False},
            {"mask": MASK},
            1e-5,
        ),
        ({"dtype": "mixed_bfloat16"}, {}, 0.15),
    ],
    ids=["activations", "backwards", "masked", "dropout", "last", "bfloat16"],
)
def test_same_outputs_and_gradients(variant, options, call, atol):
    fast = built(variant, recurrence="fast", **options)
    plain = built(variant, recurrence="plain", **options)
    # As in a model: on TensorFlow it is then that XLA compiles the loop.
    found = outputs_and_gradients(fast, graph=True, **call)
    wanted = outputs_and_gradients(plain, **call)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        scale = max(1e-3, float(np.abs(value).max()))
        np.testing.assert_allclose(
            found[name] / scale, value / scale, atol=atol, err_msg=name
        )


@pytest.mark.compiles
@pytest.mark.parametrize("recurrence", ["fast", "plain"])
def test_masked_inputs_reach_no_gradient(variant, recurrence):
    """Unlike those of `keras.layers.LSTM`, where NaN times 0 is NaN."""
    layer = built(variant, recurrence=recurrence, return_state=False)
    x = random_array(BATCH, TIME, FEATURES)
    upstream = random_array(BATCH, TIME, UNITS, seed=5)
    found = []
    for masked in (0, np.nan, np.inf):
        x[~MASK] = masked
        outputs, gradients = frameworks.outputs_and_gradients(
            layer, x, upstream, mask=MASK
        )
        found.append({"outputs": outputs, **gradients})
    assert_same(found[1], found[0])
    assert_same(found[2], found[0])


@pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="only JAX's loop has them"
)
def test_iterations_of_several_steps(variant, monkeypatch):
    """As on an accelerator; here the last one is not full."""
    import jax

    layer = built(variant, recurrence="fast")
    wanted = outputs_and_gradients(layer, mask=MASK)
    name = "keras_slim.recurrence.jax._steps_per_iteration"
    monkeypatch.setattr(name, lambda: 2)
    jax.clear_caches()  # of loops with one step per iteration
    assert_same(outputs_and_gradients(layer, mask=MASK), wanted)


def test_gradients_are_finite_differences(variant):
    """Along a random direction in the space of all weights and inputs."""
    layer = built(variant, recurrence="fast")
    function = everything(layer)
    inputs = random_array(BATCH, TIME, FEATURES + 2 * UNITS)
    upstream = upstream_of(layer)
    weights = layer.get_weights()
    gradients = frameworks.gradients(layer, inputs, upstream, function)
    names = frameworks.weights_of(layer)
    step = 1e-2
    directions = [
        random_array(*w.shape, seed=50 + k) for k, w in enumerate(weights)
    ]
    along_inputs = random_array(*inputs.shape, seed=40)
    moved = []
    for sign in (1, -1):
        layer.set_weights(
            [
                w + sign * step * d
                for w, d in zip(weights, directions, strict=True)
            ]
        )
        outputs = to_numpy(function(inputs + sign * step * along_inputs))
        moved.append((outputs * upstream).sum(dtype="float64"))
    difference = (moved[0] - moved[1]) / (2 * step)
    derivative = (gradients["inputs"] * along_inputs).sum() + sum(
        (gradients[name] * d).sum()
        for name, d in zip(names, directions, strict=True)
    )
    np.testing.assert_allclose(derivative, difference, rtol=5e-3, atol=5e-3)


def second_derivative(layer, x):
    """Gradient in `x` of the squared norm of the gradient in `x`."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        x = tf.constant(x)
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                loss = tf.reduce_sum(layer(x)[0] ** 2)
            norm = tf.reduce_sum(inner.gradient(loss, x) ** 2)
        return outer.gradient(norm, x)
    if backend == "jax":
        import jax

        gradient = jax.grad(lambda x: (layer(x)[0] ** 2).sum())
        return to_numpy(jax.grad(lambda x: (gradient(x) ** 2).sum())(x))
    import torch

    x = torch.tensor(x, requires_grad=True)
    loss = (layer(x)[0] ** 2).sum()
    (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
    # All leaves, as a penalty on the gradient would have them.
    (loss + (gradient**2).sum()).backward()
    return to_numpy(x.grad)


@pytest.mark.parametrize("variant", ["lstm1", "gru1"])
def test_second_derivatives(variant):
    fast, plain = (
        built(variant, recurrence=loop, activation="softplus")
        for loop in ("fast", "plain")
    )
    x = random_array(BATCH, TIME, FEATURES)
    np.testing.assert_allclose(
        second_derivative(fast, x), second_derivative(plain, x), atol=1e-5
    )


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the others have no graph"
)
def test_second_derivatives_are_refused_in_a_graph():
    import tensorflow as tf

    x = random_array(BATCH, TIME, FEATURES)
    layer = built("lstm1", recurrence="fast")
    with pytest.raises(RuntimeError, match="recurrence='plain'"):
        tf.function(lambda: second_derivative(layer, x), autograph=False)()


@pytest.mark.parametrize("variant", ["lstm1", "gru1"])
def test_second_derivatives_of_unrolled_steps(variant):
    unrolled, plain = (
        built(variant, activation="softplus", **options)
        for options in ({"unroll": True}, {"recurrence": "plain"})
    )
    x = random_array(BATCH, TIME, FEATURES)
    found = second_derivative(unrolled, x)
    wanted = second_derivative(plain, x)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        graph = tf.function(lambda: second_derivative(unrolled, x))
        np.testing.assert_allclose(graph(), wanted, atol=1e-5)


@pytest.mark.compiles
def test_an_unrolled_layer_trains_like_the_loop(variant):
    loop = built(variant, recurrence="plain")
    unrolled = built(variant, unroll=True)
    wanted = outputs_and_gradients(loop, mask=MASK)
    assert_same(outputs_and_gradients(unrolled, mask=MASK), wanted)


@pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="the others have no such mode"
)
def test_forward_mode_is_refused_by_the_fast_loop():
    import jax

    x = random_array(BATCH, TIME, FEATURES)
    found = [
        jax.jvp(lambda x, call=layer: call(x)[0], (x,), (x,))[1]
        for layer in (
            built("lstm3", recurrence="plain"),
            built("lstm3", unroll=True),
        )
    ]
    np.testing.assert_allclose(*found, atol=1e-5)
    layer = built("lstm3", recurrence="fast")
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(lambda x: layer(x)[0], (x,), (x,))


@pytest.fixture
def loops_taken(monkeypatch):
    """The time loops that are taken, in their order."""
    taken = []
    for loop, owner, name in (
        ("fast", keras_slim.layers, "time_loop"),
        ("plain", keras.layers.RNN, "inner_loop"),
    ):
        original = getattr(owner, name)

        def record(*args, loop=loop, original=original, **kwargs):
            taken.append(loop)
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, record)
    return taken


@keras.saving.register_keras_serializable("tests")
def doubled(x):
    return 2 * x


@pytest.mark.parametrize(
    ("options", "loop"),
    [
        ({}, "fast"),
        ({"recurrence": "fast"}, "fast"),
        ({"recurrence": "plain"}, "plain"),
        ({"unroll": True}, "fast"),
        ({"unroll": True, "recurrence": "plain"}, "plain"),
        ({"activation": "gelu", "recurrent_activation": "softmax"}, "fast"),
        ({"activation": doubled}, "plain"),
        ({"recurrent_activation": doubled}, "plain"),
    ],
)
def test_which_loop_is_taken(loops_taken, options, loop):
    layer = keras_slim.LSTM3(UNITS, **options)
    layer(random_array(BATCH, TIME, FEATURES))
    assert loops_taken == [loop]
    assert layer.get_config()["recurrence"] == options.get("recurrence", "auto")


def test_the_fast_loop_is_refused_where_it_cannot_be_taken():
    with pytest.raises(ValueError, match="`recurrence`.*activation=.*'plain'"):
        keras_slim.LSTM3(UNITS, recurrence="fast", activation=doubled)


@pytest.mark.parametrize("value", ["quick", True, None])
def test_unknown_loops_are_refused(value):
    with pytest.raises(ValueError) as error:
        keras_slim.LSTM3(UNITS, recurrence=value)
    message = " ".join(str(error.value).split())
    assert "`recurrence`" in message
    assert f"recurrence={value!r}" in message
    assert "'auto', 'fast' or 'plain'" in message


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the others have one"
)
@pytest.mark.parametrize(
    ("batch", "timesteps", "training", "compiled"),
    [
        (BATCH, TIME, False, True),
        (BATCH, TIME, True, True),
        (None, TIME, False, False),
        (None, TIME, True, True),
        (None, None, True, False),
    ],
)
def test_xla_compiles_the_loop_where_shapes_stay(
    batch, timesteps, training, compiled
):
    import tensorflow as tf

    layers = [built("lstm1", recurrence=loop) for loop in ("fast", "plain")]
    spec = tf.TensorSpec((batch, timesteps, FEATURES), "float32")

    def outputs_and_gradient(inputs, layer):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs, *_ = layer(inputs, training=training)
        return outputs, tape.gradient(outputs, inputs)

    graphs = [
        tf.function(outputs_and_gradient).get_concrete_function(spec, layer)
        for layer in layers
    ]
    library = graphs[0].graph.as_graph_def().library.function
    assert any(f.attr["_XlaMustCompile"].b for f in library) == compiled
    # A second batch of another size, as the last of an epoch.
    for size in (BATCH, BATCH if batch else BATCH - 1):
        inputs = tf.constant(random_array(size, TIME, FEATURES))
        for found, wanted in zip(*(g(inputs) for g in graphs), strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the others have no XLA"
)
def test_xla_does_not_compile_for_ever_new_shapes():
    """In a function that TensorFlow traces anew for each of them."""
    import tensorflow as tf

    fast, plain = (
        built("lstm3", recurrence=loop) for loop in ("fast", "plain")
    )
    traced = tf.function(lambda x: fast(x)[0])
    compiled = 0
    for timesteps in range(1, 21):
        x = tf.constant(random_array(2, timesteps, FEATURES))
        graph = traced.get_concrete_function(x).graph.as_graph_def()
        compiled += any(
            f.attr["_XlaMustCompile"].b for f in graph.library.function
        )
        if timesteps in (1, 20):
            np.testing.assert_allclose(traced(x), plain(x)[0], atol=1e-5)
    assert compiled == 16
