"""Counts of a six-axis sensor to SI units: one pass, scale by scale."""

import numpy as np
from numpy.typing import NDArray

from processing._jit import kernel
from processing.types import (
    MOST_FORCE_MS2,
    MOST_RATE_RADS,
    BoolArray,
    FloatArray,
    ImuBlock,
    IntArray,
)

Counts = NDArray[np.int16] | NDArray[np.int32]


@kernel()
def _convert(
    counts: Counts,
    columns: IntArray,
    scales: FloatArray,
    full_scale: int,
    acc: FloatArray,
    gyr: FloatArray,
    valid: BoolArray,
) -> None:
    for i in range(counts.shape[0]):
        inside: bool | np.bool_ = True
        force: bool | np.bool_ = False
        for j in range(3):
            a, g = np.int64(counts[i, columns[j]]), np.int64(counts[i, columns[3 + j]])
            acc[i, j] = a * scales[j]
            gyr[i, j] = g * scales[3 + j]
            inside = inside and max(abs(a), abs(g)) < full_scale
            force = force or a != 0
            inside = (
                inside and abs(acc[i, j]) <= MOST_FORCE_MS2 and abs(gyr[i, j]) <= MOST_RATE_RADS
            )
        valid[i] = inside and force


@kernel()
def _out_of_order(t: IntArray) -> int:
    """Return the first sample that is not later than the one before, -1 where there is none."""
    for i in range(1, t.shape[0]):
        if t[i] <= t[i - 1]:
            return i
    return -1


def to_si(
    counts: Counts, columns: IntArray, scales: FloatArray, full_scale: int
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return specific force, angular rate, and which samples are measurements.

    Parameters
    ----------
    counts : (n, c) int16 or int32
    columns : (6,) int64
        Columns of acceleration x, y, z, then of the angular rate.
    scales : (6,) float64
        m/s² and rad/s per count of those columns.
    full_scale : int
        Counts of at least this size are saturated, which is no measurement; nor is a specific
        force of exactly zero.

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


def block_of_counts(
    t_ns: IntArray,
    counts: Counts,
    columns: IntArray,
    scales: FloatArray,
    full_scale: int,
    *,
    rate_hz: float,
) -> ImuBlock:
    """Return `to_si` of counts as a block; what `ImuBlock.checked` gives, in a tenth of its time.

    Counts are finite and scales positive, so all that is left to check is the order of time.

    Raises
    ------
    InputError
        Time does not increase.
    """
    acc, gyr, valid = to_si(counts, columns, scales, full_scale)
    if _out_of_order(t_ns) >= 0 or t_ns.shape[0] != counts.shape[0]:
        return ImuBlock.checked(t_ns, acc, gyr, rate_hz=rate_hz, valid=valid)  # says what is wrong
    return ImuBlock(t_ns, acc, gyr, valid, rate_hz)
