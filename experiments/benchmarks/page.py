"""README.md of the results: what was measured, on which machine, and how fast.

It is made from the files of a measurement, without measuring again. First come
a picture and a short table, if there is one, then everything else.
"""

import json
import math
import re

import pandas as pd

from experiments.benchmarks import charts, rounds, summary
from experiments.benchmarks.subjects import (
    CNN,
    EPOCHS,
    KERAS_GRU,
    KERAS_LSTM,
    TASKS,
    TORCH_LSTM,
    WAYS,
    Shape,
)
from experiments.engine.files import replacing

NOTHING = "–"
_NUMBER = re.compile(rf"{NOTHING}|-?[\d.,]+(–[\d.,]+)?[x%]?( \(.*\))?")
# LSTM3 has a quarter of the arithmetic of an LSTM, and `torch.nn.LSTM` on a CPU
# wastes little time, so that a larger ratio to it is an error.
CEILING = 4.5
# Without a product with the previous output, the ceiling does not apply.
# By name, as keras_slim would import Keras here.
_WITHOUT_PRODUCT = ("lstm10", "lstm11")
HOW = """\
`experiments/benchmarks/README.md` says how everything is measured. A ratio is
the time of a peer divided by that of the subject: above 1, the subject is
faster. Tables have the median over rounds and the 10th and 90th percentiles."""
PEERS = {
    "keras_default": "x Keras default",
    "keras_best": "x Keras best",
    "keras_gru": "x Keras GRU",
    "torch_lstm": "x torch.nn.LSTM",
}


def write(folder, console):
    """Makes tables, pictures and README.md from the files in a folder.

    Raises:
        FileNotFoundError: if nothing was measured there.
    """
    first, others, failed = [], [], 0
    for name, (title, where, overview, details) in _SECTIONS.items():
        found = _table(folder, name)
        if found is None:
            continue
        about = folder / f"{name}.json"
        about = json.loads(about.read_text("utf-8")) if about.exists() else {}
        warnings = [*_warnings(found, where, title)]
        above = [f"**{warning}**" for warning in warnings]
        above += overview(found, about, folder) if overview else []
        if overview and not others:
            first, above = above, []
        others += [f"### {title}", *above]
        others += [_machine(about)] if about else []
        others += details(found, about, folder)
        if "error" in found:
            failed += (found["error"] != "").sum()
            others += _failures(found)
        for warning in warnings:
            console.print(warning, style="bold red")
    if not others:
        raise FileNotFoundError(
            f"Nothing has been measured. Received: --results-dir={folder}"
        )
    if failed:
        console.print(f"{failed} failed, see README.md", style="bold red")
    heading = "## Appendix" if first else "## Results"
    paragraphs = ["# Benchmarks", *first, heading, HOW, *others]
    with replacing(folder / "README.md", encoding="utf-8") as file:
        file.write("\n\n".join(paragraphs) + "\n")
    console.print(f"Tables and pictures: {folder / 'README.md'}")


def _table(folder, name):
    """A table, made from its rounds if they are there, or `None`."""
    path, source = folder / f"{name}.csv", rounds.path_of(folder, name)
    if source.exists():
        rows = summary.read(source)
        if rows.empty:
            return None
        summary.write(getattr(summary, name)(rows), path)
    return summary.read(path) if path.exists() else None


def _layers_overview(found, about, folder):
    ours = summary.to_keras(found)
    picture = folder / "layers_training.png"
    if not ours["default"].any():
        picture.unlink(missing_ok=True)
        return
    charts.speed_ups(ours, picture)
    peers = f"`{KERAS_LSTM}`"
    fastest = "the fastest LSTM"
    if (ours["peer"] == KERAS_GRU).any():
        fastest += ", but that of GRU and MGU variants is to the default GRU"
        peers += f" (GRU and MGU variants: `{KERAS_GRU}`)"
    yield (
        "Speed of training and inference of the variants of "
        f"`keras_slim.SlimRNN`, relative to {peers} with the same number of "
        f"units on the same backend. Measured on {about['cpu']}, "
        f"{about['cores']} cores."
    )
    yield f"![Times as fast as layers of Keras]({picture.name})"
    lines = []
    for (mode, layer), rows in ours.groupby(["mode", "layer"], sort=False):
        share = _range(100 * rows["share"])
        lines.append(
            {"": mode, "variant": f"`{layer}`", "parameters": f"{share}%"}
        )
        for where, own in rows.groupby("where", sort=False):
            lines[-1][where] = _range(own["ratio"]) + "x"
    yield _markdown(lines)
    count = ours["shape"].nunique()
    ranges = f" A range is over the {count} shapes of the picture." * (
        count > 1
    )
    yield (
        "Parameters are a percentage of those of Keras's layer. Training "
        "computes the outputs and all gradients, and updates the weights. "
        "Keras's layers run with their default settings; with "
        f"`jit_compile=True`, the ratio is to {fastest}.{ranges}"
    )


def _layers(found, about, folder):
    largest = found.loc[found["error"] == "", "difference"].max()
    if largest >= 0:
        yield (
            "The outputs and gradients of a layer differ from those that it "
            f"is checked against by at most {largest:.0e}, relative to the "
            "largest value."
        )
    for (shape, mode), rows in found.groupby(["shape", "mode"], sort=False):
        larger = rows[rows["equal"] == "parameters"]
        units = dict(zip(larger["layer"], larger["units"], strict=True))
        equal = ", ".join(f"{name} has {n} units" for name, n in units.items())
        yield f"#### {shape}, {mode}"
        yield (
            f"{_sizes(shape)}{equal and f' With equal parameters: {equal}.'} "
            f"{_quietness(rows)}"
        )
        yield _layers_table(rows)
    plain = (found["recurrence"] == "plain").any()
    yield "`layers.csv` has all times" + (
        ", including those of the plain time loop." if plain else "."
    )


def _layers_table(rows):
    """The peers, then the fast layers by variant."""
    fast = rows[rows["recurrence"] == "fast"]
    variants = list(fast["layer"].unique())
    # An earlier version wrote tables without the last of them.
    peers = {name: title for name, title in PEERS.items() if name in rows}
    if not (rows["layer"] == KERAS_GRU).any():
        peers.pop("keras_gru", None)
    first = [KERAS_LSTM, TORCH_LSTM]
    if any(name.startswith(("gru", "mgu")) for name in variants):
        first.append(KERAS_GRU)
    ours = fast[fast["equal"] == "units"].sort_values(
        "layer", key=lambda names: names.map(variants.index), kind="stable"
    )
    shown = pd.concat([rows[rows["layer"].isin(first)], ours])
    # The same layer with as many parameters as the full LSTM.
    key = ["layer", "backend", "jit"]
    larger = fast[fast["equal"] == "parameters"].set_index(key)
    larger = larger.reindex(pd.MultiIndex.from_frame(shown[key]))
    unrolled = shown["unroll"].map({True: ", unrolled", False: ""})
    megabytes = shown["peak_memory_bytes"] / 1e6
    return _markdown(
        {
            "layer": shown["layer"] + unrolled + _failed(shown),
            "backend": _with_jit(shown),
            **{title: _spread(shown, name) for name, title in peers.items()},
            "equal parameters: x Keras default": _spread(
                larger, "keras_default"
            ),
            "parameters": shown["parameters"].map("{:,}".format),
            "µs per time step": _figures(shown["us_per_step"]),
            "first call (s)": _figures(shown["compile_seconds"]),
            "memory (MB)": megabytes.map("{:,.1f}".format, na_action="ignore"),
        }
    )


_MODELS = {
    "classifier": "Masked bidirectional classifier of token sequences of "
    "varying length: `Embedding(mask_zero=True)`, `Bidirectional`, `Dense`.",
    "forecaster": "Stacked forecaster: two layers and `Dense`.",
    "encoder_decoder": "Encoder-decoder: the states of the encoder "
    "(`return_state=True`) are the `initial_state` of the decoder.",
}


def _models(found, about, folder):
    yield (
        "Training steps in `model.fit`. The ratio is to the same model with "
        "`keras.layers.LSTM` with as many units, on the same backend with the "
        "same `jit_compile`."
    )
    for (model, shape), rows in found.groupby(["model", "shape"], sort=False):
        by_xla = {"True": ", jit_compile=True", "auto": ""}
        yield f"#### {model}, {shape}"
        yield f"{_MODELS[model]} {_sizes(shape)} {_quietness(rows)}"
        yield _markdown(
            {
                "layer": rows["layer"] + _failed(rows),
                "backend": rows["backend"] + rows["jit_compile"].map(by_xla),
                "x Keras": _spread(rows, "keras"),
                "parameters": rows["parameters"].map("{:,}".format),
                "ms per training step": _figures(1e3 * rows["seconds"]),
                "first epoch (s)": _figures(rows["compile_seconds"]),
            }
        )


def _newsgroups(found, about, folder):
    data = about["data"]
    yield (
        f"The paper's network with {data['units']} units in each direction and "
        f"{data['embedding_dim']}-d vectors: {data['posts_for_training']:,} "
        f"posts for training, {data['posts_for_validation']:,} for validation, "
        f"batches of {data['batch_size']}. {data['padding']:.0%} of the word "
        "ids are padding. Parameters are those of the recurrent layer. Ratios "
        "are to the network with the same recurrent layer that computes all "
        "padding, and to the network with Keras's layers only, both on the "
        f"same backend. {_quietness(found)}"
    )
    for mode, rows in found.groupby("mode", sort=False):
        yield f"#### {mode.capitalize()}"
        yield _markdown(
            {
                "layer": rows["layer"],
                "backend": rows["backend"],
                "padding": rows["padding"],
                "parameters": rows["parameters"].map("{:,}".format),
                "x padding computed": _spread(rows, "computed"),
                "x Keras": _spread(rows, "keras"),
                "ms per batch": _figures(1e3 * rows["seconds"]),
                "first epoch (s)": _figures(rows["compile_seconds"]),
            }
        )


def _deploy_overview(found, about, folder):
    timed = found[found["seconds"].notna()]
    picture = folder / "deploy.png"
    if timed.empty:
        picture.unlink(missing_ok=True)
        return
    charts.files(timed, picture)
    yield (
        "Small networks with one recurrent layer, and one with convolutions, "
        "exported by Keras and run by runtimes for devices, with a batch of "
        f"one on one thread of a CPU ({about['cpu']}). The table has the "
        "fastest file of each network. Scores are in %."
    )
    yield f"![Time and size of exported networks]({picture.name})"
    lines = []
    for layer, of_layer in timed.groupby("layer", sort=False):
        lines.append({"layer": layer})
        for task, rows in of_layer.groupby("task", sort=False):
            row = rows.loc[rows["seconds"].idxmin()]
            lines[-1] |= {
                f"{task}: score": f"{100 * row['score']:.1f}",
                f"{task}: file": row["format"],
                f"{task}: kB": _number(row["file_bytes"] / 1e3),
                f"{task}: µs": _number(1e6 * row["seconds"]),
            }
    yield _markdown(lines)


def _deploy(found, about, folder):
    yield (
        f"Scores are means over {about['seeds']} seeds, with the lowest and "
        "the highest; for int8 they are scores of the files. The ratio is to "
        "`keras.layers.LSTM` in the same format."
    )
    for task, rows in found.groupby("task", sort=False):
        filters = ", " + rows["size"].astype(str) + " filters"
        scores = rows[["score", "score_min", "score_max"]].to_numpy()
        yield f"#### {task}"
        yield f"{TASKS[task]} {_quietness(rows)}"
        yield _markdown(
            {
                "layer": rows["layer"]
                + filters.where(rows["layer"] == CNN, ""),
                "file": rows["format"] + _failed(rows),
                "parameters": rows["parameters"].map("{:,}".format),
                "score (%)": [_share(*three) for three in scores],
                "file (kB)": _figures(rows["file_bytes"] / 1e3),
                "memory (kB)": _figures(rows["peak_memory_bytes"] / 1e3),
                "µs per call": _figures(1e6 * rows["seconds"]),
                "x Keras": _spread(rows, "keras"),
            }
        )


def _slimming(found, about, folder):
    yield (
        "`keras.layers.LSTM` slimmed by `keras_slim.slim` and trained for "
        f"{EPOCHS} epochs, on the targets (fine-tuned) or on the outputs of "
        "the original (distilled). Scores in %: means over "
        f"{about['seeds']} seeds, with the lowest and the highest."
    )
    for task, rows in found.groupby("task", sort=False):
        yield f"#### {task}, slimmed"
        yield TASKS[task]
        lines = []
        for layer, of_layer in rows.groupby("layer", sort=False):
            name = KERAS_LSTM if layer == "lstm" else layer
            lines.append(
                {"layer": name} | dict.fromkeys(("original", *WAYS), "")
            )
            for way, scores in of_layer.groupby("way")["score"]:
                three = scores.mean(), scores.min(), scores.max()
                lines[-1][way] = _share(*three)
        yield _markdown(lines)


def _soak(found, about, folder):
    found = found[found["error"] == ""]
    if found.empty:
        return
    charts.memory_held(found, folder / "soak.png")
    yield (
        "What a process holds during many calls, many models or a sweep of "
        "many runs."
    )
    yield "![Memory of the process by calls, models and runs](soak.png)"
    samples = []
    for _, rows in found.groupby(["backend", "mode", "layer"], sort=False):
        done, last = rows["done"].diff().fillna(rows["done"]), len(rows) - 1
        rows = rows.assign(each=rows["seconds"] / done)
        samples.append(rows.iloc[sorted({0, last // 2, last})])
    shown = pd.concat(samples)
    yield _markdown(
        {
            "backend": shown["backend"],
            "layer": shown["layer"],
            "after": shown["done"].map("{:,.0f} ".format) + shown["mode"],
            "memory, MB": (shown["memory_bytes"] / 1e6).map("{:,.1f}".format),
            "open files": shown["open_files"].astype("Int64"),
            "compilations": shown["compilations"].astype("Int64"),
            "ms each": _figures(1000 * shown["each"]),
        }
    )


# Title, the columns that identify a set with rounds of its own, and generators
# of what the page may begin with and of everything else.
_SECTIONS = {
    "layers": ("Layers", ["shape", "mode"], _layers_overview, _layers),
    "models": ("Models", ["model"], None, _models),
    "newsgroups": ("The newsgroups experiment", [], None, _newsgroups),
    "deploy": ("Deploy", ["task"], _deploy_overview, _deploy),
    "slimming": ("Slimming", [], None, _slimming),
    "soak": ("Soak", [], None, _soak),
}


def _warnings(found, where, title):
    """Yields warnings that concern the reliability of the numbers."""
    if "rounds_used" not in found:
        return
    is_busy = found["rounds_used"] == "all"
    places = [title.lower()] if is_busy.any() else []
    if where:
        places = map(
            " ".join, found.loc[is_busy, where].drop_duplicates().values
        )
    for place in places:
        yield (
            f"The machine was busy in more than half of the rounds of {place}. "
            "The medians are over all rounds and must not be trusted."
        )
    if "torch_lstm" not in found:
        return
    shapes = found["shape"].map(Shape.parse)
    beyond = (
        (found["torch_lstm"] > CEILING)
        & shapes.map(lambda shape: shape.units >= 128 and shape.batch >= 32)
        & ~found["layer"].isin(_WITHOUT_PRODUCT)
        & (found["recurrence"] != "")
    )
    # A busy machine would already explain it.
    for _, row in found[beyond & ~is_busy].iterrows():
        yield (
            f"{row['layer']} {row['recurrence']} on {row['backend']}, "
            f"{row['shape']} {row['mode']}, is {row['torch_lstm']:.2f}x as "
            f"fast as torch.nn.LSTM, but the arithmetic allows {CEILING}x at "
            "most: look for an error."
        )


def _machine(about):
    """The description of the machine and the backends as a list."""
    lines = [
        f"- {about['date']}, `{about['command']}`",
        f"- {about['cpu']}, {about['cores']} cores "
        f"({about['logical_cores']} logical), "
        f"{about['memory_bytes'] / 2**30:.0f} GiB of memory, {about['system']}",
    ]
    if about["environment"]:
        settings = " ".join(f"{k}={v}" for k, v in about["environment"].items())
        lines.append(f"- environment: `{settings}`")
    for backend, found in about["backends"].items():
        versions = ", ".join(f"{n} {v}" for n, v in found["versions"].items())
        commit = found["commit"]
        lines.append(
            f"- {backend}: {found['device']}, threads: {found['threads']}; "
            f"{versions}" + (f"; commit {commit}" if commit else "")
        )
    if "runtimes" in about:
        versions = ", ".join(f"{n} {v}" for n, v in about["runtimes"].items())
        lines.append(f"- runtimes: {versions}")
    return "\n".join(lines)


def _sizes(shape):
    sizes = Shape.parse(shape)
    return (
        f"Batches of {sizes.batch}, {sizes.timesteps} time steps, "
        f"{sizes.features} features, {sizes.units} units."
    )


def _quietness(rows):
    """The number of rounds, and which of them count."""
    row = rows.iloc[0]
    used = "the quiet ones" if row["rounds_used"] == "quiet" else "all"
    return (
        f"Rounds: {row['rounds']}, busy ones: {row['busy_rounds']}; medians "
        f"over {used}."
    )


def _failed(rows):
    return rows["error"].map(lambda error: " (failed, see below)" * bool(error))


def _failures(rows):
    """A table of the subjects that could not be measured, and why."""
    failed = rows[rows["error"] != ""]
    if failed.empty:
        return
    yield f"#### Failed: {len(failed)}"
    names = ("model", "shape", "mode", "backend", "layer", "recurrence", "jit")
    names += ("jit_compile", "unroll", "units", "task", "format")
    shown = {name: failed[name] for name in names if name in failed}
    errors = failed["error"].str.replace("|", "\\|")
    yield _markdown({**shown, "error": errors})


def _with_jit(rows):
    return rows["backend"] + rows["jit"].map({True: " jit", False: ""})


def _number(value, digits=3):
    """Significant digits, without an exponent."""
    if pd.isna(value):
        return NOTHING
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def _figures(values):
    return values.map(_number)


def _range(values):
    """The lowest and the highest, if they differ in two digits."""
    ends = [_number(end, digits=2) for end in (values.min(), values.max())]
    return "–".join(dict.fromkeys(ends))


def _spread(rows, name):
    """Ratios: medians with the 10th and 90th percentiles."""
    columns = rows[[name, *(f"{name}_{part}" for part in summary.SPREAD)]]
    return [
        f"{_number(ratio)}x ({_number(low)}–{_number(high)})"
        if pd.notna(ratio)
        else NOTHING
        for ratio, low, high in columns.to_numpy()
    ]


def _share(mean, least, most):
    """Percent with one digit, the mean with the lowest and the highest."""
    if pd.isna(mean):
        return NOTHING
    return f"{100 * mean:.1f} ({100 * least:.1f}–{100 * most:.1f})"


def _markdown(columns):
    """A table with numbers aligned right.

    `pandas.DataFrame.to_markdown` needs one more package, and pads cells, so
    that one number changes all lines. `columns` is a dict of lists or of
    `pandas.Series` of one index, or a list of dicts, of text.
    """
    table = pd.DataFrame(columns).astype(object).fillna(NOTHING).astype(str)
    if table.empty:
        return "Nothing was measured."
    ruler = [
        "---:" if table[name].str.fullmatch(_NUMBER).all() else "---"
        for name in table
    ]
    rows = [table, ruler, *table.to_numpy()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
