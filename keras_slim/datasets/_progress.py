import time

import keras


class Progress:
    """A Keras progress bar that appears only if the work takes a second."""

    def __init__(self, target, label, unit):
        self._bar = keras.utils.Progbar(target, interval=0.5, unit_name=unit)
        self._target = target
        self._label = label
        self._start = time.monotonic()
        self._shown = False

    def update(self, current):
        if not self._shown:
            if time.monotonic() - self._start < 1.0:
                return
            print(self._label)
            self._shown = True
        self._bar.update(min(current, self._target))
