"""Reports: the tables and pictures of a budget, on a page and in a terminal."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jinja2
import pandas as pd
from rich.text import Text

from experiments.engine import formats
from experiments.engine.budgets import choose
from experiments.engine.files import replacing

# The verdicts on a claim.
HOLDS = "holds"
FAILS = "does not hold"
NOT_ENOUGH = "not enough runs"
NOT_PRINTED = "not in the table"
LEARNED_NOTHING = "neither learned it"
_CLASSES = {
    HOLDS: "holds",
    FAILS: "fails",
    NOT_ENOUGH: "open",
    NOT_PRINTED: "open",
    LEARNED_NOTHING: "open",
}
MOST = 20  # rows of a long list in a terminal


def decided(holds, of_seeds):
    """The fields `verdict` and `seeds` of a claim that was decided, a dict.

    `holds` says whether it holds for the means over seeds, and `of_seeds`
    whether it holds for each seed.
    """
    of_seeds = list(of_seeds)
    return {
        "verdict": HOLDS if holds else FAILS,
        "seeds": f"{sum(of_seeds)} of {len(of_seeds)}",
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


class Listing(NamedTuple):
    """A table in a terminal.

    Attributes:
        title: String.
        text: `pandas.DataFrame` of strings.
        most: Integer, the largest number of rows. Default: `None`, all.
    """

    title: str
    text: pd.DataFrame
    most: int | None = None


class Report(NamedTuple):
    """What an experiment reports about its runs.

    It is pickled with its `Experiment`, so no function is a lambda.

    Attributes:
        title: String.
        sources: String, whose experiment it is.
        split: Function of `results.Results` that returns a list of
            `budgets.Budget`.
        items: Function of a budget that returns a list of `Item`.
        pictures: Function of a budget that returns a dict from file names to
            tuples of a function and a caption. The function takes the budget
            and a path, and returns whether there was something to draw. The
            first picture is shown above the tables, the others below.
        brief: Function of a budget and a dict of its items by name that
            yields what a terminal shows: strings and `Listing`s.
        url: String, the address of the paper. Default: `""`.
        warning: Function of a budget that returns why it is not comparable
            with the paper, or `""`. Default: `None`, it is.
        all_settings: Function of `results.Results` that returns an `Item`
            for the runs of several budgets. Default: `None`, there is none.
    """

    title: str
    sources: str
    split: Callable
    items: Callable
    pictures: Callable
    brief: Callable
    url: str = ""
    warning: Callable | None = None
    all_settings: Callable | None = None

    def contents(self, found, number=0):
        """All tables of one budget.

        Args:
            found: `results.Results`.
            number: Integer, position of the budget in the list of budgets.

        Returns:
            List of `Item`.

        Raises:
            ValueError: if there is no such budget.
        """
        return self._chosen(found, number)[2]

    def _chosen(self, found, number):
        """A budget, the descriptions of the others, and its tables."""
        budget, others = choose(self.split(found), number)
        items = self.items(budget)
        if self.all_settings and others:
            items.append(self.all_settings(found))
        return budget, others, items

    def write(self, found, folder, number=0):
        """Writes the tables of one budget, its pictures, and a page with both.

        Each table is written as CSV (numbers), LaTeX and HTML (text).

        Args:
            found: `results.Results`.
            folder: Path, created if it does not exist.
            number: Integer, position of the budget in the list of budgets.

        Returns:
            List of `pathlib.Path`: `index.html`, which has all tables and
            pictures, and the pictures.

        Raises:
            ValueError: if there is no such budget.
        """
        folder = Path(folder)
        budget, others, items = self._chosen(found, number)
        tables = []
        for item in items:
            numbers = item.numbers.to_csv(index=False, lineterminator="\n")
            words = f"{item.caption} {item.note}".strip()
            html = formats.html(item.text, _CLASSES)
            latex = formats.latex(item.text, item.name, words)
            _write(folder / f"{item.name}.csv", numbers)
            _write(folder / f"{item.name}.tex", latex)
            _write(folder / f"{item.name}.html", html)
            tables.append((item, html))
        pictures = [
            (name, caption)
            for name, (draw, caption) in self.pictures(budget).items()
            if draw(budget, folder / name)
        ]
        environment = jinja2.Environment(autoescape=True)
        template = Path(__file__).with_name("page.html").read_text("utf-8")
        page = environment.from_string(template).render(
            report=self,
            budget=budget,
            warning=self.warning and self.warning(budget),
            others=others,
            items=tables,
            pictures=pictures,
        )
        _write(folder / "index.html", page)
        return [folder / "index.html", *(folder / name for name, _ in pictures)]

    def show(self, found, console, number=0):
        """Prints a short report of one budget in a terminal.

        Args:
            found: `results.Results`.
            console: `rich.console.Console`.
            number: Integer, position of the budget in the list of budgets.

        Raises:
            ValueError: if there is no such budget.
        """
        budget, others, items = self._chosen(found, number)
        items = {item.name: item for item in items}
        for part in self.brief(budget, items):
            if isinstance(part, str):
                console.print(Text(part))
            else:
                formats.show(console, part.text, part.title, part.most)
        if "all_settings" in items:
            console.print()
            text = items["all_settings"].text
            title = "All settings that were run"
            formats.show(console, text, title, MOST)
        for other in others:
            console.print(Text(f"Not shown: {other}"))


def _write(path, text):
    with replacing(path, encoding="utf-8") as file:
        file.write(text)
