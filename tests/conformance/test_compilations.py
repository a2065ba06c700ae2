"""On TensorFlow, XLA compiles once, however often the weights change."""

import collections
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("the others compile nothing", allow_module_level=True)

from compiled import STEPS, WAYS

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def compilations():
    """Programs that XLA has compiled, by way and step, as its log says."""
    done = subprocess.run(
        [sys.executable, TESTS / "compiled.py"],
        cwd=TESTS.parent,
        env={
            **os.environ,
            "PYTHONPATH": str(TESTS.parent),
            "TF_CPP_MIN_LOG_LEVEL": "0",
            "TF_CPP_VMODULE": "device_compiler=1",
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    counts = collections.defaultdict(lambda: [0] * STEPS)
    for line in done.stderr.splitlines():
        if found := re.match(r"step (\S) of (.*)", line):
            step, way = found.groups()
        elif "Compilation of XLA executable" in line and step != "-":
            counts[way][int(step)] += 1
    return counts


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
def test_no_step_compiles_but_the_first(compilations, way):
    first, *others = compilations[way]
    assert (first > 0) == (way != "tape, eager")  # or none would be counted
    assert not any(others)
