"""What the time loops that write to buffers have in common.

Without a compiler, calls are expensive. These loops write in place, and compute
the elementwise factors of the backward pass for all time steps before the loop,
so that a step is a product with the recurrent kernel and a few more calls.
"""

import torch
from keras import activations

from keras_slim.recurrence.fused import DERIVATIVES

# Activations that can write into a given tensor.
OUT = {activations.tanh: torch.tanh, activations.sigmoid: torch.sigmoid}


def vjp(function, z, gradient):
    """The gradient with respect to `z`, given that for `function(z)`."""
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        return torch.autograd.grad(function(z), z, gradient)[0]


class RecurrentTerms:
    """The terms with `h` of some gates, all in one tensor.

    `columns` says where each gate is in it: first those with `U h`, in the
    order of the recurrent kernel.
    """

    def __init__(self, equations, tensors, gates):
        self._equations = equations
        self._h = tensors["states"][0]
        self.masks = tensors.get("dropout_masks")
        units = self._h.shape[-1]
        every = equations.variant.gates_with("h")
        self.with_kernel = [gate for gate in every if gate in gates]
        self.kernel = None
        if self.with_kernel:
            start = every.index(self.with_kernel[0]) * units
            end = start + len(self.with_kernel) * units
            self.kernel = tensors["recurrent_kernel"][:, start:end]
        every = equations.variant.gates_with("u")
        self.with_u = [gate for gate in every if gate in gates]
        self.u = []
        if self.with_u:
            u = tensors["pointwise_kernel"].t().contiguous()
            self.u = [u[every.index(gate)] for gate in self.with_u]
        gates = dict.fromkeys((*self.with_kernel, *self.with_u))
        self.columns = {
            gate: slice(k * units, (k + 1) * units)
            for k, gate in enumerate(gates)
        }
        self.width = len(gates) * units
        self.kernel_width = len(self.with_kernel) * units

    def buffers(self, length, projections, save):
        """A buffer for the sums of all gates, and the values of each gate.

        The values overwrite the sums, except where the derivative of the
        activation is a function of the sum.
        """
        sums = self._h.new_empty((length, len(self._h), self.width))
        values = {}
        for gate, columns in self.columns.items():
            sums[..., columns] = projections.get(gate, 0)
            values[gate] = sums[..., columns]
            known = self._equations.activation_of(gate) in DERIVATIVES
            if save and not known:
                values[gate] = torch.empty_like(values[gate])
        return sums, values

    def writers(self, sums, values):
        """For each gate, its activation, sums and values of all time steps."""
        return [
            (
                writer(self._equations.activation_of(gate)),
                sums[..., columns].unbind(),
                values[gate].unbind(),
            )
            for gate, columns in self.columns.items()
        ]

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
        """Writes `base` plus the gradient of `h`, given that of the sums."""
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
        """The gradients of the recurrent and the pointwise kernel, by name."""
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


def sizes(projections):
    """The number of time steps, the batch size and the number of units."""
    return next(p.shape for p in projections.values() if p.ndim == 3)


def as_projection(d, projection):
    """The gradient of a projection, given that of each time step."""
    return d.sum((0, 1)).unsqueeze(0) if projection.ndim == 2 else d


def constants(equations, like):
    return {
        gate: like.new_full((1, 1), value)
        for gate, value in equations.variant.constants.items()
    }


def per_step(value, length):
    return value.unbind() if value.ndim == 3 else (value,) * length


def writer(activation):
    """A function that writes the values of the activation at `z` to `a`."""
    function = OUT.get(activation)
    if function is not None:
        return lambda z, a: function(z, out=a)
    return lambda z, a: a.copy_(activation(z))


def _product_over_steps(a, b):
    """`Σ_t a_t' b_t`, as one product."""
    return a.flatten(0, 1).t() @ b.flatten(0, 1)
