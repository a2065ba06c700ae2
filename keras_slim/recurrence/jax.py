import functools

import jax
from jax import lax

from keras_slim.recurrence import fused

# Whether the outputs before the first unmasked step are zeros; otherwise they
# are the initial state.
ZEROS_BEFORE_FIRST_STEP = False


def run(cell, function, *tensors, training):
    """Returns `function(loop, *tensors)` with the loop of this backend."""
    return function(_loop, *tensors)


def _loop(equations, tensors, mask, training):
    return _compiled(equations, tensors, mask)


def _steps_per_iteration():
    # On an accelerator, an iteration costs several kernel launches, and copies
    # of the carried values.
    return 1 if jax.default_backend() == "cpu" else 16


def _scan(step, init, xs, reverse=False):
    return lax.scan(
        step, init, xs, reverse=reverse, unroll=_steps_per_iteration()
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _differentiable(equations, tensors, mask):
    return fused.forward(equations, _scan, tensors, mask, save=False)[0]


def _forward(equations, tensors, mask):
    results, saved = fused.forward(equations, _scan, tensors, mask, save=True)
    return results, (tensors, mask, saved)


def _backward(equations, residuals, upstream):
    gradients = fused.backward(equations, _scan, _vjp, *residuals, upstream)
    if "dropout_masks" in residuals[0]:
        gradients["dropout_masks"] = None
    return gradients, None


def _vjp(function, z, gradient):
    return jax.vjp(function, z)[1](gradient)[0]


_differentiable.defvjp(_forward, _backward)

# Compiled here, as each call outside of `jax.jit` would compile the loop again.
_compiled = jax.jit(_differentiable, static_argnums=0)
