"""The GRU family: Dey & Salem, arXiv:1701.05923.

`z` has the sign of Keras, with which `z = 1` keeps the state. The papers write
`h_t = (1 - z) ⊙ h + z ⊙ h̃`; as `1 - σ(a) = σ(-a)`, that is the same cell with
the opposite sign of the weights of `z`.
"""

from keras_slim.families import Family


def update(gates, states, activation):
    (h,) = states
    # One operation fewer than z ⊙ h + (1 - z) ⊙ h̃.
    return (gates["h"] + gates["z"] * (h - gates["h"]),), ()


def update_vjp(gates, states, residuals, gradients, activation_vjp):
    """With `δv` the gradient of the loss with respect to `v`:

    δz = δh_t ⊙ (h - h̃)    δh̃ = δh_t ⊙ (1 - z)
    δh = δh_t ⊙ z
    """
    (h,), (dh,) = states, gradients
    z = gates["z"]
    return {"z": dh * (h - gates["h"]), "h": dh * (1 - z)}, (dh * z,)


GRU = Family(
    name="gru",
    title="GRU",
    gates=("z", "r", "h"),
    candidate="h",
    states=("h",),
    equations=("h_t = z ⊙ h + (1 - z) ⊙ h̃",),
    products=3,
    update=update,
    update_vjp=update_vjp,
    reset="r",
)
