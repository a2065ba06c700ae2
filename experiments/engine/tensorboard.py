import keras
import tensorboardX

from experiments.engine.runs import read_history


def log_of(run, config):
    """The log of a run of a sweep, in the folder `tensorboard` of its results.

    Args:
        run: The `sweep.PlannedRun` of the run.
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

    Unlike `keras.callbacks.TensorBoard` it needs no TensorFlow, and it takes
    its figures from `history.csv`, so that the log of a run that was cut off
    is complete.

    Args:
        folder: The `RunFolder` of the run.
        log_dir: `pathlib.Path` of the log of this run.
        settings: Dict of numbers, strings and booleans, what TensorBoard
            shows as its hyperparameters.
    """

    def __init__(self, folder, log_dir, settings):
        super().__init__()
        self._folder = folder
        self._log_dir = log_dir
        self._settings = settings

    def on_train_begin(self, logs=None):
        # What an earlier start logged is hidden, and written again. The file
        # needs a name of its own: `add_hparams` opens another one, and their
        # names differ by the second only.
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
            # The name of a folder in log_dir: its own.
            self._writer.add_hparams(self._settings, last, name=".")
        self._writer.close()
