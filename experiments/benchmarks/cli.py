"""Command line: `python -m experiments.benchmarks <command>`."""

import argparse
import shlex
import sys
from pathlib import Path

from rich.console import Console

from experiments.benchmarks import (
    deploy,
    layers,
    models,
    newsgroups,
    page,
    slimming,
    soak,
)
from experiments.benchmarks.subjects import Shape
from experiments.benchmarks.workers import WorkerError, installed_backends
from experiments.engine.backend import BACKENDS

PROG = "python -m experiments.benchmarks"
DTYPES = ("float32", "float16", "bfloat16")


def _one_of(allowed):
    """A parser of lists such as `jax,torch`."""

    def parse(text):
        names = tuple(dict.fromkeys(text.split(",")))
        for name in names:
            if name not in allowed:
                raise argparse.ArgumentTypeError(
                    f"expected some of {','.join(allowed)}. Received: {name!r}"
                )
        return names

    return parse


def _shape(text):
    try:
        return Shape.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _shapes(text):
    return tuple(map(_shape, text.split(",")))


def _positive(text):
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(
            f"expected a positive integer. Received: {text!r}"
        )
    return int(text)


def _parser():
    parser = argparse.ArgumentParser(
        prog=PROG, description=__doc__, allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name, help, description):
        made = commands.add_parser(
            name, help=help, description=description, allow_abbrev=False
        )
        made.add_argument(
            "--results-dir",
            type=Path,
            default=Path("results/benchmarks"),
            help="where the tables go; default: results/benchmarks",
        )
        return made

    installed = installed_backends()
    backends = {
        "type": _one_of(BACKENDS),
        "default": installed,
        "metavar": "NAME,...",
        "help": f"default: those installed, {','.join(installed)}",
    }
    one = command(
        "layers",
        "time single layers against their peers",
        "Times inference and training of our layers, of Keras's and of "
        "torch.nn.LSTM, and writes the results.",
    )
    one.add_argument("--backend", **backends)
    one.add_argument(
        "--shape",
        type=_shapes,
        metavar="SHAPE,...",
        help="batch x time steps x features x units; default: "
        + ",".join(map(str, layers.SHAPES))
        + f", and on a GPU {layers.SHAPE_OF_GPU}",
    )
    one.add_argument(
        "--variant",
        type=lambda text: tuple(text.split(",")),
        metavar="NAME,...",
        help="default: all",
    )
    one.add_argument(
        "--mode",
        type=_one_of(layers.MODES),
        default=layers.MODES,
        metavar="NAME,...",
        help=f"default: {','.join(layers.MODES)}",
    )
    one.add_argument(
        "--contender",
        type=_one_of(layers.CONTENDERS),
        default=layers.CONTENDERS,
        metavar="NAME,...",
        help="what is timed in addition to keras.layers.LSTM and "
        "torch.nn.LSTM: our layers with the fast and the plain time loop, "
        "keras.layers.GRU, and keras.layers.RNN of a cell; "
        f" default: {','.join(layers.CONTENDERS)}. On a GPU, "
        "--contender fast leaves out the slowest Python loops over time steps",
    )
    one.add_argument(
        "--dtype", choices=DTYPES, default="float32", help="default: float32"
    )

    whole = command(
        "models",
        "time model.fit of whole models",
        "Times training steps of a masked bidirectional classifier, of a "
        "stacked forecaster and of an encoder-decoder in model.fit, with "
        "keras.layers.LSTM, LSTM and LSTM3.",
    )
    whole.add_argument("--backend", **backends)
    whole.add_argument(
        "--shape",
        type=_shape,
        metavar="SHAPE",
        help="batch x time steps x features x units of all models; default: "
        + ", ".join(f"{s} ({name})" for name, s in models.SHAPES.items()),
    )

    many = command(
        "newsgroups",
        "time the newsgroups experiment",
        "Times training and validation of the paper's network with our layers "
        "and with Keras's. The data is that of experiments.newsgroups, in "
        "KERAS_SLIM_DATA or from the public URLs.",
    )
    many.add_argument("--backend", **backends)
    many.add_argument(
        "--posts",
        type=_positive,
        help="number of posts, including those for validation; default: all",
    )
    many.add_argument(
        "--rounds",
        type=_positive,
        default=3,
        help="epochs and validations after the first; default: 3",
    )

    files = command(
        "deploy",
        "time exported networks in their runtimes",
        "Trains small networks with keras.layers.LSTM, with slim layers and "
        "with convolutions, exports them, and times the files in LiteRT, "
        "onnxruntime and OpenVINO for a batch of one. It needs the extra "
        "`deploy`.",
    )
    exporting = tuple(b for b in deploy.BACKENDS if b in installed)
    files.add_argument(
        "--backend",
        type=_one_of(deploy.BACKENDS),
        default=exporting,
        metavar="NAME,...",
        help="tensorflow exports to LiteRT, torch to ONNX and OpenVINO; "
        f"default: those installed, {','.join(exporting)}",
    )

    ways = command(
        "slimming",
        "score slimmed networks after fine-tuning and distillation",
        "Trains small networks with keras.layers.LSTM, slims them, and trains "
        "them for three epochs on the targets, on the outputs of the "
        "original, and from scratch.",
    )
    ways.add_argument(
        "--backend",
        choices=installed,
        default=installed[0] if installed else None,
        help="default: the first that is installed",
    )
    for timed in one, whole, files:
        timed.add_argument(
            "--rounds", type=_positive, default=15, help="default: 15"
        )
    for trained in files, ways:
        trained.add_argument(
            "--seeds",
            type=_positive,
            default=3,
            help="how often each network is trained; default: 3",
        )
        trained.add_argument(
            "--epochs", type=_positive, help="of each training; default: 30"
        )

    held = command(
        "soak",
        "see what grows over many calls and runs",
        "Calls and trains layers on batches of varied shapes, makes a sweep "
        "of tiny runs in one process, and samples its memory, open files and "
        "compilations.",
    )
    held.add_argument("--backend", **backends)
    for name, count in ("calls", soak.CALLS), ("runs", soak.RUNS):
        held.add_argument(
            f"--{name}",
            type=_positive,
            default=count,
            help=f"default: {count:,}",
        )

    command(
        "report",
        "make tables and chart again",
        "Makes README.md, tables and chart from the files in the folder, "
        "without measuring.",
    )
    return parser


def main(arguments=None):
    """Runs the command line.

    Args:
        arguments: List of strings. Default: `None`, those of the process.

    Returns:
        The exit status.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True)
    commands = {
        "layers": layers.measure,
        "models": models.measure,
        "newsgroups": newsgroups.measure,
        "deploy": deploy.measure,
        "slimming": slimming.measure,
        "soak": soak.measure,
    }
    status = 0
    try:
        if options.command in commands:
            command = f"{PROG} {shlex.join(arguments)}"
            commands[options.command](options, command, console)
    except KeyboardInterrupt:
        status = 130
        print("\nStopped. What was measured is kept.", file=sys.stderr)
    except (ValueError, OSError, WorkerError) as error:
        status = 1 if isinstance(error, WorkerError) else 2
        print(f"{PROG} {options.command}: {error}", file=sys.stderr)
    try:
        page.write(options.results_dir, console)
    except (ValueError, OSError) as error:
        print(f"{PROG} {options.command}: {error}", file=sys.stderr)
        return status or 2
    return status
