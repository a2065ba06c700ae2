"""Command line: `python -m experiments.benchmarks <command>`."""

import argparse
import contextlib
import importlib.metadata
import itertools
import shlex
import sys
import tempfile
from pathlib import Path

import pandas as pd
from rich.console import Console

from experiments.benchmarks import page, rounds, summary, workers
from experiments.benchmarks.subjects import (
    CONTENDERS,
    KERAS_LSTM,
    TASKS,
    WAYS,
    Contender,
    Exported,
    Network,
    Shape,
    Trained,
    columns_of,
)
from experiments.engine.backend import BACKENDS

PROG = "python -m experiments.benchmarks"
DTYPES = ("float32", "float16", "bfloat16")
MODES = ("training", "inference")
SHAPES = "128x7x128x128 100x10x400x400 32x100x128x128 32x500x64x64 32x100x8x64"
SHAPES = tuple(map(Shape.parse, SHAPES.split()))
SHAPE_OF_GPU = Shape.parse("128x1000x256x256")
MODELS = {
    "classifier": Shape.parse("32x100x64x64"),
    "forecaster": Shape.parse("32x100x8x64"),
    "encoder_decoder": Shape.parse("32x50x64x128"),
}
EXPORTING = ("tensorflow", "torch")  # backends that export files for devices
RUNTIMES = ("ai-edge-litert", "onnxruntime", "openvino")
SOAK, SAMPLES = {"calls": 2_000, "models": 60, "runs": 1_000}, 20
_IN_WORKER = "experiments.benchmarks.in_worker."


def main(arguments=None):
    """Runs the command line, and returns its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True)
    status = 0
    try:
        if options.command != "report":
            if not options.backend:
                raise ValueError(
                    f"it needs {' or '.join(EXPORTING)}, and neither is "
                    "installed"
                )
            command = f"{PROG} {shlex.join(arguments)}"
            about = workers.describe(options.backend, command)
            _COMMANDS[options.command](options, about, console)
    except KeyboardInterrupt:
        status = 130
        print("\nStopped. What was measured is kept.", file=sys.stderr)
    except (ValueError, OSError, workers.WorkerError) as error:
        status = 1 if isinstance(error, workers.WorkerError) else 2
        print(f"{PROG} {options.command}: {error}", file=sys.stderr)
    try:
        page.write(options.results_dir, console)
    except (ValueError, OSError) as error:
        print(f"{PROG} {options.command}: {error}", file=sys.stderr)
        return status or 2
    return status


# Each command measures, and writes each result to the folder immediately. Its
# arguments: the namespace of the command line, what `workers.describe`
# returned, and a `rich.console.Console`.


def _layers(options, about, console):
    folder = options.results_dir
    known = about["variants"]
    names = options.variant or known
    if set(names) - set(known):
        raise ValueError(
            "Invalid value for argument `variant`. Expected some of "
            f"{','.join(known)}. Received: variant={','.join(names)}"
        )
    shapes = options.shape
    if shapes is None:
        shapes = (*SHAPES, SHAPE_OF_GPU) if about["is_gpu"] else SHAPES
    workers.write_description(about, folder / "layers.json")
    what = options.dtype, options.contender
    sets = [
        (
            (f"{_IN_WORKER}layers:Layers", shape, mode, *what),
            names,
            {"shape": shape, "mode": mode},
        )
        for shape in shapes
        for mode in options.mode
    ]
    columns = ["shape", "mode", *columns_of(Contender)]
    rounds.measure_sets("layers", columns, sets, options, console)


def _models(options, about, console):
    workers.write_description(about, options.results_dir / "models.json")
    served = f"{_IN_WORKER}models:Models"
    sets = []
    for name, shape in MODELS.items():
        where = {"model": name, "shape": options.shape or shape}
        sets.append(((served, *where.values()), ("lstm", "lstm3"), where))
    columns = ["model", "shape", *columns_of(Trained)]
    rounds.measure_sets("models", columns, sets, options, console)


def _newsgroups(options, about, console):
    with tempfile.TemporaryDirectory() as checkpoints:
        served = f"{_IN_WORKER}models:Newsgroups", checkpoints, options.posts
        # Fails without data, before earlier results are removed.
        with workers.start(options.backend, *served) as started:
            about["data"] = started[options.backend[0]].call("describe")
        path = options.results_dir / "newsgroups.json"
        workers.write_description(about, path)
        names = "lstm", "lstm1", "lstm2", "lstm3"
        sets = [(served, names, {"experiment": "newsgroups"})]
        columns = ["experiment", *columns_of(Network)]
        rounds.measure_sets("newsgroups", columns, sets, options, console)


def _deploy(options, about, console):
    about |= {"seeds": options.seeds, "runtimes": {}}
    for name in RUNTIMES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            about["runtimes"][name] = importlib.metadata.version(name)
    workers.write_description(about, options.results_dir / "deploy.json")
    names = "lstm", "lstm1", "lstm2", "lstm3", "gru3", "mgu3"
    columns = ["task", *columns_of(Exported), *summary.FILE_COLUMNS]
    with tempfile.TemporaryDirectory() as trained:

        def sets():
            for task in TASKS:
                console.print(f"{task}: training the networks to compare with")
                what = task, trained, options.seeds, options.epochs
                served = f"{_IN_WORKER}deploy:Deploy", *what
                yield served, names, {"task": task}

        rounds.measure_sets("deploy", columns, sets(), options, console)


def _slimming(options, about, console):
    folder, (backend,) = options.results_dir, options.backend
    about |= {"seeds": options.seeds}
    workers.write_description(about, folder / "slimming.json")
    variants = "lstm1", "lstm2", "lstm3"
    rows = []

    def append(layer, way, score):
        rows.append((task, seed, layer, way, score))
        columns = ["task", "seed", "layer", "way", "score"]
        table = pd.DataFrame(rows, columns=columns)
        summary.write(table, folder / "slimming.csv")

    for task in TASKS:
        served = f"{_IN_WORKER}deploy:Slimming", task, options.epochs
        steps = options.seeds * (1 + len(variants))
        with (
            workers.start([backend], *served) as started,
            rounds.progress(console, task, steps) as show,
        ):
            call = started[backend].call
            for seed in range(options.seeds):
                show(f"seed {seed}, lstm")
                append("lstm", "original", call("train", seed))
                for variant in variants:
                    show(f"seed {seed}, {variant}")
                    scores = call("scores", variant, seed)
                    for way, score in zip(WAYS, scores, strict=True):
                        append(variant, way, score)


def _soak(options, about, console):
    folder = options.results_dir
    workers.write_description(about, folder / "soak.json")
    rows = []

    def append(mode, layer, samples):
        where = {"backend": backend, "mode": mode, "layer": layer}
        rows.extend({**where, "error": ""} | sample for sample in samples)
        summary.write(pd.DataFrame(rows), folder / "soak.csv")

    @contextlib.contextmanager
    def died(mode, layer):
        try:
            yield
        except workers.WorkerError as error:  # the next ones go on
            console.print(f"{backend} {layer} {mode}: {error}")
            append(mode, layer, [{"error": str(error)}])

    for backend in options.backend:
        layers = KERAS_LSTM, "lstm", "lstm3"
        for mode, layer in itertools.product(("calls", "models"), layers):
            served = f"{_IN_WORKER}soak:{mode.title()}", layer
            wanted, done = getattr(options, mode), 0
            with (
                workers.start([backend], *served) as started,
                rounds.progress(console, f"{backend} {layer}", SAMPLES) as show,
                died(mode, layer),
            ):
                for number in range(1, SAMPLES + 1):
                    show(mode)
                    count = wanted * number // SAMPLES - done
                    if not count:
                        continue
                    done += count
                    sample = started[backend].call("call", count)
                    append(mode, layer, [sample])
        console.print(f"{backend}: a sweep of {options.runs} runs")
        served = f"{_IN_WORKER}soak:Sweep", SAMPLES
        with (
            workers.start([backend], *served) as started,
            died("runs", "lstm3"),
        ):
            samples = started[backend].call("sweep", options.runs)
            append("runs", "lstm3", samples)


_COMMANDS = {
    "layers": _layers,
    "models": _models,
    "newsgroups": _newsgroups,
    "deploy": _deploy,
    "slimming": _slimming,
    "soak": _soak,
}


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

    def some(parser, option, allowed, default=None, help="default: {}"):
        default = allowed if default is None else default
        parser.add_argument(
            option,
            type=_some_of(allowed),
            default=default,
            metavar="NAME,...",
            help=help.format(",".join(default)),
        )

    def count(parser, option, default, help="default: {:,}"):
        parser.add_argument(
            option, type=_positive, default=default, help=help.format(default)
        )

    installed = workers.installed_backends()
    those_installed = "default: all that are installed, {}"
    one = command(
        "layers",
        "time single layers against their peers",
        "Times inference and training of our layers, of Keras's and of "
        "torch.nn.LSTM, and writes the results.",
    )
    one.add_argument(
        "--shape",
        type=lambda text: _distinct(map(_shape, text.split(","))),
        metavar="SHAPE,...",
        help="batch x time steps x features x units; default: "
        f"{','.join(map(str, SHAPES))}, and on a GPU {SHAPE_OF_GPU}",
    )
    one.add_argument(
        "--variant",
        type=lambda text: _distinct(text.split(",")),
        metavar="NAME,...",
        help="default: all",
    )
    some(one, "--mode", MODES)
    some(
        one,
        "--contender",
        CONTENDERS,
        help="what is timed in addition to keras.layers.LSTM and "
        "torch.nn.LSTM: our layers with the fast and the plain time loop, "
        "keras.layers.GRU, and keras.layers.RNN of a cell; default: {}. On a "
        "GPU, --contender fast leaves out the slowest Python loops over time "
        "steps",
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
    whole.add_argument(
        "--shape",
        type=_shape,
        metavar="SHAPE",
        help="batch x time steps x features x units of all models; default: "
        + ", ".join(f"{shape} ({name})" for name, shape in MODELS.items()),
    )

    many = command(
        "newsgroups",
        "time the newsgroups experiment",
        "Times training and validation of the paper's network with our layers "
        "and with Keras's. The data is that of experiments.newsgroups, in "
        "KERAS_SLIM_DATA or from the public URLs.",
    )
    among = "number of posts, including those for validation; default: all"
    count(many, "--posts", None, among)
    after = "number of epochs and validations after the first; default: {}"
    count(many, "--rounds", 3, after)

    files = command(
        "deploy",
        "time exported networks in their runtimes",
        "Trains small networks with keras.layers.LSTM, with slim layers and "
        "with convolutions, exports them, and times the files in LiteRT, "
        "onnxruntime and OpenVINO for a batch of one. It needs the extra "
        "`deploy`.",
    )
    some(
        files,
        "--backend",
        EXPORTING,
        tuple(b for b in EXPORTING if b in installed),
        "tensorflow exports to LiteRT, torch to ONNX and OpenVINO; "
        + those_installed,
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
        nargs=1,
        choices=installed,
        default=installed[:1],
        help="default: the first that is installed",
    )
    for trained in files, ways:
        of_each = "number of trainings of each network; default: {}"
        count(trained, "--seeds", 3, of_each)
        count(trained, "--epochs", None, "epochs of a training; default: 30")

    held = command(
        "soak",
        "see what grows during many calls, models and runs",
        "Calls and trains layers on batches of varied shapes, trains model "
        "after model, makes a sweep of tiny runs, and samples memory, open "
        "files and compilations of the process.",
    )
    for mode, default in SOAK.items():
        count(held, f"--{mode}", default)
    for timed in one, whole, files:
        count(timed, "--rounds", 15)
    for timed in one, whole, many, held:
        some(timed, "--backend", BACKENDS, installed, those_installed)

    command(
        "report",
        "make tables and pictures again",
        "Makes README.md, tables and pictures from the files in the folder, "
        "without measuring.",
    )
    return parser


def _some_of(allowed):
    """A parser of lists such as `jax,torch`."""

    def parse(text):
        names = _distinct(text.split(","))
        for name in names:
            if name not in allowed:
                raise argparse.ArgumentTypeError(
                    f"expected some of {','.join(allowed)}. Received: {name!r}"
                )
        return names

    return parse


def _distinct(values):
    return tuple(dict.fromkeys(values))


def _shape(text):
    try:
        return Shape.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _positive(text):
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(
            f"expected a positive integer. Received: {text!r}"
        )
    return int(text)
