"""The command `layers`: for each shape, all layers on all backends."""

from experiments.benchmarks import machine, rounds, session
from experiments.benchmarks.subjects import Contender, Part, Shape, columns_of

SHAPES = tuple(
    map(
        Shape.parse,
        (
            "128x7x128x128",
            "100x10x400x400",
            "32x100x128x128",
            "32x500x64x64",
            "32x100x8x64",
        ),
    )
)
SHAPE_OF_GPU = Shape.parse("128x1000x256x256")
MODES = ("training", "inference")
# What is timed in addition to the peers of the ratios.
CONTENDERS = ("fast", "plain", "gru", "rnn")
# Whose matrix products are timed alone: with one gate that has them, or four.
WITH_PRODUCTS = ("lstm3", "lstm1", "lstm")
_LAYERS = "experiments.benchmarks.in_worker.layers:Layers"
_PRODUCTS = "experiments.benchmarks.in_worker.products:Products"


def measure(options, command, console):
    """Measures, and writes each round to the folder when it is complete.

    Args:
        options: Namespace of the command line.
        command: String, the command line, for the record.
        console: `rich.console.Console`.
    """
    folder, backends = options.results_dir, options.backend
    about = machine.describe(backends, command)
    variants = _chosen(options.variant, about["variants"])
    shapes = options.shape
    if shapes is None:
        shapes = (*SHAPES, SHAPE_OF_GPU) if about["is_gpu"] else SHAPES
    for name in ("layers.csv", "products.csv"):  # of an earlier measurement
        (folder / name).unlink(missing_ok=True)
    machine.write(about, folder / "layers.json")
    columns = ["shape", "mode", *columns_of(Contender)]
    of_layers = rounds.RoundsFile(folder / "rounds.csv", columns)
    columns = ["shape", *columns_of(Part)]
    of_products = rounds.RoundsFile(folder / "products_rounds.csv", columns)
    with of_layers, of_products:
        for shape in shapes:
            for mode in options.mode:
                session.measure(
                    backends,
                    (_LAYERS, shape, mode, options.dtype, options.contender),
                    variants,
                    options.rounds,
                    of_layers,
                    console,
                    shape=shape,
                    mode=mode,
                )
            session.measure(
                backends,
                (_PRODUCTS, shape, options.dtype),
                [name for name in WITH_PRODUCTS if name in variants],
                options.rounds,
                of_products,
                console,
                shape=shape,
            )


def _chosen(names, known):
    unknown = set(names or ()) - set(known)
    if unknown:
        raise ValueError(
            "Invalid value for argument `variant`. Expected some of "
            f"{','.join(known)}. Received: variant={','.join(names)}"
        )
    return names or known
