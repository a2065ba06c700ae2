"""The MGU family: Heck & Salem, arXiv:1701.03452.

The minimal gated unit is that of Zhou et al., arXiv:1603.09420, eq. 6, whose
gate `f` also multiplies `h` before the candidate reads it. The opposite sign of
`f`, `h_t = f ⊙ h + (1 - f) ⊙ h̃`, would be a different cell.
"""

from keras_slim.families import Family


def update(gates, states, activation):
    (h,) = states
    # One operation fewer than (1 - f) ⊙ h + f ⊙ h̃.
    return (h + gates["f"] * (gates["h"] - h),), ()


def update_vjp(gates, states, residuals, gradients, activation_vjp):
    """With `δv` the gradient of the loss with respect to `v`:

        δf = δh_t ⊙ (h̃ - h)    δh̃ = δh_t ⊙ f
        δh = δh_t ⊙ (1 - f)

    and the gradient that `f` gets from the candidate, which the time loop adds.
    """
    (h,), (dh,) = states, gradients
    f = gates["f"]
    return {"f": dh * (gates["h"] - h), "h": dh * f}, (dh * (1 - f),)


MGU = Family(
    name="mgu",
    title="MGU",
    gates=("f", "h"),
    candidate="h",
    states=("h",),
    equations=("h_t = (1 - f) ⊙ h + f ⊙ h̃",),
    products=3,
    update=update,
    update_vjp=update_vjp,
    reset="f",
)
