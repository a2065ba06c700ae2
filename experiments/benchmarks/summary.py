"""Tidy tables from rounds: medians, spreads, and ratios to the peers.

A ratio is the time of a peer divided by that of the subject in the same round:
above 1, the subject is faster. If at least half of the rounds were quiet, the
others do not count.
"""

import io
import math

import pandas as pd

from experiments.benchmarks.subjects import (
    KERAS_GRU,
    KERAS_LSTM,
    TORCH_LSTM,
    Contender,
    Exported,
    Network,
    Shape,
    Trained,
    columns_of,
)
from experiments.engine.files import replacing

BUSY = 0.05  # largest share of the CPU time of others in a quiet round
SPREAD = {"p10": 0.1, "p90": 0.9}
# Columns of an exported file in addition to times.
FILE_COLUMNS = ("file_bytes", "score", "score_min", "score_max")
# The columns of strings. All others are numbers.
_WORDS = ("model", "shape", "mode", "backend", "layer", "recurrence")
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


def write(table, path):
    """Writes a table as CSV, with the significant digits of numbers.

    Whole numbers are written with all digits, where some are missing, too.
    """
    numbers = table.select_dtypes("float")
    whole = numbers.columns[(numbers.isna() | (numbers % 1 == 0)).all()]
    table = table.astype(dict.fromkeys(whole, "Int64"))
    with replacing(path, encoding="utf-8", newline="") as file:
        table.to_csv(file, index=False, float_format="%.5g")


def times(rows, columns):
    """Sorts rows of a file of rounds, of one set, by subject.

    Returns:
        Two `pandas.DataFrame` with one row per subject: seconds, with a column
        for each round that is used; and a table of `rounds`, their number;
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
            "peak_memory_bytes": first["peak_memory_bytes"],
            "difference": first["difference"],
            "error": failed.reindex(first.index).fillna(""),
        },
        index=first.index,
    )
    return seconds, table


def _spread(values, name):
    """Columns with the median and the spread over the rounds."""
    columns = {name: values.median(axis=1)}
    for part, share in SPREAD.items():
        columns[f"{name}_{part}"] = values.quantile(share, axis=1)
    return columns


def _table(rounds, where, kind, ratios):
    """A row per subject: the columns of `times`, and ratios to its peers.

    Args:
        rounds: `pandas.DataFrame`, a file of rounds as `read` returns it.
        where: Names of the columns that were the same for a set of subjects.
        kind: Class of the subjects.
        ratios: Dict from names of ratios to pairs: a function of a
            `pandas.DataFrame` of subjects that returns which are peers, and
            the columns whose values a subject and its peer have in common.
            The fastest of several peers counts.
    """
    groups = rounds.groupby(where, sort=False) if where else [((), rounds)]
    tables = []
    for values, rows in groups:
        seconds, table = times(rows, columns_of(kind))
        subjects = seconds.index.to_frame()
        for name, (is_peer, common) in ratios.items():
            found = _ratios(seconds, is_peer(subjects), common, name)
            table = table.join(found)
        table = table.reset_index()
        for place, column in enumerate(where):
            table.insert(place, column, values[place])
        # The longest text at the end.
        table["error"] = table.pop("error")
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _ratios(seconds, is_peer, common, name):
    """Columns with the ratio of the time of a peer to that of each subject."""
    groups = [((), seconds)]
    if common:
        groups = seconds.groupby(level=common, sort=False)
    found = []
    for _, own in groups:
        medians = own[is_peer.reindex(own.index)].median(axis=1).dropna()
        peer = math.nan if medians.empty else own.loc[medians.idxmin()]
        ratios = own.rdiv(peer, axis=1)
        found.append(pd.DataFrame(_spread(ratios, name), index=own.index))
    return pd.concat(found)


def layers(rounds):
    """The table of the layers, from `rounds.csv`.

    Besides the columns of `times` it has `us_per_step` and the ratios to four
    peers: `keras_default` is `keras.layers.LSTM` on the same backend with
    Keras's defaults, `keras_best` the fastest choice of its options there,
    `keras_gru` is `keras.layers.GRU` with Keras's defaults, `torch_lstm` is
    `torch.nn.LSTM`.
    """

    def keras_default(subjects, layer=KERAS_LSTM):
        return subjects["default"].astype(bool) & (subjects["layer"] == layer)

    table = _table(
        rounds,
        ["shape", "mode"],
        Contender,
        {
            "keras_default": (keras_default, ["backend"]),
            "keras_best": (lambda s: s["layer"] == KERAS_LSTM, ["backend"]),
            "keras_gru": (lambda s: keras_default(s, KERAS_GRU), ["backend"]),
            "torch_lstm": (lambda s: s["layer"] == TORCH_LSTM, []),
        },
    )
    steps = table["shape"].map(lambda shape: Shape.parse(shape).timesteps)
    place = table.columns.get_loc("compile_seconds")
    table.insert(place, "us_per_step", 1e6 * table["seconds"] / steps)
    return table


def to_keras(layers):
    """Our layers, compared with those of Keras: rows of the table `layers`.

    Returns:
        Our layers with as many units, with the columns `where`, the backend
        and whether XLA compiles; `peer`, which is `keras.layers.GRU` for GRU
        and MGU variants if it was timed, else `keras.layers.LSTM`; `ratio` to
        the peer with Keras's default settings, or with XLA to the fastest
        LSTM, with `p10` and `p90`; and `share`, of the peer's parameters.
    """
    by_xla = layers["jit"] & (layers["backend"] == "tensorflow")
    is_gru = layers["layer"].str.startswith(("gru", "mgu"))
    is_gru &= (layers["layer"] == KERAS_GRU).any()
    table = layers.assign(
        where=layers["backend"]
        + by_xla.map({True: ", jit_compile=True", False: ""}),
        peer=is_gru.map({True: KERAS_GRU, False: KERAS_LSTM}),
    )
    for part in ("", *(f"_{part}" for part in SPREAD)):
        ratio = layers[f"keras_default{part}"]
        ratio = ratio.mask(by_xla, layers[f"keras_best{part}"])
        if is_gru.any():
            ratio = ratio.mask(is_gru, layers[f"keras_gru{part}"])
        table[f"ratio{part}"] = ratio
    key = ["shape", "layer"]
    sizes = layers.drop_duplicates(key).set_index(key)["parameters"]
    peers = pd.MultiIndex.from_frame(table[["shape", "peer"]])
    table["share"] = table["parameters"] / sizes.reindex(peers).to_numpy()
    ours = (table["recurrence"] == "fast") & (table["equal"] == "units")
    return table[ours & table["ratio"].notna()]


def _of_keras(subjects):
    return subjects["layer"] == KERAS_LSTM


def models(rounds):
    """The table of the models trained by `model.fit`.

    The seconds are those per training step; the ratio `keras` is to the same
    model with Keras's layer.
    """
    common = ["backend", "jit_compile"]
    ratios = {"keras": (_of_keras, common)}
    table = _table(rounds, ["model", "shape"], Trained, ratios)
    return table.drop(columns="peak_memory_bytes")


def newsgroups(rounds):
    """The table of the networks of the newsgroups experiment.

    The seconds are those per batch; the ratio `computed` is to the network
    with the same recurrent layer that computes all padding, and `keras` to the
    one with Keras's layers only.
    """

    def computed(networks):
        return networks["padding"] == "computed"

    table = _table(
        rounds,
        [],
        Network,
        {
            "computed": (computed, ["backend", "mode", "layer"]),
            "keras": (
                lambda n: computed(n) & _of_keras(n),
                ["backend", "mode"],
            ),
        },
    )
    return table.drop(columns=["peak_memory_bytes", "difference"])


def deploy(rounds):
    """The table of exported networks, with the columns `FILE_COLUMNS`.

    The seconds are those per call; the ratio `keras` is to `keras.layers.LSTM`
    in the same format.
    """
    table = _table(
        rounds, ["task"], Exported, {"keras": (_of_keras, ["format"])}
    )
    names = ["task", *columns_of(Exported)]
    first = rounds[rounds["round"] == 0].set_index(names)
    first = first.reindex(pd.MultiIndex.from_frame(table[names]))
    place = table.columns.get_loc("keras")
    for column in reversed(FILE_COLUMNS):
        table.insert(place, column, first[column].to_numpy())
    # The files of a network together, whichever backend exports them.
    order = {name: k for k, name in enumerate(table["layer"].unique())}
    tasks = {name: k for k, name in enumerate(table["task"].unique())}
    return table.sort_values(
        ["task", "layer"], key=lambda s: s.map(tasks | order), kind="stable"
    )
