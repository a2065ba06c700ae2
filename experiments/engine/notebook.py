"""Tables and pictures of a report in a notebook."""

import functools
import itertools
import tempfile
from pathlib import Path

from IPython.display import Image, Markdown, display

from experiments.engine import merging

# Narrow columns: Table I of Kent & Salem fits a page of 1,200 pixels.
_STYLE = {
    "selector": "th, td",
    "props": "text-align: left; padding: 0.2em 0.3em; font-size: 0.92em",
}
_IDS = map(str, itertools.count())
_MADE_WITH = ("backend", "backend_version", "keras", "keras_slim", "device")


class Notebook:
    """Reads results, and shows tables and pictures of their report.

    Args:
        experiment: `experiment.Experiment`.
        folder: Path of collected results.
        shown: List of integers, the positions of the budgets to show. Default:
            `None`, all of them.

    Attributes:
        others: List of integers, the positions of the others.
    """

    def __init__(self, experiment, folder, shown=None):
        self._report = experiment.report
        self._results = merging.read(folder, experiment.tables)
        self._budgets = self._report.split(self._results)
        numbers = range(len(self._budgets))
        self._shown = numbers if shown is None else shown
        self.others = [n for n in numbers if n not in self._shown]
        self._folder = Path(tempfile.mkdtemp())
        # All items of a budget are made together, and each table shows one.
        self._items = functools.cache(
            functools.partial(self._report.contents, self._results)
        )
        for number, budget in enumerate(self._budgets):
            print(f"{number}: {budget.description} (runs: {len(budget.runs)})")

    def made_with(self, *columns):
        """Counts the runs by columns, versions and device."""
        rows = self._results.runs[[*columns, "status", *_MADE_WITH]]
        _show(rows.value_counts(sort=False, dropna=False).reset_index())

    def table(self, name, numbers=None):
        """Shows a table, with its caption and its note.

        Args:
            name: String, the name of a `report.Item`.
            numbers: List of integers, positions of budgets. Default: `None`,
                those that this notebook shows.
        """
        found = [
            item
            for number in (self._shown if numbers is None else numbers)
            for item in self._items(number)
            if item.name == name
        ]
        for item in found:
            display(Markdown(f"{item.caption} {item.note}"))
            if len(item.text):
                _show(item.text)
        if not found:
            display(Markdown("No such run yet."))

    def picture(self, name):
        """Draws a picture.

        Args:
            name: String, the name of its file in the report.
        """
        drawn = []
        for number in self._shown:
            budget = self._budgets[number]
            draw, caption = self._report.pictures(budget).get(name, (None, ""))
            path = self._folder / f"{number}_{name}"
            if draw and draw(budget, path):
                drawn.append(path)
                display(Markdown(f"{caption} {budget.description}."))
                display(Image(path))
        if not drawn:
            display(Markdown("No such run yet."))


def _show(text):
    # Counted, where pandas draws an id at random: every cell of the table has
    # it, and a notebook that is run again would change in each.
    styled = text.style.set_uuid(next(_IDS)).set_table_styles([_STYLE])
    display(styled if text.index.nlevels > 1 else styled.hide(axis="index"))
