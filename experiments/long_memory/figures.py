"""Figures for `Report.pictures`: what is solved, accuracies and curves."""

from experiments.engine.pictures import panels, picture
from experiments.long_memory.tables import chosen, in_families, summary
from experiments.long_memory.tasks import SOLVED

MOST_CURVES = 12  # variants in a panel
_COLORS = (
    *("#000000", "#E69F00", "#0072B2", "#D55E00", "#009E73", "#CC79A7"),
    *("#56B4E9", "#8C564B", "#7F7F7F", "#BCBD22", "#17BECF"),
)
_LINES = ("-", "--", ":", "-.")
_QUANTITIES = {
    "solved": "runs that solved it (%)",
    "accuracy": "fresh sequences right (%)",
}


def _styles(variants):
    """A color and a line style for each variant, by its place in its family."""
    found, used = {}, 0
    for names in in_families(variants).values():
        for place, name in enumerate(names):
            turn, color = divmod(place, len(_COLORS))
            style = _LINES[(used + turn) % len(_LINES)]
            found[name] = {"color": _COLORS[color], "linestyle": style}
        used += turn + 1  # families may share a panel
    return found


def lengths(budget, path):
    """Draws the share of runs that solved a task, and accuracy, over length.

    Each task and family has a panel for either, with a line per variant, and
    for the share its 95 % interval over seeds.
    """
    found = summary(budget)
    found = found[found["seeds"] > 0]
    several = found.groupby("task")["length"].transform("nunique") > 1
    found = found[several]
    if found.empty:
        return False
    tasks, styles = found["task"].unique(), _styles(found["variant"].unique())
    families = in_families(found["variant"].unique())
    # For each task, what is solved above the accuracies.
    rows = [(task, name) for task in tasks for name in ("solved", "accuracy")]
    shape = len(rows), len(families)
    size = 1 + 4.2 * shape[1], 0.8 + 2.8 * shape[0]
    with picture(
        path, *shape, figsize=size, squeeze=False, sharex=True, sharey=True
    ) as (_, axes):
        for line, (task, quantity) in zip(axes, rows, strict=True):
            of_task = found[found["task"] == task]
            for axis, (family, names) in zip(
                line, families.items(), strict=True
            ):
                for place, name in enumerate(names):
                    own = of_task[of_task["variant"] == name]
                    own = own.sort_values("length")
                    mean = 100 * own[quantity]
                    ends = 100 * own[[f"{quantity}_low", f"{quantity}_high"]]
                    # Side by side, as many lines are at 0 or at 1.
                    shift = 1 + 0.015 * (place - (len(names) - 1) / 2)
                    axis.errorbar(
                        own["length"] * shift,
                        mean,
                        # Student's intervals are wider than the panel.
                        (ends.T - mean).abs() if quantity == "solved" else None,
                        marker="o",
                        markersize=4,
                        elinewidth=0.6,
                        **styles[name],
                        label=name,
                    )
                axis.set(xscale="log", title=f"{task}, {family}")
                ticks = sorted(found["length"].unique())
                axis.set_xticks(ticks, ticks, minor=False)
                axis.minorticks_off()
                axis.grid(alpha=0.3)
            line[0].set_ylabel(_QUANTITIES[quantity])
        for axis in axes[0]:
            axis.legend(fontsize="x-small", loc="upper right")
        for axis in axes[-1]:
            axis.set_xlabel("time steps")
    return True


def accuracies(budget, path):
    """Draws the accuracy of each variant, for tasks of one length.

    Means over seeds with 95 % confidence intervals, a color for each family.
    Small points are runs. The axis begins at the worst run.
    """
    found, runs = summary(budget), chosen(budget.runs)
    found = found[found["seeds"] > 0]
    one = found.groupby("task")["length"].transform("nunique") == 1
    found = found[one]
    if found.empty:
        return False
    tasks, names = found["task"].unique(), list(found["variant"].unique())
    places = {name: place for place, name in enumerate(names)}
    size = 1 + max(4.5, 0.6 * len(names)), 0.8 + 3 * len(tasks)
    with picture(
        path, len(tasks), 1, figsize=size, squeeze=False, sharex=True
    ) as (figure, axes):
        for axis, task in zip(axes[:, 0], tasks, strict=True):
            single = runs[runs["task"] == task]
            axis.plot(
                single["variant"].map(places),
                100 * single["val_accuracy"],
                ".",
                color="gray",
                alpha=0.6,
            )
            rows = found[found["task"] == task]
            families = in_families(rows["variant"]).values()
            for color, of_family in zip(_COLORS[1:], families, strict=False):
                own = rows[rows["variant"].isin(of_family)]
                half = own["accuracy_high"] - own["accuracy"]
                axis.errorbar(
                    own["variant"].map(places),
                    100 * own["accuracy"],
                    100 * half.fillna(0),
                    fmt="o",
                    capsize=3,
                    color=color,
                )
            steps, chance = rows["length"].iloc[0], rows["chance"].max()
            title = f"{task}, {steps} time steps, chance {chance:.0%}"
            least = 100 * single["val_accuracy"].min()
            below = max(1, (100 - least) / 10)
            axis.set(title=title, ylim=(max(0, least - below), 100.5))
            axis.grid(alpha=0.3, axis="y")
        axes[-1, 0].set_xticks(range(len(names)), names, rotation=45)
        figure.supylabel("fresh sequences right (%)")
    return True


def curves(budget, path):
    """Draws the accuracy over the training steps.

    Each task and length has a panel, with the mean over seeds of each variant.
    Nothing is drawn of more than `MOST_CURVES` variants.
    """
    runs = chosen(budget.runs)
    names = list(runs["variant"].unique())
    if not 0 < len(names) <= MOST_CURVES:
        return False
    history = budget.history.merge(runs, on="id", suffixes=("", "_last"))
    groups = list(history.groupby(["task", "length"], sort=False))
    if not groups:
        return False
    styles = _styles(names)
    with panels(path, len(groups), 3, (4.5, 3.4), (1, 0.8), sharey=True) as (
        figure,
        axes,
    ):
        for axis, ((task, length), panel) in zip(axes, groups, strict=True):
            for name in names:
                own = panel[panel["variant"] == name]
                steps = own["epoch"] * own["steps_per_epoch"]
                mean = own["val_accuracy"].groupby(steps.astype(float)).mean()
                axis.plot(
                    mean.index,
                    100 * mean,
                    marker=".",
                    label=name,
                    **styles[name],
                )
            chance = 100 * panel["chance"].max()
            axis.axhline(chance, linestyle=":", color="gray", label="chance")
            axis.axhline(100 * SOLVED, linestyle="--", color="gray")
            title = f"{task}, {length} time steps"
            axis.set(title=title, xlabel="training steps")
            axis.set_ylim(0, 102)
            axis.grid(alpha=0.3)
        axes[0].legend(fontsize="small")
        figure.supylabel("fresh sequences right (%)")
    return True
