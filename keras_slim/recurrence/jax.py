import functools

import jax
from jax import lax

from keras_slim.recurrence import equations as eq


def _steps_per_iteration():
    # On an accelerator an iteration costs several kernel launches, and copies
    # of what it carries.
    return 1 if jax.default_backend() == "cpu" else 16


def _scan(step, init, xs, reverse=False):
    return lax.scan(
        step, init, xs, reverse=reverse, unroll=_steps_per_iteration()
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _through_time(equations, tensors, mask):
    return eq.forward(equations, _scan, tensors, mask, save=False)[0]


def _forward(equations, tensors, mask):
    results, saved = eq.forward(equations, _scan, tensors, mask, save=True)
    return results, (tensors, mask, results[0], saved)


def _backward(equations, residuals, upstream):
    gradients = eq.backward(equations, _scan, _pull, *residuals, upstream)
    if "dropout_masks" in residuals[0]:
        gradients["dropout_masks"] = None
    return gradients, None


def _pull(function, z, gradient):
    return jax.vjp(function, z)[1](gradient)[0]


_through_time.defvjp(_forward, _backward)


def through_time(equations, tensors, mask, training):
    """`h` of all steps and `c`; see `equations.forward`."""
    return _compiled(equations, tensors, mask)


# By itself, as a call outside of `jax.jit` would compile the loop anew each
# time.
_compiled = jax.jit(_through_time, static_argnums=0)
