"""Budgets: groups of runs that may share a table."""

from experiments.engine.results import only


def split(found, held):
    """Splits runs by the settings that a table holds constant.

    Args:
        found: `results.Results`.
        held: Names of columns of `runs`.

    Returns:
        List of `results.Results`, the one with most epochs trained first.
    """
    groups = [rows for _, rows in found.runs.groupby(held, dropna=False)]
    groups.sort(key=lambda rows: -rows["epochs_done"].sum())
    return [only(found, rows["id"])._replace(runs=rows) for rows in groups]


def choose(budgets, number, describe):
    """Selects a budget.

    Args:
        budgets: List of budgets, which have `runs`.
        number: Integer, position in the list.
        describe: Function of a budget that returns what its runs share.

    Returns:
        Tuple of the budget and a list of strings that describe the others.

    Raises:
        ValueError: if there are fewer budgets.
    """
    if not 0 <= number < len(budgets):
        raise ValueError(
            f"There are {len(budgets)} budgets, counted from 0. Received: "
            f"budget={number}"
        )
    others = [
        f"{describe(other)} (runs: {len(other.runs)}; --budget {place})"
        for place, other in enumerate(budgets)
        if place != number
    ]
    return budgets[number], others
