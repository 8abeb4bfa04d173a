"""A sensor's magnetic field onto the grid: each row takes the newest value that is not too old.

Not interpolated: many magnetometers are slower than their accelerometer, and a row that waited for
the value after it would hold up all others.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from processing.types import BoolArray, FloatArray, ImuBlock, IntArray

MAX_AGE_NS: Final = 100_000_000
"""Oldest value that a row takes: a head at 100 °/s has turned by 10° since."""


@dataclass(frozen=True, slots=True)
class FieldGrid:
    """Values not older than the last one that a row took."""

    t_ns: IntArray
    """(m,) since grid index 0, increasing."""
    mag: FloatArray
    """(m, 3)"""


def empty() -> FieldGrid:
    """Return the state before the first value."""
    return FieldGrid(np.empty(0, dtype=np.int64), np.empty((0, 3)))


def push(field: FieldGrid | None, block: ImuBlock, t0_ns: int) -> FieldGrid | None:
    """Return the state after the next samples; None as long as none had a magnetometer."""
    if block.mag is None:
        return field
    field = field or empty()
    t = block.t_ns - t0_ns
    known = block.valid & np.isfinite(block.mag).all(axis=1)
    if field.t_ns.size:
        known &= t > field.t_ns[-1]
    return FieldGrid(
        np.concatenate((field.t_ns, t[known])), np.concatenate((field.mag, block.mag[known]))
    )


def give(field: FieldGrid, k: int, valid: BoolArray, period: int) -> tuple[FieldGrid, FloatArray]:
    """Return the state after the rows from k on, and their fields (n, 3), NaN where unknown.

    `valid` says which rows have samples of that sensor: what comes later cannot change those.
    """
    n = valid.shape[0]
    rows = np.full((n, 3), np.nan)
    if n == 0 or field.t_ns.size == 0:
        return field, rows
    t = (k + np.arange(n, dtype=np.int64)) * period
    newest = np.searchsorted(field.t_ns, t, side="right") - 1
    known = valid & (newest >= 0)
    known[known] = t[known] - field.t_ns[newest[known]] <= MAX_AGE_NS
    rows[known] = field.mag[newest[known]]
    first = max(0, int(newest[-1]))
    return FieldGrid(field.t_ns[first:].copy(), field.mag[first:].copy()), rows
