"""Reports: tables for a terminal, as HTML, as LaTeX and as CSV."""

from pathlib import Path
from typing import NamedTuple

import jinja2
import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from experiments.engine.files import replacing

# The verdicts on a claim.
HOLDS = "holds"
FAILS = "does not hold"
NOT_ENOUGH = "not enough runs"
NOT_PRINTED = "not in the table"
_CLASSES = {
    HOLDS: "holds",
    FAILS: "fails",
    NOT_ENOUGH: "open",
    NOT_PRINTED: "open",
}


class Item(NamedTuple):
    """One table of a report.

    Attributes:
        name: String, the name of its files.
        caption: String.
        text: `pandas.DataFrame` of strings for readers. A `MultiIndex` names
            its rows; another index is not shown.
        numbers: `pandas.DataFrame` for further computations.
        note: String that explains the table. Default: `""`.
    """

    name: str
    caption: str
    text: pd.DataFrame
    numbers: pd.DataFrame
    note: str = ""


class Page(NamedTuple):
    """The texts of an HTML page around its tables and pictures.

    Attributes:
        title: String.
        paper: String, authors and year.
        url: String, the address of the paper, or `""`.
        description: String, what the runs have in common.
        runs: Integer, the number of runs.
        warning: String, why they are not comparable with the paper. Default:
            `""`.
        others: List of strings that describe the runs that are not shown.
            Default: empty.
    """

    title: str
    paper: str
    url: str
    description: str
    runs: int
    warning: str = ""
    others: list = ()


def write(page, items, pictures, folder):
    """Writes tables as CSV (numbers), LaTeX and HTML (text), and a page.

    Args:
        page: `Page`.
        items: List of `Item`.
        pictures: List of tuples of a file name in `folder` and a caption. The
            first is shown above the tables, the others below.
        folder: `pathlib.Path`, made if it is not there.

    Returns:
        The `pathlib.Path` of `index.html`, which has all tables and pictures.
    """
    htmls = [html(item.text) for item in items]
    for item, table in zip(items, htmls, strict=True):
        numbers = item.numbers.to_csv(index=False, lineterminator="\n")
        _write(folder / f"{item.name}.csv", numbers)
        _write(folder / f"{item.name}.tex", latex(item))
        _write(folder / f"{item.name}.html", table)
    environment = jinja2.Environment(autoescape=True)
    template = Path(__file__).with_name("page.html").read_text("utf-8")
    index = folder / "index.html"
    _write(
        index,
        environment.from_string(template).render(
            page=page,
            items=list(zip(items, htmls, strict=True)),
            pictures=pictures,
        ),
    )
    return index


def write_with_pictures(page, items, pictures, budget, folder):
    """Draws the pictures of a budget, and writes a report with them.

    Args:
        page: `Page`.
        items: List of `Item`.
        pictures: Dict from file names to tuples of a function and a caption.
            The function takes the budget and a path, and returns whether
            there was something to draw.
        budget: `results.Results`.
        folder: `pathlib.Path`, made if it is not there.

    Returns:
        List of `pathlib.Path`: `index.html` and the pictures.
    """
    drawn = [
        (name, caption)
        for name, (draw, caption) in pictures.items()
        if draw(budget, folder / name)
    ]
    index = write(page, items, drawn, folder)
    return [index, *(folder / name for name, _ in drawn)]


def _write(path, text):
    with replacing(path, encoding="utf-8") as file:
        file.write(text)


def html(text):
    """An HTML table of strings, with a CSS class for each verdict."""
    table = text.to_html(index=_has_names(text), border=0, na_rep="")
    table = table.replace(" ± ", " ±&nbsp;")  # no line break within
    for verdict, name in _CLASSES.items():
        table = table.replace(
            f"<td>{verdict}</td>", f'<td class="{name}">{verdict}</td>'
        )
    return table


def _has_names(text):
    return isinstance(text.index, pd.MultiIndex)


_LATEX = {
    "†": r"\textdagger{}",
    "‡": r"\textdaggerdbl{}",
    "§": r"\textsection{}",
    "±": r"\textpm{}",
    "“": "``",
    "”": "''",
}


def latex(item):
    """A LaTeX table as wide as the page. It needs the package booktabs."""
    words = f"{item.caption} {item.note}".strip()
    for letter in "%&_#":
        words = words.replace(letter, "\\" + letter)
    if _has_names(item.text):
        columns = "ll" + "r" * item.text.shape[1]
    else:
        # Sentences would be wider than the page.
        columns = "".join(
            "p{4cm}"
            if max(map(len, map(str, item.text[name])), default=0) > 30
            else "l"
            for name in item.text
        )
    table = item.text.to_latex(
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
        table = table.replace(letter, command)
    return table


def with_interval(row, name, figure):
    """A mean with half of its confidence interval, such as `3.1 ±0.2`.

    Args:
        row: Dict with the mean as `name` and the end of its interval as
            `<name>_high`, both or one NaN if unknown.
        name: String.
        figure: Function of a number that formats it.
    """
    mean, high = row[name], row[f"{name}_high"]
    if pd.isna(mean):
        return ""
    return figure(mean) + ("" if pd.isna(high) else f" ±{figure(high - mean)}")


def show(console, text, title, most=None):
    """Prints a table of strings in a terminal without splitting words.

    A table that is too wide is printed as a list of its rows.

    Args:
        console: `rich.console.Console`.
        text: `pandas.DataFrame`; its index is not shown.
        title: String.
        most: Integer, the largest number of rows. Default: `None`, all.
    """
    more = 0 if most is None else max(0, len(text) - most)
    text = text.head(len(text) - more)
    console.print(Text(title, "bold"))
    columns = {str(name): _longest_word([name, *text[name]]) for name in text}
    if sum(columns.values()) + 2 * (len(columns) - 1) > console.width:
        _show_rows(console, text)
    else:
        _show_table(console, text, columns)
    if more:
        console.print(Text(f"... and {more} more rows, see the page"))


def _show_table(console, text, columns):
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for name, width in columns.items():
        table.add_column(name, min_width=width)
    for row in text.itertuples(index=False):
        table.add_row(*(Text(str(value)) for value in row))
    console.print(table)


def _show_rows(console, text):
    for row in text.itertuples(index=False):
        pairs = zip(text.columns, map(str, row), strict=True)
        parts = (f"{name}: {' '.join(v.split())}" for name, v in pairs if v)
        console.print(Text(f"- {'; '.join(parts)}"))


def _longest_word(values):
    words = (word for value in values for word in str(value).split())
    return max(map(len, words), default=0)
