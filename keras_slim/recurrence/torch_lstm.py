"""The time loop of the LSTM family in buffers that are written in place.

Calls are dear without a compiler. What is elementwise in the backward pass is
multiplied for all steps before the loop, so that a step is one product with the
recurrent kernel and a few calls more. The equations are those of
`keras_slim.families.lstm` and `keras_slim.recurrence.fused`.
"""

import torch
from keras import activations

from keras_slim.families.lstm import LSTM
from keras_slim.recurrence.fused import DERIVATIVES

# Those that write into a given tensor.
OUT = {activations.tanh: torch.tanh, activations.sigmoid: torch.sigmoid}


def forward(equations, tensors, mask, save):
    """As `fused.forward`."""
    h, c = tensors["states"]
    projections = tensors["projections"]
    length, batch, units = next(
        p.shape for p in projections.values() if p.ndim == 3
    )
    recurrent = _RecurrentTerms(equations, tensors)

    def buffer(steps, width=units):
        return h.new_empty((steps, batch, width))

    # The values of the gates take the place of their sums, except for those
    # whose derivative is a function of the sum.
    sums = buffer(length, recurrent.width)
    gates = {**projections, **_constants(equations, h)}
    for gate, columns in recurrent.columns.items():
        sums[..., columns] = projections.get(gate, 0)
        in_place = not save or equations.activation_of(gate) in DERIVATIVES
        gates[gate] = sums[..., columns] if in_place else buffer(length)

    outputs = buffer(length + 1)
    keep = save or equations.return_cell_states
    cells = buffer(length + 1 if keep else 2)
    activated = buffer(length if save else 1)
    outputs[0], cells[0] = h, c
    activate = [
        (
            _writer(equations.activation_of(gate)),
            sums[..., columns].unbind(),
            gates[gate].unbind(),
        )
        for gate, columns in recurrent.columns.items()
    ]
    write_activated = _writer(equations.activation)
    i, f, g, o = (_steps(gates[gate], length) for gate in LSTM.gates)
    zs, hs = sums.unbind(), outputs.unbind()
    cs, ss = cells.unbind(), activated.unbind()
    for t in range(length):
        recurrent.add_terms(hs[t], zs[t])
        for write, z, a in activate:
            write(z[t], a[t])
        c, new_c = cs[t % len(cs)], cs[(t + 1) % len(cs)]
        s = ss[t % len(ss)]
        torch.mul(c, f[t], out=new_c)
        new_c.addcmul_(i[t], g[t])
        write_activated(new_c, s)
        torch.mul(s, o[t], out=hs[t + 1])
        if mask is not None:
            for new, old in ((new_c, c), (hs[t + 1], hs[t])):
                new.copy_(torch.where(mask[t], new, old))
        c = new_c

    saved = {}
    if save:
        saved = {
            "sums": sums,
            "outputs": outputs,
            "cells": cells,
            "activated": activated,
            "gates": gates,
        }
    if equations.return_cell_states:
        return (outputs[1:], cells[1:]), saved
    return (outputs[1:], c.clone()), saved


def backward(equations, tensors, mask, h, saved, upstream):
    """As `fused.backward`."""
    sums, outputs, cells = saved["sums"], saved["outputs"], saved["cells"]
    activated, gates = saved["activated"], saved["gates"]
    length, batch, units = activated.shape
    recurrent = _RecurrentTerms(equations, tensors)
    upstream, dc = upstream
    upstream_c = None
    if equations.return_cell_states:
        upstream_c, dc = dc.unbind(), torch.zeros_like(cells[0])
    else:
        dc = dc.clone()

    # Factors of the gradients in h and c, whose place the gradients in the
    # sums of the gates will take.
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
        scales = _steps(derivative(activated) * gates["o"], length)

    # All steps where a gate that reads no h wants them.
    steps = length if len(recurrent.columns) < len(LSTM.gates) else 0
    dh_steps = activated.new_empty((steps + 1, batch, units))
    dc_steps = activated.new_empty((steps or 1, batch, units))
    dhs, dcs = dh_steps.unbind(), dc_steps.unbind()
    ds = {
        gate: d_sums[..., columns].unbind()
        for gate, columns in recurrent.columns.items()
    }
    f, o = (_steps(gates[gate], length) for gate in "fo")
    dzs, ups = d_sums.unbind(), upstream.unbind()
    nothing = torch.zeros_like(dc)
    dhs[length % len(dhs)].copy_(ups[-1])
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
        is_row = projection.ndim == 2
        projections[gate] = d.sum((0, 1)).unsqueeze(0) if is_row else d
    return {
        "projections": projections,
        "states": (dhs[0], dc),
        **recurrent.weight_gradients(outputs[:-1], d_sums),
    }


def vjp(function, z, gradient):
    """The gradient in `z`, given that in `function(z)`."""
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        return torch.autograd.grad(function(z), z, gradient)[0]


class _RecurrentTerms:
    """The terms with `h`, those of all gates in one tensor.

    `columns` says where a gate is: first those with `U h`, in the order of
    the recurrent kernel.
    """

    def __init__(self, equations, tensors):
        self.with_kernel = equations.variant.gates_with("h")
        self.with_u = equations.variant.gates_with("u")
        self.kernel = tensors.get("recurrent_kernel")
        self.masks = tensors.get("dropout_masks")
        u = tensors.get("pointwise_kernel")
        self.u = () if u is None else u.t().contiguous().unbind()
        units = tensors["states"][0].shape[-1]
        gates = dict.fromkeys((*self.with_kernel, *self.with_u))
        self.columns = {
            gate: slice(k * units, (k + 1) * units)
            for k, gate in enumerate(gates)
        }
        self.width = len(gates) * units
        self.kernel_width = len(self.with_kernel) * units

    def _dropped(self, h, gate):
        return h if self.masks is None else h * self.masks[gate]

    def _kernel_columns(self, z):
        return (
            z
            if self.width == self.kernel_width
            else z[..., : self.kernel_width]
        )

    def add_terms(self, h, z):
        if self.with_kernel and self.masks is None:
            self._kernel_columns(z).addmm_(h, self.kernel)
        elif self.with_kernel:
            for gate in self.with_kernel:
                columns = self.columns[gate]
                z[:, columns].addmm_(
                    self._dropped(h, gate), self.kernel[:, columns]
                )
        for gate, u in zip(self.with_u, self.u, strict=True):
            z[:, self.columns[gate]].addcmul_(self._dropped(h, gate), u)

    def step_back(self, dz, base, out):
        """Writes `base` and the gradient in `h`, given that in the sums."""
        if self.with_kernel and self.masks is None:
            kernel = self.kernel.t()
            torch.addmm(base, self._kernel_columns(dz), kernel, out=out)
        else:
            out.copy_(base)
            for gate in self.with_kernel:
                columns = self.columns[gate]
                dh = dz[:, columns] @ self.kernel[:, columns].t()
                out.add_(self._dropped(dh, gate))
        for gate, u in zip(self.with_u, self.u, strict=True):
            out.addcmul_(self._dropped(dz[:, self.columns[gate]], gate), u)

    def weight_gradients(self, h, dz):
        """Those of the recurrent and the pointwise kernel, by name."""
        gradients = {}
        if self.with_kernel and self.masks is None:
            gradients["recurrent_kernel"] = _product_over_steps(
                h, self._kernel_columns(dz)
            )
        elif self.with_kernel:
            gradients["recurrent_kernel"] = torch.cat(
                [
                    _product_over_steps(
                        self._dropped(h, gate), dz[..., self.columns[gate]]
                    )
                    for gate in self.with_kernel
                ],
                dim=-1,
            )
        if self.with_u:
            gradients["pointwise_kernel"] = torch.stack(
                [
                    (self._dropped(h, gate) * dz[..., self.columns[gate]]).sum(
                        (0, 1)
                    )
                    for gate in self.with_u
                ],
                dim=-1,
            )
        return gradients


def _constants(equations, like):
    return {
        gate: like.new_full((1, 1), value)
        for gate, value in equations.variant.constants.items()
    }


def _steps(value, length):
    return value.unbind() if value.ndim == 3 else (value,) * length


def _writer(activation):
    """The activation, writing its values for `z` to `a`."""
    function = OUT.get(activation)
    if function is not None:
        return lambda z, a: function(z, out=a)
    return lambda z, a: a.copy_(activation(z))


def _product_over_steps(a, b):
    """`Σ_t a_t' b_t`, as one product."""
    return a.flatten(0, 1).t() @ b.flatten(0, 1)
