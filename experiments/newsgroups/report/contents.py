"""The tables of a report, each as text for readers and as numbers."""

import pandas as pd

from experiments.engine.config import to_text
from experiments.engine.formats import percent, rate, significant
from experiments.engine.report import Item
from experiments.newsgroups.report.published import BEST_ENTRY
from experiments.newsgroups.report.statistics import (
    LEVEL,
    compare,
    friedman,
    matched,
)
from experiments.newsgroups.report.tables import (
    FOOTNOTE,
    METRICS,
    all_settings,
    caption,
    layers,
    long_table,
    marked,
)
from experiments.newsgroups.report.verdicts import contradictions, verdicts

ENTRY_TABLES = ("table_I", "table_II", "highest_accuracy", "lowest_loss")
MADE_WITH = [
    "posts",
    "embeddings",
    "backend",
    "backend_version",
    "keras",
    "keras_slim",
    "device",
    "commit",
]


def contents(budget):
    """All tables of a budget, a list of `Item`."""
    checked = verdicts(budget)
    made = [
        Item(
            name,
            caption(budget, metric),
            marked(budget, metric),
            long_table(budget, metric).reset_index(),
            FOOTNOTE,
        )
        for name, metric in zip(ENTRY_TABLES, METRICS, strict=True)
    ]
    said = contradictions(checked)
    return [
        *made,
        Item(
            "verdicts",
            "The paper's sentences, checked against its own tables and our "
            f"runs: {budget.description}. The verdict on our runs follows from "
            "the means over seeds. Each seed that has all entries of a "
            "sentence is an experiment like the paper's: the last columns have "
            f"the mean over these seeds with its {LEVEL:.0%} confidence "
            "interval, and for how many of them the sentence holds.",
            _verdict_text(checked),
            checked,
        ),
        Item(
            "contradictions",
            "Sentences that the paper's own tables, or its own list of seeds, "
            "contradict, as we read them.",
            said.assign(published=said["published"].map(significant)),
            said,
        ),
        _comparison("comparison_settings", budget),
        _comparison("comparison_seeds", budget, BEST_ENTRY[:2]),
        _layers(budget),
        _runs_without_result(budget),
        _made_with(budget),
    ]


def all_settings_item(results):
    """The table of the runs of all budgets, an `Item`."""
    numbers = all_settings(results)
    text = numbers.assign(
        learning_rate=numbers["learning_rate"].map(rate),
        **{
            name: numbers[name].map(lambda v: f"{percent(v)} %")
            for name in ("val_accuracy", "best_val_accuracy")
        },
        val_loss=numbers["val_loss"].map("{:.3f}".format),
    )
    return Item(
        "all_settings",
        "All runs that are done, with any settings: means over seeds, after "
        "the last epoch and of the best one. To compare the values of a "
        "setting, take rows that differ in no other.",
        text.map(to_text).rename(columns=lambda name: name.replace("_", " ")),
        numbers,
    )


def _verdict_text(checked):
    several = checked["seeds"] > 1
    mean, low, high = (
        checked[name].map(significant) for name in ("mean", "low", "high")
    )
    seeds = (
        checked[["seeds_hold", "seeds"]].astype(str).agg(" of ".join, axis=1)
    )
    return pd.DataFrame(
        {
            "section": checked["section"],
            "claim": checked["claim"],
            "published": checked["published"].map(significant),
            "in the paper's table": checked["published_verdict"],
            "reproduced": checked["reproduced"].map(significant),
            "in our runs": checked["reproduced_verdict"],
            "mean of seeds": (mean + " (" + low + " to " + high + ")").where(
                several, ""
            ),
            "for seeds": seeds.where(checked["seeds"] > 0, ""),
            "unit": checked["unit"],
            "reading": checked["reading"],
        }
    )


def _comparison(name, budget, setting=None):
    """Pairs of variants over all settings, or over the seeds of one."""
    runs, over, where = budget.runs, "settings", "all settings"
    counts = " A setting counts once, if the pair shares at least two seeds."
    if setting:
        activation, learning_rate = setting
        runs = runs[
            (runs["activation"] == activation)
            & (runs["learning_rate"] == learning_rate)
        ]
        over, where = "seeds", f"{activation}, {rate(learning_rate)}"
        counts = ""
    wide = 100 * matched(runs)
    pairs, overall = compare(wide, over), friedman(wide, over)
    figures_in = ("difference", "low", "high", "p", "Holm", "reach")
    text = pairs.assign(
        **{name: pairs[name].map(significant) for name in figures_in}
    ).rename(
        columns={
            "difference": "difference (points)",
            "low": f"{LEVEL:.0%} from",
            "high": "to",
            "Holm": "p (Holm)",
            "reach": "smallest possible p",
        }
    )
    ranks = ", ".join(f"{v} {rank:.2f}" for v, rank in overall.ranks.items())
    test = (
        "No Friedman test: too few runs"
        if pd.isna(overall.p)
        else f"Friedman's test: p = {significant(overall.p)}, n = {overall.n}; "
        f"mean ranks, 1 the best: {ranks}"
    )
    return Item(
        name,
        f"Validation accuracy after the last epoch, variants in pairs over "
        f"{over} ({where}), Wilcoxon's signed-rank test with Holm's "
        f"correction: {budget.description}. {test}. The confidence interval of "
        f"the mean is by Student's t.{counts}",
        text,
        pairs,
    )


def _layers(budget):
    numbers = layers(budget).reset_index()
    timed = numbers["seconds_per_epoch"].notna().any()
    text = numbers.assign(
        **{
            name: numbers[name].map("{:,.0f}".format)
            for name in ("parameters", "trainable_parameters")
        },
        **{
            name: numbers[name].map(significant)
            for name in ("seconds_per_epoch", "spread")
        },
    ).rename(columns=lambda name: name.replace("_", " "))
    if not timed:
        text = text.drop(columns=["seconds per epoch", "spread"])
    return Item(
        "layers",
        "Parameters of the recurrent layer and of the whole network"
        + (
            ", and seconds per epoch of the network, mean and standard "
            "deviation over runs. Seconds depend on the device, not on the "
            "layer alone"
            if timed
            else ", without the times of runs that shared a machine"
        )
        + f". Budget: {budget.description}.",
        text,
        numbers,
    )


def _runs_without_result(budget):
    runs = budget.runs
    names = "id status variant activation learning_rate seed epochs_done error"
    missing = runs.loc[runs["status"] != "done", names.split()]
    return Item(
        "runs_without_result",
        f"Runs that failed or are unfinished: {len(missing)} of {len(runs)}.",
        missing.assign(
            learning_rate=missing["learning_rate"].map(rate),
            error=missing["error"].fillna(""),
        ).rename(columns=lambda name: name.replace("_", " ")),
        missing,
    )


def _made_with(budget):
    groups = budget.runs.groupby(MADE_WITH, dropna=False, sort=False)
    numbers = groups.size().rename("runs").reset_index()
    return Item(
        "made_with",
        "Data, versions and devices of the runs.",
        numbers.fillna("").rename(columns=lambda name: name.replace("_", " ")),
        numbers,
    )
