"""What a report of this experiment consists of."""

import pandas as pd

from experiments.engine.config import to_text
from experiments.engine.formats import with_interval
from experiments.engine.report import NOT_ENOUGH, Item, Listing, Report
from experiments.memory_duration import claims, figures, tables
from experiments.memory_duration.config import COEFFICIENTS
from experiments.memory_duration.results import LEAST_GAIN
from keras_slim.datasets.text import PAPER_COUNTS

# Labels of runs that are in no mean, by their column in `tables.summary`.
WITHOUT_RESULT = {
    "learned_nothing": "learned nothing",
    "failed": "failed",
    "unfinished": "unfinished",
}
LEARNED_NOTHING = (
    "Learned nothing: runs whose bits per character are not at least "
    f"{LEAST_GAIN} lower than those of a predictor that knows only the "
    "frequencies of characters in the training text; means, claims and "
    "pictures leave them out."
)
SHORT_FOOTNOTE = (
    "Bits: per character of the test text. ±: half of the 95 % "
    f"confidence interval over seeds. {LEARNED_NOTHING}"
)
FOOTNOTE = (
    "Bits: per character of the test text. Layers: mean memory duration "
    "(spread). A duration is the length, in characters, of an interval in "
    "which a cell state keeps its sign while the network reads the test text "
    "as one stream; the first and the last interval of a unit count with their "
    "visible part. ±: half of the 95 % confidence interval over seeds; with "
    "one seed there is none. Spread: the standard deviation of the "
    f"logarithm to base 2, in octaves. {LEARNED_NOTHING}"
)


def contents(budget):
    """All tables of a budget, a list of `Item`."""
    words = budget.description
    verdicts = claims.verdicts(tables.layer_durations(budget))
    read = texts(budget)
    return [
        Item("texts", "The texts.", read, read),
        Item(
            "summary",
            f"Mean memory durations in characters (spread): {words}.",
            readable(budget),
            tables.summary(budget),
            FOOTNOTE,
        ),
        Item(
            "verdicts",
            f"Claims of the paper, also for variants that are ours: {words}.",
            verdicts,
            verdicts,
        ),
    ]


def all_settings(found):
    """The table of the runs of all budgets, an `engine.Item`."""
    return Item(
        "all_settings",
        "All runs, with any settings. To compare the values of a setting, "
        "take rows that differ in no other.",
        readable(found),
        tables.summary(found),
    )


def brief(budget, items):
    """Yields what a terminal shows, see `engine.report.Report`."""
    for _, row in items["texts"].text.iterrows():
        yield f"{row['text']}: {row['source']}"
    yield ""
    yield Listing(
        f"Mean memory durations in characters: {budget.description}",
        _without_constants(readable(budget, short=True)),
    )
    for row in items["summary"].numbers.to_dict("records"):
        for status, heading in WITHOUT_RESULT.items():
            if row[status]:
                words = f"{heading}: {row['variant']}, {row['text']}"
                yield f"{words} (runs: {row[status]})"
    yield SHORT_FOOTNOTE
    verdicts = items["verdicts"].text
    columns = ["text", "variant", "section", "verdict", "seeds", "values"]
    for claim, rows in verdicts.groupby("claim", sort=False):
        yield ""
        text = rows.loc[rows["verdict"] != NOT_ENOUGH, columns]
        if text.empty:
            yield f"Claim: {claim}: {NOT_ENOUGH}"
        else:
            yield Listing(f"Claim: {claim}", _without_constants(text))


def _without_constants(text):
    """Without the column `text` if it is the same in all rows."""
    return text.drop(columns="text") if text["text"].nunique() == 1 else text


def texts(budget):
    """The texts, compared with those of the paper's Table 1."""
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

    It has bits per character of the test text, and for each layer the mean
    duration (spread). Settings that are the same in all rows are left out. A
    short one leaves out spreads and the counts of `WITHOUT_RESULT`, and puts
    the coefficients in one column.
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
    text = with_interval(row, name, _figure)
    if text and in_brackets:
        text += f" ({with_interval(row, in_brackets, _figure)})"
    return text


def _figure(value):
    return f"{value:.2f}" if value < 100 else f"{value:,.0f}"


def pictures(budget):
    """The pictures, see `engine.report.Report`."""
    return {
        "histograms.png": (
            figures.histograms,
            "Figure 1: histograms by layer.",
        ),
        "modulation.png": (
            figures.modulation,
            "Figure 2: mean durations by r_1, r_2 and r_3 of eq. 7.",
        ),
        "variants.png": (
            figures.variants,
            "Mean durations by layer and variant; small points are single "
            "runs.",
        ),
    }


REPORT = Report(
    title="Layer specificity of memory duration in multilayer LSTM networks",
    sources="Hatanaka, Teramae & Wakamiya, NOLTA 2017, reproduced",
    split=tables.split,
    items=contents,
    pictures=pictures,
    brief=brief,
    all_settings=all_settings,
)
