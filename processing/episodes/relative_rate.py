"""Angular rate of the head relative to the trunk, in the head's own axes."""

import numpy as np

from processing._jit import kernel
from processing.types import Alignment, FloatArray, PairBlock


@kernel(inline=True)
def _matrix(q: FloatArray) -> tuple[float, float, float, float, float, float, float, float, float]:
    """Return the rows of the rotation matrix of q (4,), times degrees per radian."""
    w, x, y, z = q[0], q[1], q[2], q[3]
    deg = 180.0 / np.pi
    return (
        (1 - 2 * (y * y + z * z)) * deg,
        2 * (x * y - w * z) * deg,
        2 * (x * z + w * y) * deg,
        2 * (x * y + w * z) * deg,
        (1 - 2 * (x * x + z * z)) * deg,
        2 * (y * z - w * x) * deg,
        2 * (x * z - w * y) * deg,
        2 * (y * z + w * x) * deg,
        (1 - 2 * (x * x + y * y)) * deg,
    )


@kernel()
def _relative(
    head: FloatArray,
    trunk: FloatArray,
    q_rel: FloatArray,
    q_head_segment_sensor: FloatArray,
    q_trunk_segment_sensor: FloatArray,
    head_only: bool,
    out: FloatArray,
) -> None:
    """Fill out (n, 3), deg/s, with ``w_head - R_rel^-1 w_trunk``."""
    if head.shape[1] != 3 or trunk.shape[1] != 3 or q_rel.shape[1] != 4 or out.shape[1] != 3:
        raise ValueError("rates have three numbers, quaternions four")
    h00, h01, h02, h10, h11, h12, h20, h21, h22 = _matrix(q_head_segment_sensor)
    t00, t01, t02, t10, t11, t12, t20, t21, t22 = _matrix(q_trunk_segment_sensor)
    a = b = c = 0.0
    for i in range(head.shape[0]):
        if not head_only:
            w, x, y, z = q_rel[i, 0], q_rel[i, 1], q_rel[i, 2], q_rel[i, 3]
            g0, g1, g2 = trunk[i, 0], trunk[i, 1], trunk[i, 2]
            a = t00 * g0 + t01 * g1 + t02 * g2
            b = t10 * g0 + t11 * g1 + t12 * g2
            c = t20 * g0 + t21 * g1 + t22 * g2
            # v + 2 r x (r x v + w v) with r of the inverse rotation
            p = -(y * c - z * b) + w * a
            q = -(z * a - x * c) + w * b
            r = -(x * b - y * a) + w * c
            a -= 2.0 * (y * r - z * q)
            b -= 2.0 * (z * p - x * r)
            c -= 2.0 * (x * q - y * p)
        h0, h1, h2 = head[i, 0], head[i, 1], head[i, 2]
        out[i, 0] = h00 * h0 + h01 * h1 + h02 * h2 - a
        out[i, 1] = h10 * h0 + h11 * h1 + h12 * h2 - b
        out[i, 2] = h20 * h0 + h21 * h1 + h22 * h2 - c


def relative_rate_dps(
    pair: PairBlock, q_rel: FloatArray, alignment: Alignment, *, head_only: bool = False
) -> FloatArray:
    """Return the angular rate of the head relative to the trunk.

    Parameters
    ----------
    pair : PairBlock
        n rows of the grid.
    q_rel : (n, 4) float64
        `CervicalAngles.q_rel` of the same rows; not read in head-only mode.
    alignment : Alignment
        Sensor-to-segment rotations.
    head_only : bool
        There is no trunk sensor: the head's rate itself, trunk motion included.

    Returns
    -------
    (n, 3) float64
        deg/s about the head segment's axes X anterior, Y up, Z right.

    Notes
    -----
    Gyroscope bias stays in: a few tenths of a degree per second matter neither to a threshold of
    30 °/s nor to a detrended window.
    """
    out = np.empty((pair.head_gyr.shape[0], 3))
    _relative(
        np.ascontiguousarray(pair.head_gyr),
        np.ascontiguousarray(pair.trunk_gyr),
        np.ascontiguousarray(q_rel),
        np.ascontiguousarray(alignment.q_head_segment_sensor, dtype=np.float64),
        np.ascontiguousarray(alignment.q_trunk_segment_sensor, dtype=np.float64),
        head_only,
        out,
    )
    return out
