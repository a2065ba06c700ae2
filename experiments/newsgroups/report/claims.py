"""The sentences of Kent & Salem that numbers can decide.

Each is a `Claim`: the sentence in our words; how it is read where it is
ambiguous; and the number that decides it, computed in the same way from the
published tables and from runs, see `verdicts.py`. Accuracies are in percent.
"""

from collections.abc import Callable
from typing import NamedTuple

from scipy import stats

END, BEST = "val_accuracy", "best_val_accuracy"
END_LOSS, BEST_LOSS = "val_loss", "best_val_loss"
HIGH_RATE = {"activation": ["linear"], "learning_rate": [2e-3]}
BEST_SETTING = {"activation": ["tanh"], "learning_rate": [2e-3]}


class Claim(NamedTuple):
    """One sentence.

    Args:
        section: The section of the paper.
        sentence: What it says, in our words.
        unit: The unit of the number that decides it.
        columns: Names of the columns of `entries.entries` that it is about. The
            first must be known in each entry.
        value: Function of the entries that returns the number; NaN where there
            is nothing to decide it by.
        holds: Function of the number that returns whether the sentence is true.
        reading: How the sentence is read, and what the number is.
        entries: Dict from levels of the index to the values that the sentence
            is about. A level that is left out may have any value.
    """

    section: str
    sentence: str
    unit: str
    columns: tuple
    value: Callable
    holds: Callable
    reading: str
    entries: dict = {}


def _inside(entries, where):
    """Which entries have one of the given values at each given level."""
    inside = True
    for level, values in where.items():
        inside = inside & entries.index.get_level_values(level).isin(values)
    return inside


def _lead(means, name):
    return means[name] - means.drop(name).max()


def highest_average(column, level, name, sign=1):
    """How far the average of one is above the next, or below if sign is -1."""

    def value(entries):
        return _lead(sign * entries[column].groupby(level=level).mean(), name)

    return value


def highest_entry(column, sign=1, **where):
    """How far the best of some entries is above the best of all others."""

    def value(entries):
        values, inside = sign * entries[column], _inside(entries, where)
        return values[inside].max() - values[~inside].max()

    return value


def over_all(column, how):
    return lambda entries: entries[column].agg(how)


def number_above(column, bound):
    return lambda entries: (entries[column] > bound).sum()


def _excess(column, name, other, level="variant"):
    """How far the average of one is above that of another."""

    def value(entries):
        means = entries[column].groupby(level=level).mean()
        return means[name] - means[other]

    return value


def _settings_won(column, sign=1):
    """In how many settings LSTM3 is better than LSTM."""

    def value(entries):
        wide = sign * entries[column].unstack("variant")
        return (wide["lstm3"] > wide["lstm"]).sum()

    return value


def _settings_led(entries):
    """In how many settings no variant is better than LSTM3."""
    wide = entries[END].unstack("variant")
    return (wide["lstm3"] >= wide.max(axis=1)).sum()


def _p_lstm3_is_lstm(entries):
    wide = entries[END].unstack("variant")
    difference = wide["lstm3"] - wide["lstm"]
    return stats.wilcoxon(difference).pvalue if difference.any() else 1.0


def _tanh_in_each_variant(entries):
    wide = (
        entries[END].groupby(level=["activation", "variant"]).mean().unstack()
    )
    return min(_lead(wide[variant], "tanh") for variant in wide)


def _larger_shortfall(entries):
    means = entries[END].groupby(level="variant").mean()
    return means["lstm"] - means[["lstm1", "lstm3"]].min()


def _slim_lead_without_breakdowns(entries):
    broken = entries["broke_down"].groupby(level=[0, 1]).transform("max") > 0
    rest = entries.loc[~broken, END].drop("lstm", level="variant")
    if rest.empty:
        return float("nan")
    return _lead(rest.groupby(level="variant").mean(), "lstm3")


def _best_lstm3_over_best_lstm(entries):
    best = entries[END].groupby(level="variant").max()
    return best["lstm3"] - best["lstm"]


def _range_over_margin(entries):
    end = entries[END].droplevel([0, 1])
    spread = entries["val_accuracy_range"].droplevel([0, 1])["lstm3"]
    return spread - abs(end["lstm3"] - end["lstm"])


def _outside_linear(entries):
    linear = _inside(entries, {"activation": ["linear"]})
    return entries.loc[~linear, "broke_down"].sum()


def _time_saved(entries):
    seconds = entries["seconds_per_epoch"].droplevel([0, 1])
    return 100 * (1 - seconds.drop("lstm").min() / seconds["lstm"])


def _rank_of_relu(entries):
    means = entries[END_LOSS].groupby(level="activation").mean()
    return means.rank()["relu"]


def _above(bound):
    return lambda value: value > bound


def _at_least(bound):
    return lambda value: value >= bound


def _between(low, high):
    return lambda value: low < value < high


def _about(target, tolerance):
    return lambda value: abs(value - target) <= tolerance


_positive, _zero = _above(0), _about(0, 0)

CLAIMS = (
    Claim(
        "Abstract",
        "Some slim layers can do as well as the standard LSTM",
        "points",
        (END,),
        highest_entry(END, variant=["lstm1", "lstm2", "lstm3"]),
        _at_least(0),
        "best slim entry less best LSTM entry: not below 0",
    ),
    Claim(
        "Abstract",
        "Slim layers may train faster",
        "%",
        ("seconds_per_epoch",),
        _time_saved,
        _positive,
        "time that the fastest slim variant saves, tanh at 2e-3, on one "
        "machine; the paper prints no times",
        BEST_SETTING,
    ),
    Claim(
        "III.A",
        "LSTM3 with tanh is best after the last epoch",
        "points",
        (END,),
        highest_entry(END, variant=["lstm3"], activation=["tanh"]),
        _positive,
        "its best entry less the best of all others",
    ),
    Claim(
        "III.A",
        "LSTM3 with tanh is best over all epochs",
        "points",
        (BEST,),
        highest_entry(BEST, variant=["lstm3"], activation=["tanh"]),
        _positive,
        "its best entry less the best of all others",
    ),
    Claim(
        "III.A, IV.B",
        "tanh has the highest average accuracy of the activations",
        "points",
        (END,),
        highest_average(END, "activation", "tanh"),
        _positive,
        "its average less the next",
    ),
    Claim(
        "III.A",
        "tanh works best “across all LSTM variants”",
        "points",
        (END,),
        _tanh_in_each_variant,
        _positive,
        "the least lead of tanh within a variant; the paper says “generally”",
    ),
    Claim(
        "III.A",
        "ReLU and linear worked at 1e-3 and 5e-4",
        "%",
        (END,),
        over_all(END, "min"),
        _above(50),
        "worked: above 50 %, the bound that the paper sets for softmax; the "
        "lowest of the 16 entries",
        {"activation": ["relu", "linear"], "learning_rate": [1e-3, 5e-4]},
    ),
    Claim(
        "III.A",
        "ReLU and linear did not work at 2e-3 (implied)",
        "of 8 entries",
        (END,),
        number_above(END, 50),
        _zero,
        "entries above 50 %: none",
        {"activation": ["relu", "linear"], "learning_rate": [2e-3]},
    ),
    Claim(
        "III.A",
        "Sigmoid worked reasonably well at all learning rates",
        "%",
        (END,),
        over_all(END, "min"),
        _above(50),
        "above 50 %; the lowest of the 12 entries",
        {"activation": ["sigmoid"]},
    ),
    Claim(
        "III.A",
        "Softmax works worst",
        "points",
        (END,),
        highest_average(END, "activation", "softmax", sign=-1),
        _positive,
        "“did not appear to work well at all”: how far its average is below "
        "the next lowest",
    ),
    Claim(
        "III.A",
        "Softmax passes 50 % at some epoch in 7 of 12 cases",
        "of 12 entries",
        (BEST,),
        number_above(BEST, 50),
        _about(7, 0),
        "exactly 7",
        {"activation": ["softmax"]},
    ),
    Claim(
        "III.A",
        "Softmax passes 50 % after the last epoch in 6 of 12 cases",
        "of 12 entries",
        (END,),
        number_above(END, 50),
        _about(6, 0),
        "exactly 6",
        {"activation": ["softmax"]},
    ),
    Claim(
        "III.A",
        "LSTM has the highest average accuracy after the last epoch",
        "points",
        (END,),
        highest_average(END, "variant", "lstm"),
        _positive,
        "its average less the next",
    ),
    Claim(
        "III.A",
        "LSTM has the highest average of the best over all epochs",
        "points",
        (BEST,),
        highest_average(BEST, "variant", "lstm"),
        _positive,
        "its average less the next",
    ),
    Claim(
        "III.A",
        "LSTM1 and LSTM3 are on average only slightly worse than LSTM",
        "points",
        (END,),
        _larger_shortfall,
        _between(0, 5),
        "slightly: by less than 5 points; the larger of the two shortfalls",
    ),
    Claim(
        "III.A",
        "LSTM2 is worst on average",
        "points",
        (END,),
        highest_average(END, "variant", "lstm2", sign=-1),
        _positive,
        "how far its average is below the next lowest",
    ),
    Claim(
        "III.A",
        "LSTM2's best over all epochs is 59.23 % on average",
        "%",
        (BEST,),
        over_all(BEST, "mean"),
        _about(59.23, 1),
        "within a point",
        {"variant": ["lstm2"]},
    ),
    Claim(
        "III.A",
        "LSTM2's average after the last epoch is 53.90 %",
        "%",
        (END,),
        over_all(END, "mean"),
        _about(53.90, 1),
        "within a point",
        {"variant": ["lstm2"]},
    ),
    Claim(
        "III.A",
        "The best case was run again with ten seeds",
        "seeds",
        ("seeds",),
        over_all("seeds", "min"),
        _at_least(10),
        "LSTM3, tanh, 2e-3: at least 10; the text lists 8 seeds, and Figure 2 "
        "adds one taken from the clock",
        {**BEST_SETTING, "variant": ["lstm3"]},
    ),
    Claim(
        "III.A",
        "The best LSTM3 case leads the best LSTM case by less than 1 %",
        "points",
        (END,),
        _best_lstm3_over_best_lstm,
        _between(0, 1),
        "above 0, below 1 point",
        {"variant": ["lstm", "lstm3"]},
    ),
    Claim(
        "III.A",
        "Seeds vary too much for that margin to be conclusive",
        "points",
        (END, "val_accuracy_range"),
        _range_over_margin,
        _positive,
        "tanh, 2e-3: range of LSTM3 over its seeds less the margin between "
        "LSTM3 and LSTM there, whichever leads",
        {**BEST_SETTING, "variant": ["lstm", "lstm3"]},
    ),
    Claim(
        "III.B",
        "The lowest loss over all epochs is that of LSTM with linear",
        "nats",
        (BEST_LOSS,),
        highest_entry(
            BEST_LOSS, sign=-1, variant=["lstm"], activation=["linear"]
        ),
        _positive,
        "how far its lowest entry is below all others",
    ),
    Claim(
        "III.B",
        "The lowest loss after the last epoch is that of LSTM2 with ReLU",
        "nats",
        (END_LOSS,),
        highest_entry(
            END_LOSS, sign=-1, variant=["lstm2"], activation=["relu"]
        ),
        _positive,
        "how far its lowest entry is below all others",
    ),
    Claim(
        "III.B",
        "ReLU does well in loss, but not best",
        "of 5",
        (END_LOSS,),
        _rank_of_relu,
        _between(1, 4),
        "rank of its average loss after the last epoch: neither first nor in "
        "the worse half",
    ),
    Claim(
        "III.B",
        "Softmax has the highest average of the lowest loss",
        "nats",
        (BEST_LOSS,),
        highest_average(BEST_LOSS, "activation", "softmax"),
        _positive,
        "its average less the next highest",
    ),
    Claim(
        "III.B",
        "... which is 1.6",
        "nats",
        (BEST_LOSS,),
        over_all(BEST_LOSS, "mean"),
        _about(1.6, 0.1),
        "“minimum average loss” is read as the average of the lowest over all "
        "epochs; within 0.1",
        {"activation": ["softmax"]},
    ),
    Claim(
        "III.B",
        "... against 1.15 for linear, the next",
        "nats",
        (BEST_LOSS,),
        over_all(BEST_LOSS, "mean"),
        _about(1.15, 0.1),
        "likewise",
        {"activation": ["linear"]},
    ),
    Claim(
        "III.B",
        "Softmax is worst in loss after the last epoch too",
        "nats",
        (END_LOSS,),
        highest_average(END_LOSS, "activation", "softmax"),
        _positive,
        "our extension of the sentence to Table II: its average less the next "
        "highest",
    ),
    Claim(
        "III.C",
        "Many cases with linear at 2e-3 break down",
        "of 4 entries",
        ("broke_down",),
        over_all("broke_down", "sum"),
        _at_least(2),
        "many: half or more. A printed entry broke down if it is below 10 %, "
        "twice chance; a run, if its accuracy fell to chance and stayed or its "
        "loss stopped being finite",
        HIGH_RATE,
    ),
    Claim(
        "III.C",
        "Then the accuracy is below 5 %",
        "%",
        ("broke_down", "broken_val_accuracy"),
        over_all("broken_val_accuracy", "max"),
        lambda value: value < 5,
        "highest of those that broke down, linear at 2e-3",
        HIGH_RATE,
    ),
    Claim(
        "III.C",
        "Then the loss stays high",
        "nats",
        ("broke_down", "broken_val_loss"),
        over_all("broken_val_loss", "min"),
        _above(2.9),
        "lowest of those that broke down, linear at 2e-3: about ln 20 = 2.996, "
        "that of a guess, or more",
        HIGH_RATE,
    ),
    Claim(
        "III.C",
        "Until then they train normally",
        "%",
        ("broke_down", "broken_best_val_accuracy"),
        over_all("broken_best_val_accuracy", "min"),
        _above(50),
        "those that broke down, linear at 2e-3, had passed 50 %; the lowest",
        HIGH_RATE,
    ),
    Claim(
        "III.C",
        "It is linear that breaks down (heading)",
        "entries",
        ("broke_down",),
        _outside_linear,
        _zero,
        "breakdowns with other activations: none",
    ),
    Claim(
        "III.C",
        "It is the high learning rate that breaks down (heading)",
        "entries",
        ("broke_down",),
        over_all("broke_down", "sum"),
        _zero,
        "breakdowns at 1e-3 and 5e-4: none",
        {"learning_rate": [1e-3, 5e-4]},
    ),
    Claim(
        "III.C",
        "Breakdown comes back with another seed",
        "% of seeds",
        ("broke_down_again",),
        lambda entries: 100 * entries["broke_down_again"].max(),
        _at_least(100),
        "linear at 2e-3: some variant breaks down with each of its seeds",
        HIGH_RATE,
    ),
    Claim(
        "IV.A",
        "LSTM3 has the highest average accuracy of the slim variants",
        "points",
        (END,),
        highest_average(END, "variant", "lstm3"),
        _positive,
        "its average less the next",
        {"variant": ["lstm1", "lstm2", "lstm3"]},
    ),
    Claim(
        "IV.A",
        "... and not only because it breaks down less",
        "points",
        (END, "broke_down"),
        _slim_lead_without_breakdowns,
        _positive,
        "our addition: the same without the settings in which some variant "
        "broke down",
    ),
    Claim(
        "IV.A",
        "LSTM3 does not differ significantly from LSTM",
        "p",
        (END,),
        _p_lstm3_is_lstm,
        _at_least(0.05),
        "Wilcoxon's signed-rank test over the 15 settings: p not below 0.05, "
        "which does not show that they are equal",
        {"variant": ["lstm", "lstm3"]},
    ),
    Claim(
        "IV.A",
        "In some tests LSTM3 is the best of all variants",
        "of 15 settings",
        (END,),
        _settings_led,
        _at_least(1),
        "settings in which no variant is better: at least one",
    ),
    Claim(
        "IV.A",
        "LSTM3 is not strictly better than LSTM in accuracy",
        "of 15 settings",
        (END,),
        _settings_won(END),
        lambda value: value < 15,
        "settings in which it is better: not all",
        {"variant": ["lstm", "lstm3"]},
    ),
    Claim(
        "IV.A",
        "LSTM3 is not strictly better than LSTM in loss",
        "of 15 settings",
        (END_LOSS,),
        _settings_won(END_LOSS, sign=-1),
        lambda value: value < 15,
        "settings in which it is better: not all",
        {"variant": ["lstm", "lstm3"]},
    ),
    Claim(
        "IV.B",
        "tanh is a better default than linear",
        "points",
        (END,),
        _excess(END, "tanh", "linear", "activation"),
        _positive,
        "average of tanh less average of linear",
        {"activation": ["tanh", "linear"]},
    ),
    Claim(
        "IV.C",
        "Breakdown may come only after a number of epochs",
        "epoch",
        ("last_breakdown",),
        over_all("last_breakdown", "max"),
        _above(10),
        "the latest with linear at 2e-3: after epoch 10, so that ten epochs "
        "would have missed it",
        HIGH_RATE,
    ),
    Claim(
        "IV.D",
        "LSTM3 can reach a lower loss than LSTM (rationale)",
        "nats",
        (END_LOSS,),
        _excess(END_LOSS, "lstm", "lstm3"),
        _positive,
        "average loss of LSTM less that of LSTM3, after the last epoch; the "
        "paper says “potentially”",
        {"variant": ["lstm", "lstm3"]},
    ),
)
