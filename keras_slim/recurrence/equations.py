"""The loop over time and its gradient, derived by hand, for TensorFlow and JAX.

With `z` the sum of the terms of a gate, `δv` the gradient of the loss in `v`,
and `h`, `c` those of the previous step, a step back is

    δo = δh_t ⊙ g(c_t)
    δc_t = δc_t + δh_t ⊙ o ⊙ g'(c_t)
    δi = δc_t ⊙ c̃    δf = δc_t ⊙ c    δc̃ = δc_t ⊙ i
    δz_i = δi ⊙ σ'(z_i), likewise f and o    δz_c = δc̃ ⊙ g'(z_c)
    δh = Σ δz U' + δz ⊙ u    δc = δc_t ⊙ f

with a sum over the gates that read `h`. That is the chain rule on eq. 1-6 of
Kent & Salem, arXiv:1901.00525. Only this stays in the loop: `δU = Σ_t h' δz`
is one product after it, and what does not read `h` is left to the framework.
"""

from collections.abc import Callable
from dataclasses import dataclass

from keras import activations, backend, ops

from keras_slim.activations import keras2_hard_sigmoid
from keras_slim.variants import GATES, Variant

# Derivatives of activations as functions of the output. The framework takes
# care of all others, of softmax too, which is not elementwise.
DERIVATIVES = {
    activations.linear: lambda y: 1.0,
    activations.relu: ops.sign,
    activations.sigmoid: lambda y: y * (1 - y),
    activations.tanh: lambda y: 1 - y * y,
    activations.hard_sigmoid: lambda y: ops.sign(y * (1 - y)) / 6,
    keras2_hard_sigmoid: lambda y: ops.sign(y * (1 - y)) * 0.2,
}


@dataclass(frozen=True)
class Equations:
    """What the loop has to know of a cell beside its tensors."""

    row: Variant
    activation: Callable
    recurrent_activation: Callable
    return_cell_states: bool = False

    @property
    def looped(self):
        """The gates that read the previous output."""
        return self.row.gates_with("hu")

    @property
    def constants(self):
        """The gates that are numbers."""
        return {
            gate: value
            for gate, value in zip(GATES, self.row.row, strict=True)
            if not isinstance(value, str)
        }

    def activation_of(self, gate):
        return self.activation if gate == "c" else self.recurrent_activation


def forward(equations, scan, tensors, mask, save):
    """Steps through time.

    Args:
        equations: An `Equations`.
        scan: The `jax.lax.scan` of the backend.
        tensors: Dict of
            `outside`, by gate: what is added to the terms with `h`, or the
            value of a gate that has none. Shape `(timesteps, batch, units)`,
            or `(1, units)` where it is the same at all steps;
            `h` and `c`, the initial states, `(batch, units)`; and, where the
            cell has them, `recurrent_kernel` and `pointwise_kernel`, its
            weights, and `dropout_masks`, by gate, `(batch, units)`.
        mask: Boolean tensor, `(timesteps, batch, 1)`, or `None`.
        save: Boolean, whether to return what `backward` needs.

    Returns:
        `((h, c), saved)`, `h` of all steps and the last `c`; or `c` of all
        steps with `return_cell_states`.
    """
    steps, rows = _steps_and_rows(tensors["outside"])
    weights = _by_gate(equations, tensors)

    def step(states, xs):
        h, c = states
        gates = {**equations.constants, **rows, **xs["outside"]}
        sums = {}
        for gate in equations.looped:
            sums[gate] = _sum_of_terms(weights, gate, h, gates.get(gate))
            gates[gate] = equations.activation_of(gate)(sums[gate])
        new_c = gates["f"] * c + gates["i"] * gates["c"]
        squashed = equations.activation(new_c)
        new_h = gates["o"] * squashed
        saved = {}
        if save:
            saved = {
                "c": c,
                "squashed": squashed,
                "gates": {gate: gates[gate] for gate in sums},
                "sums": {
                    gate: z
                    for gate, z in sums.items()
                    if equations.activation_of(gate) not in DERIVATIVES
                },
            }
            if equations.activation not in DERIVATIVES:
                saved["new_c"] = new_c
        if mask is not None:
            new_h = ops.where(xs["mask"], new_h, h)
            new_c = ops.where(xs["mask"], new_c, c)
        emitted = {"h": new_h, "saved": saved}
        if equations.return_cell_states:
            emitted["c"] = new_c
        return (new_h, new_c), emitted

    xs = {"outside": steps}
    if mask is not None:
        xs["mask"] = mask
    (_, c), emitted = scan(step, (tensors["h"], tensors["c"]), xs)
    return (emitted["h"], emitted.get("c", c)), emitted["saved"]


def backward(equations, scan, pull, tensors, mask, h, saved, upstream):
    """Steps back through time.

    Args:
        equations, scan, tensors, mask: As for `forward`.
        pull: `pull(function, z, gradient)` of the backend: the gradient in
            `z`, given that in `function(z)`.
        h: The outputs of all steps.
        saved: What `forward` saved.
        upstream: The gradients in `h` and in `c`, as `forward` returns them.

    Returns:
        The gradients in `tensors`, as the same dict without `dropout_masks`.
    """
    steps, rows = _steps_and_rows(tensors["outside"])
    kernels, pointwise, masks = _by_gate(equations, tensors)
    transposed = {gate: ops.transpose(u) for gate, u in kernels.items()}
    h_before = ops.concatenate([tensors["h"][None], h[:-1]])
    # What goes on after the loop leaves it; other sums over time stay in it.
    emitted = {*steps, *kernels}
    dtype = tensors["h"].dtype
    # Long sums of half precision would stand still.
    sum_dtype = backend.result_type(dtype, "float32")

    def through(activation, z, y, gradient):
        if activation in DERIVATIVES:
            return gradient * DERIVATIVES[activation](y)
        return pull(activation, z, gradient)

    def step(carry, xs):
        dh, dc, sums = carry
        dh = dh + xs["upstream"]
        if equations.return_cell_states:
            dc = dc + xs["upstream_c"]
        if mask is not None:
            zero = ops.zeros_like(dh)
            passed = [ops.where(xs["mask"], zero, d) for d in (dh, dc)]
            dh, dc = (ops.where(xs["mask"], d, zero) for d in (dh, dc))
        saved = xs["saved"]
        gates = {
            **equations.constants,
            **rows,
            **xs["outside"],
            **saved["gates"],
        }
        dc = dc + through(
            equations.activation,
            saved.get("new_c"),
            saved["squashed"],
            dh * gates["o"],
        )
        d = {
            "i": dc * gates["c"],
            "f": dc * saved["c"],
            "c": dc * gates["i"],
            "o": dh * saved["squashed"],
        }
        for gate in equations.looped:
            d[gate] = through(
                equations.activation_of(gate),
                saved["sums"].get(gate),
                gates[gate],
                d[gate],
            )
        sums = {
            "rows": {
                gate: sums["rows"][gate] + ops.cast(d[gate], sum_dtype)
                for gate in rows
            },
            "pointwise": {
                gate: sums["pointwise"][gate]
                + ops.cast(
                    d[gate] * _dropped(masks, gate, xs["h_before"]),
                    sum_dtype,
                )
                for gate in pointwise
            },
        }
        before = [
            _dropped(
                masks,
                gate,
                (d[gate] @ transposed[gate] if gate in kernels else 0)
                + (d[gate] * pointwise[gate] if gate in pointwise else 0),
            )
            for gate in equations.looped
        ]
        dh = sum(before[1:], before[0]) if before else ops.zeros_like(dh)
        dc = dc * gates["f"]
        if mask is not None:
            dh, dc = dh + passed[0], dc + passed[1]
        return (dh, dc, sums), {
            gate: gradient for gate, gradient in d.items() if gate in emitted
        }

    # What was added to a sum is not needed again.
    values = {g: v for g, v in steps.items() if g not in equations.looped}
    upstream, dc = upstream
    xs = {"outside": values, "saved": saved, "upstream": upstream}
    if equations.return_cell_states:
        xs["upstream_c"], dc = dc, ops.zeros_like(tensors["c"])
    if mask is not None:
        xs["mask"] = mask
    if pointwise:
        xs["h_before"] = h_before
    zeros = ops.zeros_like(tensors["h"], dtype=sum_dtype)
    sums = {
        "rows": {gate: zeros for gate in rows},
        "pointwise": {gate: zeros for gate in pointwise},
    }
    init = (ops.zeros_like(tensors["h"]), dc, sums)
    (dh, dc, sums), d = scan(step, init, xs, reverse=True)
    gradients = {
        "outside": {
            **{gate: d[gate] for gate in steps},
            **{
                gate: ops.cast(
                    ops.sum(sums["rows"][gate], 0, keepdims=True), dtype
                )
                for gate in rows
            },
        },
        "h": dh,
        "c": dc,
    }
    if kernels:
        products = [
            _product_over_steps(_dropped(masks, gate, h_before), d[gate])
            for gate in kernels
        ]
        gradients["recurrent_kernel"] = ops.concatenate(products, axis=-1)
    if pointwise:
        # In the order of the columns: JAX sorts the keys of a dict.
        totals = [ops.sum(sums["pointwise"][gate], 0) for gate in pointwise]
        gradients["pointwise_kernel"] = ops.cast(
            ops.stack(totals, axis=-1), dtype
        )
    return gradients


def _steps_and_rows(outside):
    """What differs from step to step, and what does not."""
    steps = {gate: v for gate, v in outside.items() if len(v.shape) == 3}
    rows = {gate: v for gate, v in outside.items() if len(v.shape) == 2}
    return steps, rows


def _by_gate(equations, tensors):
    """Recurrent kernels, pointwise kernels and dropout masks, by gate."""
    weights = []
    for name, term in (("recurrent_kernel", "h"), ("pointwise_kernel", "u")):
        gates = equations.row.gates_with(term)
        columns = ops.split(tensors[name], len(gates), axis=-1) if gates else []
        weights.append(dict(zip(gates, columns, strict=True)))
    kernels, pointwise = weights
    pointwise = {gate: u[:, 0] for gate, u in pointwise.items()}
    return kernels, pointwise, tensors.get("dropout_masks")


def _dropped(masks, gate, h):
    return h if masks is None else h * masks[gate]


def _sum_of_terms(weights, gate, h, outside):
    kernels, pointwise, masks = weights
    h = _dropped(masks, gate, h)
    terms = [] if outside is None else [outside]
    if gate in kernels:
        terms.append(h @ kernels[gate])
    if gate in pointwise:
        terms.append(h * pointwise[gate])
    return sum(terms[1:], terms[0])


def _product_over_steps(a, b):
    """`Σ_t a_t' b_t`, as one product."""
    a = ops.reshape(a, (-1, a.shape[-1]))
    b = ops.reshape(b, (-1, b.shape[-1]))
    return ops.transpose(a) @ b
