"""Full-rate rows to slots of any length, with the columns of the 1 Hz grid."""

from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from processing._jit import kernel
from processing.types import BoolArray, FloatArray, IntArray
from storage.result_rows import ANGLE_FIELDS, FullRate

_WIDTH: Final = len(ANGLE_FIELDS)
_SIGMA: Final = ANGLE_FIELDS.index("heading_sigma_deg")
_HEAD: Final = _SIGMA + 1
_VALID: Final = ANGLE_FIELDS.index("valid")
_NO_HEAD: FloatArray = np.empty((0, 2))

T = TypeVar("T", bound=np.generic)


@kernel()
def _begin(t_ns: IntArray, slot_ns: int, begins: IntArray) -> int:
    """Fill the row at which each slot begins; return how many there are."""
    n = 0
    end = t_ns[0]
    for i in range(t_ns.shape[0]):
        if t_ns[i] >= end:
            end = (t_ns[i] // slot_ns + 1) * slot_ns
            begins[n] = i
            n += 1
    return n


@kernel()
def _mean(values: FloatArray, valid: BoolArray, begin: int, end: int) -> float:
    """Return the mean of the valid, finite ones; NaN without any."""
    total = 0.0
    known = 0
    for i in range(begin, end):
        if valid[i] and np.isfinite(values[i]):
            total += values[i]
            known += 1
    return total / known if known else np.nan


@kernel()
def _fill(
    t_ns: IntArray,
    angles: FloatArray,
    sigma: FloatArray,
    head: FloatArray,
    valid: BoolArray,
    slot_ns: int,
    full: float,
    begins: IntArray,
    t_out: IntArray,
    out: FloatArray,
) -> None:
    """Fill times (m,) and values (m, 16); `full` is the number of rows that a slot should have."""
    for slot in range(out.shape[0]):
        begin = begins[slot]
        end = begins[slot + 1] if slot + 1 < out.shape[0] else t_ns.shape[0]
        t_out[slot] = t_ns[begin] // slot_ns * slot_ns
        rows = 0
        for i in range(begin, end):
            rows += valid[i]
        for axis in range(angles.shape[1]):
            low, high = np.inf, -np.inf
            for i in range(begin, end):
                value = angles[i, axis]
                if valid[i] and np.isfinite(value):
                    low, high = min(low, value), max(high, value)
            known = low <= high
            out[slot, 3 * axis] = _mean(angles[:, axis], valid, begin, end)
            out[slot, 3 * axis + 1] = low if known else np.nan
            out[slot, 3 * axis + 2] = high if known else np.nan
        out[slot, _SIGMA] = _mean(sigma, valid, begin, end)
        for k in range(2):
            out[slot, _HEAD + k] = _mean(head[:, k], valid, begin, end) if head.shape[0] else np.nan
        out[slot, _VALID] = min(rows / full, 1.0)


def slots_of(rows: FullRate, slot_ns: int, rate_hz: float) -> tuple[NDArray[np.int64], FloatArray]:
    """Return rows, at least one, as slots of any length with the columns of the 1 Hz grid.

    Parameters
    ----------
    slot_ns : int
        Slots lie on multiples of it since 1970.
    rate_hz : float
        Nominal rate of the rows; a slot with fewer valid ones is valid in part.

    Returns
    -------
    t_ns : (n,) int64
        Beginning of each slot that holds a row.
    values : (n, 16) float64
        One column per name in `ANGLE_FIELDS`.
    """
    times = _plain(rows.t_ns)
    begins = np.empty(len(times), dtype=np.int64)
    n = _begin(times, slot_ns, begins)
    t_ns, values = np.empty(n, dtype=np.int64), np.empty((n, _WIDTH))
    _fill(
        times,
        _plain(rows.angles_deg),
        _plain(rows.heading_sigma_deg),
        _NO_HEAD if rows.head_deg is None else _plain(rows.head_deg),
        _plain(rows.valid),
        slot_ns,
        rate_hz * slot_ns * 1e-9,
        begins,
        t_ns,
        values,
    )
    return t_ns, values


def _plain(a: NDArray[T]) -> NDArray[T]:
    """Return an array of the one kind that the kernels are compiled for."""
    return a if a.flags.c_contiguous and a.flags.writeable else np.array(a, order="C")
