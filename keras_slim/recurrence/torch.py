"""The loop in buffers that are written in place, as eager calls are dear.

The equations are those of `keras_slim.recurrence.equations`. What is
elementwise on the way back is multiplied for all steps before the loop, so
that a step is one product with the recurrent kernel and a few calls more.
"""

import torch
from keras import activations, tree
from torch.autograd import forward_ad

from keras_slim.recurrence import equations as eq
from keras_slim.recurrence.equations import DERIVATIVES
from keras_slim.variants import GATES

# Those that write into a given tensor.
OUT = {activations.tanh: torch.tanh, activations.sigmoid: torch.sigmoid}


def through_time(equations, tensors, mask, training):
    """`h` of all steps and `c`; see `equations.forward`."""
    outside = tensors["outside"]
    differentiable = (
        # Saved for the gradient, but a stateful layer overwrites its states.
        tensors["h"].clone(),
        tensors["c"].clone(),
        tensors.get("recurrent_kernel"),
        tensors.get("pointwise_kernel"),
        *(outside.get(gate) for gate in GATES),
    )
    masks = tensors.get("dropout_masks")
    if _is_transformed(differentiable):
        return _traceable(equations, mask, masks, *differentiable)
    return _fast(equations, mask, masks, *differentiable)


# Unrolled by `torch.compile`, a loop of some tens of steps takes minutes.
@torch.compiler.disable(
    reason="the fast time loop of keras_slim runs outside of the graph; "
    "compile without `fullgraph=True`"
)
def _fast(equations, mask, dropout_masks, *arguments):
    save = torch.is_grad_enabled() and any(
        t is not None and t.requires_grad for t in arguments
    )
    return _ThroughTime.apply(equations, mask, dropout_masks, save, *arguments)


def _is_transformed(tensors):
    """Whether the operations are traced or transformed.

    That is by `torch.export`, `torch.jit.trace` and the ONNX exporters, by
    `torch.func`, or by automatic differentiation in forward mode.
    """
    return (
        torch.compiler.is_exporting()
        or torch.jit.is_tracing()
        or _in_torch_func()
        or any(
            t is not None and forward_ad.unpack_dual(t).tangent is not None
            for t in tensors
        )
    )


# PyTorch has no public names for these two questions.


def _in_torch_func():
    return torch._C._are_functorch_transforms_active()


def _is_vectorized(*gradients):
    """Whether they are batches of gradients, as of `is_grads_batched=True`."""
    return _in_torch_func() or any(
        g is not None and torch._C._functorch.is_legacy_batchedtensor(g)
        for g in gradients
    )


def _traceable(
    equations, mask, dropout_masks, h, c, kernel, pointwise_kernel, *outside
):
    """The same in operations that PyTorch can trace and differentiate."""
    tensors = {
        "outside": {
            gate: value
            for gate, value in zip(GATES, outside, strict=True)
            if value is not None
        },
        "h": h,
        "c": c,
        "recurrent_kernel": kernel,
        "pointwise_kernel": pointwise_kernel,
        "dropout_masks": dropout_masks,
    }
    return eq.forward(equations, _scan, tensors, mask, save=False)[0]


def _scan(step, carry, xs):
    """`jax.lax.scan`, unrolled."""
    emitted = []
    for leaves in zip(*(x.unbind() for x in tree.flatten(xs)), strict=True):
        carry, ys = step(carry, tree.pack_sequence_as(xs, leaves))
        emitted.append(ys)
    return carry, tree.map_structure(lambda *y: torch.stack(y), *emitted)


def _differentiable_gradients(static, arguments, wanted, upstream):
    """Gradients in the arguments that are wanted, computed by torch alone."""
    with torch.enable_grad():
        # Views, lest the gradient in one argument goes on through another.
        arguments = [None if t is None else t.view_as(t) for t in arguments]
        results = _traceable(*static, *arguments)
    pairs = [
        pair
        for pair in zip(results, upstream, strict=True)
        if pair[1] is not None
    ]
    found = iter(
        torch.autograd.grad(
            [result for result, _ in pairs],
            [t for t, want in zip(arguments, wanted, strict=True) if want],
            [gradient for _, gradient in pairs],
            create_graph=torch.is_grad_enabled(),
            allow_unused=True,
        )
    )
    return [next(found) if want else None for want in wanted]


class _ThroughTime(torch.autograd.Function):
    @staticmethod
    def forward(ctx, equations, mask, dropout_masks, save, *arguments):
        h, c, kernel, u, *outside = arguments
        length, batch, units = next(
            o.shape for o in outside if o is not None and o.ndim == 3
        )
        outside = dict(zip(GATES, outside, strict=True))
        looped = _Looped(equations, units, kernel, u, dropout_masks)

        def buffer(steps, width=units):
            return h.new_empty((steps, batch, width))

        # The values of the gates stand in the place of their sums, but for
        # those whose derivative the sum must tell.
        sums = buffer(length, looped.width)
        gates = {**outside, **_constants(equations, h)}
        for gate, columns in looped.columns.items():
            sums[..., columns] = 0 if outside[gate] is None else outside[gate]
            in_place = not save or equations.activation_of(gate) in DERIVATIVES
            gates[gate] = sums[..., columns] if in_place else buffer(length)

        outputs = buffer(length + 1)
        keep = save or equations.return_cell_states
        cells = buffer(length + 1 if keep else 2)
        squashed = buffer(length if save else 1)
        outputs[0], cells[0] = h, c
        activate = [
            (
                _writer(equations.activation_of(gate)),
                sums[..., columns].unbind(),
                gates[gate].unbind(),
            )
            for gate, columns in looped.columns.items()
        ]
        squash = _writer(equations.activation)
        i, f, g, o = (_steps(gates[gate], length) for gate in GATES)
        zs, hs = sums.unbind(), outputs.unbind()
        cs, ss = cells.unbind(), squashed.unbind()
        for t in range(length):
            looped.add_terms(hs[t], zs[t])
            for write, z, a in activate:
                write(z[t], a[t])
            c, new_c = cs[t % len(cs)], cs[(t + 1) % len(cs)]
            s = ss[t % len(ss)]
            torch.mul(c, f[t], out=new_c)
            new_c.addcmul_(i[t], g[t])
            squash(new_c, s)
            torch.mul(s, o[t], out=hs[t + 1])
            if mask is not None:
                for new, old in ((new_c, c), (hs[t + 1], hs[t])):
                    new.copy_(torch.where(mask[t], new, old))
            c = new_c

        if save:
            ctx.static = equations, mask, dropout_masks
            ctx.set_materialize_grads(False)
            # The arguments are saved for derivatives of the gradient.
            ctx.save_for_backward(
                *arguments, sums, outputs, cells, squashed, *gates.values()
            )
            ctx.gates = tuple(gates)
            ctx.rows = {
                gate: None if value is None else value.ndim == 2
                for gate, value in outside.items()
            }
        if equations.return_cell_states:
            return outputs[1:], cells[1:]
        return outputs[1:], c.clone()

    @staticmethod
    def backward(ctx, upstream, dc):
        arguments = ctx.saved_tensors[: 4 + len(GATES)]
        if torch.is_grad_enabled() or _is_vectorized(upstream, dc):
            gradients = _differentiable_gradients(
                ctx.static,
                arguments,
                ctx.needs_input_grad[-len(arguments) :],
                (upstream, dc),
            )
            return (None, None, None, None, *gradients)
        equations, mask, dropout_masks = ctx.static
        _, _, kernel, u, *_ = arguments
        sums, outputs, cells, squashed, *gates = ctx.saved_tensors[
            len(arguments) :
        ]
        gates = dict(zip(ctx.gates, gates, strict=True))
        length, batch, units = squashed.shape
        looped = _Looped(equations, units, kernel, u, dropout_masks)
        if upstream is None:
            upstream = torch.zeros_like(squashed)
        upstream_c = None
        if equations.return_cell_states and dc is not None:
            upstream_c, dc = dc.unbind(), None
        dc = torch.zeros_like(cells[0]) if dc is None else dc.clone()

        # Factors of the gradients in h and c, in the place of which the
        # gradients in the sums of the gates will stand.
        d_sums = torch.empty_like(sums)
        others = {
            "i": gates["c"],
            "f": cells[:-1],
            "c": gates["i"],
            "o": squashed,
        }
        pulled = {}
        for gate, columns in looped.columns.items():
            d_sums[..., columns] = others[gate]
            derivative = DERIVATIVES.get(equations.activation_of(gate))
            if derivative is None:
                pulled[gate] = sums[..., columns]
            else:
                d_sums[..., columns].mul_(derivative(gates[gate]))
        d_squash = gates["o"]
        derivative = DERIVATIVES.get(equations.activation)
        if derivative is not None:
            d_squash = derivative(squashed) * d_squash

        # All steps where a gate outside of the loop wants them.
        steps = length if len(looped.columns) < len(GATES) else 0
        dh_steps = squashed.new_empty((steps + 1, batch, units))
        dc_steps = squashed.new_empty((steps or 1, batch, units))
        dhs, dcs = dh_steps.unbind(), dc_steps.unbind()
        ds = {
            gate: d_sums[..., columns].unbind()
            for gate, columns in looped.columns.items()
        }
        f, o = (_steps(gates[gate], length) for gate in "fo")
        scales = None if derivative is None else _steps(d_squash, length)
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
                d = _pull(equations.activation, cells[t + 1], dh * o[t])
                torch.add(dc, d, out=new_dc)
            else:
                torch.addcmul(dc, dh, scales[t], out=new_dc)
            for gate, d in ds.items():
                d = d[t].mul_(dh if gate == "o" else new_dc)
                if gate in pulled:
                    activation = equations.activation_of(gate)
                    d.copy_(_pull(activation, pulled[gate][t], d))
            looped.step_back(dzs[t], ups[t - 1] if t else nothing, dh_before)
            torch.mul(new_dc, f[t], out=dc)
            if mask is not None:
                dh_before.add_(passed[0])
                dc.add_(passed[1])

        outside = {}
        for gate, is_row in ctx.rows.items():
            if is_row is None:
                outside[gate] = None
                continue
            if gate in looped.columns:
                d = d_sums[..., looped.columns[gate]]
            else:
                d = others[gate] * (dh_steps[1:] if gate == "o" else dc_steps)
            outside[gate] = d.sum((0, 1)).unsqueeze(0) if is_row else d
        return (
            *(None, None, None, None),
            dhs[0],
            dc,
            *looped.weight_gradients(outputs[:-1], d_sums),
            *outside.values(),
        )


class _Looped:
    """The terms with `h`, all gates beside each other.

    `columns` says where a gate is: first those with `U h`, in the order of
    the recurrent kernel.
    """

    def __init__(self, equations, units, kernel, u, dropout_masks):
        self.with_kernel = equations.row.gates_with("h")
        self.with_u = equations.row.gates_with("u")
        self.kernel, self.masks = kernel, dropout_masks
        self.u = () if u is None else u.t().contiguous().unbind()
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
        """Those of the recurrent and the pointwise kernel."""
        d_kernel = d_u = None
        if self.with_kernel and self.masks is None:
            d_kernel = _product_over_steps(h, self._kernel_columns(dz))
        elif self.with_kernel:
            d_kernel = torch.cat(
                [
                    _product_over_steps(
                        self._dropped(h, gate), dz[..., self.columns[gate]]
                    )
                    for gate in self.with_kernel
                ],
                dim=-1,
            )
        if self.with_u:
            d_u = torch.stack(
                [
                    (self._dropped(h, gate) * dz[..., self.columns[gate]]).sum(
                        (0, 1)
                    )
                    for gate in self.with_u
                ],
                dim=-1,
            )
        return d_kernel, d_u


def _constants(equations, like):
    return {
        gate: like.new_full((1, 1), value)
        for gate, value in equations.constants.items()
    }


def _steps(value, length):
    return value.unbind() if value.ndim == 3 else (value,) * length


def _writer(activation):
    """The activation, writing its values for `z` to `a`."""
    function = OUT.get(activation)
    if function is not None:
        return lambda z, a: function(z, out=a)
    return lambda z, a: a.copy_(activation(z))


def _pull(function, z, gradient):
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        return torch.autograd.grad(function(z), z, gradient)[0]


def _product_over_steps(a, b):
    """`Σ_t a_t' b_t`, as one product."""
    return a.flatten(0, 1).t() @ b.flatten(0, 1)
