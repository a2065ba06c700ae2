"""What a Keras user expects of a recurrent layer, for every row."""

import inspect

import keras
import numpy as np
import pytest
from conftest import OWN_ROWS
from frameworks import to_numpy
from keras.src import testing

import keras_slim

BATCH, TIME, FEATURES, UNITS = 2, 5, 4, 3
NAMED = [
    layer
    for layer in vars(keras_slim).values()
    if isinstance(layer, type) and getattr(layer, "named_variant", None)
]
NAMED_LAYERS = [cls for cls in NAMED if issubclass(cls, keras_slim.SlimRNN)]
NAMED_CELLS = [cls for cls in NAMED if issubclass(cls, keras_slim.SlimRNNCell)]
OF_FAMILIES = [
    keras_slim.SlimLSTM,
    keras_slim.SlimLSTMCell,
    keras_slim.SlimGRU,
    keras_slim.SlimGRUCell,
    keras_slim.SlimMGU,
    keras_slim.SlimMGUCell,
]


@pytest.fixture
def x():
    random = np.random.default_rng(0)
    return random.normal(size=(BATCH, TIME, FEATURES)).astype("float32")


def twins(variant, *changes, **options):
    """Layers with the same weights, one for each dict of changed options."""
    layers = [
        keras_slim.SlimRNN(UNITS, variant=variant, **{**options, **change})
        for change in changes
    ]
    for layer in layers:
        layer.build((BATCH, TIME, FEATURES))
        layer.set_weights(layers[0].get_weights())
    return layers


def assert_same(a, b, atol=1e-6):
    np.testing.assert_allclose(to_numpy(a), to_numpy(b), atol=atol)


@pytest.mark.compiles
@pytest.mark.parametrize(
    "options",
    [
        {"dropout": 0.2, "recurrent_dropout": 0.3, "seed": 1},
        {
            "return_sequences": True,
            "kernel_regularizer": "l2",
            "recurrent_regularizer": "l1",
            "bias_regularizer": "l2",
            "activity_regularizer": "l2",
            "matched_initialization": True,
        },
    ],
    ids=["dropout", "regularizers"],
)
def test_run_layer_test(variant, options):
    shape = (BATCH, UNITS)
    if options.get("return_sequences"):
        shape = (BATCH, TIME, UNITS)
    testing.TestCase().run_layer_test(
        keras_slim.SlimRNN,
        init_kwargs={"units": UNITS, "variant": variant, **options},
        input_shape=(BATCH, TIME, FEATURES),
        expected_output_shape=shape,
        expected_num_non_trainable_weights=0,
        expected_num_seed_generators=1,
        supports_masking=keras.layers.LSTM(1).supports_masking,
    )


@pytest.mark.parametrize("layer_class", NAMED_LAYERS)
def test_run_layer_test_of_named_layers(layer_class):
    testing.TestCase().run_layer_test(
        layer_class,
        init_kwargs={"units": UNITS},
        input_shape=(BATCH, TIME, FEATURES),
        expected_output_shape=(BATCH, UNITS),
    )


def test_right_padding_under_a_mask_is_truncation(variant, x):
    (layer,) = twins(variant, {}, return_sequences=True, return_state=True)
    mask = np.arange(TIME) < np.array([[3], [3]])
    padded = [to_numpy(t) for t in layer(x, mask=mask)]
    cut = [to_numpy(t) for t in layer(x[:, :3])]
    assert_same(padded[0][:, :3], cut[0])
    for state, of_cut in zip(padded[1:], cut[1:], strict=True):
        assert_same(state, of_cut)


def test_go_backwards_is_the_flipped_input(variant, x):
    forwards, backwards = twins(
        variant, {}, {"go_backwards": True}, return_sequences=True
    )
    assert_same(backwards(x), forwards(x[:, ::-1]))
    mask = np.arange(TIME) < np.array([[3], [5]])
    assert_same(
        backwards(x, mask=mask), forwards(x[:, ::-1], mask=mask[:, ::-1])
    )


@pytest.mark.parametrize(
    ("masked", "activation"),
    # Softmax is not elementwise.
    [(False, "sigmoid"), (True, "sigmoid"), (False, "softmax")],
)
def test_unroll_is_the_loop(variant, x, masked, activation):
    loop, unrolled = twins(
        variant,
        {"recurrence": "plain"},
        {"unroll": True},
        return_sequences=True,
        recurrent_activation=activation,
    )
    mask = np.arange(TIME) < np.array([[3], [5]]) if masked else None
    assert_same(loop(x, mask=mask), unrolled(x, mask=mask))


def test_stateful_halves_are_the_whole(variant, x):
    stateful, plain = twins(
        variant, {"stateful": True}, {}, return_sequences=True
    )
    halves = [to_numpy(stateful(x[:, :2])), to_numpy(stateful(x[:, 2:]))]
    assert_same(np.concatenate(halves, axis=1), plain(x))
    stateful.reset_state()
    assert_same(stateful(x), plain(x))


def test_state_goes_on_as_initial_state(variant, x):
    (layer,) = twins(variant, {}, return_state=True)
    output, *states = layer(x)
    assert_same(output, states[0])
    _, *halfway = layer(x[:, :2])
    assert_same(layer(x[:, 2:], initial_state=halfway)[-1], states[-1])


def test_zero_output_for_mask(variant, x):
    (layer,) = twins(
        variant, {}, return_sequences=True, zero_output_for_mask=True
    )
    mask = np.arange(TIME) < np.array([[3], [5]])
    output = to_numpy(layer(x, mask=mask))
    assert not output[0, 3:].any()
    assert output[1].any(axis=-1).all()


@pytest.mark.compiles
def test_dynamic_time_and_batch(variant, x):
    inputs = keras.Input((None, FEATURES))
    layer = keras_slim.SlimRNN(
        UNITS, variant=variant, recurrent_dropout=0.2, return_sequences=True
    )
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, None, UNITS)
    whole = model.predict(x, verbose=0)
    assert_same(model.predict(x[:1, :2], verbose=0), whole[:1, :2])


def test_bidirectional(variant, x):
    wrapper = keras.layers.Bidirectional(
        keras_slim.SlimRNN(UNITS, variant=variant, return_sequences=True)
    )
    output = to_numpy(wrapper(x))
    assert output.shape == (BATCH, TIME, 2 * UNITS)
    forwards, backwards = twins(variant, {}, {}, return_sequences=True)
    forwards.set_weights(wrapper.forward_layer.get_weights())
    backwards.set_weights(wrapper.backward_layer.get_weights())
    assert_same(output[..., :UNITS], forwards(x))
    flipped = to_numpy(backwards(x[:, ::-1]))[:, ::-1]
    assert_same(output[..., UNITS:], flipped)
    assert (
        wrapper.backward_layer.get_config()["variant"]
        == (wrapper.forward_layer.get_config()["variant"])
    )


def test_stacked_cells_are_stacked_layers(variant, x, tmp_path):
    cells = [keras_slim.SlimRNNCell(UNITS, variant=variant) for _ in "ab"]
    stack = keras.layers.RNN(cells, return_sequences=True)
    model = keras.Sequential([keras.Input((TIME, FEATURES)), stack])
    output = model(x)
    model.save(tmp_path / "model.keras")
    assert_same(keras.saving.load_model(tmp_path / "model.keras")(x), output)
    first = keras_slim.SlimRNN(UNITS, variant=variant, return_sequences=True)
    second = keras_slim.SlimRNN(UNITS, variant=variant, return_sequences=True)
    first.build(x.shape)
    second.build((BATCH, TIME, UNITS))
    first.set_weights(cells[0].get_weights())
    second.set_weights(cells[1].get_weights())
    assert_same(output, second(first(x)))


def test_time_distributed(variant, x):
    (layer,) = twins(variant, {})
    wrapped = keras.layers.TimeDistributed(layer)
    several = np.stack([x, x[:, ::-1]], axis=1)
    output = to_numpy(wrapped(several))
    assert_same(output[:, 0], layer(x))
    assert_same(output[:, 1], layer(x[:, ::-1]))


def test_masking_layer_reaches_it(variant, x):
    x[0, 3:] = 0
    (layer,) = twins(variant, {})
    model = keras.Sequential([keras.layers.Masking(), layer])
    mask = np.arange(TIME) < np.array([[3], [5]])
    assert_same(model(x), layer(x, mask=mask))


def full_model(variant):
    recurrent = keras_slim.SlimRNN(
        UNITS,
        variant=variant,
        dropout=0.2,
        recurrent_dropout=0.3,
        recurrent_activation=keras_slim.activations.keras2_hard_sigmoid,
        kernel_initializer="he_normal",
        recurrent_constraint="max_norm",
        matched_initialization=True,
    )
    return keras.Sequential(
        [
            keras.Input((TIME, FEATURES)),
            keras.layers.Bidirectional(recurrent),
            keras.layers.Dense(2),
        ]
    )


@pytest.mark.compiles
def test_trains_saves_loads_and_predicts_the_same(variant, x, tmp_path):
    model = full_model(variant)
    model.compile("adam", "mse")
    y = np.ones((BATCH, 2), "float32")
    before = model.get_weights()
    model.fit(x, y, epochs=2, verbose=0)
    after = model.get_weights()
    assert all((a != b).any() for a, b in zip(before, after, strict=True))

    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.saving.load_model(path)
    assert loaded.to_json() == model.to_json()
    assert_same(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    pairs = (model.optimizer.variables, loaded.optimizer.variables)
    for ours, theirs in zip(*pairs, strict=True):
        assert_same(ours, theirs, atol=0)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="JAX always compiles; with PyTorch it takes minutes",
)
@pytest.mark.parametrize("variant", ["lstm1", OWN_ROWS["own gru"]], ids=str)
def test_trains_the_same_in_a_model_that_xla_compiles(variant, x):
    """What the layer compiles by itself is part of a larger program then."""
    trained = []
    for jit_compile in (False, True):
        keras.utils.set_random_seed(0)
        # Without dropout, which XLA draws in another way.
        layer = keras_slim.SlimRNN(UNITS, variant=variant)
        model = keras.Sequential([keras.layers.Bidirectional(layer)])
        model.compile("sgd", "mse", jit_compile=jit_compile)
        y = np.ones((BATCH, 2 * UNITS), "float32")
        model.fit(x, y, epochs=2, verbose=0)
        trained.append(model.get_weights())
    for one, other in zip(*trained, strict=True):
        assert_same(one, other, atol=1e-5)


@pytest.mark.parametrize("layer_class", NAMED_LAYERS + NAMED_CELLS)
def test_named_classes_are_their_rows(layer_class):
    name = layer_class.__name__.removesuffix("Cell").lower()
    layer = layer_class(UNITS, "relu")
    assert layer.variant == name
    assert layer.get_config()["activation"] == "relu"
    assert layer_class.from_config(layer.get_config()).variant == name
    row = keras_slim.variants.VARIANTS[name]
    for line in (*row.equations().values(), *row.family.equations):
        assert f"\n    {line}\n" in layer_class.__doc__
    assert f"Source: {row.source}." in layer_class.__doc__
    for heading in ("Args:", "Call arguments:", "Returns:", "Raises:"):
        assert f"\n{heading}\n" in layer_class.__doc__
    other = name[:-1] if name[-1].isdigit() else f"{name}1"
    with pytest.raises(ValueError, match=f"always '{name}'.*'{other}'"):
        layer_class(UNITS, variant=other)


@pytest.mark.parametrize("layer_class", OF_FAMILIES)
def test_classes_of_families(layer_class):
    family = layer_class.family
    full = layer_class(UNITS)
    assert full.variant == family.name
    for line in family.equations:
        assert f"\n    {line}\n" in layer_class.__doc__
    for name, row in keras_slim.variants.VARIANTS.items():
        if row.family is family:
            assert layer_class(UNITS, variant=name).variant == name
            continue
        with pytest.raises(ValueError, match=f"variant='{name}'") as error:
            layer_class(UNITS, variant=name)
        assert f"'{family.name}3'" in str(error.value)


@pytest.mark.parametrize(
    "layer_class", [keras_slim.SlimRNN, keras_slim.SlimRNNCell]
)
def test_a_layer_of_any_family_must_be_told_which(layer_class):
    with pytest.raises(ValueError, match="`variant`.*variant=None"):
        layer_class(UNITS)


@pytest.mark.parametrize(
    "policy",
    [
        "mixed_bfloat16",
        "mixed_float16",
        pytest.param(
            "float64",
            marks=pytest.mark.skipif(
                keras.backend.backend() == "jax",
                reason="JAX computes in float32 unless jax_enable_x64 is set",
            ),
        ),
    ],
)
def test_dtype_policies(variant, x, policy):
    layer, reference = twins(variant, {"dtype": policy}, {"dtype": "float32"})
    output = layer(x)
    compute = policy.removeprefix("mixed_")
    assert keras.backend.standardize_dtype(output.dtype) == compute
    assert layer.cell.compute_dtype == compute
    for weight in layer.weights:
        expected = "float64" if policy == "float64" else "float32"
        assert weight.dtype == expected
    assert_same(keras.ops.cast(output, "float32"), reference(x), atol=0.05)


@pytest.mark.parametrize("unroll", [False, True])
def test_the_cell_computes_in_its_own_dtype(variant, x, unroll):
    """As in Keras, where the policy of a layer may be set later."""
    layer, reference = twins(variant, {"unroll": unroll}, {})
    layer.dtype_policy = "mixed_bfloat16"
    output = keras.ops.cast(layer(x), "float32")
    assert_same(output, reference(x), atol=0.05)


def test_trainable_reaches_the_cell(x):
    layer = keras_slim.LSTM1(UNITS, trainable=False)
    layer(x)
    assert not layer.cell.trainable and len(layer.weights) == 3
    assert not layer.cell.trainable_weights


def test_each_weight_has_its_regularizer_and_constraint(variant):
    def slot(kind, number):
        if kind == "regularizer":
            return keras.regularizers.L2(number)
        return keras.constraints.MaxNorm(number)

    numbers = {"kernel": 1, "recurrent": 2, "bias": 3}
    options = {
        f"{name}_{kind}": slot(kind, number)
        for name, number in numbers.items()
        for kind in ("regularizer", "constraint")
    }
    (layer,) = twins(variant, {}, **options)
    for weight in layer.weights:
        name = weight.name.replace("pointwise", "recurrent")
        number = numbers[name.removesuffix("_kernel")]
        assert float(weight.regularizer.l2) == number
        assert weight.constraint.max_value == number
    assert len(layer.losses) == len(layer.weights)


def test_mixed_precision_without_biases(variant, x):
    (layer,) = twins(variant, {}, use_bias=False, dtype="mixed_bfloat16")
    assert keras.backend.standardize_dtype(layer(x).dtype) == "bfloat16"


def test_a_mask_for_each_of_inputs_and_states(variant, x):
    (layer,) = twins(variant, {})
    mask = np.arange(TIME) < np.array([[3], [5]])
    assert_same(layer(x, mask=[mask, None, None]), layer(x, mask=mask))


@pytest.mark.parametrize("cell_class", NAMED_CELLS)
def test_named_cells_are_found_again(cell_class, x, tmp_path):
    layer = keras.layers.RNN(cell_class(UNITS))
    model = keras.Sequential([keras.Input((TIME, FEATURES)), layer])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.layers[0].cell) is cell_class
    assert_same(loaded(x), model(x))


def test_clones_and_weight_files(variant, x, tmp_path):
    model = full_model(variant)
    clone = keras.models.clone_model(model)
    assert clone.to_json() == model.to_json()
    model.save_weights(tmp_path / "model.weights.h5")
    clone.load_weights(tmp_path / "model.weights.h5")
    assert_same(clone(x), model(x))


@keras.saving.register_keras_serializable("tests")
class OfAUser(keras_slim.SlimLSTM, variant=("hb", np.float32(1), "xhb", "b")):
    """A class of a user's own."""


@keras.saving.register_keras_serializable("tests")
class WithInit(keras_slim.LSTM3):
    def __init__(self, units, **options):
        super().__init__(units, dropout=0.1, **options)

    def get_config(self):
        config = super().get_config()
        del config["dropout"]
        return config


@pytest.mark.parametrize("layer_class", [OfAUser, WithInit])
def test_classes_of_users(layer_class, x):
    layer = keras.layers.Bidirectional(layer_class(UNITS))
    config = layer.get_config()
    revived = keras.layers.Bidirectional.from_config(config)
    assert type(revived.forward_layer) is layer_class
    assert revived.forward_layer.variant == layer.forward_layer.variant
    assert revived(x).shape == (BATCH, 2 * UNITS)


def test_a_class_of_an_unknown_row_is_refused_at_once():
    with pytest.raises(ValueError, match="'lstm99'"):

        class Wrong(keras_slim.SlimLSTM, variant="lstm99"):
            pass


ROW = keras_slim.variants.get("lstm1")


@pytest.mark.parametrize(
    "given", ["lstm1", "LSTM1", "Lstm1", ROW.terms, [*ROW.terms], ROW], ids=str
)
def test_spellings_of_one_row_are_one_variant(given):
    for layer in (
        keras_slim.SlimLSTM(UNITS, variant=given),
        keras_slim.LSTM1(UNITS, variant=given),
    ):
        assert layer.variant == "lstm1"
        assert layer.get_config()["variant"] == "lstm1"


OPTIONS = {
    "activation": "relu",
    "recurrent_activation": "hard_sigmoid",
    "use_bias": False,
    "kernel_initializer": "zeros",
    "recurrent_initializer": "ones",
    "bias_initializer": "ones",
    "unit_forget_bias": False,
    "kernel_regularizer": "l1",
    "recurrent_regularizer": "l2",
    "bias_regularizer": "l1",
    "activity_regularizer": "l2",
    "kernel_constraint": "non_neg",
    "recurrent_constraint": "unit_norm",
    "bias_constraint": "max_norm",
    "dropout": 0.1,
    "recurrent_dropout": 0.2,
    "seed": 3,
    "return_sequences": True,
    "return_state": True,
    "go_backwards": True,
    "stateful": True,
    "unroll": True,
    "use_cudnn": False,
    "variant": ["xb", "hb", "xhb", 1.0],
    "recurrence": "plain",
    "return_cell_states": True,
    "cell_state_regularizer": keras_slim.memory.CellStateDifference(1.0),
    "matched_initialization": True,
    "implementation": 1,
    "zero_output_for_mask": True,
    "dtype": "mixed_bfloat16",
    "trainable": False,
    "name": "mine",
}


def test_every_argument_survives_the_config():
    default = keras_slim.SlimLSTM(UNITS).get_config()
    config = keras_slim.SlimLSTM(UNITS, **OPTIONS).get_config()
    assert config.keys() == default.keys() == {"units", *OPTIONS}
    unchanged = {k for k in OPTIONS if config[k] == default[k]}
    assert not unchanged
    revived = keras_slim.SlimLSTM.from_config(config)
    assert revived.get_config() == config


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (keras.layers.LSTM, keras_slim.SlimLSTM),
        (keras.layers.LSTMCell, keras_slim.SlimLSTMCell),
        (keras.layers.GRU, keras_slim.SlimGRU),
        (keras.layers.GRUCell, keras_slim.SlimGRUCell),
    ],
)
def test_arguments_are_those_of_keras_in_their_order(theirs, ours):
    default, config = theirs(UNITS).get_config(), ours(UNITS).get_config()
    names = list(inspect.signature(theirs.__init__).parameters)
    names = names[1 : names.index("kwargs")]
    for name in default.keys() & set(names) - {"reset_after"}:
        assert config[name] == default[name], name
    # Keras has `reset_after` before `use_cudnn`, by name only here.
    names = [n for n in names if n not in ("reset_after", "use_cudnn")]
    values = [OPTIONS.get(name, UNITS) for name in names]
    by_name = ours(**dict(zip(names, values, strict=True)), name="mine")
    by_place = ours(*values, name="mine")
    assert by_place.get_config() == by_name.get_config()


@pytest.mark.parametrize("theirs", [keras.layers.LSTM, keras.layers.GRU])
def test_attributes_of_keras(theirs):
    ours = getattr(keras_slim, theirs.__name__)(UNITS, dropout=0.1)
    public = {
        name
        for name, value in vars(theirs).items()
        if isinstance(value, property)
    } - {"reset_after"}
    theirs = theirs(UNITS, dropout=0.1)
    for name in public:
        assert type(getattr(ours, name)) is type(getattr(theirs, name)), name


@pytest.mark.parametrize("name", ["SlimGRU", "SlimGRUCell"])
def test_reset_after(name):
    make = getattr(keras_slim, name)
    assert make(UNITS, reset_after=False).variant == "gru"
    with pytest.raises(ValueError, match="`reset_after`.*reset_after=True"):
        make(UNITS, reset_after=True)


def test_unit_forget_bias(variant):
    forget = twins(variant, {})[0].cell.gating.family.forget
    for start in (True, False):
        (layer,) = twins(variant, {}, unit_forget_bias=start)
        gates = layer.cell.gating.gates_with("b")
        if not gates:
            assert layer.cell.bias is None
            continue
        bias = to_numpy(layer.cell.bias).reshape(len(gates), UNITS)
        for gate, values in zip(gates, bias, strict=True):
            assert (values == bool(start and gate == forget)).all()


def test_matched_initialization_takes_columns_of_the_full_draw(variant):
    def built(variant):
        layer = keras_slim.SlimRNN(
            UNITS,
            variant=variant,
            kernel_initializer=keras.initializers.GlorotUniform(seed=1),
            recurrent_initializer=keras.initializers.Orthogonal(seed=2),
            matched_initialization=True,
        )
        layer.build((BATCH, TIME, FEATURES))
        return layer.cell

    slim = built(variant)
    family = slim.gating.family
    full = built(family.name)
    for name, term in (("kernel", "x"), ("recurrent_kernel", "h")):
        gates = slim.gating.gates_with(term)
        if not gates:
            assert getattr(slim, name) is None
            continue
        columns = [
            to_numpy(getattr(full, name))[:, k * UNITS : (k + 1) * UNITS]
            for k in map(family.gates.index, gates)
        ]
        assert_same(getattr(slim, name), np.concatenate(columns, axis=1), 0)
    gates = slim.gating.gates_with("u")
    if gates:
        shape = (UNITS, len(family.gates))
        drawn = to_numpy(keras.initializers.Orthogonal(seed=2)(shape))
        columns = drawn[:, list(map(family.gates.index, gates))]
        assert_same(slim.pointwise_kernel, columns, 0)


def test_weights_are_drawn_on_their_own_shape_by_default(variant):
    layer = keras_slim.SlimRNN(
        UNITS,
        variant=variant,
        kernel_initializer=keras.initializers.GlorotUniform(seed=1),
    )
    layer.build((BATCH, TIME, FEATURES))
    kernel = layer.cell.kernel
    drawn = keras.initializers.GlorotUniform(seed=1)(kernel.shape)
    assert_same(kernel, drawn, 0)


@pytest.mark.parametrize("name", ["SlimLSTM", "SlimLSTMCell"])
@pytest.mark.parametrize(
    ("argument", "value", "allowed"),
    [
        ("units", 0, "a positive integer"),
        ("units", -3, "a positive integer"),
        ("units", 2.5, "a positive integer"),
        ("units", "8", "a positive integer"),
        ("units", True, "a positive integer"),
        ("dropout", -0.1, "0 <= dropout < 1"),
        ("dropout", 1.0, "0 <= dropout < 1"),
        ("dropout", "much", "0 <= dropout < 1"),
        ("dropout", float("nan"), "0 <= dropout < 1"),
        ("recurrent_dropout", 1.5, "0 <= recurrent_dropout < 1"),
        ("recurrent_dropout", None, "0 <= recurrent_dropout < 1"),
        ("implementation", 3, "1 or 2"),
        ("variant", "lstm99", "lstm3"),
        ("variant", ("b", "b", "xhb"), "(i, f, c, o) of LSTM"),
    ],
)
def test_bad_arguments_say_what_is_allowed(name, argument, value, allowed):
    with pytest.raises(ValueError) as error:
        getattr(keras_slim, name)(**{"units": 4, argument: value})
    message = " ".join(str(error.value).split())
    assert f"`{argument}`" in message
    assert f"{argument}={value!r}" in message
    assert allowed in message


@pytest.mark.parametrize("value", [True, "always", None])
def test_use_cudnn_is_refused(value):
    with pytest.raises(ValueError, match=f"'auto'.*use_cudnn={value!r}"):
        keras_slim.LSTM1(4, use_cudnn=value)


@pytest.mark.skipif(
    "use_cudnn" not in inspect.getsource(keras.layers.Bidirectional),
    reason="older Keras fails by itself, at the first call",
)
@pytest.mark.parametrize("return_state", [False, True])
def test_bidirectional_refuses_a_layer_that_returns_cell_states(return_state):
    layer = keras_slim.LSTM3(
        UNITS, return_cell_states=True, return_state=return_state
    )
    with pytest.raises(ValueError, match="`return_cell_states`.*Bidirectional"):
        keras.layers.Bidirectional(layer)


def test_input_must_have_three_dimensions():
    with pytest.raises(ValueError, match="ndim=3"):
        keras_slim.LSTM3(4)(np.zeros((2, 3), "float32"))
