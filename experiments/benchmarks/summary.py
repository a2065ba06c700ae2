"""Tidy tables from rounds: medians, spreads, and ratios to the peers.

A ratio is the time of a peer divided by that of the subject in the same round,
so that the subject is faster above 1. If at least half of the rounds were
quiet, the others do not count.
"""

import io
import math
from typing import NamedTuple

import pandas as pd

from experiments.benchmarks.deploy import COLUMNS
from experiments.benchmarks.subjects import (
    KERAS_GRU,
    KERAS_LSTM,
    TORCH_LSTM,
    Contender,
    Exported,
    Network,
    Part,
    Shape,
    Trained,
    columns_of,
)
from experiments.engine.files import replacing

BUSY = 0.05  # CPU time of others in a busy round, as a share of all
SPREAD = {"p10": 0.1, "p90": 0.9}
# The columns of strings. All others are numbers.
_WORDS = ("model", "shape", "mode", "backend", "layer", "part", "recurrence")
_WORDS += ("jit_compile", "equal", "dtype", "padding", "rounds_used", "error")
_WORDS += ("task", "format", "way")


def read(path):
    """Reads a CSV file of this package, without an incomplete last line."""
    text = path.read_text(encoding="utf-8")
    text = text[: text.rfind("\n") + 1]
    if not text:  # a process was killed before it wrote the header
        return pd.DataFrame()
    header = text.partition("\n")[0].split(",")
    # An empty string is a value, an empty number is missing.
    empty = {name: [""] for name in header if name not in _WORDS}
    return pd.read_csv(
        io.StringIO(text),
        keep_default_na=False,
        na_values=empty,
        dtype={"jit_compile": str},  # "True" is a string
    )


class Times(NamedTuple):
    """The seconds of a set of subjects that were measured together.

    Args:
        seconds: `pandas.DataFrame`, one row per subject, one column per round.
        table: `pandas.DataFrame`, one row per subject, see `times`.
    """

    seconds: pd.DataFrame
    table: pd.DataFrame


def times(rows, columns):
    """Sorts rows of a file of rounds by subject.

    Args:
        rows: `pandas.DataFrame`, of one set of subjects.
        columns: Names of the columns that identify a subject.

    Returns:
        `Times`. Its table has the columns `rounds`, their number;
        `busy_rounds`; `rounds_used`, `"quiet"` or `"all"`; `seconds`, the
        median over the used rounds, with `p10` and `p90`; and the outcomes of
        the preparation.
    """
    first = rows[rows["round"] == 0].set_index(columns)
    timed = rows[rows["seconds"].notna()]
    others = timed.groupby("round")["other_cpu"].first()
    quiet = others.index[others <= BUSY]
    enough = 2 * len(quiet) >= len(others)
    used = quiet if enough else others.index
    seconds = (
        timed[timed["round"].isin(used)]
        .pivot(index=columns, columns="round", values="seconds")
        .reindex(first.index)
    )
    failed = rows[rows["error"] != ""].groupby(columns)["error"].first()
    table = pd.DataFrame(
        {
            "rounds": len(others),
            "busy_rounds": len(others) - len(quiet),
            "rounds_used": "quiet" if enough else "all",
            **_spread(seconds, "seconds"),
            "compile_seconds": first["compile_seconds"],
            "peak_memory_bytes": first["peak_memory_bytes"].astype("Int64"),
            "difference": first["difference"],
            "error": failed.reindex(first.index).fillna(""),
        },
        index=first.index,
    )
    return Times(seconds, table)


def _spread(values, name):
    """Columns with the median and the spread over the rounds."""
    columns = {name: values.median(axis=1)}
    for part, share in SPREAD.items():
        columns[f"{name}_{part}"] = values.quantile(share, axis=1)
    return columns


def _ratios(seconds, peer, name):
    """Columns with the ratio of the time of a peer to that of each subject.

    Args:
        seconds: `pandas.DataFrame`, one row per subject, one column per round.
        peer: Rows of it. The fastest of them is the peer.
        name: Name of the columns.
    """
    medians = peer.median(axis=1).dropna()
    if medians.empty:
        return dict.fromkeys((name, *(f"{name}_{s}" for s in SPREAD)), math.nan)
    fastest = peer.loc[medians.idxmin()]
    return _spread(seconds.rdiv(fastest, axis=1), name)


def layers(rounds):
    """The table of the layers.

    Args:
        rounds: `pandas.DataFrame`, `rounds.csv` as `read` returns it.

    Returns:
        `pandas.DataFrame` with one row per shape, mode and contender: the
        columns of `times`; `us_per_step`; and the ratios to four peers, as
        median with p10 and p90. `keras_default` is `keras.layers.LSTM` on the
        same backend with Keras's defaults, `keras_best` the fastest choice of
        its options there, `keras_gru` is `keras.layers.GRU` with Keras's
        defaults, `torch_lstm` is `torch.nn.LSTM`.
    """
    tables = []
    for (shape, mode), rows in rounds.groupby(["shape", "mode"], sort=False):
        seconds, table = times(rows, columns_of(Contender))
        steps = Shape.parse(shape).timesteps
        table.insert(6, "us_per_step", 1e6 * table["seconds"] / steps)
        names = seconds.index.to_frame()
        of_keras = names["layer"] == KERAS_LSTM
        default = names["default"].astype(bool)
        of_gru = default & (names["layer"] == KERAS_GRU)
        ratios = []
        for backend, own in seconds.groupby(level="backend", sort=False):
            here = names["backend"] == backend
            peers = {
                "keras_default": of_keras & default,
                "keras_best": of_keras,
                "keras_gru": of_gru,
            }
            found = {}
            for name, peer in peers.items():
                found |= _ratios(own, seconds[peer & here], name)
            ratios.append(pd.DataFrame(found, index=own.index))
        of_torch = seconds[names["layer"] == TORCH_LSTM]
        to_torch = pd.DataFrame(
            _ratios(seconds, of_torch, "torch_lstm"), index=seconds.index
        )
        table = table.join(pd.concat(ratios)).join(to_torch).reset_index()
        table.insert(0, "shape", shape)
        table.insert(1, "mode", mode)
        # The longest text at the end.
        table["error"] = table.pop("error")
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def products(rounds, layers):
    """The matrix products of a training step, timed alone.

    Args:
        rounds: `pandas.DataFrame`, `products_rounds.csv` as `read` returns it.
        layers: What the function `layers` returns.

    Returns:
        `pandas.DataFrame` with one row per shape, backend, layer and jit, in
        microseconds per time step: each part, their sum `products`, and the
        whole `training` step of our fast layer.
    """
    tables = []
    for shape, rows in rounds.groupby("shape", sort=False):
        table = times(rows, columns_of(Part)).table
        steps = Shape.parse(shape).timesteps
        parts = (1e6 * table["seconds"] / steps).unstack("part", sort=False)
        parts["products"] = parts.sum(axis=1, skipna=False)
        parts["rounds_used"] = table["rounds_used"].iloc[0]
        parts.insert(0, "shape", shape)
        tables.append(parts.reset_index())
    names = ["shape", "backend", "layer", "jit", "dtype"]
    ours = layers[
        (layers["mode"] == "training")
        & (layers["recurrence"] == "fast")
        & (layers["equal"] == "units")
    ]
    training = ours.rename(columns={"us_per_step": "training"})
    found = pd.concat(tables).merge(
        training[[*names, "training"]], how="left", on=names
    )
    found["rounds_used"] = found.pop("rounds_used")
    return found[[*names, *found.columns.difference(names, sort=False)]]


def models(rounds):
    """The table of the models trained by `model.fit`.

    Args:
        rounds: `pandas.DataFrame`, `models_rounds.csv` as `read` returns it.

    Returns:
        `pandas.DataFrame` with one row per model, backend, `jit_compile` and
        layer: the columns of `times`, with seconds per training step, and the
        ratio `keras` to the same model with Keras's layer.
    """
    tables = []
    for (model, shape), rows in rounds.groupby(["model", "shape"], sort=False):
        seconds, table = times(rows, columns_of(Trained))
        ratios = []
        for _, own in seconds.groupby(level=["backend", "jit_compile"]):
            of_keras = own.index.get_level_values("layer") == KERAS_LSTM
            found = _ratios(own, own[of_keras], "keras")
            ratios.append(pd.DataFrame(found, index=own.index))
        table = table.join(pd.concat(ratios)).reset_index()
        table.insert(0, "model", model)
        table.insert(1, "shape", shape)
        # The longest text at the end.
        table["error"] = table.pop("error")
        tables.append(table.drop(columns="peak_memory_bytes"))
    return pd.concat(tables, ignore_index=True)


def newsgroups(rounds):
    """The table of the networks.

    Args:
        rounds: `pandas.DataFrame`, `newsgroups_rounds.csv` as `read` returns
            it.

    Returns:
        `pandas.DataFrame` with one row per network and mode: the columns of
        `times`, with seconds per batch, and two ratios in the same mode:
        `computed` to the network with the same recurrent layer that computes
        all padding, and `keras` to the one with Keras's layers only.
    """
    seconds, table = times(rounds, columns_of(Network))
    ratios = []
    by_mode = seconds.groupby(level=["backend", "mode"], sort=False)
    for _, mode in by_mode:
        computed = mode.xs("computed", level="padding", drop_level=False)
        of_keras = computed.xs(KERAS_LSTM, level="layer", drop_level=False)
        for _, same in mode.groupby(level="layer", sort=False):
            found = _ratios(
                same, same[same.index.isin(computed.index)], "computed"
            )
            found |= _ratios(same, of_keras, "keras")
            ratios.append(pd.DataFrame(found, index=same.index))
    table = table.join(pd.concat(ratios))
    table["error"] = table.pop("error")
    empty = ["peak_memory_bytes", "difference"]
    return table.drop(columns=empty).reset_index()


def deploy(rounds):
    """The table of exported networks.

    Args:
        rounds: `pandas.DataFrame`, `deploy_rounds.csv` as `read` returns it.

    Returns:
        `pandas.DataFrame` with one row per task, network and format: the
        columns of `times`, with seconds per call; those of `deploy.COLUMNS`;
        and the ratio `keras` to `keras.layers.LSTM` in the same format.
    """
    tables = []
    for task, rows in rounds.groupby("task", sort=False):
        columns = columns_of(Exported)
        seconds, table = times(rows, columns)
        first = rows[rows["round"] == 0].set_index(columns)
        table = table.join(first[list(COLUMNS)])
        table["file_bytes"] = table["file_bytes"].astype("Int64")
        ratios = []
        for _, own in seconds.groupby(level="format", sort=False):
            of_keras = own.index.get_level_values("layer") == KERAS_LSTM
            found = _ratios(own, own[of_keras], "keras")
            ratios.append(pd.DataFrame(found, index=own.index))
        table = table.join(pd.concat(ratios)).reset_index()
        table.insert(0, "task", task)
        # The files of a network together, whichever backend exports them.
        order = {name: k for k, name in enumerate(table["layer"].unique())}
        table = table.sort_values(
            "layer", key=lambda names: names.map(order), kind="stable"
        )
        # The longest text at the end.
        table["error"] = table.pop("error")
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def write(table, path):
    """Writes a table as CSV, with the significant digits of numbers."""
    with replacing(path, encoding="utf-8", newline="") as file:
        table.to_csv(file, index=False, float_format="%.5g")
