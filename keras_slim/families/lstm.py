"""The LSTM family: Kent & Salem, arXiv:1901.00525, section I, eq. 1-6."""

from keras_slim.families import Family


def update(gates, states, activation):
    _, c = states
    c = gates["f"] * c + gates["i"] * gates["c"]
    activated = activation(c)
    return (gates["o"] * activated, c), (activated,)


def update_vjp(gates, states, residuals, gradients, activation_vjp):
    """With `δv` the gradient of the loss with respect to `v`:

    δo = δh_t ⊙ g(c_t)
    δc_t = δc_t + δh_t ⊙ o ⊙ g'(c_t)
    δi = δc_t ⊙ c̃    δf = δc_t ⊙ c    δc̃ = δc_t ⊙ i
    δc = δc_t ⊙ f
    """
    _, c = states
    (activated,) = residuals
    dh, dc = gradients
    c_t = gates["f"] * c + gates["i"] * gates["c"]
    dc = dc + activation_vjp(c_t, activated, dh * gates["o"])
    in_gates = {
        "i": dc * gates["c"],
        "f": dc * c,
        "c": dc * gates["i"],
        "o": dh * activated,
    }
    return in_gates, (None, dc * gates["f"])


LSTM = Family(
    name="lstm",
    title="LSTM",
    gates=("i", "f", "c", "o"),
    candidate="c",
    states=("h", "c"),
    equations=("c_t = f ⊙ c + i ⊙ c̃", "h_t = o ⊙ g(c_t)"),
    products=3,
    update=update,
    update_vjp=update_vjp,
    forget="f",
)
