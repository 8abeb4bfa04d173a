"""Angular rate of the head relative to the trunk, in the head's own axes."""

import numpy as np

from processing import quaternion
from processing._jit import kernel
from processing.types import Alignment, FloatArray, PairBlock


@kernel()
def _relative(
    head: FloatArray,
    trunk: FloatArray,
    q_rel: FloatArray,
    head_matrix: FloatArray,
    trunk_matrix: FloatArray,
    out: FloatArray,
) -> None:
    """Fill out (n, 3), deg/s, with ``w_head - R_rel^-1 w_trunk``; matrices carry the degrees."""
    for i in range(head.shape[0]):
        w, x, y, z = q_rel[i, 0], q_rel[i, 1], q_rel[i, 2], q_rel[i, 3]
        g0, g1, g2 = trunk[i, 0], trunk[i, 1], trunk[i, 2]
        a = trunk_matrix[0, 0] * g0 + trunk_matrix[0, 1] * g1 + trunk_matrix[0, 2] * g2
        b = trunk_matrix[1, 0] * g0 + trunk_matrix[1, 1] * g1 + trunk_matrix[1, 2] * g2
        c = trunk_matrix[2, 0] * g0 + trunk_matrix[2, 1] * g1 + trunk_matrix[2, 2] * g2
        # v + 2 r x (r x v + w v) with r of the inverse rotation
        p = -(y * c - z * b) + w * a
        q = -(z * a - x * c) + w * b
        r = -(x * b - y * a) + w * c
        a -= 2.0 * (y * r - z * q)
        b -= 2.0 * (z * p - x * r)
        c -= 2.0 * (x * q - y * p)
        h0, h1, h2 = head[i, 0], head[i, 1], head[i, 2]
        out[i, 0] = head_matrix[0, 0] * h0 + head_matrix[0, 1] * h1 + head_matrix[0, 2] * h2 - a
        out[i, 1] = head_matrix[1, 0] * h0 + head_matrix[1, 1] * h1 + head_matrix[1, 2] * h2 - b
        out[i, 2] = head_matrix[2, 0] * h0 + head_matrix[2, 1] * h1 + head_matrix[2, 2] * h2 - c


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
    n = pair.head_gyr.shape[0]
    out = np.empty((n, 3))
    head = np.degrees(quaternion.to_matrix(alignment.q_head_segment_sensor))
    trunk = np.degrees(quaternion.to_matrix(alignment.q_trunk_segment_sensor))
    still = np.zeros((n, 3))
    level = np.zeros((n, 4))
    level[:, 0] = 1.0
    _relative(
        np.ascontiguousarray(pair.head_gyr),
        still if head_only else np.ascontiguousarray(pair.trunk_gyr),
        level if head_only else np.ascontiguousarray(q_rel),
        head,
        trunk,
        out,
    )
    return out
