import functools

import optree
import torch
from torch.autograd import forward_ad

from keras_slim.recurrence import fused, torch_lstm, torch_one_state
from keras_slim.recurrence.torch_buffers import vjp

# Whether the outputs before the first unmasked step are zeros; otherwise they
# are the initial state.
ZEROS_BEFORE_FIRST_STEP = True

# Faster loops than the one for all families, by the name of a family: functions
# with the arguments and results of `fused.forward` and `fused.backward`, except
# for `scan` and `vjp`.
LOOPS = {
    "lstm": (torch_lstm.forward, torch_lstm.backward),
    "gru": (torch_one_state.forward, torch_one_state.backward),
    "mgu": (torch_one_state.forward, torch_one_state.backward),
}


# Not `keras.tree`, which is slow enough to matter in short loops.
_flatten = functools.partial(optree.tree_flatten, none_is_leaf=True)


def run(cell, function, *tensors, training):
    """Returns `function(loop, *tensors)` with the loop of this backend."""
    return function(_loop, *tensors)


def _loop(equations, tensors, mask, training):
    if (
        torch.compiler.is_exporting()
        or torch.jit.is_tracing()  # by the ONNX exporters, too
        or _in_torch_func()
    ):
        return fused.unrolled(equations, tensors, mask, training)
    return _eager(equations, tensors, mask)


# `torch.compile` unrolls a loop, and takes minutes for some tens of steps.
@torch.compiler.disable(
    reason="the fast time loop of keras_slim runs outside of the graph; "
    "compile without `fullgraph=True`"
)
def _eager(equations, tensors, mask):
    flat, structure = _flatten(tensors)
    # Automatic differentiation in forward mode.
    if any(forward_ad.unpack_dual(t).tangent is not None for t in flat):
        return fused.unrolled(equations, tensors, mask)
    save = torch.is_grad_enabled() and any(t.requires_grad for t in flat)
    return _Differentiable.apply(equations, structure, mask, save, *flat)


# PyTorch has no public functions for these two checks.


def _in_torch_func():
    return torch._C._are_functorch_transforms_active()


def _is_vectorized(gradients):
    """Whether they are batches of gradients, as by `is_grads_batched=True`."""
    return _in_torch_func() or any(
        torch._C._functorch.is_legacy_batchedtensor(g) for g in gradients
    )


def _forward(equations, *arguments):
    return fused.forward(equations, fused.unrolled_scan, *arguments)


def _backward(equations, *arguments):
    return fused.backward(equations, fused.unrolled_scan, vjp, *arguments)


def _loops_of(equations):
    return LOOPS.get(equations.family.name, (_forward, _backward))


class _Differentiable(torch.autograd.Function):
    @staticmethod
    def forward(ctx, equations, structure, mask, save, *flat):
        forward, _ = _loops_of(equations)
        results, saved = forward(
            equations, structure.unflatten(flat), mask, save
        )
        if save:
            saved, structure_of_saved = _flatten(saved)
            ctx.static = equations, structure, mask
            ctx.structure_of_saved = structure_of_saved
            # The arguments are saved for derivatives of the gradient, too.
            ctx.save_for_backward(*flat, *saved)
        # Views that are created here could not be changed in place.
        return tuple(r.clone() if r._is_view() else r for r in results)

    @staticmethod
    def backward(ctx, *upstream):
        equations, structure, mask = ctx.static
        arguments = structure.num_leaves
        # Read once, as `torch.utils.checkpoint` demands.
        found = ctx.saved_tensors
        flat, saved = found[:arguments], found[arguments:]
        if torch.is_grad_enabled() or _is_vectorized(upstream):
            wanted = ctx.needs_input_grad[-arguments:]
            gradients = _differentiable_gradients(
                ctx.static, flat, wanted, upstream
            )
        else:
            saved = ctx.structure_of_saved.unflatten(saved)
            tensors = structure.unflatten(flat)
            _, backward = _loops_of(equations)
            found = backward(equations, tensors, mask, saved, upstream)
            if "dropout_masks" in tensors:
                found["dropout_masks"] = dict.fromkeys(tensors["dropout_masks"])
            gradients, _ = _flatten(found)
        return (None, None, None, None, *gradients)


def _differentiable_gradients(static, flat, wanted, upstream):
    """Gradients with respect to the wanted tensors, from torch alone."""
    equations, structure, mask = static
    with torch.enable_grad():
        # Views, so that no gradient passes from one argument to another.
        flat = [tensor.view_as(tensor) for tensor in flat]
        results = fused.unrolled(equations, structure.unflatten(flat), mask)
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
