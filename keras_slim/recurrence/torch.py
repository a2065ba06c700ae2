import torch
from keras import tree
from torch.autograd import forward_ad

from keras_slim.recurrence import fused, torch_lstm, torch_one_state
from keras_slim.recurrence.torch_buffers import vjp

# Of the outputs, under a mask; otherwise they are the initial state.
ZEROS_BEFORE_FIRST_STEP = True

# Faster loops than the one of all families, by the name of a family: functions
# with the arguments and results of `fused.forward` and `fused.backward`, but
# for `scan` and `vjp`.
LOOPS = {
    "lstm": (torch_lstm.forward, torch_lstm.backward),
    "gru": (torch_one_state.forward, torch_one_state.backward),
    "mgu": (torch_one_state.forward, torch_one_state.backward),
}


def run(function, *tensors, training):
    """`function(loop, *tensors)`, with the time loop of this backend."""
    return function(_loop, *tensors)


def _loop(equations, tensors, mask, training):
    # Saved for the gradient, but a stateful layer overwrites its states.
    states = tuple(state.clone() for state in tensors["states"])
    tensors = {**tensors, "states": states}
    if _is_transformed(tree.flatten(tensors)):
        return _traceable(equations, tensors, mask)
    return _eager(equations, tensors, mask)


# Unrolled by `torch.compile`, a loop of some tens of steps takes minutes.
@torch.compiler.disable(
    reason="the fast time loop of keras_slim runs outside of the graph; "
    "compile without `fullgraph=True`"
)
def _eager(equations, tensors, mask):
    flat = tree.flatten(tensors)
    save = torch.is_grad_enabled() and any(t.requires_grad for t in flat)
    return _Differentiable.apply(
        equations, mask, save, _structure(tensors), *flat
    )


def _is_transformed(tensors):
    """Whether the operations are traced or transformed.

    That is by `torch.export`, `torch.jit.trace` and the ONNX exporters, by
    `torch.func`, or by automatic differentiation in forward mode.
    """
    return (
        torch.compiler.is_exporting()
        or torch.jit.is_tracing()
        or _in_torch_func()
        or any(forward_ad.unpack_dual(t).tangent is not None for t in tensors)
    )


# PyTorch has no public names for these two questions.


def _in_torch_func():
    return torch._C._are_functorch_transforms_active()


def _is_vectorized(gradients):
    """Whether they are batches of gradients, as of `is_grads_batched=True`."""
    return _in_torch_func() or any(
        torch._C._functorch.is_legacy_batchedtensor(g) for g in gradients
    )


def _traceable(equations, tensors, mask):
    """The same in operations that PyTorch can trace and differentiate."""
    return fused.forward(equations, _scan, tensors, mask, save=False)[0]


def _scan(step, carry, xs, reverse=False):
    """`jax.lax.scan`, unrolled."""
    order = reversed if reverse else iter
    steps = list(zip(*(x.unbind() for x in tree.flatten(xs)), strict=True))
    emitted = []
    for leaves in order(steps):
        carry, ys = step(carry, tree.pack_sequence_as(xs, leaves))
        emitted.append(ys)
    emitted = list(order(emitted))
    return carry, tree.map_structure(lambda *y: torch.stack(y), *emitted)


def _forward(equations, *arguments):
    return fused.forward(equations, _scan, *arguments)


def _backward(equations, *arguments):
    return fused.backward(equations, _scan, vjp, *arguments)


def _loops_of(equations):
    return LOOPS.get(equations.family.name, (_forward, _backward))


def _structure(tensors):
    """What `tree.pack_sequence_as` wants, without keeping the tensors."""
    return tree.map_structure(lambda tensor: 0, tensors)


class _Differentiable(torch.autograd.Function):
    @staticmethod
    def forward(ctx, equations, mask, save, structure, *flat):
        tensors = tree.pack_sequence_as(structure, flat)
        forward, _ = _loops_of(equations)
        results, saved = forward(equations, tensors, mask, save)
        if save:
            ctx.static = equations, mask
            ctx.structures = structure, _structure(saved)
            # The arguments are saved for derivatives of the gradient, too.
            ctx.save_for_backward(*flat, results[0], *tree.flatten(saved))
            ctx.arguments = len(flat)
        return results

    @staticmethod
    def backward(ctx, *upstream):
        equations, mask = ctx.static
        flat = ctx.saved_tensors[: ctx.arguments]
        h, *saved = ctx.saved_tensors[ctx.arguments :]
        tensors, saved = map(
            tree.pack_sequence_as, ctx.structures, (flat, saved)
        )
        if torch.is_grad_enabled() or _is_vectorized(upstream):
            gradients = _differentiable_gradients(
                equations,
                tensors,
                mask,
                ctx.needs_input_grad[-ctx.arguments :],
                upstream,
            )
        else:
            _, backward = _loops_of(equations)
            found = backward(equations, tensors, mask, h, saved, upstream)
            if "dropout_masks" in tensors:
                found["dropout_masks"] = dict.fromkeys(tensors["dropout_masks"])
            gradients = tree.flatten(found)
        return (None, None, None, None, *gradients)


def _differentiable_gradients(equations, tensors, mask, wanted, upstream):
    """Gradients in the tensors that are wanted, computed by torch alone."""
    with torch.enable_grad():
        # Views, lest the gradient in one argument goes on through another.
        tensors = tree.map_structure(lambda t: t.view_as(t), tensors)
        results = _traceable(equations, tensors, mask)
    flat = tree.flatten(tensors)
    pairs = [
        (result, gradient)
        for result, gradient in zip(results, upstream, strict=True)
        if result.requires_grad
    ]
    found = iter(
        torch.autograd.grad(
            [result for result, _ in pairs],
            [t for t, want in zip(flat, wanted, strict=True) if want],
            [gradient for _, gradient in pairs],
            create_graph=torch.is_grad_enabled(),
            allow_unused=True,
        )
    )
    return [next(found) if want else None for want in wanted]
