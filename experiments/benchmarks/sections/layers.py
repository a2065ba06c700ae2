from experiments.benchmarks.markdown import (
    NOTHING,
    megabytes,
    number,
    spread,
    table,
)
from experiments.benchmarks.sections.common import (
    disturbed,
    failures,
    machine,
    quietness,
)
from experiments.benchmarks.subjects import (
    KERAS_GRU,
    KERAS_LSTM,
    TORCH_LSTM,
    Shape,
)

# LSTM3 has a quarter of the arithmetic of an LSTM, and `torch.nn.LSTM` on a CPU
# wastes little time, so that no larger ratio is possible.
CEILING = 4.5
# Without a product with the previous output, the ceiling does not apply.
_WITHOUT_PRODUCT = ("lstm10", "lstm11")
PEERS = {
    "keras_default": "x Keras default",
    "keras_best": "x Keras best",
    "keras_gru": "x Keras GRU",
    "torch_lstm": "x torch.nn.LSTM",
}
HOW = """\
Each backend runs in a process of its own. All layers of a shape are built,
compiled and warmed up; then each round measures every one of them once, on all
backends, in a new random order, by calls for at least 0.05 s, each waited for.
A training step computes the outputs of all time steps and the gradients of all
weights and of the inputs, for one upstream gradient, and updates the weights by
gradient descent with a learning rate of 1e-8: they change in each step, as in
`model.fit`. It is compiled as Keras compiles a model: with TensorFlow as a
graph, without XLA by default and with it where `jit` says so (our fast layers
compile their loop by themselves); with JAX by `jit`; with PyTorch eagerly.
Inference computes the outputs alone.

A ratio is the time of a peer divided by that of the layer in the same round, so
that more is faster: the median over rounds, with the 10th and 90th percentile.
The peers: `keras.layers.LSTM` on the same backend with Keras's default settings
(default); the fastest of its settings there, `jit` and `unroll` (best);
`keras.layers.GRU` there with its default settings (GRU); and `torch.nn.LSTM`,
for all backends. The ratios are those of layers with the same units; the column
"equal parameters" has that of the same layer with as many units as give it
nearly the parameters of the full LSTM. In a busy round
other processes took more than 5 % of the CPU time; the medians are over the
quiet rounds, if they are at least half of all. The memory is the peak during a
call; with JAX it is what XLA reports; with TensorFlow it cannot be measured
where XLA is used."""


def layers(found, about, chart):
    """The section of the layers.

    Args:
        found: What `summary.layers` returns.
        about: Dict, the content of `layers.json`.
        chart: File name of the chart.
    """
    yield "## Layers"
    yield from (f"**{warning}**" for warning in warnings(found))
    yield machine(about)
    yield HOW
    yield _checks(found)
    yield (
        f"![How many times as fast as keras.layers.LSTM ours train]({chart})"
    )
    for (shape, mode), rows in found.groupby(["shape", "mode"], sort=False):
        sizes = Shape.parse(shape)
        yield f"### {shape}, {mode}"
        yield (
            f"{sizes.batch} sequences of {sizes.timesteps} steps, "
            f"{sizes.features} features, {sizes.units} units."
            f"{_equal_units(rows)} {quietness(rows)}"
        )
        # An earlier version wrote tables without the last of them.
        peers = {peer: PEERS[peer] for peer in PEERS if peer in rows}
        if not (rows["layer"] == KERAS_GRU).any():
            peers.pop("keras_gru", None)
        yield table([_line(*pair, peers) for pair in _main(rows)])
    yield "Everything that was timed, the plain loop included: `layers.csv`."
    yield from failures(found)


def warnings(found):
    """Yields warnings that concern the reliability of the numbers.

    Args:
        found: What `summary.layers` returns.
    """
    is_busy = found["rounds_used"] == "all"
    busy = found.loc[is_busy, ["shape", "mode"]].drop_duplicates()
    for shape, mode in busy.to_numpy():
        yield disturbed(f"{shape} {mode}")
    # A busy machine is an explanation already.
    for _, row in found[_beyond_arithmetic(found) & ~is_busy].iterrows():
        yield (
            f"BEYOND WHAT THE ARITHMETIC ALLOWS, {CEILING}x torch.nn.LSTM, is "
            f"{row['layer']} {row['recurrence']} on {row['backend']}, "
            f"{row['shape']} {row['mode']}, with {row['torch_lstm']:.2f}x: "
            "look for an error."
        )


def _beyond_arithmetic(found):
    """Which rows have an impossible ratio to torch.nn.LSTM."""
    shapes = found["shape"].map(Shape.parse)
    return (
        (found["torch_lstm"] > CEILING)
        & shapes.map(lambda shape: shape.units >= 128 and shape.batch >= 32)
        & ~found["layer"].isin(_WITHOUT_PRODUCT)
        & (found["recurrence"] != "")
    )


def _checks(found):
    """How far the outputs and gradients of equal layers differ."""
    right = found[found["difference"].notna() & (found["error"] == "")]
    slim = (right["recurrence"] != "") & (right["layer"] != "lstm")
    largest = [
        f"{rows['difference'].max():.0e} between {words}"
        for rows, words in (
            (right[~slim], "the full LSTMs and `keras.layers.LSTM`"),
            (right[slim], "the slim variants and their plain loop"),
        )
        if len(rows)
    ]
    return (
        "Before it is timed, each layer gets the weights of another layer with "
        "which it must agree, and outputs and gradients are compared. The "
        "largest difference, relative to the largest number: "
        f"{', '.join(largest) or 'none was measured'}. A larger difference "
        "than rounding explains is an error, and the layer is not timed."
    )


def _main(rows):
    """The peers, then the fast layers by variant.

    Returns:
        List of pairs: the row of a layer, and that of the same layer with as
        many parameters as the full LSTM, or `None`.
    """
    of_peers = [KERAS_LSTM, TORCH_LSTM]
    if rows["layer"].str.startswith(("gru", "mgu")).any():
        of_peers.append(KERAS_GRU)
    peers = rows[rows["layer"].isin(of_peers)]
    pairs = [(row, None) for _, row in peers.iterrows()]
    fast = rows[rows["recurrence"] == "fast"]
    for variant in fast["layer"].unique():
        own = fast[fast["layer"] == variant]
        larger = {
            (row["backend"], row["jit"]): row
            for _, row in own[own["equal"] == "parameters"].iterrows()
        }
        pairs += [
            (row, larger.get((row["backend"], row["jit"])))
            for _, row in own[own["equal"] == "units"].iterrows()
        ]
    return pairs


def _line(row, larger, peers):
    name = row["layer"]
    if row["unroll"]:
        name += ", unrolled"
    if row["error"]:
        name += " (failed, see below)"
    return {
        "layer": name,
        "backend": row["backend"] + (" jit" if row["jit"] else ""),
        **{title: spread(row, peer, "x") for peer, title in peers.items()},
        "equal parameters: x Keras default": (
            NOTHING if larger is None else spread(larger, "keras_default", "x")
        ),
        "parameters": f"{row['parameters']:,}",
        "µs per step": number(row["us_per_step"]),
        "first call (s)": number(row["compile_seconds"]),
        "memory (MB)": megabytes(row["peak_memory_bytes"]),
    }


def _equal_units(rows):
    """With how many units variants have the parameters of a full LSTM."""
    larger = rows[rows["equal"] == "parameters"]
    units = dict(zip(larger["layer"], larger["units"], strict=True))
    if not units:
        return ""
    return (
        " With equal parameters: "
        + ", ".join(
            f"{layer} has {count} units" for layer, count in units.items()
        )
        + "."
    )
