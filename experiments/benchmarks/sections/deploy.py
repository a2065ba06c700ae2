from experiments.benchmarks.deploy import TASKS
from experiments.benchmarks.markdown import number, share, spread, table
from experiments.benchmarks.sections.common import (
    disturbed,
    failures,
    machine,
    quietness,
)
from experiments.benchmarks.subjects import CNN

HOW = """\
Each network is trained with each of {seeds} seeds and exported by the calls of
the README; the score is the mean over seeds, with the least and the largest,
for int8 of the files. A network has one recurrent layer and `Dense`; the 1D-CNN
has two convolutions with a stride of 2 and `Dense`, and the fewest filters out
of 4, 8, 16 and 32 with which its score is at most one point below that of
`keras.layers.LSTM`, or 32. Files without quantization are compared with Keras;
a difference larger than rounding is an error, and the file is not timed. The
time is that of the runtime alone, for a batch of one on one thread, without
copying the input; each round times every file once, in a new random order. The
ratio is to `keras.layers.LSTM` in the same format. The memory is that by which
the process grows while it opens the file and calls it for the first time, the
runtime being loaded, as none of the runtimes reports its own to Python."""


def deploy(found, about, chart):
    """The section of exported networks.

    Args:
        found: What `summary.deploy` returns.
        about: Dict, the content of `deploy.json`.
        chart: File name of the chart.
    """
    yield "## Deploy"
    busy = found.loc[found["rounds_used"] == "all", "task"].unique()
    yield from (f"**{disturbed(task)}**" for task in busy)
    runtimes = ", ".join(f"{n} {v}" for n, v in about["runtimes"].items())
    yield f"{machine(about)}\n- runtimes: {runtimes}"
    yield HOW.format(seeds=about["seeds"])
    yield f"![Time and size of exported networks]({chart})"
    for task, rows in found.groupby("task", sort=False):
        yield f"### {task}"
        yield f"{TASKS[task]} {quietness(rows)}"
        yield table([_line(row) for _, row in rows.iterrows()])
    yield from failures(found)


def _line(row):
    name = f"{row['layer']}, {row['size']} filters"
    return {
        "layer": name if row["layer"] == CNN else row["layer"],
        "file": row["format"] + (" (failed, see below)" * bool(row["error"])),
        "parameters": f"{row['parameters']:,}",
        "score (%)": share(row["score"], row["score_min"], row["score_max"]),
        "file (kB)": number(row["file_bytes"] / 1e3),
        "memory (kB)": number(row["peak_memory_bytes"] / 1e3),
        "µs per call": number(1e6 * row["seconds"]),
        "x Keras": spread(row, "keras", "x"),
    }
