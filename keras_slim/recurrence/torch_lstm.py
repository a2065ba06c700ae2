"""The time loop of the LSTM family in buffers that are written in place.

The equations are those of `keras_slim.families.lstm` and
`keras_slim.recurrence.fused`.
"""

import torch

from keras_slim.families.lstm import LSTM
from keras_slim.recurrence.fused import DERIVATIVES
from keras_slim.recurrence.torch_buffers import (
    RecurrentTerms,
    as_projection,
    constants,
    per_step,
    sizes,
    vjp,
    writer,
)


def forward(equations, tensors, mask, save):
    """As `fused.forward`."""
    h, c = tensors["states"]
    projections = tensors["projections"]
    length, batch, units = sizes(projections)
    recurrent = RecurrentTerms(equations, tensors, LSTM.gates)

    def buffer(steps):
        return h.new_empty((steps, batch, units))

    sums, of_recurrent = recurrent.buffers(length, projections, save)
    gates = {**projections, **constants(equations, h), **of_recurrent}

    outputs = buffer(length + 1 if save or equations.emits_h else 2)
    keep = save or equations.return_cell_states
    cells = buffer(length + 1 if keep else 2)
    activated = buffer(length if save else 1)
    outputs[0], cells[0] = h, c
    activate = recurrent.writers(sums, gates)
    write_activated = writer(equations.activation)
    i, f, g, o = (per_step(gates[gate], length) for gate in LSTM.gates)
    zs, hs = sums.unbind(), outputs.unbind()
    cs, ss = cells.unbind(), activated.unbind()
    for t in range(length):
        h, new_h = hs[t % len(hs)], hs[(t + 1) % len(hs)]
        recurrent.add_terms(h, zs[t])
        for write, z, a in activate:
            write(z[t], a[t])
        c, new_c = cs[t % len(cs)], cs[(t + 1) % len(cs)]
        s = ss[t % len(ss)]
        torch.mul(c, f[t], out=new_c)
        new_c.addcmul_(i[t], g[t])
        write_activated(new_c, s)
        torch.mul(s, o[t], out=new_h)
        if mask is not None:
            for new, old in ((new_c, c), (new_h, h)):
                new.copy_(torch.where(mask[t], new, old))

    saved = {}
    if save:
        saved = {
            "sums": sums,
            "outputs": outputs,
            "cells": cells,
            "activated": activated,
            "gates": gates,
        }
    every = []
    if equations.emits_h:
        every.append(outputs[1:])
    if equations.return_cell_states:
        every.append(cells[1:])
    return (*every, new_h.clone(), new_c.clone()), saved


def backward(equations, tensors, mask, saved, upstream):
    """As `fused.backward`."""
    sums, outputs, cells = saved["sums"], saved["outputs"], saved["cells"]
    activated, gates = saved["activated"], saved["gates"]
    length, batch, units = activated.shape
    recurrent = RecurrentTerms(equations, tensors, LSTM.gates)
    *every, dh, dc = upstream
    dc = dc.clone()
    nothing = torch.zeros_like(dc)
    ups = (nothing,) * length
    if equations.emits_h:
        ups = every.pop(0).unbind()
    upstream_c = every[0].unbind() if every else None

    # Factors for the gradients of h and c, which the gradients of the sums of
    # the gates will overwrite.
    d_sums = torch.empty_like(sums)
    others = {
        "i": gates["c"],
        "f": cells[:-1],
        "c": gates["i"],
        "o": activated,
    }
    by_framework = {}
    for gate, columns in recurrent.columns.items():
        d_sums[..., columns] = others[gate]
        derivative = DERIVATIVES.get(equations.activation_of(gate))
        if derivative is None:
            by_framework[gate] = sums[..., columns]
        else:
            d_sums[..., columns].mul_(derivative(gates[gate]))
    derivative = DERIVATIVES.get(equations.activation)
    scales = None
    if derivative is not None:
        scales = per_step(derivative(activated) * gates["o"], length)

    # All time steps, if a gate that does not read h needs them.
    steps = length if len(recurrent.columns) < len(LSTM.gates) else 0
    dh_steps = activated.new_empty((steps + 1, batch, units))
    dc_steps = activated.new_empty((steps or 1, batch, units))
    dhs, dcs = dh_steps.unbind(), dc_steps.unbind()
    ds = {
        gate: d_sums[..., columns].unbind()
        for gate, columns in recurrent.columns.items()
    }
    f, o = (per_step(gates[gate], length) for gate in "fo")
    dzs = d_sums.unbind()
    torch.add(dh, ups[-1], out=dhs[length % len(dhs)])
    for t in reversed(range(length)):
        # Index 0 is that of the initial h.
        dh, dh_before = dhs[(t + 1) % len(dhs)], dhs[t % len(dhs)]
        if upstream_c is not None:
            dc.add_(upstream_c[t])
        if mask is not None:
            passed = [torch.where(mask[t], nothing, d) for d in (dh, dc)]
            for d in (dh, dc):
                d.copy_(torch.where(mask[t], d, nothing))
        new_dc = dcs[t % len(dcs)]
        if scales is None:
            d = vjp(equations.activation, cells[t + 1], dh * o[t])
            torch.add(dc, d, out=new_dc)
        else:
            torch.addcmul(dc, dh, scales[t], out=new_dc)
        for gate, d in ds.items():
            d = d[t].mul_(dh if gate == "o" else new_dc)
            if gate in by_framework:
                activation = equations.activation_of(gate)
                d.copy_(vjp(activation, by_framework[gate][t], d))
        recurrent.step_back(dzs[t], ups[t - 1] if t else nothing, dh_before)
        torch.mul(new_dc, f[t], out=dc)
        if mask is not None:
            dh_before.add_(passed[0])
            dc.add_(passed[1])

    projections = {}
    for gate, projection in tensors["projections"].items():
        if gate in recurrent.columns:
            d = d_sums[..., recurrent.columns[gate]]
        else:
            d = others[gate] * (dh_steps[1:] if gate == "o" else dc_steps)
        projections[gate] = as_projection(d, projection)
    return {
        "projections": projections,
        "states": (dhs[0], dc),
        **recurrent.weight_gradients(outputs[:-1], d_sums),
    }
