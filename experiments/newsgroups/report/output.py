"""What the runs came to, for a browser, a paper, a program or a terminal."""

from pathlib import Path

import jinja2
import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from experiments.newsgroups.report import figures
from experiments.newsgroups.report.budgets import budgets, choose
from experiments.newsgroups.report.contents import CELL_TABLES, contents
from experiments.newsgroups.report.tables import FOOTNOTE, rate
from experiments.newsgroups.report.verdicts import (
    FAILS,
    HOLDS,
    NOT_ENOUGH,
    NOT_PRINTED,
)


def write(results, folder, number=0):
    """Writes all tables and pictures of one budget.

    Each table comes as CSV (numbers), LaTeX and HTML (text); `index.html` has
    them all, with the pictures.

    Args:
        results: `results.Results`, or a `Budget`.
        folder: Path, made if it is not there.
        number: Integer, place of the budget in the list of `budgets`.

    Returns:
        List of the `pathlib.Path` of `index.html`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    budget = choose(results, number)
    pages = []
    for item in contents(budget):
        path = folder / item.name
        html = _html(item.text)
        item.numbers.to_csv(path.with_suffix(".csv"), index=False)
        path.with_suffix(".tex").write_text(_latex(item), encoding="utf-8")
        path.with_suffix(".html").write_text(html, encoding="utf-8")
        pages.append((item, html))
    environment = jinja2.Environment(autoescape=True)
    template = Path(__file__).with_name("page.html").read_text("utf-8")
    page = environment.from_string(template).render(
        budget=budget,
        others=_others(results, budget),
        items=pages,
        pictures=_pictures(budget, folder),
    )
    index = folder / "index.html"
    index.write_text(page, encoding="utf-8")
    return [index]


def _others(results, budget):
    """The budgets that are not shown, in words."""
    return [
        f"{other.description} (runs: {len(other.runs)})"
        for other in budgets(results)
        if other.description != budget.description
    ]


def _pictures(budget, folder):
    """Draws what there are runs for: names of the files, with captions."""
    drawn = [
        ("overview.png", "Published and reproduced, cell by cell."),
        ("overview_loss.png", "The same for the loss."),
    ]
    figures.overview(budget, folder / "overview.png")
    figures.overview(budget, folder / "overview_loss.png", "val_loss")
    for name, draw, words in (
        ("seed_spread.png", figures.seed_spread, "The paper's Figure 2."),
        ("breakdowns.png", figures.breakdowns, "The paper's Figures 3 and 4."),
    ):
        if draw(budget, folder / name):
            drawn.append((name, words))
    settings = budget.runs[["activation", "learning_rate"]].drop_duplicates()
    for activation, learning_rate in settings.itertuples(index=False):
        name = f"curves_{activation}_{rate(learning_rate)}.png"
        if figures.variant_curves(
            budget, folder / name, activation, learning_rate
        ):
            drawn.append((name, "Learning curves."))
    return drawn


def _html(text):
    html = text.to_html(index=_has_names(text), border=0, na_rep="")
    classes = {HOLDS: "holds", FAILS: "fails"}
    classes |= dict.fromkeys((NOT_ENOUGH, NOT_PRINTED), "open")
    for verdict, name in classes.items():
        html = html.replace(
            f"<td>{verdict}</td>", f'<td class="{name}">{verdict}</td>'
        )
    return html


def _has_names(text):
    """Whether the rows have names, or only numbers that say nothing."""
    return isinstance(text.index, pd.MultiIndex)


_LATEX = {
    "†": r"\textdagger{}",
    "‡": r"\textdaggerdbl{}",
    "§": r"\textsection{}",
    "±": r"\textpm{}",
    "“": "``",
    "”": "''",
}


def _latex(item):
    """A LaTeX table over the width of the page; it needs booktabs."""
    words = f"{item.caption} {item.note}".strip()
    for letter in "%&_#":
        words = words.replace(letter, "\\" + letter)
    if _has_names(item.text):
        columns = "ll" + "r" * item.text.shape[1]
    else:
        # Sentences would run out of the page.
        prose = {"claim", "reading", "conclusion", "error", "posts"}
        columns = "".join("p{4cm}" if c in prose else "l" for c in item.text)
    latex = item.text.to_latex(
        index=_has_names(item.text),
        escape=True,
        column_format=columns,
        multicolumn_format="c",
        multirow=False,
        caption=words,
        label=f"tab:{item.name}",
        na_rep="",
    ).replace("{table}", "{table*}")
    for letter, command in _LATEX.items():
        latex = latex.replace(letter, command)
    return latex


def show(results, console, number=0):
    """Prints the tables of one budget in a terminal.

    Args:
        results: `results.Results`, or a `Budget`.
        console: `rich.console.Console`.
        number: Integer, place of the budget in the list of `budgets`.
    """
    budget = choose(results, number)
    for item in contents(budget):
        text = item.text
        if text.empty:
            continue
        if item.name in CELL_TABLES:
            text = _stacked(text)
        if item.name == "verdicts":
            text = _narrow(text)
        rows = Table(
            title=item.caption,
            title_justify="left",
            box=box.SIMPLE_HEAD,
        )
        for name in text:
            rows.add_column(name)
        for row in text.itertuples(index=False):
            rows.add_row(*(Text(str(value)) for value in row))
        console.print(rows)
    console.print(Text(FOOTNOTE))
    for other in _others(results, budget):
        console.print(Text(f"Not shown: {other}"))


def _stacked(text):
    """Published above reproduced, for a narrow terminal."""
    if text.columns.nlevels > 1:
        printed, made = (
            text.xs(name, axis=1, level=1)
            for name in ("published", "reproduced")
        )
        text = (printed + "\n" + made).add_suffix("\npublished\nreproduced")
    return text.reset_index()


def _narrow(text):
    """Each verdict above its number, without the reading."""
    return pd.DataFrame(
        {
            "section": text["section"],
            "claim": text["claim"],
            "by its table": text["by its table"] + "\n" + text["published"],
            "by our runs": text["by our runs"] + "\n" + text["reproduced"],
            "for seeds": text["for seeds"],
            "unit": text["unit"],
        }
    )
