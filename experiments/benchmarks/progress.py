import contextlib

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)


@contextlib.contextmanager
def bar(console, title, steps):
    """Shows the progress and what is being measured.

    Args:
        console: `rich.console.Console`.
        title: String, what the steps have in common.
        steps: Integer, their largest number.

    Yields:
        A function to call with a text before each step.
    """
    with Progress(
        TextColumn(title),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[now]}"),
        console=console,
        # Drawing takes CPU time from what is measured.
        refresh_per_second=1,
    ) as progress:
        task = progress.add_task(title, total=steps, now="starting")
        begun = 0

        def show(text):
            nonlocal begun
            progress.update(task, completed=begun, now=text)
            begun += 1

        yield show
        progress.update(task, completed=begun, now="done")
