from experiments.benchmarks.markdown import spread, table, times
from experiments.benchmarks.targets import MET, NO_REASON

INTRODUCTION = """\
With `keras.layers.LSTM` at its default, our fast layer runs at the default,
too; with its best setting, our fast layer runs at its own best; with
`torch.nn.LSTM`, on our fastest backend. *At most* is what the ratio would be if
the layer took no longer than its matrix products alone, see "Where the time
goes"; where that is below the target, nothing but faster products can reach it.
The other reasons are written by hand in `reasons.toml`, by patterns of
`layer/mode/peer/backend/shape`."""


def targets(judged, is_gpu):
    """The section of the targets.

    Args:
        judged: `pandas.DataFrame`, as `targets.judge` returns it.
        is_gpu: Boolean, whether a backend had a GPU.
    """
    if is_gpu:
        yield "## Targets"
        yield "They are those of a CPU; there are none for a GPU."
        return
    met = (judged["verdict"] == MET).sum()
    yield f"## Targets: {met} of {len(judged)} met"
    yield INTRODUCTION
    yield table([_line(row) for _, row in judged.iterrows()])


def _line(row):
    verdict, reason = row["verdict"], row["reason"]
    if verdict != MET:
        verdict = f"**{verdict}**"
    if reason == NO_REASON:
        reason = f"**{reason}**"
    if row["flagged"]:
        reason = f"**beyond the arithmetic: look for an error** {reason}"
    return {
        "layer": row["variant"],
        "mode": row["mode"],
        "peer": row["peer"].replace("_", " "),
        "backend": row["backend"],
        "shape": row["shape"],
        "target": f"{row['target']:g}x",
        "measured": spread(row, "measured", "x"),
        "at most": times(row["ceiling"]),
        "verdict": verdict,
        "why": reason,
    }
