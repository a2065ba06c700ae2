"""What the runs came to: tables in the terminal and as CSV, and pictures."""

from pathlib import Path

import pandas as pd
from rich.table import Table
from rich.text import Text

from experiments.engine.runs import replacing
from experiments.memory_duration import claims, figures, tables
from experiments.memory_duration.spec import COEFFICIENTS
from keras_slim.datasets.text import PAPER_COUNTS

PICTURES = {
    "histograms.png": figures.histograms,
    "modulation.png": figures.modulation,
    "variants.png": figures.variants,
}
FOOTNOTE = (
    "Bits: of a character of the test text. Layers: mean memory duration "
    "(spread). A duration is a run of steps in which a cell state keeps its "
    "sign, while the network reads the test text as one stream, in "
    "characters; the first and the last run of a unit count with what is seen "
    "of them. ±: half of the 95 % interval over seeds; with one seed there is "
    "none. Spread: the standard deviation of the logarithm to the base 2, in "
    "octaves."
)


def choose(found, number=0):
    """Picks runs that may share a table; see `tables.budgets`.

    Args:
        found: `engine.results.Results`.
        number: Integer, place in the list of budgets.

    Returns:
        Tuple of the budget, an `engine.results.Results`, and a list of
        strings, what the others have in common.

    Raises:
        ValueError: if there are not so many.
    """
    budgets = tables.budgets(found)
    if not 0 <= number < len(budgets):
        raise ValueError(
            f"There are {len(budgets)} budgets, counted from 0. Received: "
            f"budget={number}"
        )
    others = [
        f"{tables.describe(other)} (runs: {len(other.runs)})"
        for other in budgets
        if other is not budgets[number]
    ]
    return budgets[number], others


def write(found, folder, number=0):
    """Writes the tables of one budget as CSV, and its pictures.

    Args:
        found: `engine.results.Results`.
        folder: Path, made if it is not there.
        number: Integer, place of the budget in the list of budgets.

    Returns:
        List of `pathlib.Path`, the pictures.
    """
    budget, _ = choose(found, number)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in (
        ("summary", tables.summary(budget)),
        ("verdicts", claims.verdicts(tables.cells(budget))),
    ):
        with replacing(folder / f"{name}.csv", newline="") as file:
            table.to_csv(file, index=False, lineterminator="\n")
    return [
        folder / name
        for name, draw in PICTURES.items()
        if draw(budget, folder / name)
    ]


def show(found, console, number=0):
    """Prints the tables of one budget in a terminal.

    Args:
        found: `engine.results.Results`.
        console: `rich.console.Console`.
        number: Integer, place of the budget in the list of budgets.
    """
    budget, others = choose(found, number)
    console.print(_as_rich(texts(budget), "Texts"))
    title = f"Memory durations: {tables.describe(budget)}"
    console.print(_as_rich(readable(budget), title))
    verdicts = claims.verdicts(tables.cells(budget))
    if len(verdicts):
        console.print(_as_rich(verdicts, "Claims"))
    console.print(Text(FOOTNOTE))
    for other in others:
        console.print(Text(f"Not shown: {other}"))


def texts(budget):
    """The texts that were read, beside those of the paper's Table 1.

    Returns:
        `pandas.DataFrame`.
    """
    rows = []
    for _, run in budget.runs.drop_duplicates("data_fingerprint").iterrows():
        published = PAPER_COUNTS.get(run["text"])
        rows.append(
            {
                "text": run["text"],
                "characters": f"{run['text_characters']:,}",
                "symbols": run["text_symbols"],
                "paper": f"{published.characters:,} / {published.symbols}"
                if published
                else "",
                "source": run["text_source"],
            }
        )
    return pd.DataFrame(rows)


def readable(budget):
    """The table of `tables.summary` as text, to be read.

    Returns:
        `pandas.DataFrame` of strings: bits a character of the test text, and
        for each layer the mean duration (the spread). Coefficients that are
        zero in all rows are left out.
    """
    summary = tables.summary(budget)
    shown = pd.DataFrame({"text": summary["text"]})
    shown["variant"] = summary["variant"]
    for name in COEFFICIENTS:
        if summary[name].any():
            shown[name] = summary[name].map("{:g}".format)
    shown["seeds"] = summary["seeds"].astype(str)
    for status, heading in (("failed", "failed"), ("unfinished", "cut off")):
        if summary[status].any():
            shown[heading] = summary[status].astype(str)
    rows = [row for _, row in summary.iterrows()]
    shown["bits"] = [_with_interval(row, "bits") for row in rows]
    layers = [n[5:] for n in summary if n[:5] == "mean_" and n[5:].isdigit()]
    for layer in layers:
        shown[f"layer {layer}"] = [
            _with_interval(row, f"mean_{layer}", f"spread_{layer}")
            for row in rows
        ]
    return shown


def _with_interval(row, name, in_brackets=None):
    mean, high = row[name], row[f"{name}_high"]
    if pd.isna(mean):
        return ""
    text = f"{mean:.2f}"
    if not pd.isna(high):
        text += f" ±{high - mean:.2f}"
    return (
        f"{text} ({_with_interval(row, in_brackets)})" if in_brackets else text
    )


def _as_rich(frame, title):
    table = Table(title=title, title_justify="left")
    for name in frame:
        is_name = name in ("text", "variant")
        table.add_column(str(name), overflow="fold", no_wrap=is_name)
    for row in frame.itertuples(index=False):
        table.add_row(*(Text(str(value)) for value in row))
    return table
