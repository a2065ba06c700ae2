"""An experiment as the engine sees it: its runs, and how to make many."""

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable

from experiments.engine import grid, known
from experiments.engine.plan import plan
from experiments.engine.results import Tables, collect
from experiments.engine.runs import RunFolder, RunIsClaimed
from experiments.engine.sweep import Cell


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """What sweeps, tables and the command line ask of an experiment.

    Workers of a sweep get it by pickle: its functions have names.

    Args:
        tables: `results.Tables`, with its name and the class of its runs.
        axes: Names of the settings that the tables of the paper vary,
            `variant` and `seed` among them. A sweep may vary any other, too.
        presets: Dict of grids by name, each a tuple of dicts of settings, the
            runs of which are put together. A tuple is an axis; a setting that
            is not there has the default of a run.
        load_data: Function of a run, which returns its data, with their
            identity as `fingerprint`.
        of_data: Names of the settings that `load_data` looks at.
        about: Function of data, which returns what they are, in a line.
        execute: Function of a run, its data, its `RunFolder` and options,
            `verbose` and `callbacks` among them, which makes the run.
        label: Function of a run, which returns what it is, in a few words.
        outcome: Function of the `RunFolder` of a run that is done, which
            returns what it came to, in a line.
        write_report: Function of `results.Results`, a folder and the number
            of a budget, which writes tables and pictures, and returns the
            paths to look at.
        show_report: Function of `results.Results`, a `rich.console.Console`
            and the number of a budget, which prints the tables.
        figures_of: Function of the row of a finished run and of the first
            rows of its history, which returns what the run found, as if these
            epochs were all, or `None` if it cannot tell. Default: `None`, it
            takes the network.
        timed_by: Names of the settings on which the seconds of an epoch
            depend.
        unsaid: Dict from the names of settings to strings, what a run takes
            where the command line is silent, if that is not the default.
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
    write_report: Callable
    show_report: Callable
    figures_of: Callable | None = None
    timed_by: tuple = ("variant",)
    unsaid: dict = dataclasses.field(default_factory=dict)

    @property
    def name(self):
        """Its package in `experiments`, and its folder in the results."""
        return self.tables.experiment

    @property
    def run_type(self):
        """The `Settings` class of its runs."""
        return self.tables.run_type

    def cells(self, preset, given):
        """The settings of each run of a sweep, every one checked.

        The variants of a cell follow each other, then come its seeds: a sweep
        that is cut short can be compared as it is.

        Args:
            preset: String, a key of `presets`, or `None` for a grid of what
                is given only.
            given: Dict of settings, with tuples for the axes, that take the
                place of the preset's. Where grids vary one axis each, it goes
                to the grid that varies it.

        Returns:
            List of dicts, settings of a run, none twice; the seed may be
            `grid.CLOCK`.

        Raises:
            ValueError: if a value is not one that a run allows, or neither a
                preset nor a setting is given.
        """
        if preset is None and not given.keys() - {"backend"}:
            raise ValueError(
                "Expected --preset, or at least one setting, such as "
                "--variant=lstm,lstm3"
            )
        run = self.run_type()
        defaults = {name: getattr(run, name) for name in self.axes}
        grids = ({},) if preset is None else self.presets[preset]
        varied = {name for settings in grids for name in settings}
        found = []
        for settings in grids:
            elsewhere = varied - settings.keys()
            own = {n: v for n, v in given.items() if n not in elsewhere}
            settings = {**defaults, **settings, **own}
            found += [
                cell
                for cell in grid.product(self.run_type, settings)
                if cell not in found
            ]
        return found

    def varied(self, cells):
        """The settings of cells that are no axes, but vary among them."""
        configs = [r.config() for r in grid.seedless(self.run_type, cells)]
        found = grid.varied(self.run_type, configs)
        return [name for name in found if name not in self.axes]

    def data_of(self, run):
        """What `load_data` returns, loaded once for the runs of a sweep."""
        settings = {name: getattr(run, name) for name in self.of_data}
        data_dir = os.environ.get("KERAS_SLIM_DATA")
        return _loaded(self.load_data, self.run_type(**settings), data_dir)

    def data_of_cells(self, cells):
        """The data of each cell of a sweep, whose seeds do not matter."""
        return [self.data_of(r) for r in grid.seedless(self.run_type, cells)]

    def folder_of(self, run, results_dir, keep_checkpoint=False):
        """The `RunFolder` of a run."""
        return RunFolder(
            results_dir,
            self.name,
            run.config(),
            self.data_of(run).fingerprint,
            self.tables,
            keep_checkpoint,
        )

    def cell_of(self, run, results_dir, varied=()):
        """The `sweep.Cell` of a run, labelled with the settings `varied`."""
        folder = self.folder_of(run, results_dir)
        words = [f"{name}={getattr(run, name)}" for name in varied]
        return Cell(
            folder, run, " ".join([self.label(run), *words]), run.epochs
        )

    def known(self, folders=None):
        """Runs that are made elsewhere.

        Args:
            folders: List of `pathlib.Path`. Default: `None`, the results that
                the checkout has.

        Returns:
            `known.Known`.
        """
        if folders is None:
            folders = known.default_folders(self.name)
        return known.read(folders, self.tables)

    def runs_of(self, cells, results_dir, draw=True, elsewhere=None):
        """The runs of a sweep.

        Args:
            cells: List of dicts, what `cells` returned.
            results_dir: Path of the results of all experiments.
            draw: Boolean, whether to draw seeds from the clock where they are
                asked for and not drawn yet.
            elsewhere: `known.Known`, whose seeds from the clock are taken in
                place of new ones. Default: `None`, all are drawn.

        Returns:
            List of runs, `None` for one whose seed is not drawn.
        """
        fingerprints = [data.fingerprint for data in self.data_of_cells(cells)]
        return grid.runs_of(
            self.run_type,
            cells,
            results_dir,
            self.name,
            fingerprints,
            draw,
            elsewhere.seeds(self.tables) if elsewhere else {},
        )

    def plan(self, cells, runs, results_dir, elsewhere=None):
        """What of a sweep is done and what is left, as a person reads it.

        Args:
            cells: List of dicts, what `cells` returned.
            runs: What `runs_of` made of them.
            results_dir: Path of the results of all experiments.
            elsewhere: `known.Known`. Default: `None`, no run is known.

        Returns:
            Tuple of a `rich.table.Table` and a string.
        """
        varied = self.varied(cells)
        rows = [n for n in self.axes if n not in ("seed", "variant")]
        return plan(
            [run.config() for run in grid.seedless(self.run_type, cells)],
            [run and self.folder_of(run, results_dir) for run in runs],
            collect(results_dir, self.tables),
            [*rows, *varied],
            list(dict.fromkeys([*self.timed_by, *varied])),
            elsewhere,
        )

    def carry_out(self, run, results_dir, keep_checkpoint=False, **options):
        """Makes one run, or goes on with it.

        Args:
            run: One of `run_type`.
            results_dir: Path of the results of all experiments.
            keep_checkpoint: Boolean, whether the last checkpoint stays, from
                which the same run with more epochs goes on.
            **options: Arguments of `execute`.

        Returns:
            Its `RunFolder`, done.

        Raises:
            RunIsClaimed: if another process is making the run.
        """
        folder = self.folder_of(run, results_dir, keep_checkpoint)
        if keep_checkpoint and folder.result is not None:
            if not folder.checkpoint.exists():
                print(
                    f"{folder.path} was made without --keep-checkpoints: no "
                    "checkpoint."
                )
        self.execute(run, self.data_of(run), folder, **options)
        return folder

    def make(self, run, results_dir, tensorboard=False, keep_checkpoint=False):
        """Makes one run, in whatever process a launcher calls it.

        It returns without an error where another process makes the run.

        Args:
            run: One of `run_type`.
            results_dir: Path of the results of all experiments.
            tensorboard: Boolean, whether to write logs for TensorBoard.
            keep_checkpoint: As of `carry_out`.
        """
        # The sweep told of its data when it loaded them.
        with contextlib.redirect_stdout(None):
            self.data_of(run)
        callbacks = []
        if tensorboard:
            # Only here, as the package is an extra.
            from experiments.engine.tensorboard import log_of

            callbacks = [log_of(self.cell_of(run, results_dir), run.config())]
        with contextlib.suppress(RunIsClaimed):
            self.carry_out(
                run,
                results_dir,
                keep_checkpoint,
                verbose=0,
                callbacks=callbacks,
            )


@functools.lru_cache(maxsize=8)
def _loaded(load_data, run, data_dir):
    return load_data(run)
