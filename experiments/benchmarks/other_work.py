import os
import time

import psutil

# Fields of `psutil.cpu_times` without work, or whose time is also counted in
# another field.
_NOT_WORK = ("idle", "iowait", "guest", "guest_nice")


class OtherWork:
    """The CPU time that other processes and machines take from now on."""

    def __init__(self):
        self._began = time.perf_counter()
        self._of_others = _busy_seconds() - _own_seconds()

    def share(self):
        """The time they took, as a share of the machine's CPU time."""
        capacity = (time.perf_counter() - self._began) * os.cpu_count()
        taken = _busy_seconds() - _own_seconds() - self._of_others
        return max(taken, 0.0) / capacity


def _busy_seconds():
    """CPU time of the whole machine, including steal time."""
    times = psutil.cpu_times()._asdict()
    return sum(s for name, s in times.items() if name not in _NOT_WORK)


def _own_seconds():
    """CPU time of this process and its descendants."""
    own = psutil.Process()
    total = 0.0
    for process in [own, *own.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total
