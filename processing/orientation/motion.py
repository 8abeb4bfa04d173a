"""Gravity from a coloured model of motion acceleration.

The earth-frame specific force is gravity plus the acceleration of a body that stays within reach.
Its position is modelled as white acceleration w through a double real pole p::

    w = a + 2 p v + p² x        (Gauss-Markov position of second order, Gelb 1974, ch. 3)

so the spectrum of a is flat above the pole and falls by 12 dB per octave below it: slow
acceleration must be tilt. Every window measures w = 0 with the variance that recent windows had.
Velocity and position come from integrating a, so a tilt error shows first in w, then grows in v and
x: the filter sees it at every time scale at once, where a low-pass filter sees it at one.
"""

from processing._jit import kernel
from processing.orientation.covariance import GRAVITY_MS2
from processing.orientation.layout import (
    AO,
    COUNT,
    LE,
    PO,
    POS,
    POWER,
    POWER_UP,
    SLOW,
    SUM_F,
    SUM_L,
    SUM_P,
    SUM_R,
    TH,
    VE,
    VEL,
)
from processing.orientation.tuning import POLE, POSITION_0, POWER_FLOOR, POWER_MEMORY, VELOCITY_0
from processing.types import FloatArray


@kernel()
def move(s: FloatArray, T: float) -> None:
    """Integrate velocity and position over a window of T seconds."""
    for j in range(3):
        g = GRAVITY_MS2 if j == 2 else 0.0
        s[POS + j] += T * s[VEL + j] + s[SUM_P + j] - 0.5 * g * T * T
        s[VEL + j] += s[SUM_F + j] - g * T


@kernel()
def forget(s: FloatArray, P: FloatArray, r: int, k: FloatArray) -> None:
    """Forget velocity and position after missing samples."""
    for j in range(3):
        s[VEL + j] = 0.0
        s[POS + j] = 0.0
    for j in range(6):
        for m in range(P.shape[0]):
            P[r + VE + j, m] = 0.0
            P[m, r + VE + j] = 0.0
    for j in range(3):
        P[r + VE + j, r + VE + j] = k[VELOCITY_0] ** 2
        P[r + PO + j, r + PO + j] = k[POSITION_0] ** 2


@kernel()
def expect_still(
    s: FloatArray, r: int, k: FloatArray, dt: float, H: FloatArray, values: FloatArray, count: int
) -> int:
    """Append w = 0 along the three earth axes to a batch of measurements; return its new length.

    The power of w rises at once and falls with a memory of some seconds: a window of violent motion
    must not be believed because the ones before were calm. The two horizontal axes share theirs, so
    that the heading, which is arbitrary, changes nothing.
    """
    T = s[COUNT] * dt
    pole = k[POLE]
    for j in range(3):
        w = s[SUM_F + j] / T + 2.0 * pole * s[VEL + j] + pole * pole * s[POS + j]
        if j == 2:
            w -= GRAVITY_MS2
        values[count + j, 0] = -w
    memory = min(1.0, T / k[POWER_MEMORY])
    x, y, z = values[count, 0], values[count + 1, 0], values[count + 2, 0]
    level, up = 0.5 * (x * x + y * y) * T, z * z * T
    s[POWER] = max(level, s[POWER] + memory * (level - s[POWER]))
    s[POWER_UP] = max(up, s[POWER_UP] + memory * (up - s[POWER_UP]))
    for j in range(3):
        h = H[count + j]
        values[count + j, 1] = max(s[POWER_UP if j == 2 else POWER], k[POWER_FLOOR]) / T
        for m in range(3):
            h[r + AO + m] = -s[SLOW + 3 * j + m]
        h[r + LE] = s[SLOW + SUM_L - SUM_R + j]
        h[r + VE + j] = 2.0 * pole
        h[r + PO + j] = pole * pole
    H[count, r + TH + 1] = GRAVITY_MS2
    H[count + 1, r + TH] = -GRAVITY_MS2
    return count + 3


@kernel()
def power(s: FloatArray) -> float:
    """Return the spectral density of the motion acceleration where it is largest, (m/s²)² s."""
    return float(max(s[POWER], s[POWER_UP]))
