"""Numbers and tables as text: for a terminal, as HTML and as LaTeX."""

import numpy as np
import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text


def percent(value, digits=1):
    """A fraction in percent without the sign, or `""` if it is missing."""
    return "" if pd.isna(value) else f"{100 * value:.{digits}f}"


def rate(value):
    """A learning rate, such as 2e-3, or `""` if it is missing."""
    if pd.isna(value):
        return ""
    digits, exponent = f"{value:e}".split("e")
    return f"{float(digits):g}e{int(exponent)}"


def decimal(value, sign=""):
    """A number with three decimals, or `""` if it is missing."""
    if pd.isna(value):
        return ""
    return f"{value:{sign}.3f}" if np.isfinite(value) else "not finite"


def significant(value):
    """A number with four significant digits, or `""` if it is missing."""
    return "" if pd.isna(value) else f"{value:.4g}"


def with_interval(row, name, format_number):
    """A mean with half of its confidence interval, such as `3.1 ±0.2`.

    `row` has the mean as `name` and the end of its interval as `<name>_high`,
    each NaN if unknown.
    """
    mean, high = row[name], row[f"{name}_high"]
    if pd.isna(mean):
        return ""
    half = "" if pd.isna(high) else f" ±{format_number(high - mean)}"
    return format_number(mean) + half


def html(text, classes):
    """An HTML table of strings.

    A `MultiIndex` names the rows; another index is not shown. `classes` maps
    the whole text of an entry to its CSS class.
    """
    table = text.to_html(index=_has_names(text), border=0, na_rep="")
    table = table.replace(" ± ", " ±&nbsp;")  # no line break within
    for entry, name in classes.items():
        table = table.replace(
            f"<td>{entry}</td>", f'<td class="{name}">{entry}</td>'
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


def latex(text, name, caption):
    """A LaTeX table as wide as the page. It needs the package booktabs.

    `text` is a table as for `html`, and `name` is for its label.
    """
    for letter in "%&_#":
        caption = caption.replace(letter, "\\" + letter)
    if _has_names(text):
        columns = "ll" + "r" * text.shape[1]
    else:
        # Sentences would be wider than the page.
        columns = "".join(
            "p{4cm}"
            if max(map(len, map(str, text[column])), default=0) > 30
            else "l"
            for column in text
        )
    table = text.to_latex(
        index=_has_names(text),
        escape=True,
        column_format=columns,
        multicolumn_format="c",
        multirow=False,
        caption=caption,
        label=f"tab:{name}",
        na_rep="",
    ).replace("{table}", "{table*}")
    for letter, command in _LATEX.items():
        table = table.replace(letter, command)
    return table


def show(console, text, title, most=None):
    """Prints a table of strings in a terminal without splitting words.

    A table that is too wide is printed as a list of its rows. Its index is not
    shown, nor are more than `most` rows.
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
