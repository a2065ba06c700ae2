import contextlib

import keras
import numpy as np
import pytest
from drawn import random_array, randomise
from frameworks import to_numpy
from keras import layers

import keras_slim
from keras_slim.places import places
from keras_slim.variants import VARIANTS, get

BATCH, TIME, FEATURES, UNITS = 3, 5, 4, 3
REGULARIZERS = [
    f"{weight}_regularizer" for weight in ("kernel", "recurrent", "bias")
]


def sequential(recurrent):
    return keras.Sequential(
        [
            keras.Input((TIME, FEATURES)),
            layers.Dense(FEATURES),
            recurrent(UNITS, return_sequences=True, name="first"),
            layers.BatchNormalization(),
            recurrent(UNITS, go_backwards=True, name="second"),
            layers.Dense(2),
        ]
    )


def bidirectional(recurrent):
    inputs = keras.Input((None,), dtype="int32")
    x = layers.Embedding(7, FEATURES, mask_zero=True)(inputs)
    x = layers.Bidirectional(recurrent(UNITS, return_sequences=True))(x)
    x = layers.Bidirectional(
        recurrent(UNITS, dropout=0.1),
        backward_layer=recurrent(UNITS, go_backwards=True, name="another"),
        merge_mode="sum",
    )(x)
    return keras.Model(inputs, layers.Dense(1)(x))


def distributed(recurrent):
    inputs = keras.Input((2, TIME, FEATURES))
    inner = keras.Sequential(
        [keras.Input((TIME, FEATURES)), recurrent(UNITS), layers.Dense(2)]
    )
    x = layers.TimeDistributed(recurrent(UNITS))(inputs)
    return keras.Model(inputs, [x, layers.TimeDistributed(inner)(inputs)])


def nested_and_shared(recurrent):
    encoder = keras.Sequential(
        [keras.Input((TIME, FEATURES)), recurrent(UNITS)], name="encoder"
    )
    inputs = [keras.Input((TIME, FEATURES), name=name) for name in "ab"]
    encoded = [encoder(x) for x in inputs]
    shared = recurrent(UNITS, return_sequences=True, name="shared")
    difference = layers.Subtract()([shared(x) for x in inputs])
    return keras.Model(inputs, {"e": encoded, "d": difference + 1.0})


def encoder_decoder(recurrent):
    source = keras.Input((TIME, FEATURES))
    target = keras.Input((None, FEATURES))
    _, *states = recurrent(UNITS, return_state=True, name="encoder")(source)
    decoder = recurrent(UNITS, return_sequences=True, name="decoder")
    x = decoder(target, initial_state=states)
    return keras.Model([source, target], layers.Dense(2)(x))


def cells(recurrent):
    cell = {layers.LSTM: layers.LSTMCell}.get(recurrent)
    if cell is None:
        cell = lambda units: layers.GRUCell(units, reset_after=False)  # noqa: E731
    stack = layers.RNN([cell(UNITS), cell(2)], return_sequences=True)
    return keras.Sequential(
        [keras.Input((TIME, FEATURES)), stack, layers.RNN(cell(UNITS))]
    )


def gru(units, **options):
    return layers.GRU(units, reset_after=False, **options)


MODELS = [
    sequential,
    bidirectional,
    distributed,
    nested_and_shared,
    encoder_decoder,
    cells,
]


def inputs_of(model):
    def values(x):
        shape = [s or TIME for s in x.shape[1:]]
        if x.dtype == "int32":
            return np.array([[1, 2, 3, 0, 0], [4, 5, 6, 1, 2], [3, 0, 0, 0, 0]])
        return random_array(BATCH, *shape)

    found = [values(x) for x in model.inputs]
    return found if len(found) > 1 else found[0]


def outputs_of(model):
    found = model(inputs_of(model), training=False)
    return [to_numpy(x) for x in keras.tree.flatten(found)]


def assert_same_outputs(a, b, atol=1e-6):
    for x, y in zip(outputs_of(a), outputs_of(b), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=atol)


def classes(model):
    return {
        type(layer)
        for layer in model._flatten_layers()
        if isinstance(layer, layers.RNN)
    }


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize(
    ("recurrent", "name"), [(layers.LSTM, "lstm"), (gru, "gru")]
)
def test_the_full_row_computes_the_same(make, recurrent, name):
    model = make(recurrent)
    randomise(model)
    before = [w.copy() for w in model.get_weights()]
    config = model.get_config()
    slimmed = keras_slim.slim(model, name)
    assert_same_outputs(slimmed, model)
    expected = {"lstm": keras_slim.LSTM, "gru": keras_slim.GRU}[name]
    assert classes(slimmed) <= {expected, layers.RNN}
    assert slimmed.name == model.name
    assert [x.name for x in slimmed.layers] == [x.name for x in model.layers]
    back = keras_slim.to_keras(slimmed)
    assert_same_outputs(back, model)
    assert classes(back) == classes(model)
    # What came in is as it was.
    assert model.get_config() == config
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.long
# Keras 3.10 warns so of every functional model that it loads.
@pytest.mark.filterwarnings(
    r"ignore:(.|\n)*structure of `inputs` doesn't match"
)
@pytest.mark.parametrize("make", MODELS)
def test_slim_layers_train_are_saved_and_go_back_to_keras(make, tmp_path):
    model = make(layers.LSTM)
    model.compile("adam", "mse")
    slimmed = keras_slim.slim(model, "lstm3")
    assert slimmed.count_params() < model.count_params()
    x = inputs_of(slimmed)
    y = keras.tree.map_structure(np.ones_like, slimmed.predict(x, verbose=0))
    before = model.get_weights()
    slimmed.fit(x, y, verbose=0)
    # They share no arrays, which JAX would have reused.
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    slimmed.save(tmp_path / "slim.keras")
    loaded = keras.saving.load_model(tmp_path / "slim.keras")
    assert_same_outputs(loaded, slimmed)
    assert_same_outputs(keras_slim.to_keras(slimmed), slimmed)


def columns(cell, name, gate, gates):
    weight = np.asarray(to_numpy(getattr(cell, name)))
    return np.split(weight, len(gates), axis=-1)[gates.index(gate)]


def test_shared_weights_carry_over(variant):
    """Gate by gate, against Keras's order of columns."""
    row = get(variant)
    kind, gates = {
        "lstm": (layers.LSTM, "ifco"),
        "gru": (gru, "zrh"),
        "mgu": (keras_slim.MGU, "fh"),  # Keras has none
    }[row.family.name]
    model = keras.Sequential([keras.Input((TIME, FEATURES)), kind(UNITS)])
    randomise(model)
    slimmed = keras_slim.slim(model, variant)
    full, slim = model.layers[0].cell, slimmed.layers[0].cell
    assert slim.gating == row
    for gate, terms in row.gates.items():
        if not isinstance(terms, str):
            continue
        for term, name in (
            ("x", "kernel"),
            ("h", "recurrent_kernel"),
            ("b", "bias"),
        ):
            if term in terms:
                own = columns(slim, name, gate, row.gates_with(term))
                given = columns(full, name, gate, gates)
                np.testing.assert_array_equal(own, given)
        if "u" in terms:
            own = columns(slim, "pointwise_kernel", gate, row.gates_with("u"))
            given = columns(full, "recurrent_kernel", gate, gates)
            if "h" not in terms:
                np.testing.assert_array_equal(own[:, 0], np.diag(given))


def test_a_slim_model_becomes_slimmer():
    model = bidirectional(layers.LSTM)
    randomise(model)
    twice = keras_slim.slim(keras_slim.slim(model, "lstm1"), "lstm3")
    once = keras_slim.slim(model, "lstm3")
    assert_same_outputs(twice, once, atol=0)


def test_a_model_that_becomes_larger_is_reported():
    slimmed = keras_slim.slim(sequential(layers.LSTM), "lstm3")
    with pytest.warns(UserWarning, match="54 parameters more.*'lstm1'"):
        keras_slim.slim(slimmed, "lstm1")


def test_an_activation_makes_no_layer_larger():
    model = model_of(layers.LSTM(UNITS, activation=layers.PReLU()))
    slimmed = keras_slim.slim(model, "lstm")  # without a warning
    # Of the activation, which Keras builds when the layer is called.
    assert slimmed.count_params() == model.count_params() + UNITS


def test_the_biases_of_a_gru_that_resets_after_the_product_add_up():
    model = keras.Sequential([keras.Input((TIME, FEATURES)), layers.GRU(UNITS)])
    randomise(model)
    slimmed = keras_slim.slim(model, "gru3")
    bias = to_numpy(model.layers[0].cell.bias).sum(axis=0)
    np.testing.assert_allclose(to_numpy(slimmed.layers[0].cell.bias), bias)


@pytest.mark.parametrize(
    "recurrent_activation", ["sigmoid", "hard_sigmoid", "keras2_hard_sigmoid"]
)
def test_every_row_is_a_layer_of_keras(variant, recurrent_activation):
    own = getattr(keras_slim.activations, recurrent_activation, None)
    layer = keras_slim.SlimRNN(
        UNITS,
        variant=variant,
        recurrent_activation=own or recurrent_activation,
        activation="elu",
        return_sequences=True,
        return_state=True,
    )
    inputs = keras.Input((TIME, FEATURES))
    model = keras.Model(inputs, layer(inputs))
    randomise(model)
    theirs = keras_slim.to_keras(model)
    family = {"lstm": layers.LSTM}.get(get(variant).family.name, layers.GRU)
    assert type(theirs.layers[1]) is family
    assert_same_outputs(theirs, model)


@pytest.mark.parametrize("use_bias", [False, True])
def test_a_constant_gate_needs_a_bias(use_bias):
    for name in ("lstm2", "lstm6"):
        layer = keras_slim.SlimRNN(UNITS, variant=name, use_bias=use_bias)
        model = keras.Sequential([keras.Input((TIME, FEATURES)), layer])
        randomise(model)
        theirs = keras_slim.to_keras(model)
        assert theirs.layers[0].use_bias is (use_bias or name == "lstm6")
        assert_same_outputs(theirs, model)


def test_only_the_layers_that_are_named():
    model = sequential(layers.LSTM)
    slimmed = keras_slim.slim(model, "lstm3", layers=["second"])
    kinds = [type(layer) for layer in slimmed.layers]
    assert kinds[1:5:2] == [layers.LSTM, keras_slim.LSTM3]
    table = keras_slim.size_table(model, slimmed)
    first, second, whole = table.rows
    assert (first["layer"], first["unchanged"]) == ("first", "not chosen")
    assert (second["before"], second["after"]) == ("LSTM", "LSTM3")
    assert second["unchanged"] == "–"
    full = 4 * UNITS * (UNITS + UNITS + 1)
    slim = UNITS * (UNITS + UNITS + 1) + 3 * UNITS
    assert second["parameters_before"] == full
    assert second["parameters_after"] == slim
    assert second["bytes_before"] == 4 * full
    assert whole["parameters_before"] == model.count_params()
    assert whole["parameters_after"] == slimmed.count_params()
    assert whole["multiply_adds_after"] == "–"
    text = str(table)
    assert f" {full:,} → {slim:,} " in text
    assert f" {first['parameters_before']:,} " in text  # it is the same after
    assert max(map(len, text.splitlines())) <= 110
    assert table.to_frame().loc["first", "after"] == "LSTM"


def test_unrolled_layers_compute_the_same():
    model = keras_slim.slim(nested_and_shared(layers.LSTM))
    unrolled = keras_slim.slim(model, unroll=True)
    found = [p.part.unroll for p in places(unrolled)]
    assert found == len(found) * [True]
    assert not any(p.part.unroll for p in places(keras_slim.slim(model)))
    assert_same_outputs(unrolled, model)


def test_names_of_wrappers_and_nested_models():
    model = nested_and_shared(layers.LSTM)
    slimmed = keras_slim.slim(model, "lstm1", layers=["encoder"])
    kinds = {
        row["layer"]: row["after"]
        for row in keras_slim.size_table(model, slimmed).rows
    }
    assert kinds["shared"] == "LSTM"
    assert {k: v for k, v in kinds.items() if k.startswith("encoder/")} == {
        next(k for k in kinds if k.startswith("encoder/")): "LSTM1"
    }


def test_what_is_no_lstm_stays_and_the_table_says_why():
    class Mine(layers.LSTM):
        pass

    inputs = keras.Input((TIME, FEATURES))
    x = layers.SimpleRNN(UNITS, return_sequences=True, name="simple")(inputs)
    x = layers.GRU(UNITS, return_sequences=True, name="gru")(x)
    x = Mine(UNITS, return_sequences=True, name="mine")(x)
    model = keras.Model(inputs, layers.LSTM(UNITS, name="lstm")(x))
    slimmed = keras_slim.slim(model, "lstm3")
    rows = {r["layer"]: r for r in keras_slim.size_table(model, slimmed).rows}
    assert rows["lstm"]["after"] == "LSTM3"
    assert rows["gru"]["unchanged"] == "of the family GRU"
    for name in ("simple", "mine"):
        assert "not an LSTM or GRU" in rows[name]["unchanged"]
        assert rows[name]["multiply_adds_after"] == "–"
    for row in keras_slim.size_table(model, model).rows[1:-1:2]:
        assert row["unchanged"] == "not chosen"
    for name in ("simple", "mine", "gru"):
        with pytest.raises(ValueError, match=f"layers.*{name}"):
            keras_slim.slim(model, "lstm3", layers=[name])


class Scaled(layers.Layer):
    """A layer of a user's own, with one inside, that is not registered."""

    def __init__(self, scale=2.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale
        self.dense = layers.Dense(2)

    def call(self, x):
        return self.scale * self.dense(x)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


def test_layers_of_the_users_own_stay():
    inputs = keras.Input((TIME, FEATURES))
    x = layers.LSTM(UNITS, return_sequences=True)(inputs)
    x = Scaled(3.0)(layers.Lambda(lambda x: x + 1)(x))
    model = keras.Model(inputs, x)
    randomise(model)
    slimmed = keras_slim.slim(model, "lstm")
    assert_same_outputs(slimmed, model)
    assert slimmed.layers[-1] is not model.layers[-1]
    slimmed.layers[-1].set_weights(
        [0 * w for w in slimmed.layers[-1].get_weights()]
    )
    assert outputs_of(model)[0].any()


def test_what_a_layer_adapted_to_is_kept():
    x = 10 + 50 * random_array(64, TIME, FEATURES)
    adapted = layers.Normalization()
    adapted.adapt(x)
    model = keras.Sequential(
        [keras.Input((TIME, FEATURES)), adapted, layers.LSTM(UNITS)]
    )
    slimmed = keras_slim.slim(model, "lstm")
    wanted = model.predict(x, verbose=0)
    for other in (slimmed, keras_slim.to_keras(slimmed)):
        found = other.predict(x, verbose=0)
        np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="strings are TensorFlow's"
)
def test_the_vocabulary_of_a_layer_is_kept():
    import tensorflow as tf

    texts = tf.constant(["the rain", "in the plain in spain"])
    words = layers.TextVectorization(output_sequence_length=TIME)
    words.adapt(texts)
    inputs = keras.Input((), dtype="string")
    x = layers.Embedding(10, 3, mask_zero=True)(words(inputs))
    model = keras.Model(inputs, layers.LSTM(UNITS)(x))
    slimmed = keras_slim.slim(model, "lstm")
    np.testing.assert_allclose(slimmed(texts), model(texts), atol=1e-5)


def test_dtype_policy_and_trainable_are_kept():
    layer = layers.LSTM(UNITS, dtype="mixed_bfloat16", trainable=False)
    model = keras.Sequential([keras.Input((TIME, FEATURES)), layer])
    for other in (
        keras_slim.slim(model),
        keras_slim.to_keras(keras_slim.slim(model)),
    ):
        assert other.layers[0].dtype_policy.name == "mixed_bfloat16"
        assert not other.layers[0].trainable


def squared(y, answer):
    return keras.ops.mean((y - answer) ** 2, axis=-1)


class Unregistered(keras.losses.Loss):
    def call(self, y, answer):
        return squared(y, answer)


class AlsoUnregistered(keras.metrics.MeanMetricWrapper):
    def __init__(self, name="other", **options):
        super().__init__(squared, name=name)


@pytest.mark.parametrize(
    "loss",
    ["mse", squared, Unregistered(), lambda y, answer: squared(y, answer)],
    ids=["name", "function", "object", "lambda"],
)
def test_compiled_alike_even_with_what_is_not_registered(loss):
    model = model_of(layers.LSTM(UNITS))
    rate, metrics = 3e-4, [squared, AlsoUnregistered()]
    model.compile(keras.optimizers.Adam(rate), loss, metrics=metrics)
    x, y = inputs_of(model), np.ones((BATCH, UNITS), "float32")
    model.fit(x, y, verbose=0)
    slimmed = keras_slim.slim(model)
    assert model.compiled and slimmed.compiled
    assert slimmed.optimizer is not model.optimizer
    assert float(slimmed.optimizer.learning_rate) == pytest.approx(rate)
    before = [metric.result() for metric in model.metrics[1].metrics]
    found = slimmed.evaluate(x, y, verbose=0)
    # Of the loss and the metrics, which are the same and have their own states.
    np.testing.assert_allclose(found, 3 * found[:1], rtol=1e-5)
    assert [metric.result() for metric in model.metrics[1].metrics] == before
    slimmed.fit(x, y, verbose=0)
    kept = keras_slim.to_keras(slimmed)
    np.testing.assert_allclose(
        kept.evaluate(x, y, verbose=0),
        slimmed.evaluate(x, y, verbose=0),
        rtol=1e-5,
    )


class Warmup(keras.optimizers.schedules.LearningRateSchedule):
    """Not registered."""

    def get_config(self):
        return {}

    def __call__(self, step):
        return 0.1 / (1.0 + keras.ops.cast(step, "float32"))


def constant():
    return 0.01


@pytest.mark.parametrize("rate", [Warmup(), constant])
def test_a_schedule_goes_along(rate):
    model = model_of(layers.LSTM(2))
    model.compile(keras.optimizers.Adam(rate), "mse")
    slimmed = keras_slim.slim(model)
    x, y = random_array(BATCH, TIME, FEATURES), random_array(BATCH, 2)
    slimmed.fit(x, y, verbose=0)
    expected = 0.05 if isinstance(rate, Warmup) else 0.01
    assert float(slimmed.optimizer.learning_rate) == pytest.approx(expected)


class Plain(keras.metrics.Mean):
    """Has an argument, and no config."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor


def test_what_cannot_be_copied_leaves_the_copy_uncompiled():
    model = model_of(layers.LSTM(2, name="a"))
    model.compile("sgd", "mse", metrics=[Plain(2.0)])
    with pytest.warns(UserWarning, match="is not compiled.*: TypeError: .*"):
        slimmed = keras_slim.slim(model, "lstm")
    assert model.compiled and not slimmed.compiled
    assert_same_outputs(slimmed, model)


class OwnSequential(keras.Sequential):
    """Keras makes no copy of this class."""


class OwnFunctional(keras.Model):
    def __init__(self, layer):
        inputs = keras.Input((TIME, FEATURES))
        super().__init__(inputs, layer(inputs))


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (
            lambda layer: OwnSequential([keras.Input((TIME, FEATURES)), layer]),
            "Sequential",
        ),
        (OwnFunctional, "Functional"),
        (lambda layer: model_of(OwnFunctional(layer)), "Functional"),
    ],
    ids=["Sequential", "functional", "nested"],
)
def test_a_class_that_is_lost_is_reported(make, kind):
    model = make(keras_slim.LSTM(2))
    for copied in (keras_slim.slim, keras_slim.to_keras):
        with pytest.warns(UserWarning, match="of the class Own") as found:
            copy = copied(model)
        (said,) = (one for one in found if "of the class" in str(one.message))
        assert said.filename == __file__
        here = (
            copy if type(model).__name__.startswith("Own") else copy.layers[0]
        )
        assert type(here).__name__ == kind
        assert f"is a {kind}, as" in str(said.message)


class SameSignature(keras.Model):
    """Keras makes a copy of this class."""


def test_a_class_that_is_kept():
    inputs = keras.Input((TIME, FEATURES))
    model = SameSignature(inputs, layers.LSTM(2)(inputs))
    assert type(keras_slim.slim(model)) is type(model)


@pytest.mark.parametrize("name", VARIANTS)
def test_another_penalty_is_reported(name):
    model = model_of(
        keras_slim.SlimRNN(
            UNITS, variant=name, **dict.fromkeys(REGULARIZERS, "l2")
        )
    )
    randomise(model)
    # The other rows only add weights that are zero.
    differs = VARIANTS[name].constants or VARIANTS[name].family.name == "mgu"
    expected = (
        pytest.warns(UserWarning, match="regularizers of the layer 'slim_rnn")
        if differs
        else contextlib.nullcontext()
    )
    with expected:
        as_keras = keras_slim.to_keras(model)
    assert_same_outputs(as_keras, model)
    before, after = (to_numpy(sum(one.losses)) for one in (model, as_keras))
    assert np.isclose(before, after) == (not differs)


def test_cells_of_one_name_may_be_alike():
    model = stack_of(2, 2)
    assert_same_outputs(keras_slim.slim(model, "lstm"), model)


def test_what_is_not_compiled_stays_so():
    assert not keras_slim.slim(model_of(layers.LSTM(2))).compiled


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.layer = layers.LSTM(UNITS)

    def call(self, x):
        return self.layer(x)


class Block(layers.Layer):
    """Its config does not hold the recurrent layer in it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.layer = layers.LSTM(UNITS)

    def build(self, input_shape):
        self.layer.build(input_shape)

    def call(self, x):
        return self.layer(x)


def stack_of(*units):
    cells = [layers.LSTMCell(n, name="cell") for n in units]
    return model_of(layers.RNN(cells, name="stack"))


def shared_cell():
    cell = layers.LSTMCell(2, name="cell")
    inputs = keras.Input((TIME, FEATURES))
    return keras.Model(
        inputs,
        [layers.RNN(cell, name=name)(inputs) for name in ("one", "other")],
    )


def model_of(layer):
    return keras.Sequential([keras.Input((TIME, FEATURES)), layer])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: keras_slim.slim(Subclassed()), "functional or Sequential"),
        (lambda: keras_slim.to_keras(Subclassed()), "functional or Sequential"),
        (
            lambda: keras_slim.slim(keras.Sequential([layers.LSTM(2)])),
            "model that is built",
        ),
        (lambda: keras_slim.slim("model"), "Expected a Keras model"),
        (lambda: keras_slim.slim(layers.LSTM(2)), "Expected a Keras model"),
        (
            lambda: keras_slim.slim(
                model_of(layers.LSTM(2, dropout=1.0, name="a"))
            ),
            "'a' cannot be converted: .*`dropout`",
        ),
        (
            lambda: keras_slim.slim(model_of(layers.Dense(2))),
            "no recurrent layer",
        ),
        (
            lambda: keras_slim.slim(model_of(layers.GRU(2, name="g"))),
            "'g' .of the family GRU.* variant='gru3'",
        ),
        (
            lambda: keras_slim.slim(model_of(layers.LSTM(2)), unroll="yes"),
            "True, False or None. Received: unroll='yes'",
        ),
        (
            lambda: keras_slim.slim(
                model_of(layers.LSTM(2)), unroll=np.array([True, False])
            ),
            "True, False or None. Received: unroll=array",
        ),
        (
            lambda: keras_slim.slim(model_of(layers.LSTM(2)), "lstm99"),
            "argument `variant`",
        ),
        (
            lambda: keras_slim.slim(
                model_of(layers.LSTM(2, name="a")), layers="a"
            ),
            "list of names",
        ),
        *(
            (
                lambda names=names: keras_slim.slim(
                    model_of(layers.LSTM(2)), layers=names
                ),
                "list of names",
            )
            for names in ([], 5, iter(["a"]))
        ),
        (
            lambda: keras_slim.slim(model_of(Block(name="block"))),
            "where the class creates them. Received: 'block' with 'lstm",
        ),
        (
            lambda: keras_slim.slim(stack_of(2, 3)),
            "name of its own.* Received: 'stack' with 'cell'",
        ),
        (
            lambda: keras_slim.slim(shared_cell()),
            r"shared cell: 'one' \(LSTMCell\), 'other' \(LSTMCell\)",
        ),
        (
            lambda: keras_slim.slim(shared_cell(), layers=["one"]),
            "shared cell: 'one'",
        ),
        (
            lambda: keras_slim.size_table("a", model_of(layers.LSTM(2))),
            "Keras model that is built. Received: model='a'",
        ),
        (
            lambda: keras_slim.size_table(
                model_of(layers.LSTM(2)), keras.Sequential([layers.LSTM(2)])
            ),
            "Keras model that is built. Received: slimmed=",
        ),
        (
            lambda: keras_slim.slim(
                model_of(layers.LSTM(2, name="a")), layers=["b"]
            ),
            r"names from \['a'\]. Received: 'b'",
        ),
        (
            lambda: keras_slim.to_keras(model_of(layers.LSTM(2, name="a"))),
            r"layer of keras_slim. Received: .* with 'a' \(LSTM\)",
        ),
        (
            lambda: keras_slim.to_keras(
                model_of(
                    keras_slim.SlimRNN(
                        2,
                        variant="lstm6",
                        recurrent_activation="softmax",
                        name="a",
                    )
                )
            ),
            "'a' with a gate .* softmax does not have",
        ),
        (
            lambda: keras_slim.to_keras(
                model_of(keras_slim.MGU(2, recurrent_activation="relu"))
            ),
            "recurrent_activation relu",
        ),
        (
            lambda: keras_slim.to_keras(
                model_of(
                    keras_slim.LSTM3(
                        2,
                        cell_state_regularizer=(
                            keras_slim.memory.CellStateDifference(1.0)
                        ),
                    )
                )
            ),
            "cell_state_regularizer",
        ),
    ],
)
def test_bad_input_is_refused_by_name(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_cudnn_is_refused():
    layer = layers.LSTM(2, name="a")
    model = model_of(layer)
    layer.use_cudnn = True
    with pytest.raises(ValueError, match="'a' with use_cudnn=True"):
        keras_slim.slim(model)


def test_the_weights_of_an_activation_go_along():
    layer = layers.LSTM(UNITS, activation=layers.PReLU(), unroll=True)
    model = model_of(layer)
    outputs_of(model)  # builds the activation
    randomise(model)
    slimmed = keras_slim.slim(model, "lstm")
    assert_same_outputs(slimmed, model)
    assert_same_outputs(keras_slim.to_keras(slimmed), model)
