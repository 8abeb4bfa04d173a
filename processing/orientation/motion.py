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
from processing.orientation.covariance import GRAVITY_MS2, measure
from processing.orientation.layout import (
    AO,
    COUNT,
    PO,
    POS,
    POWER,
    SLOW,
    SUM_F,
    SUM_P,
    TH,
    VE,
    VEL,
)
from processing.orientation.tuning import POLE, POSITION_0, POWER_FLOOR, POWER_MEMORY, VELOCITY_0
from processing.types import FloatArray, IntArray


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
def measure_motion(
    s: FloatArray,
    P: FloatArray,
    r: int,
    k: FloatArray,
    dt: float,
    h: FloatArray,
    dx: FloatArray,
    gain: FloatArray,
    tape: FloatArray,
    used: IntArray,
) -> None:
    """Measure w = 0 along the three earth axes.

    The power of w rises at once and falls with a memory of some seconds: a window of violent motion
    must not be believed because the ones before were calm.
    """
    T = s[COUNT] * dt
    keep = min(1.0, T / k[POWER_MEMORY])
    c1 = 2.0 * k[POLE]
    c0 = k[POLE] * k[POLE]
    wx = s[SUM_F] / T + c1 * s[VEL] + c0 * s[POS]
    wy = s[SUM_F + 1] / T + c1 * s[VEL + 1] + c0 * s[POS + 1]
    wz = s[SUM_F + 2] / T - GRAVITY_MS2 + c1 * s[VEL + 2] + c0 * s[POS + 2]
    power = (wx * wx + wy * wy + wz * wz) * T / 3.0
    s[POWER] = max(power, s[POWER] + keep * (power - s[POWER]))
    variance = max(s[POWER], k[POWER_FLOOR]) / T
    for j in range(3):
        for m in range(3):
            h[r + AO + m] = -s[SLOW + 3 * j + m]
        h[r + VE + j] = c1
        h[r + PO + j] = c0
        if j == 0:
            w = wx
            h[r + TH + 1] = GRAVITY_MS2
        elif j == 1:
            w = wy
            h[r + TH] = -GRAVITY_MS2
        else:
            w = wz
        measure(P, h, -w, variance, dx, gain, tape, used)
