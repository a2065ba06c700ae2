import os
import time

import psutil

# Fields of `psutil.cpu_times` in which nothing is computed, or that are
# counted in another field, too.
_NOT_WORK = ("idle", "iowait", "guest", "guest_nice")


class OtherWork:
    """The CPU time that others take from now on, other machines included."""

    def __init__(self):
        self._began = time.perf_counter()
        self._of_others = _busy_seconds() - _own_seconds()

    def share(self):
        """What they took, as a share of what the machine has."""
        capacity = (time.perf_counter() - self._began) * os.cpu_count()
        taken = _busy_seconds() - _own_seconds() - self._of_others
        return max(taken, 0.0) / capacity


def _busy_seconds():
    """Of the whole machine, what its host took from it (steal) included."""
    times = psutil.cpu_times()._asdict()
    return sum(s for name, s in times.items() if name not in _NOT_WORK)


def _own_seconds():
    """Of this process and of those that it started."""
    own = psutil.Process()
    total = 0.0
    for process in [own, *own.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total
