"""The report as files, and its short form in a terminal."""

from pathlib import Path

import pandas as pd
from rich.text import Text

from experiments.engine import budgets, report
from experiments.engine.config import to_text
from experiments.memory_duration import claims, figures, tables
from experiments.memory_duration.config import COEFFICIENTS
from experiments.memory_duration.results import LEAST_GAIN
from keras_slim.datasets.text import PAPER_COUNTS

PICTURES = {
    "histograms.png": (figures.histograms, "Figure 1: histograms by layer."),
    "modulation.png": (
        figures.modulation,
        "Figure 2: mean durations by r_1, r_2 and r_3 of eq. 7.",
    ),
    "variants.png": (
        figures.variants,
        "Mean durations by layer and variant; small points are single runs.",
    ),
}
# Labels of runs that are in no mean, by their column in `tables.summary`.
WITHOUT_RESULT = {
    "learned_nothing": "learned nothing",
    "failed": "failed",
    "unfinished": "unfinished",
}
LEARNED_NOTHING = (
    "Learned nothing: runs whose bits per character are not at least "
    f"{LEAST_GAIN} lower than those of a predictor that knows only the "
    "frequencies of characters in the training text; they are in no mean, no "
    "claim and no picture."
)
SHORT_FOOTNOTE = (
    "Bits: per character of the test text. ±: half of the 95 % "
    f"confidence interval over seeds. {LEARNED_NOTHING}"
)
FOOTNOTE = (
    "Bits: per character of the test text. Layers: mean memory duration "
    "(spread). A duration is the length, in characters, of an interval in "
    "which a cell state keeps its sign while the network reads the test text "
    "as one stream; the first and the last interval of a unit count with what "
    "is seen of them. ±: half of the 95 % confidence interval over seeds; with "
    "one seed there is none. Spread: the standard deviation of the "
    f"logarithm to base 2, in octaves. {LEARNED_NOTHING}"
)


def choose(found, number=0):
    """Selects runs that may share a table, see `tables.budgets`.

    Args:
        found: `engine.results.Results`.
        number: Integer, position in the list of budgets.

    Returns:
        Tuple of the budget, an `engine.results.Results`, and a list of
        strings that describe the others.

    Raises:
        ValueError: if there are fewer budgets.
    """
    return budgets.choose(tables.budgets(found), number, tables.describe)


def contents(found, number=0):
    """All tables of one budget.

    Args:
        found: `engine.results.Results`.
        number: Integer, position of the budget in the list of budgets.

    Returns:
        List of `engine.report.Item`.
    """
    budget, others = choose(found, number)
    words = tables.describe(budget)
    verdicts = claims.verdicts(tables.layer_durations(budget))
    read = texts(budget)
    made = [
        report.Item("texts", "The texts.", read, read),
        report.Item(
            "summary",
            f"Mean memory durations in characters (spread): {words}.",
            readable(budget),
            tables.summary(budget),
            FOOTNOTE,
        ),
        report.Item(
            "verdicts",
            f"Claims of the paper, and the same for what is ours: {words}.",
            verdicts,
            verdicts,
        ),
    ]
    if others:
        made.append(
            report.Item(
                "all_settings",
                "All runs, with any settings. Only rows that differ in one "
                "setting compare its values.",
                readable(found),
                tables.summary(found),
            )
        )
    return made


def write(found, folder, number=0):
    """Writes the tables of one budget, and its pictures.

    Each table is written as CSV (numbers), LaTeX and HTML (text).
    `index.html` has all tables and pictures.

    Args:
        found: `engine.results.Results`.
        folder: Path, made if it is not there.
        number: Integer, position of the budget in the list of budgets.

    Returns:
        List of `pathlib.Path`: `index.html` and the pictures.
    """
    budget, others = choose(found, number)
    page = report.Page(
        "Layer specificity of memory duration in multilayer LSTM networks",
        "Hatanaka, Teramae & Wakamiya, NOLTA 2017",
        "",
        tables.describe(budget),
        len(budget.runs),
        others=others,
    )
    items = contents(found, number)
    return report.write_with_pictures(
        page, items, PICTURES, budget, Path(folder)
    )


def show(found, console, number=0):
    """Prints a short report of one budget in a terminal.

    Args:
        found: `engine.results.Results`.
        console: `rich.console.Console`.
        number: Integer, position of the budget in the list of budgets.
    """
    budget, others = choose(found, number)
    items = {item.name: item for item in contents(found, number)}
    for _, row in items["texts"].text.iterrows():
        console.print(Text(f"{row['text']}: {row['source']}"))
    console.print()
    report.show(
        console,
        _without_constants(readable(budget, short=True)),
        f"Mean memory durations in characters: {tables.describe(budget)}",
    )
    for row in items["summary"].numbers.to_dict("records"):
        for status, heading in WITHOUT_RESULT.items():
            if row[status]:
                words = f"{heading}: {row['variant']}, {row['text']}"
                console.print(Text(f"{words} (runs: {row[status]})"))
    console.print(Text(SHORT_FOOTNOTE))
    verdicts = items["verdicts"].text
    columns = ["text", "variant", "section", "verdict", "seeds", "reading"]
    for claim, rows in verdicts.groupby("claim", sort=False):
        console.print()
        text = rows.loc[rows["verdict"] != report.NOT_ENOUGH, columns]
        if text.empty:
            console.print(Text(f"Claim: {claim}: {report.NOT_ENOUGH}"))
        else:
            text = _without_constants(text)
            report.show(console, text, f"Claim: {claim}")
    if "all_settings" in items:
        console.print()
        report.show(
            console,
            _without_constants(readable(found, short=True)),
            "All settings that were run",
            most=20,
        )
    for other in others:
        console.print(Text(f"Not shown: {other}"))


def _without_constants(text):
    """Without the column `text` if it is the same in all rows."""
    return text.drop(columns="text") if text["text"].nunique() == 1 else text


def texts(budget):
    """The texts, compared with those of the paper's Table 1.

    Returns:
        `pandas.DataFrame`.
    """
    rows = []
    for _, row in budget.runs.drop_duplicates("data_fingerprint").iterrows():
        published = PAPER_COUNTS.get(row["text"])
        rows.append(
            {
                "text": row["text"],
                "characters": f"{row['text_characters']:,}",
                "symbols": row["text_symbols"],
                "paper": f"{published.characters:,} / {published.symbols}"
                if published
                else "",
                "source": row["text_source"],
            }
        )
    return pd.DataFrame(rows)


def readable(found, short=False):
    """The table of `tables.summary` as text for readers.

    Args:
        found: `engine.results.Results`, of one budget or of several.
        short: Boolean, whether to leave out spreads and the counts of
            `WITHOUT_RESULT`, and to put the coefficients in one column.

    Returns:
        `pandas.DataFrame` of strings: bits per character of the test text, and
        for each layer the mean duration (spread). Settings that are the same
        in all rows are left out.
    """
    summary = tables.summary(found)
    shown = pd.DataFrame({"text": summary["text"]})
    shown["variant"] = summary["variant"]
    settings = tables.settings_of(found.runs)[2:]
    if summary["variant"].str.contains(" at ").any():
        settings.remove("learning_rate")  # it is named there
    if short and summary[[*COEFFICIENTS]].any(axis=None):
        shown["eq. 7"] = [
            ", ".join(f"{n}={row[n]:g}" for n in COEFFICIENTS if row[n])
            for row in summary.to_dict("records")
        ]
    for name in settings:
        if name in COEFFICIENTS:
            differs = not short and summary[name].any()
        else:
            differs = summary[name].nunique(dropna=False) > 1
        if differs:
            shown[name] = summary[name].map(to_text)
    shown["seeds"] = summary["seeds"].astype(str)
    for status, heading in WITHOUT_RESULT.items():
        if summary[status].any() and not short:
            shown[heading] = summary[status].astype(str)
    rows = summary.to_dict("records")
    shown["bits"] = [_with_interval(row, "bits") for row in rows]
    layers = [n[5:] for n in summary if n[:5] == "mean_" and n[5:].isdigit()]
    for layer in layers:
        in_brackets = None if short else f"spread_{layer}"
        shown[f"layer {layer}"] = [
            _with_interval(row, f"mean_{layer}", in_brackets) for row in rows
        ]
    return shown


def _with_interval(row, name, in_brackets=None):
    text = report.with_interval(row, name, _figure)
    if text and in_brackets:
        text += f" ({report.with_interval(row, in_brackets, _figure)})"
    return text


def _figure(value):
    return f"{value:.2f}" if value < 100 else f"{value:,.0f}"
