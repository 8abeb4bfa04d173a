"""Worn or not: at once from long stillness, and once more over the day.

A sensor on a table is far quieter than one on a person sitting still (about 1 °/s). At once, a
sensor counts as taken off after five such minutes; the minutes before that, and the rule of an hour
known from wrist sensors, are applied when a day is summarised (`processing.summary.nonwear`).
"""

from dataclasses import dataclass

import numpy as np

from processing._jit import kernel
from processing.derived import derived
from processing.frames import STANDARD_GRAVITY_MS2
from processing.types import BoolArray, FloatArray, IntArray, PairBlock

_MG = 1e-3 * STANDARD_GRAVITY_MS2


@dataclass(frozen=True, slots=True)
class WearParams:
    """Limits of stillness (clinical specification, section 9)."""

    gyr_sd_dps: float = 0.3
    """Largest standard deviation of each axis of the rate that is still. Smaller misses noisy
    sensors on a table, larger takes a sleeper for a table."""
    acc_sd_ms2: float = 5.0 * _MG
    """The same of the specific force: 5 mg."""
    window_s: float = 10.0
    """Stillness is judged window by window; a worn sensor comes back within one of them."""
    still_s: float = 300.0
    """A sensor still for this long is off the body. Shorter loses minutes of deep rest, longer
    counts a table as wear."""
    hour_sd_ms2: float = 13.0 * _MG
    """Rule of the day (GGIR): standard deviation over the hour around a quarter of an hour .."""
    hour_range_ms2: float = 50.0 * _MG
    """.. or range over that hour, .."""
    hour_axes: int = 2
    """.. of at least so many axes below the limit: not worn in that quarter."""
    rate_hz: float = 100.0
    """Grid rate."""


@dataclass(frozen=True, slots=True)
class WearState:
    """Sums of the window under way and the still windows in a row."""

    sums: FloatArray
    """(2, 12) per sensor: sums of rate and specific force, and of their squares."""
    counts: IntArray
    """(2, 2) per sensor: samples in the window, still windows in a row."""


@dataclass(frozen=True, slots=True)
class WearBlock:
    """Whether each sensor is worn, as far as can be said at the time; no lag."""

    k0: int
    head_worn: BoolArray
    """(n,)."""
    trunk_worn: BoolArray
    """(n,)."""


@kernel()
def _judge(
    gyr: FloatArray,
    acc: FloatArray,
    valid: BoolArray,
    k0: int,
    window: int,
    needed: int,
    gyr_variance: float,
    acc_variance: float,
    sums: FloatArray,
    counts: IntArray,
    worn: BoolArray,
) -> None:
    """Fill worn (n,) for one sensor; windows lie on whole multiples of `window` rows."""
    i, n = 0, gyr.shape[0]
    while i < n:
        end = min(n, i + window - (k0 + i) % window)
        on = counts[1] < needed
        for m in range(i, end):
            worn[m] = on
            counts[0] += valid[m]
        _add(gyr, valid, i, end, sums[:3], sums[6:9])
        _add(acc, valid, i, end, sums[3:6], sums[9:])
        i = end
        if (k0 + i) % window != 0:
            break
        # a window mostly missing says nothing
        if 2 * counts[0] >= window:
            still = True
            for j in range(6):
                mean = sums[j] / counts[0]
                variance = sums[6 + j] / counts[0] - mean * mean
                if variance >= (gyr_variance if j < 3 else acc_variance):
                    still = False
            counts[1] = counts[1] + 1 if still else 0
        counts[0] = 0
        for j in range(12):
            sums[j] = 0.0


@kernel()
def _add(
    values: FloatArray,
    valid: BoolArray,
    begin: int,
    end: int,
    sums: FloatArray,
    squares: FloatArray,
) -> None:
    """Add valid rows to their sums (3,) and the sums of their squares (3,)."""
    # in registers: a sum in memory waits for its own last addition to get there
    sx, sy, sz, qx, qy, qz = sums[0], sums[1], sums[2], squares[0], squares[1], squares[2]
    for i in range(begin, end):
        if valid[i]:
            x, y, z = values[i, 0], values[i, 1], values[i, 2]
            sx, sy, sz = sx + x, sy + y, sz + z
            qx, qy, qz = qx + x * x, qy + y * y, qz + z * z
    sums[0], sums[1], sums[2], squares[0], squares[1], squares[2] = sx, sy, sz, qx, qy, qz


@derived
def _limits(params: WearParams) -> tuple[int, int, float, float]:
    """Return rows of a window, windows needed, and both variances."""
    return (
        round(params.window_s * params.rate_hz),
        round(params.still_s / params.window_s),
        float(np.radians(params.gyr_sd_dps) ** 2),
        params.acc_sd_ms2**2,
    )


def start(params: WearParams) -> WearState:  # noqa: ARG001 - every step has the same signature
    """Return the state before the first row: worn."""
    return WearState(np.zeros((2, 12)), np.zeros((2, 2), dtype=np.int64))


def step(params: WearParams, state: WearState, pair: PairBlock) -> tuple[WearState, WearBlock]:
    """Return which sensors are worn.

    Parameters
    ----------
    pair : PairBlock
        Rows that continue those of the step before.

    Notes
    -----
    Head worn and trunk not means reduced mode: what is relative to the trunk is then invalid.
    """
    sums, counts = state.sums.copy(), state.counts.copy()
    n = pair.head_valid.shape[0]
    worn = np.empty((2, n), dtype=np.bool_)
    window, needed, gyr_variance, acc_variance = _limits(params)
    sensors = (
        (pair.head_gyr, pair.head_acc, pair.head_valid),
        (pair.trunk_gyr, pair.trunk_acc, pair.trunk_valid),
    )
    for s, (gyr, acc, valid) in enumerate(sensors):
        _judge(
            gyr,
            acc,
            valid,
            pair.k0,
            window,
            needed,
            gyr_variance,
            acc_variance,
            sums[s],
            counts[s],
            worn[s],
        )
    return WearState(sums, counts), WearBlock(pair.k0, worn[0], worn[1])
