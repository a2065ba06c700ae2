import math
import statistics
import time

WARM_UPS = 3  # calls after the first
LONG_ENOUGH = 0.05  # seconds, the least duration of a measurement


class Calls:
    """Times a function without arguments for each subject.

    A subclass implements `build(subject)`, which returns the function. It must
    return only when all is computed.
    """

    def __init__(self):
        self._calls = {}
        self._counts = {}

    def prepare(self, subject):
        """Builds, compiles and warms up."""
        call = self.build(subject)
        started = time.perf_counter()
        result = call()
        first = time.perf_counter() - started
        outcome = {"compile_seconds": round(first, 4)}
        outcome |= self.examine(subject, call, result)
        usual = statistics.median(_seconds(call) for _ in range(WARM_UPS))
        self._counts[subject] = math.ceil(LONG_ENOUGH / usual)
        self._calls[subject] = call
        return outcome

    def examine(self, subject, call, result):
        """Further outcomes of the preparation, given the first result."""
        return {}

    def measure(self, subject):
        """Seconds per call, the mean over calls for `LONG_ENOUGH`."""
        call, count = self._calls[subject], self._counts[subject]
        started = time.perf_counter()
        for _ in range(count):
            call()
        seconds = (time.perf_counter() - started) / count
        return {"calls": count, "seconds": float(f"{seconds:.6g}")}


def _seconds(call):
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
