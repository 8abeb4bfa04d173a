"""The neck joint: head and trunk share a point, and with it an acceleration.

Seen from either sensor, the neck joint has the specific force (Seel, Schauer, Raisch 2012)::

    a = R (f - C r)        C = [ω' x] + [ω x]²        r: from the joint to the sensor

Both must agree. The horizontal acceleration of someone who walks points somewhere, and that tells
the heading of the head against the trunk (Kok, Eckhoff, Weygers, Seel 2022), as nothing else does
between two reference poses. With the correction ψ of that heading and those of both arms,

    a_trunk - a_head = (z x a_head) ψ - R_h C_h dr_h + R_t C_t dr_t + noise

is solved by least squares over a window, means removed: what a window cannot tell from tilt and
offset goes with them. The seven unknowns enter the filter with the normal equations, so the filter
learns the arms as well: nobody measures them.

A neck is no ball joint and skin gives way, the same way in every stride: that misfit is no noise.
So heading is measured up to a turn that all walking shares, a state of its own. What walking gives
is mostly how far heading has drifted since the first walk.
"""

from typing import Final

import numpy as np

from processing._jit import kernel
from processing.orientation.layout import (
    ARM,
    ARMS,
    BIAS,
    MISFIT,
    MISFIT_ERROR,
    N_ERROR,
    OFFSET,
    TH,
)
from processing.types import BoolArray, FloatArray

EVERY_ROWS: Final = 3
"""One row in so many is looked at: walking has nothing beyond 10 Hz."""
LEAST_MS2: Final = 0.3
"""Standard deviation of the trunk's specific force in the window before from which on it is worth
looking."""
LEAST_LEVEL_MS2: Final = 0.5
"""Horizontal acceleration of the joint, root mean square per axis, that heading is taken from."""
LEAST_RATIO: Final = 4.0
"""It must exceed the variance of what both sensors disagree about by this factor: noise in the
acceleration itself would pass for agreement with the heading that the filter believes in."""
NOISE_FLOOR_MS2: Final = 0.05
"""No agreement is better than this."""
HEADING_LIMIT_RAD: Final = 0.5
"""Heading less certain than this is not corrected: the equation is linear for small angles only."""

COLUMNS: Final = 8
"""Arms of head and trunk (6), ψ, and the difference."""
_PSI: Final = 6
_Y: Final = 7
SUM: Final = 0
"""Sums of the columns, per axis: 3 x 8."""
SQUARES: Final = 24
"""Sums of their products over the axes, 8 x 8, lower triangle."""
COUNT_J: Final = 88
LAST: Final = 89
"""The row before: rate, specific force, attitude of head and of trunk."""
LAST_KNOWN: Final = 109
ACTIVE: Final = 110
N_JOINT: Final = 111


@kernel()
def gather_joint(
    joint: FloatArray,
    x: FloatArray,
    head_gyr: FloatArray,
    trunk_gyr: FloatArray,
    head_acc: FloatArray,
    trunk_acc: FloatArray,
    head_valid: BoolArray,
    trunk_valid: BoolArray,
    start: int,
    stop: int,
    k0: int,
    dt: float,
    q: FloatArray,
) -> None:
    """Add rows [start, stop), one in `EVERY_ROWS`, to the normal equations of the window.

    A rate is the mean over the interval that ends at its row, so a row's own rate and its change
    need the next one: each row is looked at when the one after it has come.
    """
    if joint[ACTIVE] == 0.0:
        return
    A = np.empty((3, COLUMNS))
    a = np.empty((2, 3))
    for i in range(start, stop):
        known = head_valid[i] and trunk_valid[i]
        if known and joint[LAST_KNOWN] > 0.0 and (k0 + i) % EVERY_ROWS == 0:
            for s in range(2):
                gyr = head_gyr if s == 0 else trunk_gyr
                _joint_force(
                    joint[LAST + 10 * s : LAST + 10 * s + 10], gyr[i], x[s], dt, s, A, a[s]
                )
            A[0, _PSI], A[1, _PSI], A[2, _PSI] = -a[0, 1], a[0, 0], 0.0
            for j in range(3):
                A[j, _Y] = a[1, j] - a[0, j]
                for m in range(COLUMNS):
                    joint[SUM + COLUMNS * j + m] += A[j, m]
            for m in range(COLUMNS):
                for k in range(m + 1):
                    joint[SQUARES + COLUMNS * m + k] += (
                        A[0, m] * A[0, k] + A[1, m] * A[1, k] + A[2, m] * A[2, k]
                    )
            joint[COUNT_J] += 1.0
        joint[LAST_KNOWN] = 1.0 if known else 0.0
        if i + 1 == stop or (k0 + i + 1) % EVERY_ROWS == 0:
            for j in range(3):
                joint[LAST + j] = head_gyr[i, j]
                joint[LAST + 3 + j] = head_acc[i, j]
                joint[LAST + 10 + j] = trunk_gyr[i, j]
                joint[LAST + 13 + j] = trunk_acc[i, j]
            for j in range(4):
                joint[LAST + 6 + j] = q[0, i, j]
                joint[LAST + 16 + j] = q[1, i, j]


@kernel()
def _joint_force(
    row: FloatArray, later: FloatArray, s: FloatArray, dt: float, sensor: int, A: FloatArray,
    a: FloatArray,
) -> None:  # fmt: skip
    """Write the joint's specific force in earth axes to `a`, and what the arm changes in it to A.

    `row` is a row as `LAST` lists it, `later` the rate of the next.
    """
    C, R, f = np.empty((3, 3)), np.empty((3, 3)), np.empty(3)
    wx = 0.5 * (row[0] + later[0]) - s[BIAS]
    wy = 0.5 * (row[1] + later[1]) - s[BIAS + 1]
    wz = 0.5 * (row[2] + later[2]) - s[BIAS + 2]
    dx, dy, dz = (later[0] - row[0]) / dt, (later[1] - row[1]) / dt, (later[2] - row[2]) / dt
    C[0, 0], C[0, 1], C[0, 2] = -(wy * wy + wz * wz), wx * wy - dz, wx * wz + dy
    C[1, 0], C[1, 1], C[1, 2] = wx * wy + dz, -(wx * wx + wz * wz), wy * wz - dx
    C[2, 0], C[2, 1], C[2, 2] = wx * wz - dy, wy * wz + dx, -(wx * wx + wy * wy)
    matrix_of(row[6:10], R)
    for j in range(3):
        f[j] = row[3 + j] - s[OFFSET + j]
        for m in range(3):
            f[j] -= C[j, m] * s[ARM + m]
    sign = 2.0 * sensor - 1.0
    for j in range(3):
        a[j] = R[j, 0] * f[0] + R[j, 1] * f[1] + R[j, 2] * f[2]
        for m in range(3):
            change = R[j, 0] * C[0, m] + R[j, 1] * C[1, m] + R[j, 2] * C[2, m]
            A[j, 3 * sensor + m] = sign * change


@kernel()
def matrix_of(q: FloatArray, R: FloatArray) -> None:
    """Write the rotation matrix of a quaternion."""
    w, x, y, z = q[0], q[1], q[2], q[3]
    R[0, 0], R[0, 1], R[0, 2] = 1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)
    R[1, 0], R[1, 1], R[1, 2] = 2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)
    R[2, 0], R[2, 1], R[2, 2] = 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)


@kernel()
def expect_joint(
    joint: FloatArray,
    x: FloatArray,
    P: FloatArray,
    inflation: float,
    H: FloatArray,
    values: FloatArray,
    count: int,
) -> int:
    """Append the window's normal equations to a batch of measurements; return its new length.

    N = L D Lᵀ turns them into independent scalar measurements: lᵢᵀ u = cᵢ with variance σ²/dᵢ.
    """
    n = joint[COUNT_J]
    head, trunk = TH + 2, N_ERROR + TH + 2
    variance = P[head, head] + P[trunk, trunk] - 2.0 * P[head, trunk]
    if n < 12.0 or variance > HEADING_LIMIT_RAD * HEADING_LIMIT_RAD:
        return count
    N = np.empty((COLUMNS, COLUMNS))
    for m in range(COLUMNS):
        for k in range(m + 1):
            total = joint[SQUARES + COLUMNS * m + k]
            for j in range(3):
                total -= joint[SUM + COLUMNS * j + m] * joint[SUM + COLUMNS * j + k] / n
            N[m, k] = total
    level = N[_PSI, _PSI] / (2.0 * n)
    D = np.zeros(COLUMNS)
    L = np.zeros((COLUMNS, COLUMNS))
    for i in range(COLUMNS):
        D[i] = N[i, i]
        for k in range(i):
            D[i] -= L[i, k] * L[i, k] * D[k]
        if i < _Y and D[i] < 1e-6 * N[i, i]:
            D[i] = 0.0
        L[i, i] = 1.0
        for m in range(i + 1, COLUMNS):
            total = N[m, i]
            for k in range(i):
                total -= L[m, k] * L[i, k] * D[k]
            L[m, i] = total / D[i] if D[i] > 0.0 else 0.0
    # the last pivot is what the least squares leave of the difference
    left = max(D[_Y] / (3.0 * n - 10.0), NOISE_FLOOR_MS2 * NOISE_FLOOR_MS2)
    if level < LEAST_LEVEL_MS2 * LEAST_LEVEL_MS2 or level < LEAST_RATIO * left:
        return count
    for i in range(_Y):
        if D[i] <= 0.0:
            continue
        h = H[count]
        for m in range(i, 6):
            h[ARMS + m] = L[m, i]
        to = L[_PSI, i]
        h[head] = to
        h[trunk] = -to
        h[MISFIT_ERROR] = to
        values[count, 0] = L[_Y, i] - to * x[0, MISFIT]
        values[count, 1] = inflation * left / D[i]
        count += 1
    return count


@kernel()
def close_joint(joint: FloatArray, active: bool) -> None:
    """Begin the next window; `active`: its rows are worth looking at."""
    for j in range(LAST):
        joint[j] = 0.0
    joint[LAST_KNOWN] = 0.0
    joint[ACTIVE] = 1.0 if active else 0.0
