"""Strapdown integration: the only work done for every sample."""

from typing import Final

import numpy as np

from processing._jit import kernel
from processing.orientation.layout import (
    BIAS,
    BLOCK_N,
    BLOCK_W,
    COUNT,
    GAIN,
    LEAD,
    MISSING,
    OFFSET,
    PHI,
    REF_A,
    REF_W,
    STARTED,
    SUM_A,
    SUM_A2,
    SUM_F,
    SUM_P,
    SUM_R,
    SUM_RW,
    SUM_W,
    SUM_W2,
    Q,
)
from processing.types import BoolArray, FloatArray

BLOCK_S: Final = 0.02
"""The sensitivities to bias and gyroscope matrix are summed over blocks of this length, s: at
200 °/s a block turns by 4°."""


@kernel()
def start_attitude(s: FloatArray, ax: float, ay: float, az: float) -> None:
    """Set the attitude of state `s` from one specific force: shortest turn that makes it point up.

    Heading starts wherever that turn leaves it: without a magnetometer it has no meaning.
    """
    norm = np.sqrt(ax * ax + ay * ay + az * az)
    s[STARTED] = 1.0
    if norm < 1e-9:
        s[Q], s[Q + 1], s[Q + 2], s[Q + 3] = 1.0, 0.0, 0.0, 0.0
        return
    ux, uy, uz = ax / norm, ay / norm, az / norm
    if uz > -0.999999:
        w = np.sqrt(0.5 * (1.0 + uz))
        s[Q], s[Q + 1], s[Q + 2], s[Q + 3] = w, 0.5 * uy / w, -0.5 * ux / w, 0.0
    else:
        s[Q], s[Q + 1], s[Q + 2], s[Q + 3] = 0.0, 1.0, 0.0, 0.0


@kernel()
def integrate(
    s: FloatArray,
    gyr: FloatArray,
    acc: FloatArray,
    valid: BoolArray,
    start: int,
    stop: int,
    dt: float,
    out: FloatArray,
) -> None:
    """Advance state `s` over samples [start, stop) and write the attitudes to `out`.

    The rate is the mean over the interval that ends at the sample. Rotation vector of a sample:
    φ = ω dt + φ₋₁ × φ / 12, the two-sample coning term (Savage 1998, eq. 42 truncated), which makes
    the integral exact for rates that change linearly. The specific force is turned with the
    attitude at the middle of the interval: half the sum of the quaternions at its two ends.
    """
    w, x, y, z = s[Q], s[Q + 1], s[Q + 2], s[Q + 3]
    bx, by, bz = s[BIAS], s[BIAS + 1], s[BIAS + 2]
    ox, oy, oz = s[OFFSET], s[OFFSET + 1], s[OFFSET + 2]
    g00, g01, g02 = (1.0 + s[GAIN]) * dt, s[GAIN + 1] * dt, s[GAIN + 2] * dt
    g10, g11, g12 = s[GAIN + 3] * dt, (1.0 + s[GAIN + 4]) * dt, s[GAIN + 5] * dt
    g20, g21, g22 = s[GAIN + 6] * dt, s[GAIN + 7] * dt, (1.0 + s[GAIN + 8]) * dt
    lx, ly, lz = s[PHI], s[PHI + 1], s[PHI + 2]
    qx, qy, qz, held = s[BLOCK_W], s[BLOCK_W + 1], s[BLOCK_W + 2], s[BLOCK_N]
    block = max(1.0, np.floor(BLOCK_S / dt))
    fx, fy, fz = s[SUM_F], s[SUM_F + 1], s[SUM_F + 2]
    px, py, pz = s[SUM_P], s[SUM_P + 1], s[SUM_P + 2]
    wx, wy, wz, ww = s[SUM_W], s[SUM_W + 1], s[SUM_W + 2], s[SUM_W2]
    rx, ry, rz = s[REF_W], s[REF_W + 1], s[REF_W + 2]
    sx, sy, sz, ss = s[SUM_A], s[SUM_A + 1], s[SUM_A + 2], s[SUM_A2]
    cx, cy, cz = s[REF_A], s[REF_A + 1], s[REF_A + 2]
    count = s[COUNT]
    lead = s[LEAD] / dt
    for i in range(start, stop):
        if not valid[i]:
            s[MISSING] += 1.0
            lx = ly = lz = 0.0
            out[i, 0], out[i, 1], out[i, 2], out[i, 3] = w, x, y, z
            continue
        gx, gy, gz = gyr[i, 0], gyr[i, 1], gyr[i, 2]
        ax, ay, az = acc[i, 0], acc[i, 1], acc[i, 2]
        if s[STARTED] == 0.0:
            start_attitude(s, ax, ay, az)
            w, x, y, z = s[Q], s[Q + 1], s[Q + 2], s[Q + 3]
        if count == 0.0:
            rx, ry, rz = gx, gy, gz
            cx, cy, cz = ax, ay, az
        count += 1.0
        dx, dy, dz = gx - rx, gy - ry, gz - rz
        wx += dx
        wy += dy
        wz += dz
        ww += dx * dx + dy * dy + dz * dz
        dx, dy, dz = ax - cx, ay - cy, az - cz
        sx += dx
        sy += dy
        sz += dz
        ss += dx * dx + dy * dy + dz * dz
        gx, gy, gz = gx - bx, gy - by, gz - bz
        ux = g00 * gx + g01 * gy + g02 * gz
        uy = g10 * gx + g11 * gy + g12 * gz
        uz = g20 * gx + g21 * gy + g22 * gz
        tx = ux + (ly * uz - lz * uy) * (1.0 / 12.0)
        ty = uy + (lz * ux - lx * uz) * (1.0 / 12.0)
        tz = uz + (lx * uy - ly * ux) * (1.0 / 12.0)
        lx, ly, lz = ux, uy, uz
        h = 0.25 * (tx * tx + ty * ty + tz * tz)
        c = 1.0 - h * (0.5 - h * (1.0 / 24.0 - h * (1.0 / 720.0)))
        k = 0.5 - h * (1.0 / 12.0 - h * (1.0 / 240.0 - h * (1.0 / 10080.0)))
        tx, ty, tz = k * tx, k * ty, k * tz
        nw = w * c - x * tx - y * ty - z * tz
        nx = w * tx + x * c + y * tz - z * ty
        ny = w * ty - x * tz + y * c + z * tx
        nz = w * tz + x * ty - y * tx + z * c
        # matrix of the middle attitude; |q₀ + q₁|² = 2 + 2 cos(half angle)
        k = 2.0 / (2.0 + 2.0 * c)
        ew, ex, ey, ez = w + nw, x + nx, y + ny, z + nz
        w, x, y, z = nw, nx, ny, nz
        r00 = 1.0 - k * (ey * ey + ez * ez)
        r01 = k * (ex * ey - ew * ez)
        r02 = k * (ex * ez + ew * ey)
        r10 = k * (ex * ey + ew * ez)
        r11 = 1.0 - k * (ex * ex + ez * ez)
        r12 = k * (ey * ez - ew * ex)
        r20 = k * (ex * ez - ew * ey)
        r21 = k * (ey * ez + ew * ex)
        r22 = 1.0 - k * (ex * ex + ey * ey)
        qx += lx
        qy += ly
        qz += lz
        held += 1.0
        if held >= block:
            s[SUM_R + 0] += r00 * held * dt
            s[SUM_R + 1] += r01 * held * dt
            s[SUM_R + 2] += r02 * held * dt
            s[SUM_R + 3] += r10 * held * dt
            s[SUM_R + 4] += r11 * held * dt
            s[SUM_R + 5] += r12 * held * dt
            s[SUM_R + 6] += r20 * held * dt
            s[SUM_R + 7] += r21 * held * dt
            s[SUM_R + 8] += r22 * held * dt
            s[SUM_RW + 0] += r00 * qx
            s[SUM_RW + 1] += r00 * qy
            s[SUM_RW + 2] += r00 * qz
            s[SUM_RW + 3] += r01 * qx
            s[SUM_RW + 4] += r01 * qy
            s[SUM_RW + 5] += r01 * qz
            s[SUM_RW + 6] += r02 * qx
            s[SUM_RW + 7] += r02 * qy
            s[SUM_RW + 8] += r02 * qz
            s[SUM_RW + 9] += r10 * qx
            s[SUM_RW + 10] += r10 * qy
            s[SUM_RW + 11] += r10 * qz
            s[SUM_RW + 12] += r11 * qx
            s[SUM_RW + 13] += r11 * qy
            s[SUM_RW + 14] += r11 * qz
            s[SUM_RW + 15] += r12 * qx
            s[SUM_RW + 16] += r12 * qy
            s[SUM_RW + 17] += r12 * qz
            s[SUM_RW + 18] += r20 * qx
            s[SUM_RW + 19] += r20 * qy
            s[SUM_RW + 20] += r20 * qz
            s[SUM_RW + 21] += r21 * qx
            s[SUM_RW + 22] += r21 * qy
            s[SUM_RW + 23] += r21 * qz
            s[SUM_RW + 24] += r22 * qx
            s[SUM_RW + 25] += r22 * qy
            s[SUM_RW + 26] += r22 * qz
            qx = qy = qz = held = 0.0
            # first order is exact to rounding, because the drift over a block is tiny
            r = 1.5 - 0.5 * (w * w + x * x + y * y + z * z)
            w, x, y, z = w * r, x * r, y * r, z * r
        ax, ay, az = ax - ox, ay - oy, az - oz
        dx, dy, dz = lead * lx, lead * ly, lead * lz
        ax, ay, az = ax + dy * az - dz * ay, ay + dz * ax - dx * az, az + dx * ay - dy * ax
        fx += (r00 * ax + r01 * ay + r02 * az) * dt
        fy += (r10 * ax + r11 * ay + r12 * az) * dt
        fz += (r20 * ax + r21 * ay + r22 * az) * dt
        px += fx * dt
        py += fy * dt
        pz += fz * dt
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = w, x, y, z
    s[Q], s[Q + 1], s[Q + 2], s[Q + 3] = w, x, y, z
    s[PHI], s[PHI + 1], s[PHI + 2] = lx, ly, lz
    s[BLOCK_W], s[BLOCK_W + 1], s[BLOCK_W + 2], s[BLOCK_N] = qx, qy, qz, held
    s[SUM_F], s[SUM_F + 1], s[SUM_F + 2] = fx, fy, fz
    s[SUM_P], s[SUM_P + 1], s[SUM_P + 2] = px, py, pz
    s[SUM_W], s[SUM_W + 1], s[SUM_W + 2], s[SUM_W2] = wx, wy, wz, ww
    s[REF_W], s[REF_W + 1], s[REF_W + 2] = rx, ry, rz
    s[SUM_A], s[SUM_A + 1], s[SUM_A + 2], s[SUM_A2] = sx, sy, sz, ss
    s[REF_A], s[REF_A + 1], s[REF_A + 2] = cx, cy, cz
    s[COUNT] = count
