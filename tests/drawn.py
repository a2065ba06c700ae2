"""What tests draw: inputs, weights and damage, the same in every run."""

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


def mangled(random, content):
    """Bytes that were cut, changed, doubled or mixed up."""
    start, end = sorted(random.randrange(len(content) + 1) for _ in range(2))
    bits = bytearray(content)
    for _ in range(random.choice([1, 1, 8])):
        bits[random.randrange(len(bits))] ^= 1 << random.randrange(8)
    return random.choice(
        [
            content[:end],
            content[start:],
            content[:start] + content[end:],
            content[:end] + content[start:],
            content[:start] + bytes(end - start) + content[end:],
            bytes(bits),
            random.randbytes(len(content)),
        ]
    )
