"""The command `soak`: what grows over many calls and many runs."""

import pandas as pd

from experiments.benchmarks import machine, progress, summary, workers
from experiments.benchmarks.subjects import KERAS_LSTM

LAYERS = (KERAS_LSTM, "lstm", "lstm3")
CALLS = 2_000
RUNS = 1_000
SAMPLES = 20
COLUMNS = ("done", "seconds", "memory_bytes", "open_files", "compilations")
_CALLS = "experiments.benchmarks.in_worker.soak:Calls"
_SWEEP = "experiments.benchmarks.in_worker.soak:Sweep"


def measure(options, command, console):
    """Calls layers, makes a sweep, and writes samples to the folder.

    Args:
        options: Namespace of the command line.
        command: String, the command line, for the record.
        console: `rich.console.Console`.
    """
    folder = options.results_dir
    about = machine.describe(options.backend, command)
    machine.write(about, folder / "soak.json")
    rows = []

    def append(backend, what, layer, samples):
        rows.extend(
            {"backend": backend, "mode": what, "layer": layer, **sample}
            for sample in samples
        )
        summary.write(pd.DataFrame(rows), folder / "soak.csv")

    for backend in options.backend:
        for layer in LAYERS:
            title = f"{backend} {layer}"
            with (
                workers.start([backend], _CALLS, layer) as started,
                progress.bar(console, title, SAMPLES) as show,
            ):
                for number in range(SAMPLES):
                    show("calls")
                    first, last = (
                        options.calls * n // SAMPLES
                        for n in (number, number + 1)
                    )
                    sample = started[backend].call("call", last - first)
                    append(backend, "calls", layer, [sample])
        console.print(f"{backend}: a sweep of {options.runs} runs")
        with workers.start([backend], _SWEEP, SAMPLES) as started:
            samples = started[backend].call("sweep", options.runs)
            append(backend, "runs", "lstm3", samples)
