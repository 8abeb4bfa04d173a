"""Cervical angles: the head relative to the thorax, from quaternions only.

``R = Rz(α) Rx(β) Ry(γ)`` (intrinsic Z-X'-Y'', ISB practice for the neck) with flexion = -α,
lateral right = +β, rotation right = -γ; see `processing.frames` for axes and signs. Angles are
taken of ``R_rel N^-1``, never as differences of per-sensor Euler angles.
"""

from dataclasses import dataclass
from typing import Final, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from processing import quaternion
from processing._jit import kernel
from processing.arctangent import arctan2_deg
from processing.frames import EARTH_UP
from processing.types import Alignment, BoolArray, CervicalAngles, FloatArray, PairOrientation

HeadingQuality = Literal["good", "fair", "poor"]

GOOD_SIGMA_DEG = 5.0
"""Rotation is `good` up to this standard deviation, degrees."""
FAIR_SIGMA_DEG = 10.0
"""Rotation is `fair` up to this standard deviation, degrees; beyond, `poor`."""

_BLOCK_ROWS: Final = 256
"""Rows between tangents and angles: what the one leaves is still in the first cache. A constant,
because the compiler works on eight rows at once only where it knows how far apart things lie."""


@kernel()
def _cervical(
    q_head: FloatArray,
    q_trunk: FloatArray,
    q_trunk_segment_sensor: FloatArray,
    q_head_segment_sensor: FloatArray,
    neutral_q: FloatArray,
    q_rel: FloatArray,
    flexion: FloatArray,
    lateral: FloatArray,
    rotation: FloatArray,
    deviation: FloatArray,
) -> None:
    """Fill `q_rel` (n, 4) and the four angles (n,), degrees.

    Three quaternion products a row; the angles of a block follow at once from their tangents.
    """
    n = q_head.shape[0]
    tangents = np.empty((8, _BLOCK_ROWS))
    for begin in range(0, n, _BLOCK_ROWS):
        end = min(n, begin + _BLOCK_ROWS)
        _tangents(
            q_head[begin:end],
            q_trunk[begin:end],
            q_trunk_segment_sensor,
            q_head_segment_sensor,
            neutral_q,
            q_rel[begin:end],
            tangents,
        )
        _angle(flexion[begin:end], tangents[0], tangents[1], -1.0)
        _angle(lateral[begin:end], tangents[2], tangents[3], 1.0)
        _angle(rotation[begin:end], tangents[4], tangents[5], -1.0)
        _angle(deviation[begin:end], tangents[6], tangents[7], 2.0)


@kernel()
def _angle(out: FloatArray, y: FloatArray, x: FloatArray, sign: float) -> None:
    """Fill out (n,) with the angles of the points (x, y), degrees, times `sign`."""
    for k in range(out.shape[0]):
        out[k] = y[k]
    arctan2_deg(out, x, sign)


@kernel()
def _tangents(
    q_head: FloatArray,
    q_trunk: FloatArray,
    q_trunk_segment_sensor: FloatArray,
    q_head_segment_sensor: FloatArray,
    neutral_q: FloatArray,
    q_rel: FloatArray,
    tangents: FloatArray,
) -> None:
    """Fill `q_rel`, and of every angle's tangent numerator and denominator (8, `_BLOCK_ROWS`).

    The deviation's is that of half of it. Lateral is taken of its sine and the length of what is
    its cosine, which is exact up to 90° where an arc sine is not.
    """
    if q_head.shape[1] != 4 or q_trunk.shape[1] != 4 or q_rel.shape[1] != 4:
        raise ValueError("quaternions have four numbers")
    if tangents.shape[1] != _BLOCK_ROWS:
        raise ValueError("rows of another width than they are compiled for")
    aw, ax, ay, az = (
        q_trunk_segment_sensor[0],
        q_trunk_segment_sensor[1],
        q_trunk_segment_sensor[2],
        q_trunk_segment_sensor[3],
    )
    bw, bx, by, bz = (
        q_head_segment_sensor[0],
        -q_head_segment_sensor[1],
        -q_head_segment_sensor[2],
        -q_head_segment_sensor[3],
    )
    nw, nx, ny, nz = neutral_q[0], -neutral_q[1], -neutral_q[2], -neutral_q[3]
    for k in range(q_head.shape[0]):
        tw, tx, ty, tz = q_trunk[k, 0], -q_trunk[k, 1], -q_trunk[k, 2], -q_trunk[k, 3]
        hw, hx, hy, hz = q_head[k, 0], q_head[k, 1], q_head[k, 2], q_head[k, 3]
        # trunk segment <- trunk sensor <- earth
        cw = aw * tw - ax * tx - ay * ty - az * tz
        cx = aw * tx + ax * tw + ay * tz - az * ty
        cy = aw * ty - ax * tz + ay * tw + az * tx
        cz = aw * tz + ax * ty - ay * tx + az * tw
        # <- head sensor
        dw = cw * hw - cx * hx - cy * hy - cz * hz
        dx = cw * hx + cx * hw + cy * hz - cz * hy
        dy = cw * hy - cx * hz + cy * hw + cz * hx
        dz = cw * hz + cx * hy - cy * hx + cz * hw
        # <- head segment
        rw = dw * bw - dx * bx - dy * by - dz * bz
        rx = dw * bx + dx * bw + dy * bz - dz * by
        ry = dw * by - dx * bz + dy * bw + dz * bx
        rz = dw * bz + dx * by - dy * bx + dz * bw
        if rw < 0.0:
            rw, rx, ry, rz = -rw, -rx, -ry, -rz
        q_rel[k, 0], q_rel[k, 1], q_rel[k, 2], q_rel[k, 3] = rw, rx, ry, rz
        # <- thorax at N
        w = rw * nw - rx * nx - ry * ny - rz * nz
        x = rw * nx + rx * nw + ry * nz - rz * ny
        y = rw * ny - rx * nz + ry * nw + rz * nx
        z = rw * nz + rx * ny - ry * nx + rz * nw
        bent, upright = 2.0 * (w * z - x * y), 1.0 - 2.0 * (x * x + z * z)
        tangents[0, k], tangents[1, k] = bent, upright
        tangents[2, k] = 2.0 * (y * z + w * x)
        tangents[3, k] = np.sqrt(bent * bent + upright * upright)
        tangents[4, k], tangents[5, k] = 2.0 * (w * y - x * z), 1.0 - 2.0 * (x * x + y * y)
        tangents[6, k], tangents[7, k] = np.sqrt(x * x + y * y + z * z), abs(w)


def decompose(q: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return (flexion, lateral right, rotation right), degrees, of rotations.

    Parameters
    ----------
    q : (..., 4) float64
        Unit quaternions, usually ``R_rel N^-1``.

    Returns
    -------
    flexion_deg, lateral_right_deg, rotation_right_deg : (...) float64
        Flexion and rotation in (-180, 180], lateral in [-90, 90].

    Notes
    -----
    Only at lateral ±90° (no neck reaches it) are flexion and rotation not separable.
    """
    a = np.asarray(q, dtype=np.float64)
    w, x, y, z = a[..., 0], a[..., 1], a[..., 2], a[..., 3]
    flexion = -np.arctan2(2.0 * (w * z - x * y), 1.0 - 2.0 * (x * x + z * z))
    lateral = np.arcsin(np.clip(2.0 * (y * z + w * x), -1.0, 1.0))
    rotation = -np.arctan2(2.0 * (w * y - x * z), 1.0 - 2.0 * (x * x + y * y))
    return np.degrees(flexion), np.degrees(lateral), np.degrees(rotation)


def compose(
    flexion_deg: ArrayLike, lateral_right_deg: ArrayLike, rotation_right_deg: ArrayLike
) -> FloatArray:
    """Return the rotations (..., 4) whose `decompose` are these angles, degrees."""
    a, b, c = np.broadcast_arrays(
        -0.5 * np.radians(np.asarray(flexion_deg, dtype=np.float64)),
        0.5 * np.radians(np.asarray(lateral_right_deg, dtype=np.float64)),
        -0.5 * np.radians(np.asarray(rotation_right_deg, dtype=np.float64)),
    )
    o = np.zeros_like(a)
    qz = np.stack((np.cos(a), o, o, np.sin(a)), axis=-1)
    qx = np.stack((np.cos(b), np.sin(b), o, o), axis=-1)
    qy = np.stack((np.cos(c), o, np.sin(c), o), axis=-1)
    return quaternion.multiply(quaternion.multiply(qz, qx), qy)


def relative(orientation: PairOrientation, alignment: Alignment) -> FloatArray:
    """Return `R_rel` (n, 4): head segment to thorax segment, N not removed."""
    trunk = quaternion.multiply(
        alignment.q_trunk_segment_sensor, quaternion.conjugate(orientation.q_es_trunk)
    )
    head = quaternion.multiply(
        orientation.q_es_head, quaternion.conjugate(alignment.q_head_segment_sensor)
    )
    return quaternion.multiply(trunk, head)


def cervical_angles(
    orientation: PairOrientation, alignment: Alignment, valid: BoolArray
) -> CervicalAngles:
    """Return the angles of the head relative to the thorax, zero at N.

    Parameters
    ----------
    orientation : PairOrientation
        Both sensors on the common grid.
    alignment : Alignment
        Sensor-to-segment rotations and N.
    valid : (n,) bool
        Both samples exist and both sensors are worn.

    Returns
    -------
    CervicalAngles
        `heading_sigma_deg` joins the filter's relative heading with the alignment's share.

    Notes
    -----
    A constant rotation of the head sensor cancels exactly in ``R_rel N^-1``, whatever it is; one of
    the trunk sensor does not, it turns the axes about which the angles are counted.
    """
    n = orientation.q_es_head.shape[0]
    q_rel = np.empty((n, 4))
    flexion, lateral, rotation, deviation = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    _cervical(
        np.ascontiguousarray(orientation.q_es_head),
        np.ascontiguousarray(orientation.q_es_trunk),
        np.ascontiguousarray(alignment.q_trunk_segment_sensor, dtype=np.float64),
        np.ascontiguousarray(alignment.q_head_segment_sensor, dtype=np.float64),
        np.ascontiguousarray(alignment.neutral_q, dtype=np.float64),
        q_rel,
        flexion,
        lateral,
        rotation,
        deviation,
    )
    return CervicalAngles(
        k0=orientation.k0,
        q_rel=q_rel,
        flexion_deg=flexion,
        lateral_right_deg=lateral,
        rotation_right_deg=rotation,
        deviation_deg=deviation,
        heading_sigma_deg=np.sqrt(
            np.square(orientation.heading_sigma_deg) + alignment.sigma_deg**2
        ),
        valid=np.ascontiguousarray(valid, dtype=np.bool_),
    )


@overload
def heading_quality(sigma_deg: float) -> HeadingQuality: ...
@overload
def heading_quality(sigma_deg: FloatArray) -> list[HeadingQuality]: ...
def heading_quality(sigma_deg: float | FloatArray) -> HeadingQuality | list[HeadingQuality]:
    """Return `good` (up to 5°), `fair` (up to 10°) or `poor` for standard deviations of rotation.

    NaN is `poor`: what is not known is not trusted.
    """
    if isinstance(sigma_deg, np.ndarray):
        names: tuple[HeadingQuality, ...] = ("good", "fair", "poor")
        codes = heading_quality_codes(sigma_deg)
        return [names[code] for code in codes.tolist()]
    if sigma_deg <= GOOD_SIGMA_DEG:
        return "good"
    return "fair" if sigma_deg <= FAIR_SIGMA_DEG else "poor"


def heading_quality_codes(sigma_deg: FloatArray) -> NDArray[np.int8]:
    """Return 0 for good, 1 for fair, 2 for poor, (n,) int8; NaN is poor."""
    codes = np.full(np.shape(sigma_deg), 2, dtype=np.int8)
    codes[sigma_deg <= FAIR_SIGMA_DEG] = 1
    codes[sigma_deg <= GOOD_SIGMA_DEG] = 0
    return codes


@dataclass(frozen=True, slots=True)
class HeadInclination:
    """What a head sensor alone can say: inclination to gravity, trunk lean included."""

    head_pitch_deg: FloatArray
    """(n,) positive: nose down."""
    head_roll_deg: FloatArray
    """(n,) positive: right ear down."""


def head_inclination(q_es_head: ArrayLike, alignment: Alignment) -> HeadInclination:
    """Return pitch and roll of the head to gravity, zero at N (single head sensor).

    Parameters
    ----------
    q_es_head : (n, 4) float64
        Head sensor to earth; its heading has no influence.
    alignment : Alignment
        `q_head_segment_sensor`, and N as the tilt of the head segment in the neutral pose.

    Notes
    -----
    Never called flexion: the lean of the trunk is inside (clinical specification, section 5).
    """
    to_sensor = quaternion.conjugate(q_es_head)
    up_sensor = quaternion.rotate(to_sensor, np.broadcast_to(EARTH_UP, (*to_sensor.shape[:-1], 3)))
    to_upright = quaternion.multiply(alignment.neutral_q, alignment.q_head_segment_sensor)
    up = quaternion.rotate(to_upright, up_sensor)
    return HeadInclination(
        head_pitch_deg=np.degrees(np.arcsin(np.clip(-up[..., 0], -1.0, 1.0))),
        head_roll_deg=np.degrees(np.arctan2(-up[..., 2], up[..., 1])),
    )
