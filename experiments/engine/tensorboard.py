import keras
import tensorboardX

from experiments.engine.runs import read_history


def log_of(run, config):
    """The log of a run of a sweep, in the folder `tensorboard` of the results.

    Args:
        run: `sweep.PlannedRun`.
        config: Dict, its settings.

    Returns:
        `TensorBoardLog`.
    """
    name = f"{run.label} {run.folder.id}".replace("/", "_").replace(" ", "-")
    log_dir = run.folder.path.parent / "tensorboard" / name
    settings = {k: v for k, v in config.items() if v is not None}
    return TensorBoardLog(run.folder, log_dir, settings)


class TensorBoardLog(keras.callbacks.Callback):
    """Writes the metrics and settings of a run for TensorBoard.

    Unlike `keras.callbacks.TensorBoard`, it does not need TensorFlow, and it
    reads the metrics from `history.csv`, so that the log of a resumed run is
    complete.

    Args:
        folder: The `RunFolder` of the run.
        log_dir: `pathlib.Path` of the log of this run.
        settings: Dict of numbers, strings and booleans, shown as
            hyperparameters.
    """

    def __init__(self, folder, log_dir, settings):
        super().__init__()
        self._folder = folder
        self._log_dir = log_dir
        self._settings = settings

    def on_train_begin(self, logs=None):
        # Hides what an earlier start logged and writes it again. The suffix is
        # needed because `add_hparams` opens another file in the same second.
        self._writer = tensorboardX.SummaryWriter(
            self._log_dir, purge_step=0, filename_suffix=".history"
        )
        self._epochs = 0

    def on_epoch_end(self, epoch, logs=None):
        rows = read_history(self._folder.path / "history.csv")
        for row in rows[self._epochs :]:
            for name in row.keys() - {"epoch"}:
                self._writer.add_scalar(name, row[name], row["epoch"])
        self._epochs = len(rows)
        self._writer.flush()

    def on_train_end(self, logs=None):
        rows = read_history(self._folder.path / "history.csv")
        if rows:
            last = {k: v for k, v in rows[-1].items() if k != "epoch"}
            # The name of a subfolder of log_dir: here log_dir itself.
            self._writer.add_hparams(self._settings, last, name=".")
        self._writer.close()
