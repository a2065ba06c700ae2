"""What a report of this experiment consists of."""

import functools

from experiments.engine.formats import rate
from experiments.engine.report import FAILS, MOST, Listing, Report
from experiments.newsgroups.report import figures
from experiments.newsgroups.report.budgets import is_full, split
from experiments.newsgroups.report.contents import (
    all_settings_item,
    contents,
)
from experiments.newsgroups.report.tables import SHORT_FOOTNOTE, short


def pictures(budget):
    """The pictures, see `engine.report.Report`."""
    found = {
        "overview.png": (
            figures.overview,
            "Published and reproduced, entry by entry.",
        ),
        "overview_loss.png": (
            functools.partial(figures.overview, metric="val_loss"),
            "The same for the loss.",
        ),
        "seed_spread.png": (figures.seed_spread, "The paper's Figure 2."),
        "breakdowns.png": (figures.breakdowns, "The paper's Figures 3 and 4."),
    }
    settings = budget.runs[["activation", "learning_rate"]].drop_duplicates()
    for activation, learning_rate in settings.itertuples(index=False):
        draw = functools.partial(
            figures.variant_curves,
            activation=activation,
            learning_rate=learning_rate,
        )
        name = f"curves_{activation}_{rate(learning_rate)}.png"
        found[name] = draw, "Learning curves."
    return found


def warning(budget):
    """Why runs are not comparable with the paper, or `""`."""
    if is_full(budget):
        return ""
    return (
        "Not the full experiment, 100 epochs on all posts with the default "
        f"settings, but: {budget.description}. This may explain differences "
        "from the published values."
    )


def brief(budget, items):
    """Yields what a terminal shows, see `engine.report.Report`."""
    yield Listing(
        "Validation accuracy after the last epoch (%): published above "
        f"reproduced. {budget.description}",
        short(budget),
    )
    yield SHORT_FOOTNOTE
    yield ""
    yield from _brief_verdicts(items["verdicts"].text)
    pairs = items["comparison_settings"].text
    differ = pairs[pairs["conclusion"] == "they differ"]
    words = ", ".join(
        f"{a} and {b}" for a, b in zip(differ["a"], differ["b"], strict=True)
    )
    yield f"Variants that differ over all settings: {words or 'none shown'}."
    layers = items["layers"].text
    columns = ["variant", "device", "parameters", "seconds per epoch", "n"]
    if not layers.empty:
        yield ""
        # Without the times of runs that shared a machine.
        yield Listing("Recurrent layers", layers.filter(columns))
    missing = items["runs_without_result"].text
    for row in missing.head(MOST).to_dict("records"):
        error = f": {row['error']}" if row["error"] else ""
        yield (
            f"{row['status']}: {row['variant']} {row['activation']} "
            f"{row['learning rate']} seed {row['seed']}{error}"
        )
    if len(missing) > MOST:
        yield f"... and {len(missing) - MOST} more runs without a result"


def _brief_verdicts(verdicts):
    """How many sentences hold, and those that our runs contradict."""
    for whom, column in (
        ("the paper's own tables", "in the paper's table"),
        ("our runs", "in our runs"),
    ):
        counts = verdicts[column].value_counts().items()
        words = ", ".join(f"{verdict}: {count}" for verdict, count in counts)
        yield f"{len(verdicts)} sentences, checked against {whom}: {words}."
    failed = verdicts[verdicts["in our runs"] == FAILS]
    if not failed.empty:
        yield ""
        columns = ["section", "claim", "published", "reproduced", "unit"]
        yield Listing("Sentences that our runs contradict", failed[columns])


REPORT = Report(
    title="Performance of three slim variants of the LSTM layer",
    sources="Kent & Salem, arXiv:1901.00525, published and reproduced",
    url="https://arxiv.org/abs/1901.00525",
    split=split,
    items=contents,
    pictures=pictures,
    brief=brief,
    warning=warning,
    all_settings=all_settings_item,
)
