"""Feeding corrections of the error state back into the running state."""

import numpy as np

from processing._jit import kernel
from processing.orientation.layout import (
    AO,
    ARM,
    ARMS,
    BI,
    BIAS,
    COMMON,
    GAIN,
    LE,
    LEAD,
    MG,
    MISFIT,
    MISFIT_ERROR,
    OFFSET,
    PO,
    POS,
    REFERENCE,
    TH,
    VE,
    VEL,
    WARM,
    WARMING,
    Q,
)
from processing.orientation.repetition import own_error
from processing.types import FloatArray


@kernel()
def apply_correction(s: FloatArray, dx: FloatArray, r: int) -> None:
    """Move the corrections of the sensor at row r of `dx` into its running state `s`."""
    ax, ay, az = 0.5 * dx[r + TH], 0.5 * dx[r + TH + 1], 0.5 * dx[r + TH + 2]
    angle = np.sqrt(ax * ax + ay * ay + az * az)
    k = np.sin(angle) / angle if angle > 1e-12 else 1.0
    c = np.cos(angle)
    ax, ay, az = k * ax, k * ay, k * az
    w, x, y, z = s[Q], s[Q + 1], s[Q + 2], s[Q + 3]
    # to unit length; first order is exact to rounding, because a window loses so little of it
    unit = 1.5 - 0.5 * (w * w + x * x + y * y + z * z)
    w, x, y, z = w * unit, x * unit, y * unit, z * unit
    s[Q] = c * w - ax * x - ay * y - az * z
    s[Q + 1] = c * x + ax * w + ay * z - az * y
    s[Q + 2] = c * y - ax * z + ay * w + az * x
    s[Q + 3] = c * z + ax * y - ay * x + az * w
    for i in range(9):
        s[GAIN + i] += dx[r + MG + i]
    s[LEAD] += dx[r + LE]
    for i in range(3):
        s[BIAS + i] += dx[r + BI + i]
        s[OFFSET + i] += dx[r + AO + i]
        s[VEL + i] += dx[r + VE + i]
        s[POS + i] += dx[r + PO + i]


@kernel()
def correct_common(x: FloatArray, dx: FloatArray) -> None:
    """Move the corrections of what both sensors share into their running states."""
    x[0, COMMON] += dx[REFERENCE]
    own = own_error(dx.shape[0])
    if own >= 0:
        x[1, COMMON] += dx[own]
    x[0, MISFIT] += dx[MISFIT_ERROR]
    for j in range(3):
        x[0, ARM + j] += dx[ARMS + j]
        x[1, ARM + j] += dx[ARMS + 3 + j]
        x[0, WARMING + j] += dx[WARM + j]
        x[1, WARMING + j] += dx[WARM + 3 + j]
