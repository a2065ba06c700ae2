"""Masks and initial states of any kind: Keras's answer, or a clear error."""

import functools

import keras
import numpy as np
import pytest
from drawn import random_array, randomise
from frameworks import to_numpy

import keras_slim

BATCH, TIME, FEATURES, UNITS = 3, 5, 4, 2
LOOPS = ("fast", "plain")
MASK = np.array([[1, 1, 0, 1, 0], [0, 0, 1, 1, 1], [0, 0, 0, 0, 0]], bool)
H, C = random_array(BATCH, UNITS), random_array(BATCH, UNITS, seed=1)
X = random_array(BATCH, TIME, FEATURES)


PAIRS = (
    (keras.layers.LSTM, keras_slim.LSTM, [H, C]),
    (
        functools.partial(keras.layers.GRU, reset_after=False),
        keras_slim.GRU,
        [H],
    ),
)


def built(layer_class=keras_slim.LSTM, **options):
    layer = layer_class(
        UNITS, return_sequences=True, return_state=True, **options
    )
    layer.build((BATCH, TIME, FEATURES))
    randomise(layer)
    return layer


def assert_same(found, wanted):
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(to_numpy(a), to_numpy(b), atol=1e-6)


def refusal(recurrence, **arguments):
    """The message of the error that a call raises, on one line."""
    layer = built(recurrence=recurrence)
    with pytest.raises(ValueError) as error:
        layer(X, **arguments)
    return " ".join(str(error.value).split())


@pytest.mark.parametrize("recurrence", LOOPS)
@pytest.mark.parametrize(("theirs", "ours", "states"), PAIRS)
def test_masks_that_keras_takes(theirs, ours, states, recurrence):
    theirs, ours = built(theirs), built(ours, recurrence=recurrence)
    for mask in (
        MASK,
        MASK.astype("int32"),
        MASK * np.float32(0.7),
        MASK[..., None],
        MASK[:1],
        [MASK, *(None for _ in states)],
    ):
        assert_same(ours(X, mask=mask), theirs(X, mask=mask))


@pytest.mark.parametrize("recurrence", LOOPS)
@pytest.mark.parametrize(
    ("mask", "shape"),
    [
        (MASK[:, :4], (3, 4)),
        (MASK[:, :1], (3, 1)),
        (np.ones((BATCH, TIME + 1), bool), (3, 6)),
        (MASK[:2], (2, 5)),
        (MASK.T, (5, 3)),
        (MASK[0], (5,)),
        (MASK.tolist(), (5,)),
        (np.repeat(MASK[..., None], UNITS, -1), (3, 5, 2)),
        (MASK[..., None, None], (3, 5, 1, 1)),
    ],
    ids=str,
)
def test_masks_of_another_shape_are_refused(recurrence, mask, shape):
    message = refusal(recurrence, mask=mask)
    assert "`mask`. Expected a tensor with shape (batch, timesteps)" in message
    assert f"= {(BATCH, TIME)}" in message
    assert f"Received: a mask with shape {shape}" in message


@pytest.mark.parametrize("recurrence", LOOPS)
def test_initial_states(recurrence):
    theirs, ours = built(keras.layers.LSTM), built(recurrence=recurrence)
    wanted = theirs(X, initial_state=[H, C])
    for states in (
        (H, C),
        [H.astype("float64"), C.astype("float64")],
        [H.tolist(), C.tolist()],
    ):
        assert_same(ours(X, initial_state=states), wanted)
    # Keras takes a state for all samples on PyTorch only.
    wanted = theirs(X, initial_state=[H[[0, 0, 0]], C])
    assert_same(ours(X, initial_state=[H[:1], C]), wanted)


@pytest.mark.parametrize("recurrence", LOOPS)
def test_a_single_initial_state(recurrence):
    theirs, ours = built(PAIRS[1][0]), built(PAIRS[1][1], recurrence=recurrence)
    wanted = theirs(X, initial_state=H)
    for states in (H, [H], (H.astype("float64"),), [H.tolist()]):
        assert_same(ours(X, initial_state=states), wanted)
    for states in ([H, C], H[0], H[:2], {"h": H}, []):
        with pytest.raises(ValueError, match=r"`initial_state`.*\[h\]"):
            ours(X, initial_state=states)


@pytest.mark.parametrize("recurrence", LOOPS)
@pytest.mark.parametrize(
    ("states", "received"),
    [
        ([H], "list of tensors with shapes [(3, 2)]"),
        ([H, C, C], "[(3, 2), (3, 2), (3, 2)]"),
        ([], "list of tensors with shapes []"),
        ([H[:2], C[:2]], "[(2, 2), (2, 2)]"),
        ([H[:, :1], C], "[(3, 1), (3, 2)]"),
        ([H, np.ones((BATCH, UNITS + 1))], "[(3, 2), (3, 3)]"),
        ([H[0], C[0]], "[(2,), (2,)]"),
        ([H[:, None], C[:, None]], "[(3, 1, 2), (3, 1, 2)]"),
        ([H, None], "[(3, 2), ()]"),
        ({"h": H, "c": C}, "dict"),
        (H, ""),
    ],
    ids=str,
)
def test_other_initial_states_are_refused(recurrence, states, received):
    message = refusal(recurrence, initial_state=states)
    assert "`initial_state`. Expected a list of tensors [h, c]" in message
    assert f"= {(BATCH, UNITS)}. Received: " in message
    assert received in message


@pytest.mark.parametrize("states", [H, [H], [H, C, C]])
def test_other_states_of_a_cell_are_refused(states):
    cell = keras_slim.LSTM3Cell(UNITS)
    with pytest.raises(ValueError, match="`states`.*h and c.*tensors"):
        cell(X[:, 0], states)


def test_refused_when_a_model_is_made():
    """And not when it is first called; sizes may be unknown."""
    layer = built()
    x = keras.Input((None, FEATURES))
    layer(x, mask=keras.Input((None,), dtype="bool"))
    layer(x, initial_state=[keras.Input((UNITS,))] * 2)
    x = keras.Input((TIME, FEATURES))
    with pytest.raises(ValueError, match="`mask`.*None, 6"):
        layer(x, mask=keras.Input((TIME + 1,), dtype="bool"))
    with pytest.raises(ValueError, match="`initial_state`.*None, 3"):
        layer(x, initial_state=[keras.Input((UNITS + 1,))] * 2)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="the others know all sizes when they run",
)
@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("recurrence", LOOPS)
def test_sizes_that_a_graph_does_not_know(recurrence, jit_compile):
    import tensorflow as tf

    layer = built(recurrence=recurrence)

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None, FEATURES)),
            tf.TensorSpec((None, None), tf.bool),
            tf.TensorSpec((None, UNITS)),
        ],
        jit_compile=jit_compile,
        autograph=False,
    )
    def run(x, mask, h):
        return layer(x, mask=mask, initial_state=[h, h])

    wanted = layer(X, mask=MASK, initial_state=[H, H])
    assert_same(run(X, MASK, H), wanted)
    same = np.repeat(MASK[:1], BATCH, 0), np.repeat(H[:1], BATCH, 0)
    assert_same(run(X, MASK[:1], H[:1]), run(X, *same))
    for mask, h in (
        (MASK[:, :4], H),
        (MASK[:, :1], H),
        (np.ones((BATCH, TIME + 1), bool), H),
        (MASK[:2], H),
        (MASK, H[:2]),
    ):
        with pytest.raises((tf.errors.InvalidArgumentError, ValueError)):
            run(X, mask, h)
