"""Many runs with one launcher, monitored through their run folders."""

import contextlib
import threading
import time
from typing import Any, NamedTuple

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from experiments.engine.runs import RunFolder, RunIsClaimed

_POLL_SECONDS = 1.0


class PlannedRun(NamedTuple):
    """A planned run of a sweep.

    Attributes:
        folder: Its `RunFolder`.
        task: Hashable, the argument of the launcher's function.
        label: String for the progress display.
        epochs: Integer, the number of its epochs.
    """

    folder: RunFolder
    task: Any
    label: str
    epochs: int


def sweep(runs, launch, console):
    """Makes the runs that are not done, each as soon as a worker is free.

    It waits for runs that another process is making, and takes them over if
    that process dies. Damaged files of a run are reported and set aside.

    Args:
        runs: List of `PlannedRun`.
        launch: Function of a list of tasks that returns an iterator of
            (task, error), see `engine.launchers`. It must report no error
            for a run that another process is making.
        console: `rich.console.Console`, for the progress.

    Yields:
        Tuple of a `PlannedRun` that was not done, and its error or `None`.
    """
    by_task = {run.task: run for run in runs}
    left = []
    for run in runs:
        if run.folder.result is not None:
            # Left by a process killed between the last two steps of a run.
            run.folder.remove_checkpoint()
            continue
        left.append(run)
        # Reported here, since not all workers share our standard error.
        if run.folder.damaged:
            with contextlib.suppress(RunIsClaimed), run.folder.claim():
                run.folder.set_aside_damaged()
    with _progress(runs, console):
        while left:
            elsewhere, free = [], []
            for run in left:
                where = elsewhere if run.folder.is_claimed else free
                where.append(run)
            if free:  # some launchers start a cluster even without tasks
                tasks = [run.task for run in free]
                with contextlib.closing(launch(tasks)) as ended:
                    for task, error in ended:
                        run = by_task[task]
                        if error is None and run.folder.result is None:
                            elsewhere.append(run)
                        else:
                            yield run, error
            if elsewhere:
                time.sleep(_POLL_SECONDS)
            left = []
            for run in elsewhere:
                if run.folder.result is None:
                    left.append(run)
                else:
                    yield run, None


def epochs_done(folder):
    """The number of epochs in the history of a run folder."""
    try:
        text = (folder.path / "history.csv").read_bytes()
    except FileNotFoundError:
        return 0
    return max(0, text.count(b"\n") - 1)


@contextlib.contextmanager
def _progress(runs, console):
    """On a terminal, bars for all epochs and for each run in progress."""
    if not console.is_terminal:
        yield
        return
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs"),
        TimeElapsedColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
    )
    began = time.time()
    stop = threading.Event()
    total = bars.add_task("all runs", total=sum(r.epochs for r in runs))
    shown = {}
    counts = {run.folder.id: 0 for run in runs}

    def look():
        for run in runs:
            name, path = run.folder.id, run.folder.path
            if counts[name] == run.epochs and name not in shown:
                continue
            counts[name] = epochs_done(run.folder)
            ended = (path / "result.json").exists() or (
                path / "error.txt"
            ).exists()
            if ended and name in shown:
                bars.remove_task(shown.pop(name))
            elif not ended and name not in shown and _is_newer(path, began):
                shown[name] = bars.add_task(run.label, total=run.epochs)
            if name in shown:
                bars.update(shown[name], completed=counts[name])
        bars.update(total, completed=sum(counts.values()))

    def follow():
        while not stop.wait(_POLL_SECONDS):
            look()

    follower = threading.Thread(target=follow, daemon=True)
    with bars:
        look()
        follower.start()
        try:
            yield
        finally:
            stop.set()
            follower.join()
            look()


def _is_newer(path, moment):
    """Whether the run was started or resumed after a moment."""
    try:
        return (path / "run.json").stat().st_mtime > moment - 1
    except FileNotFoundError:
        return False
