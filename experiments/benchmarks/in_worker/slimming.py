import keras

import keras_slim
from experiments.benchmarks.in_worker.tasks import (
    TASKS,
    UNITS,
    compiled,
    network,
)
from experiments.benchmarks.slimming import EPOCHS
from experiments.benchmarks.subjects import KERAS_LSTM


class Slimming:
    """Scores of slimmed networks, by what they were trained with.

    Args:
        task: Name of the task.
        epochs: Integer, of the original, or `None` for those of the task.
    """

    def __init__(self, task, epochs=None):
        self._task = TASKS[task]()
        self._epochs = epochs or self._task.epochs
        self._full = self._outputs = None

    def train(self, seed):
        """Trains the original, and returns its score."""
        keras.utils.set_random_seed(seed)
        self._full = compiled(
            self._task, network(self._task, KERAS_LSTM, UNITS)
        )
        self._fit(self._full, self._epochs)
        x, _ = self._task.train
        self._outputs = self._full.predict(x, verbose=0)
        return self._task.score_of(self._full)

    def scores(self, variant, seed):
        """Scores by way, see `slimming.WAYS`."""
        keras.utils.set_random_seed(seed)
        fine_tuned = keras_slim.slim(self._full, variant)
        after = self._task.score_of(fine_tuned)
        self._fit(fine_tuned, EPOCHS)

        distilled = keras_slim.slim(self._full, variant)
        # The loss of the task, with the outputs of the original as targets.
        loss = self._task.loss.removeprefix("sparse_")
        compiled(self._task, distilled, loss)
        self._fit(distilled, EPOCHS, self._outputs)

        from_scratch = compiled(self._task, network(self._task, variant, UNITS))
        self._fit(from_scratch, EPOCHS)
        scores = [
            self._task.score_of(model)
            for model in (fine_tuned, distilled, from_scratch)
        ]
        return [after, *scores]

    def _fit(self, model, epochs, targets=None):
        x, y = self._task.train
        model.fit(
            x, y if targets is None else targets, epochs=epochs, verbose=0
        )
