"""Random numbers for inputs and weights, the same in every run."""

import numpy as np


def random_array(*shape, seed=0):
    random = np.random.default_rng([seed, *shape])
    return random.uniform(-1, 1, shape).astype("float32")


def randomise(layer):
    """Weights far from their initial values, biases included."""
    layer.set_weights(
        [
            random_array(*w.shape, seed=1 + k)
            for k, w in enumerate(layer.get_weights())
        ]
    )


def initial_states(layer, batch):
    """An array `(batch, units)` for each state of a layer."""
    return [
        random_array(batch, layer.units, seed=9 + k)
        for k, _ in enumerate(layer.cell.gating.family.states)
    ]
