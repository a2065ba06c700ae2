"""How fast the layers should be on a CPU, and whether they are."""

import fnmatch
import math
import tomllib
from typing import NamedTuple

import numpy as np
import pandas as pd

from experiments.benchmarks.subjects import Shape

MET, MISSED, NOT_MEASURED = "met", "missed", "not measured"
NO_REASON = "no reason given yet"


class Target(NamedTuple):
    """How many times as fast as a peer a variant should be.

    Args:
        variant: Name of the variant.
        mode: `"training"` or `"inference"`.
        peer: `"keras_default"`, `"keras_best"` or `"torch_lstm"`, see
            `summary.layers`.
        large: The ratio from 128 units and 100 time steps on.
        small: The ratio for smaller shapes.
    """

    variant: str
    mode: str
    peer: str
    large: float
    small: float

    def ratio(self, shape):
        is_large = shape.units >= 128 and shape.timesteps >= 100
        return self.large if is_large else self.small


TARGETS = (
    Target("lstm3", "training", "keras_default", 6.0, 3.0),
    Target("lstm3", "training", "keras_best", 4.0, 4.0),
    Target("lstm3", "training", "torch_lstm", 3.0, 3.0),
    Target("lstm3", "inference", "keras_default", 4.0, 4.0),
    Target("lstm3", "inference", "torch_lstm", 2.5, 2.5),
    Target("lstm1", "training", "keras_default", 2.0, 2.0),
    Target("lstm1", "training", "keras_best", 1.5, 1.5),
    Target("lstm1", "training", "torch_lstm", 1.1, 1.1),
    Target("lstm2", "training", "keras_default", 2.0, 2.0),
    Target("lstm2", "training", "keras_best", 1.5, 1.5),
    Target("lstm2", "training", "torch_lstm", 1.1, 1.1),
    Target("lstm", "training", "keras_default", 1.3, 1.3),
    Target("lstm", "training", "keras_best", 1.0, 1.0),
    Target("lstm", "training", "torch_lstm", 0.7, 0.7),
)

# LSTM3 has a fourth of the arithmetic of an LSTM, and `torch.nn.LSTM` on a
# CPU leaves little of the time unused: no more than this can be true.
CEILING = 4.5
# No product with the previous output, so that the ceiling is not theirs.
_WITHOUT_PRODUCT = ("lstm10", "lstm11")


def beyond_arithmetic(layers):
    """Which rows of a table claim more against torch.nn.LSTM than can be.

    Args:
        layers: `pandas.DataFrame`, as `summary.layers` returns it.

    Returns:
        Boolean `pandas.Series`.
    """
    shapes = layers["shape"].map(Shape.parse)
    return (
        (layers["torch_lstm"] > CEILING)
        & shapes.map(lambda shape: shape.units >= 128 and shape.batch >= 32)
        & ~layers["layer"].isin(_WITHOUT_PRODUCT)
        & (layers["recurrence"] != "")
    )


def judge(layers, reasons, floors=None):
    """Sets what was measured beside the targets.

    For `keras_default` a line a backend: our fast layer in the setting that
    Keras takes by itself, as the peer. For `keras_best` a line a backend: our
    fast layer in its fastest setting there. For `torch_lstm` one line: our
    fast layer on its fastest backend.

    Args:
        layers: `pandas.DataFrame`, as `summary.layers` returns it.
        reasons: Dict from pattern to text, as `read_reasons` returns it.
        floors: `pandas.DataFrame`, as `summary.floors` returns it. Default:
            `None`, not measured.

    Returns:
        `pandas.DataFrame`, a line for each target, shape and backend, with
        `target`, `measured` with p10 and p90, `ceiling`, `verdict`, `reason`
        and `flagged`. The ceiling is what the ratio would be if the layer
        took no longer than its matrix products alone.
    """
    products = _products(floors)
    flagged = beyond_arithmetic(layers)
    ours = layers.assign(flagged=flagged)[
        (layers["recurrence"] == "fast") & (layers["equal"] == "units")
    ]
    lines = []
    for target in TARGETS:
        rows = ours[
            (ours["layer"] == target.variant) & (ours["mode"] == target.mode)
        ]
        if target.peer == "keras_default":
            rows = rows[rows["default"].astype(bool)]
        by = ["shape"] if target.peer == "torch_lstm" else ["shape", "backend"]
        for _, candidates in rows.groupby(by, sort=False):
            fastest = _fastest(candidates)
            lines.append(_line(target, fastest, reasons, products))
    return pd.DataFrame(lines, columns=_Line._fields)


def _products(floors):
    """Microseconds a step of the products alone, by what they are of."""
    if floors is None:
        return {}
    names = ["shape", "backend", "layer", "jit"]
    floors = floors.set_index(names)
    return {
        "training": floors["floor"].dropna().to_dict(),
        "inference": (floors["input_projection"] + floors["forward_loop"])
        .dropna()
        .to_dict(),
    }


class _Line(NamedTuple):
    variant: str
    mode: str
    peer: str
    backend: str
    shape: str
    target: float
    measured: float
    measured_p10: float
    measured_p90: float
    ceiling: float
    verdict: str
    reason: str
    flagged: bool


def _fastest(rows):
    times = rows["seconds"]
    return rows.iloc[0] if times.isna().all() else rows.loc[times.idxmin()]


def _line(target, row, reasons, products):
    peer, ratio = target.peer, target.ratio(Shape.parse(row["shape"]))
    measured = row[peer]
    if pd.isna(measured):
        verdict = NOT_MEASURED
    else:
        verdict = MET if measured >= ratio else MISSED
    # LSTM1 and LSTM2 have the same products.
    products_of = "lstm1" if target.variant == "lstm2" else target.variant
    # With TensorFlow XLA compiles the fast way in either setting.
    by_xla = bool(row["jit"]) or row["backend"] == "tensorflow"
    key = row["shape"], row["backend"], products_of, by_xla
    alone = products.get(target.mode, {}).get(key, math.nan)
    # A product in a loop of its own may be dearer than in the layer.
    ceiling = measured * np.maximum(row["us_per_step"] / alone, 1.0)
    reason = ""
    if verdict == MISSED and ceiling < ratio:
        reason = f"the products alone allow {ceiling:.2g}x"
    elif verdict != MET:
        key = "/".join(
            (target.variant, target.mode, peer, row["backend"], row["shape"])
        )
        reason = row["error"] or reason_for(key, reasons)
    return _Line(
        target.variant,
        target.mode,
        peer,
        row["backend"],
        row["shape"],
        ratio,
        measured,
        row[f"{peer}_p10"],
        row[f"{peer}_p90"],
        ceiling,
        verdict,
        reason,
        bool(row["flagged"] and peer == "torch_lstm"),
    )


def reason_for(key, reasons):
    """The first text whose pattern fits `variant/mode/peer/backend/shape`."""
    for pattern, text in reasons.items():
        if fnmatch.fnmatchcase(key, pattern):
            return text
    return NO_REASON


def read_reasons(path):
    """Reads `reasons.toml`, written by hand: from pattern to text.

    A line is `"lstm1/training/*/torch/*" = "The loop is Python's."`
    """
    if not path.exists():
        return {}
    return tomllib.loads(path.read_text(encoding="utf-8"))
