import numpy as np

from experiments.benchmarks.in_worker.backends import own_backend

# How far computations may differ, relative to the largest number of a tensor.
TOLERANCES = {"float32": 1e-3, "float16": 3e-2, "bfloat16": 1e-1}
# A GPU may multiply float32 as TF32, which has the precision of float16.
TOLERANCE_OF_TF32 = TOLERANCES["float16"]


def difference(found, expected, dtype):
    """How far arrays differ from those they must agree with.

    Args:
        found: List of arrays.
        expected: List of arrays of the same shapes.
        dtype: Name of the dtype that they were computed in.

    Returns:
        Float, relative to the largest number of an array.

    Raises:
        ValueError: if they differ by more than rounding explains.
    """
    largest = max(
        float(np.max(np.abs(one - other)) / np.max(np.abs(other)))
        for one, other in zip(found, expected, strict=True)
    )
    tolerance = TOLERANCES[dtype]
    if own_backend().has_gpu():
        tolerance = max(tolerance, TOLERANCE_OF_TF32)
    if not largest <= tolerance:  # NaN is not, either
        raise ValueError(
            f"wrong numbers: the relative difference is {largest:.1e}, and "
            f"{tolerance:.0e} is allowed"
        )
    return float(f"{largest:.2g}")
