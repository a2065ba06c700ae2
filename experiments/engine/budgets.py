"""Budgets: groups of runs that may share a table."""

import dataclasses
from types import MappingProxyType
from typing import NamedTuple

import pandas as pd

from experiments.engine.results import only


class Budget(NamedTuple):
    """Runs that may share a table, with the attributes of `results.Results`.

    Attributes:
        description: String, what the runs have in common.
        runs, history, details: See `results.Results`.
    """

    description: str
    runs: pd.DataFrame
    history: pd.DataFrame
    details: dict = MappingProxyType({})


def split(found, config_type, axes, describe, more=()):
    """Splits runs by the settings that a table holds constant.

    Args:
        found: `results.Results`.
        config_type: Subclass of `config.BaseConfig`.
        axes: Names of the settings that vary within a table.
        describe: Function that takes the rows of `runs` in a budget and
            returns a string that says what they have in common.
        more: Names of further columns of `runs` that a table holds constant.
            With `data_fingerprint`, the descriptions of budgets that differ
            only in their data end with its first digits.

    Returns:
        List of `Budget`, the one with the most epochs in total first.
    """
    names = [field.name for field in dataclasses.fields(config_type)]
    held = [name for name in names if name not in axes] + [*more]
    groups = [
        rows for _, rows in found.runs.groupby(held, dropna=False, sort=False)
    ]
    groups.sort(key=lambda rows: -rows["epochs_done"].sum())
    descriptions = [describe(rows) for rows in groups]
    budgets = []
    for rows, description in zip(groups, descriptions, strict=True):
        if descriptions.count(description) > 1:
            parts = rows["data_fingerprint"].iloc[0].split("+")
            description += f"; data {'+'.join(part[:6] for part in parts)}"
        own = only(found, rows["id"])
        budgets.append(Budget(description, rows, own.history, own.details))
    return budgets


def distinct(found, of_data):
    """Renames data of the same name and settings that differ in content.

    Such a name then ends with the first digits of the data. `of_data` are the
    settings on which the data depend, first the one that names them.
    """
    runs, name = found.runs, of_data[0]
    data = runs.groupby(list(of_data), dropna=False)["data_fingerprint"]
    longer = runs[name] + " " + runs["data_fingerprint"].str[:6]
    names = longer.where(data.transform("nunique") > 1, runs[name])
    return found._replace(runs=runs.assign(**{name: names}))


def other_settings(config_type, runs, said):
    """Describes, as a list, the settings of runs that are not the defaults.

    `said` are settings that vary, or are described elsewhere.
    """
    first, words = runs.iloc[0], []
    for field in dataclasses.fields(config_type):
        if field.name not in said:
            value = None if pd.isna(first[field.name]) else first[field.name]
            if value != field.default:
                words.append(f"{field.name} {value} (default {field.default})")
    return words


def choose(budgets, number):
    """The budget at a position, and a list of descriptions of the others.

    Raises:
        ValueError: if there is no such budget.
    """
    if not budgets:
        raise ValueError("There are no runs to report")
    if not 0 <= number < len(budgets):
        raise ValueError(
            f"There are {len(budgets)} budgets, counted from 0. Received: "
            f"budget={number}"
        )
    others = [
        f"{other.description} (runs: {len(other.runs)}; --budget {place})"
        for place, other in enumerate(budgets)
        if place != number
    ]
    return budgets[number], others
