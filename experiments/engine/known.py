"""Runs that a sweep need not make, since they were collected elsewhere."""

from pathlib import Path
from typing import NamedTuple

from experiments.engine import merging
from experiments.engine.results import Results, nothing
from experiments.engine.seeds import first_drawn


class Known(NamedTuple):
    """The contents of folders that `collect` wrote.

    Attributes:
        results: `results.Results` of all of them.
        places: Dict from the ids of runs that are done to the `pathlib.Path`
            of the folder of each.
    """

    results: Results
    places: dict

    def seeds(self, tables):
        """Seeds from the clock, as `seeds.clock_seeds` takes them."""
        rows = merging.records(self.results.runs)
        return first_drawn(
            (merging.config_of(row, tables), row["data_fingerprint"])
            for row in rows
            if row["id"] in self.places
        )


def default_folders(experiment):
    """The folder of an experiment's results in the checkout, or no folder."""
    folder = Path(__file__).parents[2] / "results" / experiment
    if not (folder / "runs.csv").exists():
        return []
    here = Path.cwd()
    return [folder.relative_to(here) if here in folder.parents else folder]


def read(folders, tables):
    """Reads folders that `collect` wrote, as `Known`.

    For a run that is in several folders, the first one counts.

    Raises:
        FileNotFoundError: if a folder lacks a table.
        ValueError: if a table is damaged, or two disagree about a run.
    """
    found, places, so_far = None, {}, ""
    for folder in folders:
        own = merging.read(folder, tables)
        done = own.runs.loc[own.runs["status"] == "done", "id"]
        places = {**dict.fromkeys(done, folder), **places}
        if found is None:
            found, so_far = own, str(folder)
            continue
        found = merging.merge(found, own, tables, (so_far, str(folder)))
        so_far += f" or {folder}"
    return Known(nothing(tables) if found is None else found, places)
