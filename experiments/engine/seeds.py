import contextlib
import json
import time
from pathlib import Path
from types import MappingProxyType

from experiments.engine.checks import DamagedFile, print_error, read_json
from experiments.engine.files import lock_of, replacing
from experiments.engine.runs import (
    identity,
    read_run,
    run_folders,
)

_BELOW = 2**32  # Keras and NumPy take only smaller seeds
# Seeds of at least this value count as drawn: the clock reached it in 2001.
_FIRST_DRAWN = 10**9


def clock_seeds(
    results_dir, experiment, keys, draw=True, elsewhere=MappingProxyType({})
):
    """Seeds from the clock, drawn once for each key of a results folder.

    They are kept in `clock_seeds.json`, so that a sweep that is started again,
    or two sweeps at once, find the runs that were made. If that file is
    damaged, this is reported on standard error, and the seeds of runs that
    were started are recovered from their `run.json`.

    Args:
        results_dir: Path of the results of all experiments.
        experiment: Name of the experiment, a folder in `results_dir`.
        keys: List of strings, the `runs.identity` of each config without its
            seed.
        draw: Boolean, whether to draw and keep seeds that are not drawn yet.
        elsewhere: Dict of seeds by key, which are used instead of new ones.

    Returns:
        List of integers; `None` for a seed that is not drawn.
    """
    path = Path(results_dir) / experiment / "clock_seeds.json"
    if not keys:
        return []
    if not draw:
        known, _ = _read(path)
        return [known.get(key, elsewhere.get(key)) for key in keys]
    with lock_of(path):
        known, is_whole = _read(path)
        new = [key for key in keys if key not in known]
        if new or not is_whole:
            known |= {key: elsewhere[key] for key in new if key in elsewhere}
            # All seeds drawn in one second would be equal.
            now = int(time.time())
            drawn = [key for key in new if key not in known]
            known |= {key: (now + k) % _BELOW for k, key in enumerate(drawn)}
            with replacing(path) as file:
                json.dump(known, file, indent=2)
    return [known[key] for key in keys]


def _read(path):
    """Seeds by key, of runs if the file is damaged, and whether it is not."""
    try:
        kept = read_json(path)
    except FileNotFoundError:
        return {}, True
    except DamagedFile as error:
        kept, why = {}, error.why
    else:
        why = "it does not hold seeds only"
    seeds = {key: seed for key, seed in kept.items() if _is_seed(seed)}
    if kept and len(seeds) == len(kept):
        return seeds, True
    of_runs = _of_runs(path.parent)
    print_error(
        f"{path} is damaged: {why}. The seeds of runs that were started are "
        f"taken from their run.json ({len(of_runs.keys() - seeds.keys())} "
        "found); those of others are drawn anew."
    )
    return {**of_runs, **seeds}, False


def _is_seed(value):
    return type(value) is int and 0 <= value < _BELOW


def _of_runs(folder):
    """The seeds from the clock that the runs of a folder have, by key."""
    runs = []
    for path in run_folders(folder.parent, folder.name):
        with contextlib.suppress(DamagedFile):
            run = read_run(path)
            runs.append((run["config"], run["data_fingerprint"]))
    return first_drawn(runs)


def first_drawn(runs):
    """The seeds from the clock that runs have, by key as in `clock_seeds`.

    `runs` are pairs of a config and the fingerprint of the data. For several
    seeds of one key, the one that was drawn first counts.
    """
    found = {}
    for config, fingerprint in runs:
        config = dict(config)
        seed = config.pop("seed", None)
        if _is_seed(seed) and seed >= _FIRST_DRAWN:
            key = identity(config, fingerprint)
            found[key] = min(seed, found.get(key, seed))
    return found
