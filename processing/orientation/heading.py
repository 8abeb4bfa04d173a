"""Relative heading of two sensors: its variance, and the held pose that measures it."""

import math
from typing import Final

import numpy as np

from processing._jit import kernel
from processing.orientation.correction import apply_correction, correct_common
from processing.orientation.covariance import narrow, take_in, transpose, widen
from processing.orientation.layout import (
    BI,
    N_ERROR,
    PO,
    POS,
    TH,
    VE,
    VEL,
    WIDTH,
    Q,
)
from processing.orientation.repetition import common
from processing.types import FloatArray, IntArray

HEADING_UNKNOWN_RAD: Final = math.pi / math.sqrt(3.0)
"""Standard deviation of an angle of which nothing is known, 104°: uniform on a circle."""


@kernel()
def heading_sigma(P: FloatArray) -> float:
    """Return the standard deviation of head minus trunk heading, rad."""
    a, b = TH + 2, N_ERROR + TH + 2
    return float(np.sqrt(P[a, a] + P[b, b] - 2.0 * P[a, b]))


@kernel()
def turn_rows(P: FloatArray, r: int, angle: float) -> None:
    """Turn the earth-frame rows of one sensor about the vertical."""
    c, s = np.cos(angle), np.sin(angle)
    for block in (TH, VE, PO):
        for j in range(P.shape[1]):
            a, b = P[r + block, j], P[r + block + 1, j]
            P[r + block, j] = c * a - s * b
            P[r + block + 1, j] = s * a + c * b


@kernel()
def reset_heading(
    x: FloatArray,
    P: FloatArray,
    heading: float,
    variance: float,
    lag_s: float,
    shared: int,
    turns: FloatArray,
    tape: FloatArray,
    used: IntArray,
) -> None:
    """Take in that head minus trunk heading was too large by `heading`, rad, `lag_s` ago.

    `heading` is a mean over what a window sees of a pose, hence its value in the middle of that. An
    error of the bias has since turned heading further, by what it measures about the vertical:
    without that a bias of 0.5 °/s that nobody has seen yet moves N for good.

    The first pose defines the zero of heading. `shared` is the index of the error that this pose
    shares with its repetitions, -1 for none; see `repetition`. What is known of that error so far
    is remembered: forgotten, it would count as heading pose after pose.
    """
    H, values, dx = np.zeros((1, WIDTH)), np.empty((1, 2)), np.empty(WIDTH)
    for i in range(2):
        r, sign = i * N_ERROR, 1.0 - 2.0 * i
        H[0, r + TH + 2] = sign
        w, a, b, c = x[i, Q], x[i, Q + 1], x[i, Q + 2], x[i, Q + 3]
        H[0, r + BI] = sign * lag_s * 2.0 * (a * c - w * b)
        H[0, r + BI + 1] = sign * lag_s * 2.0 * (b * c + w * a)
        H[0, r + BI + 2] = sign * lag_s * (1.0 - 2.0 * (a * a + b * b))
    if shared >= 0:
        H[0, shared] = 1.0
    values[0, 0] = -heading - common(x, shared)
    values[0, 1] = variance
    turn_heading(x, P, H, values, dx, turns, tape, used)


@kernel()
def turn_heading(
    x: FloatArray,
    P: FloatArray,
    H: FloatArray,
    values: FloatArray,
    dx: FloatArray,
    turns: FloatArray,
    tape: FloatArray,
    used: IntArray,
) -> None:
    """Take in one measurement of relative heading, and turn both sensors by what it says.

    Heading is a symmetry of everything else, so the correction about the vertical is exact for any
    angle once velocity, position and their covariance turn along. `turns` (2,) receives how far
    each sensor was turned, dx (`WIDTH`,) the corrections; H (1, `WIDTH`) is cleared.
    """
    wide, G = np.empty((P.shape[0], WIDTH)), np.empty((1, WIDTH))
    widen(P, wide)
    take_in(wide, H, values, 1, dx, G, np.empty(WIDTH, dtype=np.int64), tape, used)
    narrow(wide, P)
    correct_common(x, dx[: P.shape[0]])
    for i in range(2):
        r = i * N_ERROR
        turns[i] = dx[r + TH + 2]
        dx[r + TH + 2] = 0.0
        apply_correction(x[i], dx, r)
        dx[r + TH + 2] = turns[i]
        c, s = np.cos(turns[i]), np.sin(turns[i])
        for block in (VEL, POS):
            a, b = x[i, block], x[i, block + 1]
            x[i, block] = c * a - s * b
            x[i, block + 1] = s * a + c * b
        turn_attitude(x[i], turns[i])
    for _ in range(2):
        for i in range(2):
            turn_rows(P, i * N_ERROR, turns[i])
        transpose(P)


@kernel()
def turn_attitude(s: FloatArray, angle: float) -> None:
    """Turn the attitude of one sensor about the vertical."""
    c, z = np.cos(0.5 * angle), np.sin(0.5 * angle)
    w, x, y, v = s[0], s[1], s[2], s[3]
    s[0], s[1], s[2], s[3] = c * w - z * v, c * x - z * y, c * y + z * x, c * v + z * w


@kernel()
def sum_pose_error(
    q_head: FloatArray, q_trunk: FloatArray, q_ref: FloatArray, start: int, stop: int, d: FloatArray
) -> None:
    """Add to `d` the earth-frame rotations from the expected to the estimated head attitude."""
    rw, rx, ry, rz = q_ref[0], q_ref[1], q_ref[2], q_ref[3]
    for i in range(start, stop):
        tw, tx, ty, tz = q_trunk[i, 0], q_trunk[i, 1], q_trunk[i, 2], q_trunk[i, 3]
        ew = tw * rw - tx * rx - ty * ry - tz * rz
        ex = tw * rx + tx * rw + ty * rz - tz * ry
        ey = tw * ry - tx * rz + ty * rw + tz * rx
        ez = tw * rz + tx * ry - ty * rx + tz * rw
        hw, hx, hy, hz = q_head[i, 0], q_head[i, 1], q_head[i, 2], q_head[i, 3]
        dw = hw * ew + hx * ex + hy * ey + hz * ez
        dx = -hw * ex + hx * ew - hy * ez + hz * ey
        dy = -hw * ey + hx * ez + hy * ew - hz * ex
        dz = -hw * ez - hx * ey + hy * ex + hz * ew
        sign = 1.0 if dw * d[0] + dx * d[1] + dy * d[2] + dz * d[3] >= 0.0 else -1.0
        d[0] += sign * dw
        d[1] += sign * dx
        d[2] += sign * dy
        d[3] += sign * dz


def wrapped(angle: float) -> float:
    """Return an angle within ±π."""
    return float((angle + np.pi) % (2.0 * np.pi) - np.pi)
