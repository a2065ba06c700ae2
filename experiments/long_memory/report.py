"""What a report of this experiment consists of."""

import pandas as pd

from experiments.engine.formats import percent, rate, with_interval
from experiments.engine.report import MOST, Item, Listing, Report
from experiments.engine.results import NOT_DONE
from experiments.long_memory import claims, figures, tables
from experiments.long_memory.tasks import SOLVED, TASKS

FOOTNOTE = (
    f"Solved: at least {SOLVED:.0%} of fresh sequences are right after some "
    "epoch; [Wilson's 95 % interval over seeds]. Accuracy: of fresh sequences "
    "after the last epoch, ± half of the 95 % confidence interval over seeds; "
    "with one seed there is none. Training steps: until it was solved, "
    f"the median. {tables.RULE}."
)


def contents(budget):
    """All tables of a budget, a list of `Item`."""
    words = budget.description
    summary = tables.summary(budget)
    longest = tables.longest(summary)
    verdicts = claims.verdicts(budget)
    about = _tasks(summary)
    made = [Item("tasks", "The tasks.", about, about)]
    if len(longest):
        item = Item(
            "longest",
            "The longest length that a variant solves with all seeds, together "
            f"with all shorter ones that were run: {words}.",
            longest.astype("str").replace({"nan": "", r"\.0$": ""}, regex=True),
            longest,
        )
        made.append(item)
    return [
        *made,
        Item(
            "summary",
            f"What each variant solves: {words}.",
            readable(summary),
            summary,
            FOOTNOTE,
        ),
        Item(
            "verdicts",
            "Claims about slim variants, each compared with the full one of "
            f"its family. As good: at most {100 * claims.NEAR:g} points less. "
            "Reading: the accuracies of the two.",
            verdicts,
            verdicts,
        ),
    ]


def brief(budget, items):
    """Yields what a terminal shows, see `engine.report.Report`."""
    for _, row in items["tasks"].text.iterrows():
        yield f"{row['task']}: {row['about']}"
    yield ""
    if "longest" in items:
        yield Listing(items["longest"].caption, items["longest"].text)
    summary = items["summary"].numbers
    text = readable(summary, short=True)
    yield Listing(items["summary"].caption, text, 2 * MOST)
    for status in NOT_DONE:
        if count := summary[status].sum():
            yield f"{status}, not in the means: {count} runs"
    yield FOOTNOTE
    verdicts = items["verdicts"].text
    if len(verdicts):
        yield ""
        yield Listing(items["verdicts"].caption, verdicts, 2 * MOST)


def _tasks(summary):
    rows = [
        {
            "task": task,
            "lengths": ", ".join(map(str, sorted(of_task["length"].unique()))),
            "chance": percent(of_task["chance"].mean(), 0),
            "about": TASKS[task.split()[0]].about,
        }
        for task, of_task in summary.groupby("task", sort=False)
    ]
    return pd.DataFrame(rows)


def readable(summary, short=False):
    """The table of `tables.summary` as text for readers.

    A short one leaves out the counts of `NOT_DONE` and the intervals of what
    is solved.
    """
    rows = summary.to_dict("records")
    shown = summary[["task", "length", "variant"]].astype(str)
    shown["rate"] = summary["learning_rate"].map(rate)
    shown["seeds"] = [
        f"0 ({row['other_rates']} at another rate)"
        if not row["seeds"] and row["other_rates"]
        else str(row["seeds"])
        for row in rows
    ]
    for status in NOT_DONE:
        if summary[status].any() and not short:
            shown[status] = summary[status].astype(str)
    shown["solved (%)"] = [
        percent(row["solved"], 0)
        + (_interval(row) if row["seeds"] and not short else "")
        for row in rows
    ]
    shown["accuracy (%)"] = [
        with_interval(row, "accuracy", percent) for row in rows
    ]
    shown["training steps"] = [
        "" if pd.isna(row["steps"]) else f"{row['steps']:,.0f}" for row in rows
    ]
    return shown


def _interval(row):
    low, high = (percent(row[f"solved_{end}"], 0) for end in ("low", "high"))
    return f" [{low}, {high}]"


def pictures(budget):
    """The pictures, see `engine.report.Report`."""
    return {
        "lengths.png": (
            figures.lengths,
            "The share of the runs that solved a task, over its length, with "
            "95 % intervals over seeds, and the mean accuracy.",
        ),
        "accuracies.png": (
            figures.accuracies,
            "Accuracies with 95 % intervals over seeds; small points are runs. "
            "The axes begin at the worst run.",
        ),
        "curves.png": (
            figures.curves,
            f"Learning curves; dashed: {SOLVED:.0%}, solved; dotted: chance.",
        ),
    }


REPORT = Report(
    title="How long each variant can remember",
    sources="Tasks of Hochreiter & Schmidhuber, Lu & Salem, and Dey & Salem",
    split=tables.split,
    items=contents,
    pictures=pictures,
    brief=brief,
)
