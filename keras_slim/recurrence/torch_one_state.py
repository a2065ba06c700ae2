"""The time loop of families with one state, `h`, in buffers.

Such families have a reset gate and no activation in their update, which is
elementwise: its vector-Jacobian product is that of ones, for all time steps at
once, times the gradient of `h`. The equations are in
`keras_slim.recurrence.fused`.
"""

import torch

from keras_slim.recurrence.fused import DERIVATIVES
from keras_slim.recurrence.torch_buffers import (
    RecurrentTerms,
    as_projection,
    constants,
    per_step,
    sizes,
    vjp,
)


def forward(equations, tensors, mask, save):
    """As `fused.forward`."""
    (h,), family = tensors["states"], equations.family
    projections = tensors["projections"]
    length, batch, units = sizes(projections)
    gates = {**projections, **constants(equations, h)}
    terms, sums, activate = [], [], []
    for phase in family.phases:
        of_phase = RecurrentTerms(equations, tensors, phase)
        buffer, values = of_phase.buffers(length, projections, save)
        gates.update(values)
        terms.append(of_phase)
        sums.append(buffer)
        activate.append(of_phase.writers(buffer, values))
    steps = length + 1 if save or equations.emits_h else 2
    outputs = h.new_empty((steps, batch, units))
    # What the candidate reads.
    reads = h.new_empty((length if save else 1, batch, units))
    outputs[0] = h
    hs, reset_hs = outputs.unbind(), reads.unbind()
    zs = [buffer.unbind() for buffer in sums]
    values = {gate: per_step(value, length) for gate, value in gates.items()}
    reset = values[family.reset]
    for t in range(length):
        h, reset_h = hs[t % len(hs)], reset_hs[t % len(reset_hs)]
        terms[0].add_terms(h, zs[0][t])
        for write, z, a in activate[0]:
            write(z[t], a[t])
        torch.mul(h, reset[t], out=reset_h)
        terms[1].add_terms(reset_h, zs[1][t])
        for write, z, a in activate[1]:
            write(z[t], a[t])
        of_step = {gate: value[t] for gate, value in values.items()}
        (new_h,), _ = family.update(of_step, (h,), equations.activation)
        if mask is not None:
            new_h = torch.where(mask[t], new_h, h)
        hs[(t + 1) % len(hs)].copy_(new_h)
    saved = {}
    if save:
        saved = {
            "sums": sums,
            "outputs": outputs,
            "reads": reads,
            "gates": gates,
        }
    every = (outputs[1:],) if equations.emits_h else ()
    return (*every, hs[length % len(hs)].clone()), saved


def backward(equations, tensors, mask, saved, upstream):
    """As `fused.backward`."""
    family, gates = equations.family, saved["gates"]
    sums, before = saved["sums"], saved["outputs"][:-1]
    length = len(before)
    *every, dh = upstream
    terms = [RecurrentTerms(equations, tensors, p) for p in family.phases]
    in_gates, (in_h,) = family.update_vjp(
        gates, (before,), (), (torch.ones_like(before),), None
    )

    def factor(gate, value):
        """A factor of the gradient of the sum of a gate, for all time steps."""
        derivative = DERIVATIVES.get(equations.activation_of(gate))
        return value if derivative is None else value * derivative(gates[gate])

    # For the gradient of h, and for that of what the candidate reads.
    factors = {
        gate: per_step(factor(gate, in_gates[gate]), length)
        for of_phase in terms
        for gate in of_phase.columns
        if gate in in_gates
    }
    reset_factor = None
    if family.reset in terms[0].columns:
        reset_factor = per_step(factor(family.reset, before), length)

    d_sums = [torch.empty_like(buffer) for buffer in sums]
    d_columns = {
        gate: (d[..., columns].unbind(), z[..., columns].unbind())
        for of_phase, d, z in zip(terms, d_sums, sums, strict=True)
        for gate, columns in of_phase.columns.items()
    }
    by_framework = {
        gate
        for gate in d_columns
        if equations.activation_of(gate) not in DERIVATIVES
    }
    dh_steps = before.new_empty((length + 1, *before.shape[1:]))
    d_reads = torch.empty_like(before)
    dhs, d_reset_hs = dh_steps.unbind(), d_reads.unbind()
    dzs = [d.unbind() for d in d_sums]
    nothing = torch.zeros_like(dhs[0])
    ups = every[0].unbind() if every else (nothing,) * length
    in_hs = per_step(in_h, length)
    reset = per_step(gates[family.reset], length)
    torch.add(dh, ups[-1], out=dhs[length])

    def through_activation(gate, t):
        if gate in by_framework:
            d, z = (values[t] for values in d_columns[gate])
            d.copy_(vjp(equations.activation_of(gate), z, d))

    for t in reversed(range(length)):
        # Index 0 is that of the initial h.
        dh, dh_before = dhs[t + 1], dhs[t]
        if mask is not None:
            passed = torch.where(mask[t], nothing, dh)
            dh.copy_(torch.where(mask[t], dh, nothing))
        d_read = d_reset_hs[t]
        if family.candidate in d_columns:
            d = d_columns[family.candidate][0][t]
            torch.mul(dh, factors[family.candidate][t], out=d)
            through_activation(family.candidate, t)
        terms[1].step_back(dzs[1][t], nothing, d_read)
        for gate in terms[0].columns:
            d = d_columns[gate][0][t]
            if gate in factors:
                torch.mul(dh, factors[gate][t], out=d)
            else:
                d.zero_()
            if gate == family.reset:
                d.addcmul_(d_read, reset_factor[t])
            through_activation(gate, t)
        base = torch.addcmul(ups[t - 1] if t else nothing, dh, in_hs[t])
        base.addcmul_(d_read, reset[t])
        terms[0].step_back(dzs[0][t], base, dh_before)
        if mask is not None:
            dh_before.add_(passed)

    projections = {}
    for gate, projection in tensors["projections"].items():
        if gate in d_columns:
            number = int(gate not in terms[0].columns)
            d = d_sums[number][..., terms[number].columns[gate]]
        else:
            d = in_gates.get(gate, 0) * dh_steps[1:]
            if gate == family.reset:
                d = d + d_reads * before
        projections[gate] = as_projection(d, projection)
    gradients = {"projections": projections, "states": (dhs[0],)}
    parts = [
        of_phase.weight_gradients(read, d)
        for of_phase, read, d in zip(
            terms, (before, saved["reads"]), d_sums, strict=True
        )
    ]
    for name in ("recurrent_kernel", "pointwise_kernel"):
        found = [part[name] for part in parts if name in part]
        if found:
            gradients[name] = torch.cat(found, dim=-1)
    return gradients
