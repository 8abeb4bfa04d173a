"""Heading from the magnetic field, trusted as far as the field looks like itself.

Indoors the direction of the field changes by degrees from place to place, so its error is coloured:
new information comes with new places, not with more samples. The variance of a window is that of
the disturbance times its time constant over the window's length, and grows with the distance of
norm and dip from their slowly adapted reference (VQF's two features, Laidig and Seel 2023, without
its threshold). As the filter knows how little heading drifts once bias and gyroscope matrix are
learnt, a disturbance of seconds hardly moves it.
"""

import numpy as np

from processing._jit import kernel
from processing.orientation.layout import COUNT, FIELD, SUM_M, TH
from processing.orientation.tuning import (
    MAG_DIP,
    MAG_MEMORY,
    MAG_NORM,
    MAG_SIGMA,
    MAG_TIME,
)
from processing.types import FloatArray


@kernel()
def sum_field(s: FloatArray, mag: FloatArray, q: FloatArray, start: int, stop: int) -> None:
    """Add the field of samples [start, stop), turned to earth axes by attitudes `q`."""
    fx, fy, fz = s[SUM_M], s[SUM_M + 1], s[SUM_M + 2]
    for i in range(start, stop):
        w, x, y, z = q[i, 0], q[i, 1], q[i, 2], q[i, 3]
        mx, my, mz = mag[i, 0], mag[i, 1], mag[i, 2]
        tx = 2.0 * (y * mz - z * my)
        ty = 2.0 * (z * mx - x * mz)
        tz = 2.0 * (x * my - y * mx)
        fx += mx + w * tx + y * tz - z * ty
        fy += my + w * ty + z * tx - x * tz
        fz += mz + w * tz + x * ty - y * tx
    s[SUM_M], s[SUM_M + 1], s[SUM_M + 2] = fx, fy, fz


@kernel()
def expect_north(
    s: FloatArray, r: int, k: FloatArray, dt: float, H: FloatArray, values: FloatArray, count: int
) -> int:
    """Append to a batch of measurements that the horizontal field points north.

    Returns the new length of the batch.
    """
    n = s[COUNT]
    T = n * dt
    mx, my, mz = s[SUM_M] / n, s[SUM_M + 1] / n, s[SUM_M + 2] / n
    horizontal2 = mx * mx + my * my
    norm = np.sqrt(horizontal2 + mz * mz)
    if horizontal2 < 1e-12 * norm * norm or norm == 0.0:
        return count
    dip = -np.arctan2(mz, np.sqrt(horizontal2))
    s[FIELD + 2] = min(s[FIELD + 2] + T, k[MAG_MEMORY])
    memory = T / s[FIELD + 2]
    s[FIELD] += memory * (norm - s[FIELD])
    s[FIELD + 1] += memory * (dip - s[FIELD + 1])
    away_norm = (norm / s[FIELD] - 1.0) / k[MAG_NORM]
    away_dip = (dip - s[FIELD + 1]) / k[MAG_DIP]
    away = away_norm * away_norm + away_dip * away_dip
    variance = k[MAG_SIGMA] ** 2 * k[MAG_TIME] / T * (1.0 + away) ** 2
    # αtrue = α + dα = 0 with α = atan2(mx, my): Jacobian of the horizontal direction
    H[count, r + TH] = mz * mx / horizontal2
    H[count, r + TH + 1] = mz * my / horizontal2
    H[count, r + TH + 2] = -1.0
    values[count, 0] = -np.arctan2(mx, my)
    values[count, 1] = variance
    return count + 1
