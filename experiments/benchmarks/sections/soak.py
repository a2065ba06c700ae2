from experiments.benchmarks.markdown import number, table
from experiments.benchmarks.sections.common import machine

HOW = """\
One process makes many calls, another a sweep of many runs. A call is one of a
layer with a mask and a training step of a small model with that layer, on a
batch of a size and length drawn anew; a run trains a tiny network of the
memory experiment, reads its test text and writes its files. Memory is what the
process holds (resident set). On JAX, compilations are those of XLA; on
TensorFlow, the functions that it keeps; PyTorch compiles nothing. Seconds per
call or run are the mean of those since the row before, with whatever else the
machine did."""


def soak(found, about, chart):
    """The section of many calls and runs.

    Args:
        found: `pandas.DataFrame`, the content of `soak.csv`.
        about: Dict, the content of `soak.json`.
        chart: Name of the picture.
    """
    yield "## Soak"
    yield machine(about)
    yield HOW
    yield f"![Memory of the process by calls and runs]({chart})"
    lines = []
    for (backend, what, layer), rows in found.groupby(
        ["backend", "mode", "layer"], sort=False
    ):
        done = rows["done"].diff().fillna(rows["done"])
        rows = rows.assign(each=rows["seconds"] / done)
        for place in sorted({0, (len(rows) - 1) // 2, len(rows) - 1}):
            row = rows.iloc[place]
            lines.append(
                {
                    "backend": backend,
                    "layer": layer,
                    "after": f"{row['done']:,} {what}",
                    "memory, MB": f"{row['memory_bytes'] / 1e6:,.1f}",
                    "open files": row["open_files"],
                    "compilations": number(row["compilations"]),
                    "ms each": number(1000 * row["each"]),
                }
            )
    yield table(lines)
