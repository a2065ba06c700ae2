import keras
import numpy as np

from experiments.memory_duration.model import CarriedState


class Streams(keras.utils.PyDataset):
    """A text cut into as many streams as a batch has samples.

    Sample k of a batch continues sample k of the previous batch. The end of
    the text that does not fill a batch is left out.

    Args:
        ids: Integer array, the text.
        batch_size: Positive integer, the number of streams.
        timesteps: Positive integer, characters of a stream in a batch.
        model: The model of `build_model` that reads them. Its carried states
            are reset to zero at the start of each epoch. Default: `None`.

    Raises:
        ValueError: if the text does not fill a batch.
    """

    def __init__(self, ids, batch_size, timesteps, model=None):
        super().__init__()
        batches = (len(ids) - 1) // (batch_size * timesteps)
        if batches < 1:
            raise ValueError(
                "The text is too short for a batch. Expected more than "
                f"batch_size * timesteps = {batch_size * timesteps:,} "
                f"characters for training. Received: {len(ids):,}"
            )
        read = batches * batch_size * timesteps
        # (batches, batch_size, timesteps)
        self._x, self._y = (
            np.reshape(ids[start : start + read], (batch_size, batches, -1))
            .swapaxes(0, 1)
            .astype("int32")
            for start in (0, 1)
        )
        self._model = model

    def begin_epoch(self, epoch):
        """Starts again from the beginning of the text."""
        for layer in self._model.layers if self._model else ():
            if isinstance(layer, CarriedState):
                layer.reset_state()

    def __len__(self):
        return len(self._x)

    def __getitem__(self, index):
        return self._x[index], self._y[index]
