import keras
import tensorboardX

from experiments.engine.runs import read_history


class TensorBoardLog(keras.callbacks.Callback):
    """Writes the metrics and settings of a run for TensorBoard.

    Unlike `keras.callbacks.TensorBoard`, it does not need TensorFlow, and it
    reads the metrics from `history.csv`, so that the log of a resumed run is
    complete.

    It is in the folder `tensorboard` of the results.

    Args:
        run: `sweep.PlannedRun`.
        config: Dict, its settings, shown as hyperparameters.
    """

    def __init__(self, run, config):
        super().__init__()
        self._folder = run.folder
        # Of few letters, as the name of a folder has at most 255 bytes.
        name = f"{run.label[:60]} {run.folder.id}".replace("/", "_")
        place = run.folder.path.parent / "tensorboard"
        self._log_dir = place / name.replace(" ", "-")
        self._settings = {k: v for k, v in config.items() if v is not None}

    def on_train_begin(self, logs=None):
        # Hides what an earlier start logged and writes it again. The suffix is
        # needed because `add_hparams` opens another file in the same second.
        self._writer = tensorboardX.SummaryWriter(
            self._log_dir, purge_step=0, filename_suffix=".history"
        )
        self._epochs = 0

    def on_epoch_end(self, epoch, logs=None):
        self._write_new()

    def on_train_end(self, logs=None):
        # A run that was stopped after its last epoch has all of them left.
        rows = self._write_new()
        if rows:
            last = {k: v for k, v in rows[-1].items() if k != "epoch"}
            # The name of a subfolder of log_dir: here log_dir itself.
            self._writer.add_hparams(self._settings, last, name=".")
        self._writer.close()

    def _write_new(self):
        rows = read_history(self._folder.path / "history.csv")
        for row in rows[self._epochs :]:
            for name in row.keys() - {"epoch"}:
                self._writer.add_scalar(name, row[name], row["epoch"])
        self._epochs = len(rows)
        self._writer.flush()
        return rows
