"""The report as files, and its short form in a terminal."""

from pathlib import Path

from rich.text import Text

from experiments.engine import report
from experiments.newsgroups.report import figures
from experiments.newsgroups.report.budgets import choose, others
from experiments.newsgroups.report.contents import contents
from experiments.newsgroups.report.tables import SHORT_FOOTNOTE, rate, short

MOST = 20  # rows of a long list in a terminal


def write(results, folder, number=0):
    """Writes all tables and pictures of one budget.

    Each table is written as CSV (numbers), LaTeX and HTML (text).
    `index.html` has all tables and pictures.

    Args:
        results: `results.Results`, or a `Budget`.
        folder: Path, made if it is not there.
        number: Integer, position of the budget in the list of `budgets`.

    Returns:
        List with the `pathlib.Path` of `index.html`.
    """
    folder = Path(folder)
    budget = choose(results, number)
    items = contents(results, number)
    page = report.Page(
        "Performance of three slim variants of the LSTM layer",
        "Kent & Salem, arXiv:1901.00525",
        "https://arxiv.org/abs/1901.00525",
        budget.description,
        len(budget.runs),
        ""
        if budget.is_full
        else "Not the full experiment, 100 epochs on all posts with the "
        f"default settings, but: {budget.description}. This may explain "
        "differences from the published figures.",
        others(results, number),
    )
    return [report.write(page, items, _pictures(budget, folder), folder)]


def _pictures(budget, folder):
    """Draws the pictures. Returns the names of the files with captions."""
    drawn = [
        ("overview.png", "Published and reproduced, entry by entry."),
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


def show(results, console, number=0):
    """Prints a short report of one budget in a terminal.

    Args:
        results: `results.Results`, or a `Budget`.
        console: `rich.console.Console`.
        number: Integer, position of the budget in the list of `budgets`.
    """
    budget = choose(results, number)
    items = {item.name: item for item in contents(results, number)}
    report.show(
        console,
        short(budget),
        "Validation accuracy after the last epoch (%): published above "
        f"reproduced. {budget.description}",
    )
    console.print(Text(SHORT_FOOTNOTE))
    console.print()
    _show_verdicts(console, items["verdicts"].text)
    pairs = items["comparison_settings"].text
    differ = pairs[pairs["conclusion"] == "they differ"]
    words = ", ".join(
        f"{a} and {b}" for a, b in zip(differ["a"], differ["b"], strict=True)
    )
    console.print(
        Text(
            f"Variants that differ over all settings: {words or 'none shown'}."
        )
    )
    layers = items["layers"].text
    columns = ["variant", "parameters", "seconds per epoch", "n"]
    if not layers.empty:
        console.print()
        report.show(console, layers[columns], "Recurrent layers")
    _show_missing(console, items["runs_without_result"].text)
    if "all_settings" in items:
        report.show(
            console,
            items["all_settings"].text,
            "All settings that were run",
            MOST,
        )
    for other in others(results, number):
        console.print(Text(f"Not shown: {other}"))


def _show_verdicts(console, verdicts):
    """Prints how many sentences hold, and those that our runs contradict."""
    for whom, column in (
        ("the paper's own tables", "by its table"),
        ("our runs", "by our runs"),
    ):
        counts = verdicts[column].value_counts().items()
        words = ", ".join(f"{verdict}: {count}" for verdict, count in counts)
        console.print(Text(f"{len(verdicts)} sentences by {whom}: {words}."))
    failed = verdicts[verdicts["by our runs"] == report.FAILS]
    if failed.empty:
        return
    console.print()
    text = failed[["section", "claim", "published", "reproduced", "unit"]]
    report.show(console, text, "Sentences that do not hold by our runs")


def _show_missing(console, missing):
    for row in missing.head(MOST).to_dict("records"):
        error = f": {row['error']}" if row["error"] else ""
        console.print(
            Text(
                f"{row['status']}: {row['variant']} {row['activation']} "
                f"{row['learning rate']} seed {row['seed']}{error}"
            )
        )
    if len(missing) > MOST:
        console.print(
            Text(f"... and {len(missing) - MOST} more runs without a result")
        )
