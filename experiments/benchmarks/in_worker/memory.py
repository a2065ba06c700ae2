"""The memory that a call takes at its peak, as Linux counts it."""

import ctypes
import sys
from pathlib import Path

_PROCESS = Path("/proc/self")


def peak_of(call):
    """How much more memory than before the process holds during a call.

    Returns:
        Bytes, or `None` where the system does not tell.
    """
    if sys.platform != "linux":
        return None
    try:
        # Memory that is free but not given back would be taken uncounted.
        ctypes.CDLL(None).malloc_trim(0)
        (_PROCESS / "clear_refs").write_text("5")  # the peak starts anew
        before = _status("VmRSS")
    except (AttributeError, OSError, KeyError):
        return None  # another C library, or no right to
    call()
    return max(_status("VmHWM") - before, 0)


def _status(name):
    lines = (_PROCESS / "status").read_text().splitlines()
    values = dict(line.split(":", 1) for line in lines)
    return int(values[name].split()[0]) * 1024
