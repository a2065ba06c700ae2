"""Derivatives of higher order, transforms and exports of PyTorch."""

import keras
import numpy as np
import pytest
from drawn import initial_states, random_array, randomise

import keras_slim

if keras.backend.backend() != "torch":
    pytest.skip("features of PyTorch", allow_module_level=True)

import torch
import torch.utils.checkpoint

from keras_slim.recurrence import torch as fused_loops

# PyTorch itself still calls what it deprecates; from 2.14 by the second class.
pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning"),
]

BATCH, TIME, FEATURES, UNITS = 2, 3, 2, 2
MASK = torch.tensor([[True, False, True], [False, True, True]])


def built(variant, recurrence="auto"):
    layer = keras_slim.SlimRNN(
        UNITS,
        variant=variant,
        recurrence=recurrence,
        return_sequences=True,
    )
    layer.build((BATCH, TIME, FEATURES))
    randomise(layer)
    return layer


def arguments(layer):
    """Inputs and the initial states of a layer."""
    x = random_array(BATCH, TIME, FEATURES)
    arrays = (x, *initial_states(layer, BATCH))
    return tuple(torch.tensor(a, dtype=torch.float32) for a in arrays)


def loss_of(layer, mask=None):
    def loss(x, *states):
        return (layer(x, initial_state=states, mask=mask) ** 3).sum()

    return loss


def assert_same(found, wanted):
    for a, b in zip(
        keras.tree.flatten(found), keras.tree.flatten(wanted), strict=True
    ):
        assert b.abs().sum() > 0  # not vacuous
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mask", [None, MASK], ids=["unmasked", "masked"])
def test_gradient_penalty(variant, mask):
    """Second derivatives in the inputs, the initial states and the weights."""
    found = []
    for loop in ("fast", "plain"):
        layer = built(variant, loop)
        inputs = [t.requires_grad_() for t in arguments(layer)]
        loss = loss_of(layer, mask)(*inputs)
        gradients = torch.autograd.grad(loss, inputs, create_graph=True)
        sources = [*inputs, *(w.value for w in layer.trainable_weights)]
        penalty = sum((gradient**2).sum() for gradient in gradients)
        found.append(torch.autograd.grad(penalty, sources))
    assert_same(*found)


@pytest.mark.parametrize("mask", [None, MASK], ids=["unmasked", "masked"])
def test_families_without_a_faster_loop(variant, mask, monkeypatch):
    """They take the one of all families, as on the other backends."""
    found = []
    for loops in (fused_loops.LOOPS, {}):
        monkeypatch.setattr(fused_loops, "LOOPS", loops)
        layer = built(variant, "fast")
        inputs = [t.requires_grad_() for t in arguments(layer)]
        loss = loss_of(layer, mask)(*inputs)
        sources = [*inputs, *(w.value for w in layer.trainable_weights)]
        found.append([loss, *torch.autograd.grad(loss, sources)])
    assert_same(*found)


def every(arguments):
    return tuple(range(len(arguments)))


TRANSFORMS = {
    "hessian": lambda f, a: torch.autograd.functional.hessian(f, a),
    "vectorized hessian": lambda f, a: torch.autograd.functional.hessian(
        f, a, vectorize=True
    ),
    "hvp": lambda f, a: torch.autograd.functional.hvp(f, a, a)[1],
    "vectorized jacobian": lambda f, a: torch.autograd.functional.jacobian(
        f, a, vectorize=True
    ),
    "grad": lambda f, a: torch.func.grad(f, every(a))(*a),
    "jacrev": lambda f, a: torch.func.jacrev(f, every(a))(*a),
    "jvp": lambda f, a: torch.func.jvp(f, a, a)[1],
    "func.hessian": lambda f, a: torch.func.hessian(f, every(a))(*a),
}


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
@pytest.mark.parametrize("variant", ["lstm1", "gru1"])
def test_transforms_are_those_of_the_plain_loop(variant, transform):
    fast, plain = (built(variant, loop) for loop in ("fast", "plain"))
    found = transform(loss_of(fast, MASK), arguments(fast))
    assert_same(found, transform(loss_of(plain, MASK), arguments(plain)))


def test_vmap():
    layer = built("lstm")
    x, *_ = arguments(layer)
    found = torch.func.vmap(lambda sample: layer(sample[None])[0])(x)
    assert_same(found, layer(x))


def test_forward_mode():
    forward_ad = torch.autograd.forward_ad
    tangents = []
    for loop in ("fast", "plain"):
        layer = built("lstm3", loop)
        x, *_ = arguments(layer)
        with forward_ad.dual_level():
            outputs = layer(forward_ad.make_dual(x, torch.ones_like(x)))
            tangents.append(forward_ad.unpack_dual(outputs).tangent)
    assert_same(*tangents)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("way", ["jit", "export"])
def test_traced_and_exported(way):
    layer = built("lstm1")
    model = keras.Sequential(
        [
            keras.Input((TIME, FEATURES), batch_size=BATCH),
            keras.layers.Bidirectional(layer),
        ]
    )
    x = torch.tensor(random_array(BATCH, TIME, FEATURES), dtype=torch.float32)
    if way == "jit":
        program = torch.jit.trace(model, x)
    else:
        program = torch.export.export(model, (x,)).module()
    np.testing.assert_allclose(
        program(x).detach(), model(x).detach(), atol=1e-6
    )


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")  # PyTorch warns of itself.
@pytest.mark.parametrize("variant", ["lstm1", "gru3"])
def test_compiled(variant):
    """As Keras compiles a model that was saved with `jit_compile=True`."""
    layer = built(variant, "fast")
    found = []
    # Another backend would take its time, and find the same.
    for call in (layer, torch.compile(layer.__call__, backend="eager")):
        x, *_ = arguments(layer)
        x.requires_grad_()
        outputs = call(x)
        sources = [x, *(w.value for w in layer.trainable_weights)]
        gradients = torch.autograd.grad((outputs**2).sum(), sources)
        found.append([outputs, *gradients])
    assert_same(*found)


def test_stateful_layers_train():
    """Their states are overwritten before the gradient is computed."""
    losses = []
    for options in (
        {"recurrence": "fast"},
        {"unroll": True},
        {"recurrence": "plain"},
    ):
        keras.utils.set_random_seed(0)
        layer = keras_slim.LSTM(UNITS, stateful=True, **options)
        model = keras.Sequential(
            [keras.Input((TIME, FEATURES), batch_size=BATCH), layer]
        )
        model.compile("sgd", "mse")
        x, y = np.ones((BATCH, TIME, FEATURES)), np.ones((BATCH, UNITS))
        losses.append([model.train_on_batch(x, y) for _ in range(3)])
    for found in losses[1:]:
        np.testing.assert_allclose(found, losses[0], rtol=1e-5)


@pytest.mark.parametrize("return_sequences", [False, True])
def test_results_may_be_changed_in_place(variant, return_sequences):
    layer = keras_slim.SlimRNN(
        UNITS,
        variant=variant,
        return_sequences=return_sequences,
        return_state=True,
    )
    x = torch.as_tensor(random_array(BATCH, TIME, FEATURES))
    for k, wanted in enumerate(layer(x)):
        wanted = wanted.detach().clone()
        result = layer(x)[k]
        result += 1
        result.sum().backward()
        assert_same(result, wanted + 1)


@pytest.mark.parametrize("unroll", [False, True])
def test_arguments_may_be_overwritten_before_the_gradient(variant, unroll):
    layer = keras_slim.SlimRNN(UNITS, variant=variant, unroll=unroll)
    x = torch.as_tensor(random_array(BATCH, TIME, FEATURES))
    layer(x)
    gradients = []
    for value in (True, False):
        layer.zero_grad()
        mask = MASK.clone()
        states = [torch.as_tensor(s) for s in initial_states(layer, BATCH)]
        result = layer(x, mask=mask, initial_state=states)
        mask &= value
        for state in states:
            state *= value
        result.sum().backward()
        gradients += [[w.value.grad.clone() for w in layer.trainable_weights]]
    for found, wanted in zip(*gradients, strict=True):
        assert_same(found, wanted)


def test_checkpointed(variant):
    """PyTorch computes the forward pass again, to save memory."""
    layer = built(variant)
    gradients = []
    for call in (
        layer,
        lambda x: torch.utils.checkpoint.checkpoint(
            layer, x, use_reentrant=False
        ),
    ):
        x = torch.as_tensor(random_array(BATCH, TIME, FEATURES))
        x.requires_grad = True
        call(x).sum().backward()
        gradients.append(x.grad)
    assert_same(*gradients)


@pytest.mark.filterwarnings("ignore")  # Exporting warns of PyTorch and Keras.
def test_onnx(variant, tmp_path):
    """The exported file in its own runtime, at other batch sizes, too."""
    runtime = pytest.importorskip("onnxruntime")
    layer = keras_slim.SlimRNN(UNITS, variant=variant, return_sequences=True)
    model = keras.Sequential(
        [keras.Input((TIME, FEATURES)), keras.layers.Bidirectional(layer)]
    )
    randomise(model.layers[0])
    x = random_array(3, TIME, FEATURES)
    wanted = model.predict(x, verbose=0)
    path = str(tmp_path / "model.onnx")
    model.export(path, format="onnx", verbose=False)
    session = runtime.InferenceSession(path)
    (given,) = session.get_inputs()
    for batch in (1, 2, 3):
        (found,) = session.run(None, {given.name: x[:batch]})
        np.testing.assert_allclose(found, wanted[:batch], atol=1e-6)
