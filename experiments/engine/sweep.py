"""Many runs by one launcher, watched through their run folders."""

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


class Cell(NamedTuple):
    """One run of a sweep.

    Attributes:
        folder: Its `RunFolder`.
        task: What the launcher's function takes, hashable.
        label: String for the progress display.
        epochs: Integer, how many it is to have.
    """

    folder: RunFolder
    task: Any
    label: str
    epochs: int


def sweep(cells, launch, console):
    """Makes the runs that are not done, each as soon as a worker is free.

    A run that another process makes is waited for, and taken over if that
    process dies. Files of a run that are damaged are named and set aside.

    Args:
        cells: List of `Cell`.
        launch: Function of a list of tasks, whose function returns without an
            error where another process makes the run; returns an iterator of
            (task, error), see `engine.launchers`.
        console: `rich.console.Console`, for the progress.

    Yields:
        Tuple of a `Cell` that was not done before, and its error or `None`.
    """
    by_task = {cell.task: cell for cell in cells}
    left = []
    for cell in cells:
        if cell.folder.result is not None:
            # Left by a kill between the last two steps of a run.
            cell.folder.remove_checkpoint()
            continue
        left.append(cell)
        # Here, as not all workers share our standard error.
        if cell.folder.damaged:
            with contextlib.suppress(RunIsClaimed), cell.folder.claim():
                cell.folder.set_aside_damaged()
    with _progress(cells, console):
        while left:
            elsewhere, free = [], []
            for cell in left:
                where = elsewhere if cell.folder.is_claimed else free
                where.append(cell)
            if free:  # some launchers start a cluster even for no task
                tasks = [cell.task for cell in free]
                with contextlib.closing(launch(tasks)) as ended:
                    for task, error in ended:
                        cell = by_task[task]
                        if error is None and cell.folder.result is None:
                            elsewhere.append(cell)
                        else:
                            yield cell, error
            if elsewhere:
                time.sleep(_POLL_SECONDS)
            left = []
            for cell in elsewhere:
                if cell.folder.result is None:
                    left.append(cell)
                else:
                    yield cell, None


def epochs_done(folder):
    """How many epochs stand in the history of a run folder."""
    try:
        text = (folder.path / "history.csv").read_bytes()
    except FileNotFoundError:
        return 0
    return max(0, text.count(b"\n") - 1)


@contextlib.contextmanager
def _progress(cells, console):
    """Bars for all epochs and for each run under way, on a terminal."""
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
    total = bars.add_task("all runs", total=sum(c.epochs for c in cells))
    shown = {}
    counts = {cell.folder.id: 0 for cell in cells}

    def look():
        for cell in cells:
            name, path = cell.folder.id, cell.folder.path
            if counts[name] == cell.epochs and name not in shown:
                continue
            counts[name] = epochs_done(cell.folder)
            ended = (path / "result.json").exists() or (
                path / "error.txt"
            ).exists()
            if ended and name in shown:
                bars.remove_task(shown.pop(name))
            elif not ended and name not in shown and _is_newer(path, began):
                shown[name] = bars.add_task(cell.label, total=cell.epochs)
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
    """Whether the run was started, or went on, after a moment."""
    try:
        return (path / "run.json").stat().st_mtime > moment - 1
    except FileNotFoundError:
        return False
