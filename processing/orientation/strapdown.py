"""Strapdown integration: the only work done for every sample."""

from typing import Final

import numpy as np

from processing._jit import kernel
from processing.orientation.layout import (
    BIAS,
    BLOCK_L,
    BLOCK_N,
    BLOCK_W,
    COUNT,
    GAIN,
    LAST_A,
    LAST_N,
    LAST_W,
    LEAD,
    MISSING,
    OFFSET,
    PHI,
    REF_A,
    REF_W,
    STARTED,
    SUM_A,
    SUM_A2,
    SUM_BLOW,
    SUM_F,
    SUM_L,
    SUM_P,
    SUM_R,
    SUM_RW,
    SUM_STEP2,
    SUM_W,
    SUM_W2,
    Q,
)
from processing.types import BoolArray, FloatArray

BLOCK_S: Final = 0.02
"""The sensitivities to bias, gyroscope matrix and lead are summed over blocks of this length, s: at
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


# Samples pass in parts, and a part in loops of one kind each. What does not depend on the sample
# before is worked out for eight samples at once. The compiler sees to that only where it knows how
# far apart rows lie, and where a loop reads behind what it writes: so all that loops hand on to one
# another stands in one array, in rows of a fixed length, the last made first.

_PART: Final = 64
"""Samples of a part: what its loops hand on stays in the first cache."""
PART_WIDTH: Final = _PART + 8
"""Length of a row. Where a row is of one column more, column 0 is the sample before the part."""
_F: Final = 0
"""Specific force in earth axes times dt (3 rows)."""
_L: Final = _F + 3
"""ω × f times dt in sensor axes (3)."""
_R: Final = _L + 3
"""Matrix of the attitude in the middle of the interval (9)."""
_Q: Final = _R + 9
"""Attitude (4); one column more."""
_T: Final = _Q + 4
"""Quaternion of the sample's rotation (4)."""
_U: Final = _T + 4
"""Rotation vector of the sample (3); one column more."""
PART_ROWS: Final = _U + 3


SERIES_RAD2: Final = 0.25
"""Square of the half angle of a sample up to which the series are used, rad²: their quaternion is
off by 1e-8 there."""


@kernel()
def _wide_turns(n: int, b: FloatArray) -> None:
    """Fill anew, without series, the rotations of samples that turn by more than 1 rad."""
    for i in range(n):
        lx, ly, lz = b[_U, i], b[_U + 1, i], b[_U + 2, i]
        ux, uy, uz = b[_U, 1 + i], b[_U + 1, 1 + i], b[_U + 2, 1 + i]
        tx = ux + (ly * uz - lz * uy) * (1.0 / 12.0)
        ty = uy + (lz * ux - lx * uz) * (1.0 / 12.0)
        tz = uz + (lx * uy - ly * ux) * (1.0 / 12.0)
        h = 0.25 * (tx * tx + ty * ty + tz * tz)
        if h > SERIES_RAD2:
            half = np.sqrt(h)
            c, k = np.cos(half), 0.5 * np.sin(half) / half
            if c < 0.0:  # the same attitude, and never the opposite of the one before
                c, k = -c, -k
            b[_T, i] = c
            b[_T + 1, i], b[_T + 2, i], b[_T + 3, i] = k * tx, k * ty, k * tz


@kernel()
def _turns(s: FloatArray, gyr: FloatArray, start: int, n: int, dt: float, b: FloatArray) -> None:
    """Fill the rotation of every sample."""
    if b.shape[1] != PART_WIDTH or gyr.shape[1] != 3:
        raise ValueError("rows of another width than they are compiled for")
    rate = gyr[start : start + n]
    bx, by, bz = s[BIAS], s[BIAS + 1], s[BIAS + 2]
    g00, g01, g02 = (1.0 + s[GAIN]) * dt, s[GAIN + 1] * dt, s[GAIN + 2] * dt
    g10, g11, g12 = s[GAIN + 3] * dt, (1.0 + s[GAIN + 4]) * dt, s[GAIN + 5] * dt
    g20, g21, g22 = s[GAIN + 6] * dt, s[GAIN + 7] * dt, (1.0 + s[GAIN + 8]) * dt
    b[_U, 0], b[_U + 1, 0], b[_U + 2, 0] = s[PHI], s[PHI + 1], s[PHI + 2]
    for i in range(n):
        gx, gy, gz = rate[i, 0] - bx, rate[i, 1] - by, rate[i, 2] - bz
        b[_U, 1 + i] = g00 * gx + g01 * gy + g02 * gz
        b[_U + 1, 1 + i] = g10 * gx + g11 * gy + g12 * gz
        b[_U + 2, 1 + i] = g20 * gx + g21 * gy + g22 * gz
    wide = 0
    for i in range(n):
        lx, ly, lz = b[_U, i], b[_U + 1, i], b[_U + 2, i]
        ux, uy, uz = b[_U, 1 + i], b[_U + 1, 1 + i], b[_U + 2, 1 + i]
        tx = ux + (ly * uz - lz * uy) * (1.0 / 12.0)
        ty = uy + (lz * ux - lx * uz) * (1.0 / 12.0)
        tz = uz + (lx * uy - ly * ux) * (1.0 / 12.0)
        h = 0.25 * (tx * tx + ty * ty + tz * tz)
        k = 0.5 - h * (1.0 / 12.0 - h * (1.0 / 240.0 - h * (1.0 / 10080.0)))
        c = 1.0 - h * (0.5 - h * (1.0 / 24.0 - h * (1.0 / 720.0)))
        # what the series lack of a unit quaternion is so little that first order mends it
        r = 1.5 - 0.5 * (c * c + 4.0 * h * k * k)
        k *= r
        b[_T, i] = c * r
        b[_T + 1, i], b[_T + 2, i], b[_T + 3, i] = k * tx, k * ty, k * tz
        wide += h > SERIES_RAD2
    if wide > 0:
        _wide_turns(n, b)
    s[PHI], s[PHI + 1], s[PHI + 2] = b[_U, n], b[_U + 1, n], b[_U + 2, n]


@kernel()
def _attitudes(s: FloatArray, start: int, n: int, b: FloatArray, out: FloatArray) -> None:
    """Chain the rotations to attitudes.

    Their length is left alone: products of unit quaternions lose it by rounding only, and the
    correction at the end of a window restores it.
    """
    if b.shape[1] != PART_WIDTH or out.shape[1] != 4:
        raise ValueError("rows of another width than they are compiled for")
    w, x, y, z = s[Q], s[Q + 1], s[Q + 2], s[Q + 3]
    b[_Q, 0], b[_Q + 1, 0], b[_Q + 2, 0], b[_Q + 3, 0] = w, x, y, z
    for i in range(n):
        c, tx, ty, tz = b[_T, i], b[_T + 1, i], b[_T + 2, i], b[_T + 3, i]
        nw = (w * c - x * tx) - (y * ty + z * tz)
        nx = (w * tx + x * c) + (y * tz - z * ty)
        ny = (w * ty - x * tz) + (y * c + z * tx)
        nz = (w * tz + x * ty) - (y * tx - z * c)
        w, x, y, z = nw, nx, ny, nz
        b[_Q, 1 + i], b[_Q + 1, 1 + i], b[_Q + 2, 1 + i], b[_Q + 3, 1 + i] = w, x, y, z
    s[Q], s[Q + 1], s[Q + 2], s[Q + 3] = w, x, y, z
    q = out[start : start + n]
    for i in range(n):
        q[i, 0], q[i, 1] = b[_Q, 1 + i], b[_Q + 1, 1 + i]
        q[i, 2], q[i, 3] = b[_Q + 2, 1 + i], b[_Q + 3, 1 + i]


@kernel()
def _forces(s: FloatArray, acc: FloatArray, start: int, n: int, dt: float, b: FloatArray) -> None:
    """Fill the matrix of every middle attitude and the specific force in earth axes."""
    if b.shape[1] != PART_WIDTH or acc.shape[1] != 3:
        raise ValueError("rows of another width than they are compiled for")
    force = acc[start : start + n]
    ox, oy, oz = s[OFFSET], s[OFFSET + 1], s[OFFSET + 2]
    lead = s[LEAD] / dt
    for i in range(n):
        # |q₀ + q₁|² = 2 + 2 cos(half angle)
        k = 2.0 / (2.0 + 2.0 * b[_T, i])
        ew, ex = b[_Q, i] + b[_Q, 1 + i], b[_Q + 1, i] + b[_Q + 1, 1 + i]
        ey, ez = b[_Q + 2, i] + b[_Q + 2, 1 + i], b[_Q + 3, i] + b[_Q + 3, 1 + i]
        r00 = 1.0 - k * (ey * ey + ez * ez)
        r01 = k * (ex * ey - ew * ez)
        r02 = k * (ex * ez + ew * ey)
        r10 = k * (ex * ey + ew * ez)
        r11 = 1.0 - k * (ex * ex + ez * ez)
        r12 = k * (ey * ez - ew * ex)
        r20 = k * (ex * ez - ew * ey)
        r21 = k * (ey * ez + ew * ex)
        r22 = 1.0 - k * (ex * ex + ey * ey)
        b[_R, i], b[_R + 1, i], b[_R + 2, i] = r00, r01, r02
        b[_R + 3, i], b[_R + 4, i], b[_R + 5, i] = r10, r11, r12
        b[_R + 6, i], b[_R + 7, i], b[_R + 8, i] = r20, r21, r22
        vx, vy, vz = force[i, 0] - ox, force[i, 1] - oy, force[i, 2] - oz
        ux, uy, uz = b[_U, 1 + i], b[_U + 1, 1 + i], b[_U + 2, 1 + i]
        dx, dy, dz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        b[_L, i], b[_L + 1, i], b[_L + 2, i] = dx, dy, dz
        ax, ay, az = vx + lead * dx, vy + lead * dy, vz + lead * dz
        b[_F, i] = (r00 * ax + r01 * ay + r02 * az) * dt
        b[_F + 1, i] = (r10 * ax + r11 * ay + r12 * az) * dt
        b[_F + 2, i] = (r20 * ax + r21 * ay + r22 * az) * dt


@kernel()
def _sums(
    s: FloatArray,
    gyr: FloatArray,
    acc: FloatArray,
    start: int,
    n: int,
    dt: float,
    b: FloatArray,
) -> None:
    """Add the part to what the window gathers."""
    fx, fy, fz = s[SUM_F], s[SUM_F + 1], s[SUM_F + 2]
    px, py, pz = s[SUM_P], s[SUM_P + 1], s[SUM_P + 2]
    for i in range(n):
        fx += b[_F, i]
        fy += b[_F + 1, i]
        fz += b[_F + 2, i]
        px += fx * dt
        py += fy * dt
        pz += fz * dt
    s[SUM_F], s[SUM_F + 1], s[SUM_F + 2] = fx, fy, fz
    s[SUM_P], s[SUM_P + 1], s[SUM_P + 2] = px, py, pz
    _spread(s, gyr, start, start + n, REF_W, SUM_W, SUM_W2)
    _steps(s, gyr, start, start + n)
    _spread(s, acc, start, start + n, REF_A, SUM_A, SUM_A2)
    s[COUNT] += n
    _blows(s, acc, start, start + n)
    _blocks(s, n, dt, b)


@kernel()
def _blocks(s: FloatArray, n: int, dt: float, b: FloatArray) -> None:
    """Add the blocks that end in the part to the integrals of R, R ω and R (ω × f)."""
    qx, qy, qz, held = s[BLOCK_W], s[BLOCK_W + 1], s[BLOCK_W + 2], s[BLOCK_N]
    ex, ey, ez = s[BLOCK_L], s[BLOCK_L + 1], s[BLOCK_L + 2]
    block = max(1.0, np.floor(BLOCK_S / dt))
    for i in range(n):
        qx += b[_U, 1 + i]
        qy += b[_U + 1, 1 + i]
        qz += b[_U + 2, 1 + i]
        ex += b[_L, i]
        ey += b[_L + 1, i]
        ez += b[_L + 2, i]
        held += 1.0
        if held >= block:
            span = held * dt
            for j in range(9):
                r = b[_R + j, i]
                s[SUM_R + j] += r * span
                s[SUM_RW + 3 * j] += r * qx
                s[SUM_RW + 3 * j + 1] += r * qy
                s[SUM_RW + 3 * j + 2] += r * qz
            for j in range(3):
                row = _R + 3 * j
                s[SUM_L + j] += b[row, i] * ex + b[row + 1, i] * ey + b[row + 2, i] * ez
            qx = qy = qz = ex = ey = ez = held = 0.0
    s[BLOCK_W], s[BLOCK_W + 1], s[BLOCK_W + 2], s[BLOCK_N] = qx, qy, qz, held
    s[BLOCK_L], s[BLOCK_L + 1], s[BLOCK_L + 2] = ex, ey, ez


@kernel()
def _blows(s: FloatArray, acc: FloatArray, start: int, stop: int) -> None:
    """Add the part's squared second differences of the specific force."""
    hx, hy, hz = s[LAST_A], s[LAST_A + 1], s[LAST_A + 2]
    jx, jy, jz = s[LAST_A + 3], s[LAST_A + 4], s[LAST_A + 5]
    blow, known = s[SUM_BLOW], s[LAST_N]
    for i in range(start, stop):
        dx, dy, dz = acc[i, 0] - hx, acc[i, 1] - hy, acc[i, 2] - hz
        if known >= 2.0:
            blow += (dx - jx) ** 2 + (dy - jy) ** 2 + (dz - jz) ** 2
        else:
            known += 1.0
        hx, hy, hz = acc[i, 0], acc[i, 1], acc[i, 2]
        jx, jy, jz = dx, dy, dz
    s[LAST_A], s[LAST_A + 1], s[LAST_A + 2] = hx, hy, hz
    s[LAST_A + 3], s[LAST_A + 4], s[LAST_A + 5] = jx, jy, jz
    s[SUM_BLOW], s[LAST_N] = blow, known


@kernel()
def _spread(
    s: FloatArray, values: FloatArray, start: int, stop: int, ref: int, first: int, square: int
) -> None:
    """Add the part's sums and sum of squares of `values`, about the window's reference."""
    rx, ry, rz = s[ref], s[ref + 1], s[ref + 2]
    sx, sy, sz, ss = s[first], s[first + 1], s[first + 2], s[square]
    for i in range(start, stop):
        dx, dy, dz = values[i, 0] - rx, values[i, 1] - ry, values[i, 2] - rz
        sx += dx
        sy += dy
        sz += dz
        ss += dx * dx + dy * dy + dz * dz
    s[first], s[first + 1], s[first + 2], s[square] = sx, sy, sz, ss


@kernel()
def _steps(s: FloatArray, gyr: FloatArray, start: int, stop: int) -> None:
    """Add the part's squared steps of the rate."""
    hx, hy, hz, ss = s[LAST_W], s[LAST_W + 1], s[LAST_W + 2], s[SUM_STEP2]
    for i in range(start, stop):
        dx, dy, dz = gyr[i, 0] - hx, gyr[i, 1] - hy, gyr[i, 2] - hz
        ss += dx * dx + dy * dy + dz * dz
        hx, hy, hz = gyr[i, 0], gyr[i, 1], gyr[i, 2]
    s[LAST_W], s[LAST_W + 1], s[LAST_W + 2], s[SUM_STEP2] = hx, hy, hz, ss


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
    b: FloatArray,
) -> None:
    """Advance state `s` over samples [start, stop) and write the attitudes to `out`.

    The rate is the mean over the interval that ends at the sample. Rotation vector of a sample:
    φ = ω dt + φ₋₁ × φ / 12, the two-sample coning term (Savage 1998, eq. 42 truncated), which makes
    the integral exact for rates that change linearly. The specific force is turned with the
    attitude at the middle of the interval: half the sum of the quaternions at its two ends.
    `b` (`PART_ROWS`, `PART_WIDTH`) is scratch.
    """
    i = start
    while i < stop:
        if not valid[i]:
            s[MISSING] += 1.0
            s[LAST_N] = 0.0
            for j in range(3):
                s[PHI + j] = 0.0
            for j in range(4):
                out[i, j] = s[Q + j]
            i += 1
            continue
        if s[STARTED] == 0.0:
            start_attitude(s, acc[i, 0], acc[i, 1], acc[i, 2])
        if s[COUNT] == 0.0:
            s[SUM_STEP2] = 0.0
            for j in range(3):
                s[LAST_W + j] = gyr[i, j]
                s[REF_W + j] = gyr[i, j]
                s[REF_A + j] = acc[i, j]
        end = i + 1
        limit = min(stop, i + _PART)
        while end < limit and valid[end]:
            end += 1
        n = end - i
        _turns(s, gyr, i, n, dt, b)
        _attitudes(s, i, n, b, out)
        _forces(s, acc, i, n, dt, b)
        _sums(s, gyr, acc, i, n, dt, b)
        i = end
