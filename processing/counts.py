"""Counts of a six-axis sensor to SI units: one pass, scale by scale."""

import numpy as np
from numpy.typing import NDArray

from processing._jit import kernel
from processing.types import BoolArray, FloatArray, IntArray


@kernel()
def _convert(
    counts: NDArray[np.int16],
    columns: IntArray,
    scales: FloatArray,
    full_scale: int,
    acc: FloatArray,
    gyr: FloatArray,
    valid: BoolArray,
) -> None:
    for i in range(counts.shape[0]):
        inside: bool | np.bool_ = True
        for j in range(3):
            a, g = np.int64(counts[i, columns[j]]), np.int64(counts[i, columns[3 + j]])
            acc[i, j] = a * scales[j]
            gyr[i, j] = g * scales[3 + j]
            inside = inside and max(abs(a), abs(g)) < full_scale
        valid[i] = inside


def to_si(
    counts: NDArray[np.int16], columns: IntArray, scales: FloatArray, full_scale: int
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return specific force, angular rate, and which samples are measurements.

    Parameters
    ----------
    counts : (n, c) int16
    columns : (6,) int64
        Columns of acceleration x, y, z, then of the angular rate.
    scales : (6,) float64
        m/s² and rad/s per count of those columns.
    full_scale : int
        Counts of at least this size are saturated, which is no measurement.

    Returns
    -------
    acc : (n, 3) float64
    gyr : (n, 3) float64
    valid : (n,) bool
    """
    n = counts.shape[0]
    acc, gyr, valid = np.empty((n, 3)), np.empty((n, 3)), np.empty(n, dtype=np.bool_)
    _convert(counts, columns, scales, full_scale, acc, gyr, valid)
    return acc, gyr, valid
