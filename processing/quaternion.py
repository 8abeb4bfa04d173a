"""Quaternion algebra: scalar first (w, x, y, z), Hamilton product, active rotations.

`q_ab` turns coordinates in frame b into coordinates in frame a; ``multiply(q_ab, q_bc)`` is
``q_ac``. All functions broadcast over leading axes and return C-contiguous float64.
"""

import numpy as np
from numpy.typing import ArrayLike

from processing.types import FloatArray

IDENTITY: FloatArray = np.array([1.0, 0.0, 0.0, 0.0])


def multiply(p: ArrayLike, q: ArrayLike) -> FloatArray:
    """Return the Hamilton product p ⊗ q, shapes (..., 4) broadcast together."""
    a, b = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    aw, ax, ay, az = a[..., 0], a[..., 1], a[..., 2], a[..., 3]
    bw, bx, by, bz = b[..., 0], b[..., 1], b[..., 2], b[..., 3]
    return np.stack(
        (
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ),
        axis=-1,
    )


def conjugate(q: ArrayLike) -> FloatArray:
    """Return the inverse rotation of unit quaternions (..., 4)."""
    return np.asarray(np.asarray(q, dtype=np.float64) * np.array([1.0, -1.0, -1.0, -1.0]))


def normalize(q: ArrayLike) -> FloatArray:
    """Return (..., 4) quaternions scaled to unit norm; zero norm gives NaN."""
    a = np.asarray(q, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(a / np.linalg.norm(a, axis=-1, keepdims=True))


def rotate(q: ArrayLike, v: ArrayLike) -> FloatArray:
    """Return vectors (..., 3) turned by unit quaternions (..., 4)."""
    a, u = np.asarray(q, dtype=np.float64), np.asarray(v, dtype=np.float64)
    r = a[..., 1:]
    t = 2.0 * np.cross(r, u)
    return u + a[..., :1] * t + np.cross(r, t)


def from_rotation_vector(v: ArrayLike) -> FloatArray:
    """Return unit quaternions (..., 4) of rotation vectors (..., 3), radians (exponential map)."""
    u = np.asarray(v, dtype=np.float64)
    angle = np.linalg.norm(u, axis=-1, keepdims=True)
    half = 0.5 * angle
    # sinc form: exact limit 1/2 at zero angle
    scale = 0.5 * np.sinc(half / np.pi)
    return np.concatenate((np.cos(half), scale * u), axis=-1)


def to_rotation_vector(q: ArrayLike) -> FloatArray:
    """Return rotation vectors (..., 3), radians in [0, π], of unit quaternions (logarithm map)."""
    a = np.asarray(q, dtype=np.float64)
    a = np.where(a[..., :1] < 0.0, -a, a)
    s = np.linalg.norm(a[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(s, a[..., :1])
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.where(s > 1e-12, angle / s, 2.0)
    return a[..., 1:] * scale


def from_matrix(R: ArrayLike) -> FloatArray:
    """Return the unit quaternion (4,) with w ≥ 0 of a rotation matrix (3, 3)."""
    m = np.asarray(R, dtype=np.float64)
    # Bar-Itzhack 2000: the eigenvector of the largest eigenvalue, robust to a slightly skewed R
    k = (
        np.array(
            [
                [m[0, 0] + m[1, 1] + m[2, 2], 0.0, 0.0, 0.0],
                [m[2, 1] - m[1, 2], m[0, 0] - m[1, 1] - m[2, 2], 0.0, 0.0],
                [m[0, 2] - m[2, 0], m[0, 1] + m[1, 0], m[1, 1] - m[0, 0] - m[2, 2], 0.0],
                [
                    m[1, 0] - m[0, 1],
                    m[0, 2] + m[2, 0],
                    m[1, 2] + m[2, 1],
                    m[2, 2] - m[0, 0] - m[1, 1],
                ],
            ]
        )
        / 3.0
    )
    _, vectors = np.linalg.eigh(k, UPLO="L")
    q: FloatArray = vectors[:, -1]
    return q if q[0] >= 0.0 else -q


def to_matrix(q: ArrayLike) -> FloatArray:
    """Return rotation matrices (..., 3, 3) of unit quaternions (..., 4)."""
    a = np.asarray(q, dtype=np.float64)
    w, x, y, z = a[..., 0], a[..., 1], a[..., 2], a[..., 3]
    rows = (
        np.stack((1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)), axis=-1),
        np.stack((2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)), axis=-1),
        np.stack((2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)), axis=-1),
    )
    return np.stack(rows, axis=-2)


def mean(q: ArrayLike) -> FloatArray:
    """Return the mean rotation (4,), w ≥ 0, of quaternions (n, 4) (Markley et al. 2007)."""
    a = np.asarray(q, dtype=np.float64)
    _, vectors = np.linalg.eigh(a.T @ a)
    m: FloatArray = vectors[:, -1]
    return m if m[0] >= 0.0 else -m


def angle_between(p: ArrayLike, q: ArrayLike) -> FloatArray:
    """Return the geodesic angle in radians between rotations (..., 4)."""
    d = multiply(conjugate(p), q)
    s = np.linalg.norm(d[..., 1:], axis=-1)
    return np.asarray(2.0 * np.arctan2(s, np.abs(d[..., 0])))
