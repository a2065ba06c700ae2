"""Claims about slim gates and long sequences, checked against the runs."""

import pandas as pd

from experiments.engine.names import family
from experiments.engine.report import LEARNED_NOTHING, decided
from experiments.long_memory.tables import chosen

NEAR = 0.02  # the largest loss of accuracy that counts as "as good"
LEARNED = 0.1  # how far above chance a variant is that learned something
LU = "Lu & Salem 2017"  # arXiv:1701.03441 and its predecessor, MNIST
DEY = "Dey & Salem 2017"  # arXiv:1701.05923, MNIST
_SOURCES = {
    **dict.fromkeys(("lstm1", "lstm2", "lstm3"), LU),
    **dict.fromkeys(("gru1", "gru2", "gru3"), DEY),
}
# Pixel by pixel on MNIST they reach 57 % (the predecessor of `LU`) and 59.6 %
# (`DEY`, discussion of Fig. 3: 100 epochs at 1e-4), the full ones 99 %.
_BEHIND = ("lstm3", "gru3")
_COLUMNS = "claim source task length verdict seeds values"


def verdicts(budget):
    """Checks every slim variant against the full one of its family.

    Returns:
        `pandas.DataFrame` with one row per `claim`, `task` and `length`: its
        `source`, who says so, of MNIST, or `"ours"`; the `verdict` by the means
        over seeds; for how many `seeds` it holds; and the `values` that decide
        it.
    """
    runs, found = chosen(budget.runs), []
    for (task, length), rows in runs.groupby(["task", "length"], sort=False):
        chance = rows["chance"].mean()
        accuracy = rows.pivot_table(
            index="seed", columns="variant", values="val_accuracy", sort=False
        )
        for name in accuracy:
            full = family(name)
            if name != full and full in accuracy:
                both = accuracy[[name, full]].dropna()
                if len(both):
                    found.append(
                        _compare(task, length, name, full, both, chance)
                    )
    return pd.DataFrame(found, columns=_COLUMNS.split())


def _compare(task, length, name, full, accuracy, chance):
    named = task.split()[0]  # the digits of its data may follow
    is_image = named.endswith(("_by_pixel", "_by_row"))
    behind = name in _BEHIND and named.endswith("_by_pixel")
    difference = accuracy[name] - accuracy[full]

    def holds(difference):
        return (difference < -NEAR) == behind

    means = accuracy.mean()
    decision = decided(holds(difference.mean()), map(holds, difference))
    if means.max() < chance + LEARNED:
        decision = {"verdict": LEARNED_NOTHING, "seeds": ""}
    says = "falls behind" if behind else "is as good as"
    return {
        "claim": f"{name} {says} {full}",
        "source": _SOURCES.get(name, "ours") if is_image else "ours",
        "task": task,
        "length": length,
        **decision,
        "values": f"{means[name]:.1%}, {means[full]:.1%}",
    }
