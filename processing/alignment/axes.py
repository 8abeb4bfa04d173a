"""Sensor-to-segment rotations from two directions, and the neutral reference N from gravity.

The heading of the filter is arbitrary before the first reset, so N is built without it: each
segment's tilt at N comes from gravity in its own sensor axes, and the relative heading at N is the
one in which the mediolateral axes of head (nod) and thorax (bow) agree horizontally.
"""

from typing import Literal

import numpy as np

from processing import quaternion
from processing.errors import AlignmentError
from processing.types import FloatArray

_TOO_CLOSE = np.sin(np.radians(5.0))


def from_right_and_up(
    right: FloatArray, up: FloatArray, *, exact: Literal["right", "up"]
) -> FloatArray:
    """Return the sensor-to-segment rotation (4,) with Z along `right` and Y along `up`.

    Parameters
    ----------
    right, up : (3,) float64
        Directions in sensor axes.
    exact : {"right", "up"}
        Which of them is kept where they are not orthogonal (TRIAD; qmt `resetAlignment`).
    """
    z, y = unit(right), unit(up)
    if np.linalg.norm(np.cross(z, y)) < _TOO_CLOSE:
        raise AlignmentError("the movement's axis is vertical; repeat it as instructed")
    if exact == "right":
        y = unit(y - (y @ z) * z)
    else:
        z = unit(z - (z @ y) * y)
    return quaternion.from_matrix(np.stack((np.cross(y, z), y, z)))


def level(up_segment: FloatArray) -> FloatArray:
    """Return the rotation (4,) of a segment to its level frame: Y up, Z its right, horizontal.

    `up_segment` (3,) is earth's up in segment axes.
    """
    y = unit(up_segment)
    ez = np.array([0.0, 0.0, 1.0])
    if np.linalg.norm(np.cross(ez, y)) < _TOO_CLOSE:
        raise AlignmentError("the segment lies on its side in the neutral pose; sit upright")
    z = unit(ez - (ez @ y) * y)
    return quaternion.from_matrix(np.stack((np.cross(y, z), y, z)))


def neutral_rotation(
    q_head: FloatArray, up_head: FloatArray, q_trunk: FloatArray, up_trunk: FloatArray
) -> FloatArray:
    """Return N (4,), head segment to thorax segment, with both segments facing the same way.

    `q_*` are sensor-to-segment rotations, `up_*` earth's up in sensor axes over the pose.
    """
    of_head = level(quaternion.rotate(q_head, up_head))
    of_trunk = level(quaternion.rotate(q_trunk, up_trunk))
    n = quaternion.multiply(quaternion.conjugate(of_trunk), of_head)
    return n if n[0] >= 0.0 else -n


def angle_deg(a: FloatArray, b: FloatArray) -> float:
    """Return the angle between two vectors (3,), degrees in [0, 180]."""
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))


def unit(v: FloatArray) -> FloatArray:
    """Return v scaled to length 1."""
    return np.asarray(v / np.linalg.norm(v))
