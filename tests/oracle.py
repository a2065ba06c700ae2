"""Slim LSTM, GRU and MGU in float64 NumPy, from the equations alone.

It shares no code with the package. Gradients are taken by the complex step
(derivative = Im f(w + i e) / e), exact to rounding, so they need no derivation
that could repeat a mistake of one.
"""

import numpy as np

# By the number of gates of a row: their names, the candidate and the gate that
# multiplies h before the candidate reads it.
FAMILIES = {4: ("ifco", "c", None), 3: ("zrh", "h", "r"), 2: ("fh", "h", "f")}


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


def new_states(values, states, g):
    """The states after a step with the given values of the gates."""
    if "o" in values:  # LSTM
        c = values["f"] * states[1] + values["i"] * values["c"]
        return values["o"] * g(c), c
    (h,) = states
    if "z" in values:  # GRU, with Keras's sign of z
        return (values["z"] * h + (1 - values["z"]) * values["h"],)
    return ((1 - values["f"]) * h + values["f"] * values["h"],)  # MGU


def forward(
    terms,
    weights,
    x,
    states,
    g=np.tanh,
    sigma=sigmoid,
    mask=None,
    x_masks=None,
    h_masks=None,
    cells=None,
):
    """All outputs `(batch, time, units)`, then the last states.

    `weights` maps names to arrays, `x_masks` and `h_masks` gates to dropout
    masks. A step where `mask` is false keeps the states. The last state of
    each step is appended to the list `cells`, if there is one.
    """
    gates, candidate, reset = FAMILIES[len(terms)]
    with_term = {
        t: [k for k, own in zip(gates, terms, strict=True) if t in str(own)]
        for t in "xhub"
    }
    states = tuple(states)
    units = states[0].shape[-1]

    def columns(name, term, gate, width):
        start = with_term[term].index(gate) * width
        return weights[name][..., start : start + width]

    outputs = []
    for t in range(x.shape[1]):
        values = {}
        for gate, own in zip(gates, terms, strict=True):
            if not isinstance(own, str):
                values[gate] = own
                continue
            x_t = x[:, t] * (x_masks[gate] if x_masks and "x" in own else 1)
            dropped = h_masks and set(own) & set("hu")
            h = states[0] * (h_masks[gate] if dropped else 1)
            if reset and gate == candidate:
                h = values[reset] * h
            z = np.zeros_like(states[0])
            if "x" in own:
                z = z + x_t @ columns("kernel", "x", gate, units)
            if "h" in own:
                z = z + h @ columns("recurrent_kernel", "h", gate, units)
            if "u" in own:
                z = z + h * columns("pointwise_kernel", "u", gate, 1)[:, 0]
            if "b" in own and "bias" in weights:
                z = z + columns("bias", "b", gate, units)
            values[gate] = g(z) if gate == candidate else sigma(z)
        new = new_states(values, states, g)
        if mask is not None:
            keep = mask[:, t, None]
            new = [np.where(keep, *p) for p in zip(new, states, strict=True)]
        states = tuple(new)
        outputs.append(states[0])
        if cells is not None:
            cells.append(states[-1])
    return np.stack(outputs, axis=1), *states


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
