"""The slim LSTM in float64 NumPy, written from the equations alone.

It shares no code with the package. Gradients are taken by the complex step
(derivative = Im f(w + i e) / e), exact to rounding, so they need no derivation
that could repeat a mistake of one.
"""

import numpy as np

GATES = "ifco"


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.real.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def relu(x):
    return np.where(x.real > 0, x, 0)


def keras2_hard_sigmoid(x):
    y = 0.2 * x + 0.5
    return np.where(y.real < 0, 0, np.where(y.real > 1, 1, y))


ACTIVATIONS = {
    "tanh": np.tanh,
    "linear": lambda x: x,
    "sigmoid": sigmoid,
    "softmax": softmax,
    "relu": relu,
}


def forward(
    row,
    weights,
    x,
    h,
    c,
    g=np.tanh,
    sigma=sigmoid,
    mask=None,
    x_masks=None,
    h_masks=None,
    cells=None,
):
    """All outputs `(batch, time, units)` and the last states.

    `weights` maps names to arrays, `x_masks` and `h_masks` gates to dropout
    masks. A step where `mask` is false keeps the states. The cell states of
    the steps are appended to the list `cells`, if there is one.
    """
    carriers = {
        t: [k for k, own in zip(GATES, row, strict=True) if t in str(own)]
        for t in "xhub"
    }
    units = h.shape[-1]

    def columns(name, term, gate, width):
        start = carriers[term].index(gate) * width
        return weights[name][..., start : start + width]

    outputs = []
    for t in range(x.shape[1]):
        values = {}
        for gate, own in zip(GATES, row, strict=True):
            if not isinstance(own, str):
                values[gate] = own
                continue
            x_t = x[:, t] * (x_masks[gate] if x_masks and "x" in own else 1)
            dropped = h_masks and set(own) & set("hu")
            h_t = h * (h_masks[gate] if dropped else 1)
            z = np.zeros_like(h)
            if "x" in own:
                z = z + x_t @ columns("kernel", "x", gate, units)
            if "h" in own:
                z = z + h_t @ columns("recurrent_kernel", "h", gate, units)
            if "u" in own:
                z = z + h_t * columns("pointwise_kernel", "u", gate, 1)[:, 0]
            if "b" in own and "bias" in weights:
                z = z + columns("bias", "b", gate, units)
            values[gate] = g(z) if gate == "c" else sigma(z)
        c_new = values["f"] * c + values["i"] * values["c"]
        h_new = values["o"] * g(c_new)
        if mask is not None:
            keep = mask[:, t, None]
            c_new, h_new = np.where(keep, c_new, c), np.where(keep, h_new, h)
        h, c = h_new, c_new
        outputs.append(h)
        if cells is not None:
            cells.append(c)
    return np.stack(outputs, axis=1), h, c


def gradients(loss, arrays, step=1e-30):
    """Gradients of `loss(arrays)`, a real number, in each of `arrays`."""
    arrays = {name: a.astype("complex128") for name, a in arrays.items()}
    result = {}
    for name, array in arrays.items():
        gradient = np.empty(array.shape)
        for index in np.ndindex(array.shape):
            array[index] += 1j * step
            gradient[index] = loss(arrays).imag / step
            array[index] -= 1j * step
        result[name] = gradient
    return result
