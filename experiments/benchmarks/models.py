"""The command `models`: `model.fit` of typical models."""

from experiments.benchmarks import machine, session
from experiments.benchmarks.subjects import Shape, Trained, columns_of

SHAPES = {
    "classifier": Shape.parse("32x100x64x64"),
    "forecaster": Shape.parse("32x100x8x64"),
    "encoder_decoder": Shape.parse("32x50x64x128"),
}
VARIANTS = ("lstm", "lstm3")
_MODELS = "experiments.benchmarks.in_worker.models:Models"


def measure(options, command, console):
    """Measures, and writes each round to the folder when it is complete.

    Args:
        options: Namespace of the command line.
        command: String, the command line, for the record.
        console: `rich.console.Console`.
    """
    folder, backends = options.results_dir, options.backend
    about = machine.describe(backends, command)
    columns = ["model", "shape", *columns_of(Trained)]
    with session.recorded(folder, "models", about, columns) as file:
        for model, shape in SHAPES.items():
            shape = options.shape or shape
            session.measure(
                backends,
                (_MODELS, model, shape),
                VARIANTS,
                options.rounds,
                file,
                console,
                model=model,
                shape=shape,
            )
