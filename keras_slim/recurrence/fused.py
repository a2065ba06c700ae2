"""The fused time loop and its vector-Jacobian product, for all families.

With `z` the sum of the terms of a gate, `δv` the gradient of the loss with
respect to `v`, and `h` the previous output, a step of the backward pass is

    δ of the gates, δ of the previous states = update_vjp of the family
    δz = δgate ⊙ σ'(z), for the candidate δz = δgate ⊙ g'(z)
    δh = δh + Σ δz U' + δz ⊙ u

with a sum over the gates that read `h`. If the candidate reads `r ⊙ h`, its
part of that sum, `δ(r ⊙ h)`, becomes `δr = δr + δ(r ⊙ h) ⊙ h` and
`δh = δh + δ(r ⊙ h) ⊙ r`. Only this stays in the loop: `δU = Σ_t h' δz` is one
product after it, and what does not read `h` is left to the framework.
"""

from collections.abc import Callable
from dataclasses import dataclass

from keras import activations, backend, ops, tree

from keras_slim.activations import keras2_hard_sigmoid
from keras_slim.variants import Variant

# Derivatives of activations as functions of the output. The framework handles
# all others, including softmax, which is not elementwise.
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
    """What a time loop has to know about a cell, except for tensors."""

    variant: Variant
    activation: Callable
    recurrent_activation: Callable
    return_sequences: bool = True
    return_cell_states: bool = False

    @property
    def family(self):
        return self.variant.family

    @property
    def recurrent_gates(self):
        """The gates that read the previous output."""
        return self.variant.gates_with("hu")

    @property
    def groups(self):
        """The recurrent gates, those together whose sums may be joined."""
        found = {}
        for gate in self.recurrent_gates:
            terms = self.variant.gates[gate]
            alone = gate == self.family.candidate or "u" in terms
            found.setdefault((gate,) if alone else terms, []).append(gate)
        return [tuple(gates) for gates in found.values()]

    @property
    def emits_cell_states(self):
        """Whether a loop returns a cell state other than `h` at every step."""
        return self.return_cell_states and len(self.family.states) > 1

    @property
    def emits_h(self):
        """Whether a loop returns `h` at every step."""
        is_cell_state = len(self.family.states) == 1
        return self.return_sequences or (
            self.return_cell_states and is_cell_state
        )

    def activation_of(self, gate):
        if gate == self.family.candidate:
            return self.activation
        return self.recurrent_activation

    def reads_reset_h(self, gate):
        """Whether a gate reads `h` multiplied by the reset gate."""
        return self.family.reset is not None and gate == self.family.candidate


def forward(equations, scan, tensors, mask, save, joined=False):
    """Runs the time loop.

    Args:
        equations: An `Equations`.
        scan: The backend's equivalent of `jax.lax.scan`.
        tensors: Dict of
            `projections`, by gate: what is added to the terms with `h`, or the
            value of a gate that has none. Shape `(timesteps, batch, units)`,
            or `(1, units)` if it is the same at all time steps;
            `states`, a tuple of the initial states, `(batch, units)`; and,
            where the cell has them, `recurrent_kernel` and `pointwise_kernel`,
            its weights, and `dropout_masks`, by gate, `(batch, units)`.
        mask: Boolean tensor, `(timesteps, batch, 1)`, or `None`.
        save: Boolean, whether to return what `backward` needs.
        joined: Boolean, whether one product computes the sums of several
            gates: fewer operations, which is faster where each one is launched
            separately, and makes exported files smaller. Only with `save=False`
            and without dropout masks.

    Returns:
        `(results, saved)`. The results are a tuple of `h` of all time steps
        and `c` of all time steps, if the equations ask for them, followed by
        the states after the last step.
    """
    kernels, pointwise, masks = _by_gate(equations, tensors)
    groups = [(gate,) for gate in equations.recurrent_gates]
    projections = tensors["projections"]
    if joined:
        groups = equations.groups
        projections = _joined(projections, groups)
        kernels = _joined(kernels, groups)
    weights = kernels, pointwise, masks
    steps, rows = _steps_and_rows(projections)
    family = equations.family

    def step(states, xs):
        gates = {**equations.variant.constants, **rows, **xs["projections"]}
        sums = {}
        for group in groups:
            name, gate = "".join(group), group[0]
            h = _read_by(equations, gate, states[0], weights, gates)
            sums[name] = z = _sum_of_terms(weights, name, h, gates.get(name))
            activation = equations.activation_of(gate)
            if len(group) == 1:
                values = (activation(z),)
            elif activation in DERIVATIVES:  # elementwise
                values = ops.split(activation(z), len(group), axis=-1)
            else:
                values = map(activation, ops.split(z, len(group), axis=-1))
            gates.update(zip(group, values, strict=True))
        new, residuals = family.update(gates, states, equations.activation)
        saved = {}
        if save:
            saved = {
                "states": states[1:],
                "residuals": residuals,
                "gates": {gate: gates[gate] for gate in sums},
                "sums": {
                    gate: z
                    for gate, z in sums.items()
                    if equations.activation_of(gate) not in DERIVATIVES
                },
            }
        if mask is not None:
            new = tuple(
                ops.where(xs["mask"], state, before)
                for state, before in zip(new, states, strict=True)
            )
        emitted = {"saved": saved}
        if save or equations.emits_h:
            emitted["h"] = new[0]
        if equations.emits_cell_states:
            emitted["c"] = new[-1]
        return new, emitted

    xs = {"projections": steps}
    if mask is not None:
        xs["mask"] = mask
    states, emitted = scan(step, tuple(tensors["states"]), xs)
    saved = emitted["saved"]
    if save:
        saved["h"] = emitted["h"]
    every = []
    if equations.emits_h:
        every.append(emitted["h"])
    if equations.emits_cell_states:
        every.append(emitted["c"])
    return (*every, *states), saved


def unrolled(equations, tensors, mask, training=True):
    """The results of `forward`, unrolled, in operations of Keras.

    The framework can trace and differentiate them.
    """
    joined = not training
    return forward(
        equations, unrolled_scan, tensors, mask, save=False, joined=joined
    )[0]


def unrolled_scan(step, carry, xs, reverse=False):
    """`jax.lax.scan` over a static number of steps, without a loop."""
    order = reversed if reverse else iter
    steps = zip(*(ops.unstack(x) for x in tree.flatten(xs)), strict=True)
    emitted = []
    for leaves in order(list(steps)):
        carry, ys = step(carry, tree.pack_sequence_as(xs, leaves))
        emitted.append(tree.flatten(ys))
    columns = zip(*order(emitted), strict=True)
    return carry, tree.pack_sequence_as(ys, list(map(ops.stack, columns)))


def backward(equations, scan, vjp, tensors, mask, saved, upstream):
    """Runs the vector-Jacobian product of the time loop.

    Args:
        equations, scan, tensors, mask: As for `forward`.
        vjp: `vjp(function, z, gradient)` of the backend: the gradient with
            respect to `z`, given that with respect to `function(z)`.
        saved: What `forward` saved.
        upstream: The gradients with respect to the results of `forward`.

    Returns:
        The gradients with respect to `tensors`, as the same dict without
        `dropout_masks`.
    """
    steps, rows = _steps_and_rows(tensors["projections"])
    weights = _by_gate(equations, tensors)
    kernels, pointwise, masks = weights
    transposed = {gate: ops.transpose(u) for gate, u in kernels.items()}
    family = equations.family
    # Gradients that are used after the loop; it sums the others over time.
    emitted = {*steps, *kernels}
    initial_h = tensors["states"][0]
    dtype = initial_h.dtype
    # Long sums in half precision would stop growing.
    sum_dtype = backend.result_type(dtype, "float32")

    def through(activation):
        def activation_vjp(z, y, gradient):
            if activation in DERIVATIVES:
                return gradient * DERIVATIVES[activation](y)
            return vjp(activation, z, gradient)

        return activation_vjp

    def step(carry, xs):
        upper, sums = carry
        upper = list(upper)
        if equations.emits_h:
            upper[0] = upper[0] + xs["upstream_h"]
        if equations.emits_cell_states:
            upper[-1] = upper[-1] + xs["upstream_c"]
        if mask is not None:
            zero = ops.zeros_like(upper[0])
            passed = [ops.where(xs["mask"], zero, d) for d in upper]
            upper = [ops.where(xs["mask"], d, zero) for d in upper]
        saved = xs["saved"]
        gates = {
            **equations.variant.constants,
            **rows,
            **xs["projections"],
            **saved["gates"],
        }
        d, (dh, *lower) = family.update_vjp(
            gates,
            (xs["h"], *saved["states"]),
            saved["residuals"],
            upper,
            through(equations.activation),
        )
        if family.reset is not None:
            d.setdefault(family.reset, ops.zeros_like(upper[0]))
        dhs = [] if dh is None else [dh]
        d_pointwise = {}
        # The candidate first: it adds to the gradient of the reset gate.
        for gate in reversed(equations.recurrent_gates):
            d[gate] = through(equations.activation_of(gate))(
                saved["sums"].get(gate), gates[gate], d[gate]
            )
            if gate in pointwise:
                h_read = _read_by(equations, gate, xs["h"], weights, gates)
                d_pointwise[gate] = d[gate] * h_read
            terms = []
            if gate in kernels:
                terms.append(d[gate] @ transposed[gate])
            if gate in pointwise:
                terms.append(d[gate] * pointwise[gate])
            dh = _dropped(masks, gate, sum(terms[1:], terms[0]))
            if equations.reads_reset_h(gate):
                d[family.reset] = d[family.reset] + dh * xs["h"]
                dh = dh * gates[family.reset]
            dhs.append(dh)
        sums = {
            "rows": {
                gate: sums["rows"][gate] + ops.cast(d[gate], sum_dtype)
                for gate in rows
            },
            "pointwise": {
                gate: sums["pointwise"][gate]
                + ops.cast(d_pointwise[gate], sum_dtype)
                for gate in pointwise
            },
        }
        dh = sum(dhs[1:], dhs[0]) if dhs else ops.zeros_like(upper[0])
        lower = (dh, *lower)
        if mask is not None:
            lower = tuple(d + p for d, p in zip(lower, passed, strict=True))
        return (lower, sums), {
            gate: gradient for gate, gradient in d.items() if gate in emitted
        }

    # Projections that were added to a sum are not needed again.
    values = {
        gate: value
        for gate, value in steps.items()
        if gate not in equations.recurrent_gates
    }
    saved = dict(saved)
    h_before = ops.concatenate([initial_h[None], saved.pop("h")[:-1]])
    upstream = list(upstream)
    xs = {"projections": values, "saved": saved, "h": h_before}
    if mask is not None:
        xs["mask"] = mask
    if equations.emits_h:
        xs["upstream_h"] = upstream.pop(0)
    if equations.emits_cell_states:
        xs["upstream_c"] = upstream.pop(0)
    zeros = ops.zeros_like(initial_h, dtype=sum_dtype)
    sums = {
        "rows": {gate: zeros for gate in rows},
        "pointwise": {gate: zeros for gate in pointwise},
    }
    init = (tuple(upstream), sums)
    (d_states, sums), d = scan(step, init, xs, reverse=True)
    gradients = {
        "projections": {
            **{gate: d[gate] for gate in steps},
            **{
                gate: ops.cast(
                    ops.sum(sums["rows"][gate], 0, keepdims=True), dtype
                )
                for gate in rows
            },
        },
        "states": d_states,
    }
    if kernels:
        gates = {
            **equations.variant.constants,
            **rows,
            **values,
            **saved["gates"],
        }
        products = [
            _product_over_steps(
                _read_by(equations, gate, h_before, weights, gates), d[gate]
            )
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


def _steps_and_rows(projections):
    """The projections that change over time, and those that do not."""
    steps = {gate: v for gate, v in projections.items() if len(v.shape) == 3}
    rows = {gate: v for gate, v in projections.items() if len(v.shape) == 2}
    return steps, rows


def _by_gate(equations, tensors):
    """Recurrent kernels, pointwise kernels and dropout masks, by gate."""
    weights = []
    for name, term in (("recurrent_kernel", "h"), ("pointwise_kernel", "u")):
        gates = equations.variant.gates_with(term)
        columns = ops.split(tensors[name], len(gates), axis=-1) if gates else []
        weights.append(dict(zip(gates, columns, strict=True)))
    kernels, pointwise = weights
    pointwise = {gate: u[:, 0] for gate, u in pointwise.items()}
    return kernels, pointwise, tensors.get("dropout_masks")


def _joined(by_gate, groups):
    """The tensors of each group as one, under the joined names of its gates."""
    joined = dict(by_gate)
    for group in groups:
        if len(group) > 1 and group[0] in joined:
            parts = [joined.pop(gate) for gate in group]
            joined["".join(group)] = ops.concatenate(parts, axis=-1)
    return joined


def _dropped(masks, gate, h):
    return h if masks is None else h * masks[gate]


def _read_by(equations, gate, h, weights, gates):
    """What a gate reads of the previous output, for one step or for all."""
    *_, masks = weights
    h = _dropped(masks, gate, h)
    if equations.reads_reset_h(gate):
        h = gates[equations.family.reset] * h
    return h


def _sum_of_terms(weights, gate, h, projection):
    kernels, pointwise, _ = weights
    terms = [] if projection is None else [projection]
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
