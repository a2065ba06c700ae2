"""What an experiment provides, and how its runs are planned and made."""

import contextlib
import dataclasses
import functools
import io
import os
from collections.abc import Callable

import keras

from experiments.engine import grid, known
from experiments.engine.plan import plan
from experiments.engine.report import Report
from experiments.engine.results import Tables, collect
from experiments.engine.runs import RunFolder, RunIsClaimed, identity
from experiments.engine.seeds import clock_seeds
from experiments.engine.sweep import PlannedRun


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """What sweeps, tables and the command line need from an experiment.

    It is pickled for the workers of a sweep, so no function is a lambda.

    Args:
        tables: `results.Tables`, with its name and the class of its configs.
        axes: Names of the settings that vary in the tables of the paper,
            including `variant` and `seed`. A sweep may vary others, too.
        presets: Dict from names to grids. A grid is a tuple of dicts of
            settings, whose runs are combined. A tuple of values is an axis; a
            setting that is missing has its default.
        load_data: Function of a config that returns the data of the run, with
            their identity as `fingerprint`.
        of_data: Names of the settings on which the data depend.
        about: Function of the data that describes them in one line.
        execute: Function of a config, the data, the `RunFolder` and options
            such as `verbose` and `callbacks` that makes the run.
        label: Function of a config that returns a short name for the run.
        outcome: Function that takes the `RunFolder` of a finished run and
            summarizes its result in one line.
        report: `report.Report`.
        figures_of: Function of the row of a finished run and the first rows
            of its history. Returns the result of a run of these epochs only,
            or `None` if it is unknown. Default: `None`, the result does not
            follow from the history.
        reports_one_run: Boolean, whether the command `run` ends with a report
            of its run.
        timed_by: Names of the settings on which the seconds per epoch depend.
        unsaid: Dict from the names of settings to descriptions of the value
            that a run uses if none is given, where it is not the default.
    """

    tables: Tables
    axes: tuple
    presets: dict
    load_data: Callable
    of_data: tuple
    about: Callable
    execute: Callable
    label: Callable
    outcome: Callable
    report: Report
    figures_of: Callable | None = None
    reports_one_run: bool = False
    timed_by: tuple = ("variant",)
    unsaid: dict = dataclasses.field(default_factory=dict)

    @property
    def name(self):
        """The name of its package, and of its folder in the results."""
        return self.tables.experiment

    @property
    def config_type(self):
        """The subclass of `BaseConfig` of its runs."""
        return self.tables.config_type

    def points(self, preset, given):
        """The settings of each run of a sweep, every one checked.

        See `grid.product` for their order.

        Args:
            preset: String, a key of `presets`, or `None` for a grid of the
                given settings only.
            given: Dict of settings, with tuples for the axes, that replace
                those of the preset. Where grids vary one axis each, an axis
                is replaced in the grid that varies it.

        Returns:
            List of distinct dicts of settings. The seed may be `grid.CLOCK`.

        Raises:
            ValueError: if a run does not allow a value, or if neither a
                preset nor a setting is given.
        """
        if preset is None and not given.keys() - {"backend"}:
            raise ValueError(
                "Expected --preset, or at least one setting, such as "
                "--variant=lstm,lstm3"
            )
        # Not the values of a config, which may depend on other settings.
        defaults = {name: self.tables.defaults[name] for name in self.axes}
        grids = ({},) if preset is None else self.presets[preset]
        varied = {name for settings in grids for name in settings}
        found = {}
        for settings in grids:
            elsewhere = varied - settings.keys()
            own = {n: v for n, v in given.items() if n not in elsewhere}
            settings = {**defaults, **settings, **own}
            for point in grid.product(self.config_type, settings):
                found.setdefault(tuple(sorted(point.items())), point)
        return list(found.values())

    def varied(self, points):
        """Names of the settings that vary among points but are not axes."""
        configs = grid.seedless(self.config_type, points)
        found = grid.varied(self.config_type, map(dataclasses.asdict, configs))
        return [name for name in found if name not in self.axes]

    def data_of(self, config):
        """What `load_data` returns, loaded once for the runs of a sweep."""
        settings = {name: getattr(config, name) for name in self.of_data}
        data_dir = os.environ.get("KERAS_SLIM_DATA")
        return _loaded(self.load_data, self.config_type(**settings), data_dir)

    def data_of_points(self, points):
        """The data of each point of a sweep, whose seeds do not matter."""
        return list(map(self.data_of, grid.seedless(self.config_type, points)))

    def folder_of(self, config, results_dir, keep_checkpoint=False):
        """The `RunFolder` of a run with this config."""
        return RunFolder(
            results_dir,
            self.name,
            config.as_dict(),
            self.data_of(config).fingerprint,
            self.tables,
            keep_checkpoint,
        )

    def planned_run(self, config, results_dir, varied=()):
        """A `sweep.PlannedRun`, with the settings `varied` in its label."""
        words = [f"{name}={getattr(config, name)}" for name in varied]
        return PlannedRun(
            self.folder_of(config, results_dir),
            config,
            " ".join([self.label(config), *words]),
            config.epochs,
        )

    def known(self, folders=None):
        """Runs that were made elsewhere.

        Args:
            folders: List of `pathlib.Path`. Default: `None`, the results in
                the checkout.

        Returns:
            `known.Known`.
        """
        if folders is None:
            folders = known.default_folders(self.name)
        return known.read(folders, self.tables)

    def configs_of(self, points, results_dir, draw=True, elsewhere=None):
        """The configs of the runs of a sweep.

        Args:
            points: List of dicts, what `points` returned.
            results_dir: Path of the results of all experiments.
            draw: Boolean, whether to draw seeds from the clock that are not
                drawn yet.
            elsewhere: `known.Known`, whose seeds from the clock are used
                instead of new ones. Default: `None`, all are drawn.

        Returns:
            List of configs, `None` for one whose seed is not drawn.
        """
        configs = grid.seedless(self.config_type, points)
        seeds = [point["seed"] for point in points]
        timed = [k for k, seed in enumerate(seeds) if seed == grid.CLOCK]
        keys = []
        for config in map(configs.__getitem__, timed):
            settings = config.as_dict()
            del settings["seed"]
            keys.append(identity(settings, self.data_of(config).fingerprint))
        there = elsewhere.seeds(self.tables) if elsewhere else {}
        drawn = clock_seeds(results_dir, self.name, keys, draw, there)
        for k, seed in zip(timed, drawn, strict=True):
            seeds[k] = seed
        return [
            None if seed is None else dataclasses.replace(config, seed=seed)
            for config, seed in zip(configs, seeds, strict=True)
        ]

    def plan(self, points, configs, results_dir, elsewhere=None):
        """A readable summary of what a sweep has done and has left to do.

        Args:
            points: List of dicts, what `points` returned.
            configs: List of configs, what `configs_of` returned.
            results_dir: Path of the results of all experiments.
            elsewhere: `known.Known`. Default: `None`, no run is known.

        Returns:
            Tuple of a `rich.table.Table` and a string.
        """
        varied = self.varied(points)
        rows = [n for n in self.axes if n not in ("seed", "variant")]
        return plan(
            # As a run has them, and those that `as_dict` leaves out.
            [
                {**dataclasses.asdict(config), **config.as_dict()}
                for config in grid.seedless(self.config_type, points)
            ],
            [c and self.folder_of(c, results_dir) for c in configs],
            collect(results_dir, self.tables),
            [*rows, *varied],
            list(dict.fromkeys([*self.timed_by, *varied])),
            elsewhere,
        )

    def carry_out(self, config, results_dir, keep_checkpoint=False, **options):
        """Makes a run, or resumes it.

        Args:
            config: A `config_type`.
            results_dir: Path of the results of all experiments.
            keep_checkpoint: Boolean, whether to keep the last checkpoint, from
                which the same run with more epochs can resume.
            **options: Arguments of `execute`.

        Returns:
            Its `RunFolder`, done.

        Raises:
            ValueError: if Keras does not run on the backend of the run.
            RunIsClaimed: if another process is making the run.
        """
        running = keras.backend.backend()
        if config.backend != running:
            raise ValueError(
                "The backend of a run is chosen before Keras is imported, with "
                f"--backend or KERAS_BACKEND. Expected {running!r}. Received: "
                f"backend={config.backend!r}"
            )
        folder = self.folder_of(config, results_dir, keep_checkpoint)
        if keep_checkpoint and folder.result is not None:
            if not folder.checkpoint.exists():
                print(
                    f"{folder.path} was made without --keep-checkpoints: no "
                    "checkpoint."
                )
        self.execute(config, self.data_of(config), folder, **options)
        return folder

    def make(
        self, config, results_dir, tensorboard=False, keep_checkpoint=False
    ):
        """Makes a run in the process in which a launcher calls this method.

        Returns without an error if another process is making the run.

        Args:
            config: A `config_type`.
            results_dir: Path of the results of all experiments.
            tensorboard: Boolean, whether to write logs for TensorBoard.
            keep_checkpoint: See `carry_out`.
        """
        # The sweep has already printed what loading the data prints.
        with contextlib.redirect_stdout(io.StringIO()):
            self.data_of(config)
        callbacks = []
        if tensorboard:
            # Imported here, as the package is an optional extra.
            from experiments.engine.tensorboard import TensorBoardLog

            planned = self.planned_run(config, results_dir)
            callbacks = [TensorBoardLog(planned, config.as_dict())]
        with contextlib.suppress(RunIsClaimed):
            self.carry_out(
                config,
                results_dir,
                keep_checkpoint,
                verbose=0,
                callbacks=callbacks,
            )


# At least as many as a preset has tasks and lengths.
@functools.lru_cache(maxsize=16)
def _loaded(load_data, config, data_dir):
    return load_data(config)
