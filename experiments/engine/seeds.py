import json
import time
from pathlib import Path

from experiments.engine.runs import lock_of, replacing


def clock_seeds(results_dir, experiment, keys, draw=True):
    """Seeds from the clock, drawn once for each key of a results folder.

    They are kept in `clock_seeds.json` there, so that a sweep that is started
    again, or two at once, find the runs that are made.

    Args:
        results_dir: Path of the results of all experiments.
        experiment: Name of the experiment, a folder in `results_dir`.
        keys: List of strings, the `runs.identity` of each config without its
            seed.
        draw: Boolean, whether to draw and keep the seeds not drawn yet.

    Returns:
        List of integers; `None` for a seed that is not drawn.
    """
    path = Path(results_dir) / experiment / "clock_seeds.json"
    if not draw:
        known = _read(path)
        return [known.get(key) for key in keys]
    with lock_of(path):
        known = _read(path)
        new = [key for key in keys if key not in known]
        if new:
            # Cells drawn in one second would share a seed.
            now = int(time.time())
            known |= {key: now + k for k, key in enumerate(new)}
            with replacing(path) as file:
                json.dump(known, file, indent=2)
    return [known[key] for key in keys]


def _read(path):
    return json.loads(path.read_text()) if path.exists() else {}
