"""The report as files, and its short form in a terminal."""

from pathlib import Path

import pandas as pd
from rich.text import Text

from experiments.engine import budgets, report
from experiments.long_memory import claims, figures, tables
from experiments.long_memory.tasks import SOLVED, TASKS

PICTURES = {
    "lengths.png": (
        figures.lengths,
        "The share of the runs that solved a task, over its length, with 95 % "
        "intervals over seeds.",
    ),
    "accuracies.png": (
        figures.accuracies,
        "Accuracies with 95 % intervals over seeds; small points are runs, the "
        "dashed line is chance.",
    ),
    "curves.png": (
        figures.curves,
        f"Learning curves; dashed: {SOLVED:.0%}, solved; dotted: chance.",
    ),
}
STATUSES = ("failed", "unfinished")
FOOTNOTE = (
    f"Solved: at least {SOLVED:.0%} of fresh sequences are right after some "
    "epoch; [Wilson's 95 % interval over seeds]. Accuracy: of fresh sequences "
    "after the last epoch, ± half of the 95 % confidence interval over seeds; "
    "with one seed there is none. Steps: training steps until it was solved, "
    f"the median. {tables.RULE}."
)


def choose(found, number=0):
    """Selects a budget, see `engine.budgets.choose`."""
    return budgets.choose(tables.split(found), number, tables.describe)


def contents(found, number=0):
    """All tables of one budget.

    Args:
        found: `engine.results.Results`.
        number: Integer, position of the budget in the list of budgets.

    Returns:
        List of `engine.report.Item`.
    """
    budget, _ = choose(found, number)
    words = tables.describe(budget)
    summary = tables.summary(budget)
    longest = tables.longest(summary)
    verdicts = claims.verdicts(budget)
    about = _tasks(summary)
    made = [report.Item("tasks", "The tasks.", about, about)]
    if len(longest):
        item = report.Item(
            "longest",
            "The longest length that a variant solves with all seeds, as it "
            f"does all shorter ones that were run: {words}.",
            longest.astype("str").replace({"nan": "", r"\.0$": ""}, regex=True),
            longest,
        )
        made.append(item)
    return [
        *made,
        report.Item(
            "summary",
            f"What each variant solves: {words}.",
            readable(summary),
            summary,
            FOOTNOTE,
        ),
        report.Item(
            "verdicts",
            "Claims on slim rows, compared with the full one of their family. "
            f"As good: at most {100 * claims.NEAR:g} points less. Reading: the "
            "accuracies of the two.",
            verdicts,
            verdicts,
        ),
    ]


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
        "How long each variant can remember",
        "tasks by Hochreiter & Schmidhuber, Lu & Salem, Dey & Salem",
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
    for _, row in items["tasks"].text.iterrows():
        console.print(Text(f"{row['task']}: {row['about']}"))
    console.print()
    if "longest" in items:
        report.show(console, items["longest"].text, items["longest"].caption)
    summary = items["summary"].numbers
    text = readable(summary, short=True)
    report.show(console, text, items["summary"].caption, 40)
    for status in STATUSES:
        if count := summary[status].sum():
            console.print(Text(f"{status}, in no mean: {count} runs"))
    console.print(Text(FOOTNOTE))
    verdicts = items["verdicts"].text
    if len(verdicts):
        console.print()
        report.show(console, verdicts, items["verdicts"].caption, 40)
    for other in others:
        console.print(Text(f"Not shown: {other}"))


def _tasks(summary):
    rows = [
        {
            "task": task,
            "lengths": ", ".join(map(str, sorted(of_task["length"].unique()))),
            "chance": _percent(of_task["chance"].mean()),
            "about": TASKS[task].about,
        }
        for task, of_task in summary.groupby("task", sort=False)
    ]
    return pd.DataFrame(rows)


def readable(summary, short=False):
    """The table of `tables.summary` as text for readers.

    Args:
        summary: `pandas.DataFrame`.
        short: Boolean, whether to leave out the counts of `STATUSES` and the
            intervals of what is solved.

    Returns:
        `pandas.DataFrame` of strings.
    """
    rows = summary.to_dict("records")
    shown = summary[["task", "length", "variant"]].astype(str)
    shown["rate"] = [
        "" if pd.isna(row["learning_rate"]) else f"{row['learning_rate']:g}"
        for row in rows
    ]
    shown["seeds"] = summary["seeds"].astype(str)
    for status in STATUSES:
        if summary[status].any() and not short:
            shown[status] = summary[status].astype(str)
    shown["solved (%)"] = [
        _percent(row["solved"])
        + (
            f" [{_percent(row['solved_low'])}, {_percent(row['solved_high'])}]"
            if row["seeds"] and not short
            else ""
        )
        for row in rows
    ]
    shown["accuracy (%)"] = [
        report.with_interval(row, "accuracy", lambda v: f"{100 * v:.1f}")
        for row in rows
    ]
    shown["steps"] = [
        "" if pd.isna(row["steps"]) else f"{row['steps']:,.0f}" for row in rows
    ]
    return shown


def _percent(value):
    return "" if pd.isna(value) else f"{100 * value:.0f}"
