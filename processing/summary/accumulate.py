"""Kernel that adds grid rows to the minute and the posture map under way."""

import numpy as np
from numpy.typing import NDArray

from processing._jit import kernel
from processing.summary import cells
from processing.types import BoolArray, FloatArray, IntArray

(
    N,
    RECEIVED,
    WORN,
    EVALUABLE,
    GATED,
    GOOD,
    FAIR,
    POOR,
    DECIDABLE,
    NEAR,
    STILL,
    TILT_N,
    TURN_N,
) = range(13)
"""Places of the row counts; `TILT_N` rows count for flexion and lateral, `TURN_N` for rotation and
deviation."""
COUNTS = 13
SIGMA, RATE_SQUARE = 8, 9
"""Places of the float sums behind the sums and squares of the four angles."""
SUMS = 10
BINS = 720
MAP_PLANES, MAP_BINS = 2, 72
"""Planes of the posture map (rotation against lateral tilt, against flexion) and bins of 5° per
axis (-180..180). A cell's number is (plane, rotation, other) in that order."""


@kernel()
def add_rows(
    flexion: FloatArray,
    lateral: FloatArray,
    rotation: FloatArray,
    deviation: FloatArray,
    sigma: FloatArray,
    valid: BoolArray,
    received: BoolArray,
    rate: FloatArray,
    begin: int,
    end: int,
    gated: BoolArray,
    gated_from: int,
    good_sigma: float,
    fair_sigma: float,
    neutral: float,
    still_rate: float,
    counts: IntArray,
    sums: FloatArray,
    histograms: NDArray[np.int32],
    map_table: IntArray,
) -> int:
    """Add rows [begin, end) to counts (13,), sums (10,), histograms (4, 720) and the posture map.

    The gate of row `begin` is gated[gated_from]. Returns the next row: before `end` where the map
    has no room and must grow first.
    """
    still_square = still_rate * still_rate
    for i in range(begin, end):
        if not cells.has_room(map_table, MAP_PLANES):
            return i
        counts[N] += 1
        if received[i]:
            counts[RECEIVED] += 1
        if not valid[i]:
            continue
        counts[WORN] += 1
        s = sigma[i]
        if s <= good_sigma:
            counts[GOOD] += 1
        elif s <= fair_sigma:
            counts[FAIR] += 1
        elif not np.isnan(s):
            counts[POOR] += 1
        if not np.isnan(s):
            sums[SIGMA] += s
        if gated[gated_from + i - begin]:
            counts[GATED] += 1
            continue
        counts[EVALUABLE] += 1
        square = rate[i, 0] * rate[i, 0] + rate[i, 1] * rate[i, 1] + rate[i, 2] * rate[i, 2]
        sums[RATE_SQUARE] += square
        if square < still_square:
            counts[STILL] += 1
        a, b, c, d = flexion[i], lateral[i], rotation[i], deviation[i]
        if np.isnan(a + b + c + d):
            continue
        counts[TILT_N] += 1
        sums[0] += a
        sums[1] += b
        sums[4] += a * a
        sums[5] += b * b
        histograms[0, min(BINS - 1, int(2.0 * (a + 180.0)))] += 1
        histograms[1, min(BINS - 1, int(2.0 * (b + 180.0)))] += 1
        if not s <= fair_sigma:
            continue
        counts[TURN_N] += 1
        sums[2] += c
        sums[3] += d
        sums[6] += c * c
        sums[7] += d * d
        histograms[2, min(BINS - 1, int(2.0 * (c + 180.0)))] += 1
        histograms[3, min(BINS - 1, int(2.0 * d))] += 1
        turned = min(MAP_BINS - 1, int((c + 180.0) * 0.2))
        tilted = min(MAP_BINS - 1, int((b + 180.0) * 0.2))
        bent = min(MAP_BINS - 1, int((a + 180.0) * 0.2))
        cells.count(map_table, turned * MAP_BINS + tilted, 1)
        cells.count(map_table, (MAP_BINS + turned) * MAP_BINS + bent, 1)
        if s <= good_sigma or abs(d - neutral) > s:
            counts[DECIDABLE] += 1
            if d <= neutral:
                counts[NEAR] += 1
    return end


@kernel()
def add_sensor(
    gyr: FloatArray, acc: FloatArray, valid: BoolArray, begin: int, end: int, moments: FloatArray
) -> None:
    """Add rows to moments (7, 4): sum, sum of squares, least and largest of rate and force.

    The number of rows stands in moments[6, 0].
    """
    for first in (0, 3):
        values = gyr if first == 0 else acc
        # in registers: a sum in memory waits for its own last addition to get there
        sx, sy, sz = moments[first, 0], moments[first + 1, 0], moments[first + 2, 0]
        qx, qy, qz = moments[first, 1], moments[first + 1, 1], moments[first + 2, 1]
        lx, ly, lz = moments[first, 2], moments[first + 1, 2], moments[first + 2, 2]
        hx, hy, hz = moments[first, 3], moments[first + 1, 3], moments[first + 2, 3]
        n = 0
        for i in range(begin, end):
            if not valid[i]:
                continue
            n += 1
            x, y, z = values[i, 0], values[i, 1], values[i, 2]
            sx, sy, sz = sx + x, sy + y, sz + z
            qx, qy, qz = qx + x * x, qy + y * y, qz + z * z
            lx, ly, lz = min(lx, x), min(ly, y), min(lz, z)
            hx, hy, hz = max(hx, x), max(hy, y), max(hz, z)
        moments[first, 0], moments[first + 1, 0], moments[first + 2, 0] = sx, sy, sz
        moments[first, 1], moments[first + 1, 1], moments[first + 2, 1] = qx, qy, qz
        if first == 3:
            moments[first, 2], moments[first + 1, 2], moments[first + 2, 2] = lx, ly, lz
            moments[first, 3], moments[first + 1, 3], moments[first + 2, 3] = hx, hy, hz
            moments[6, 0] += n


def empty_moments() -> FloatArray:
    """Return moments (2, 7, 4) of both sensors without a sample."""
    moments = np.zeros((2, 7, 4))
    moments[:, 3:6, 2] = np.inf
    moments[:, 3:6, 3] = -np.inf
    return moments
