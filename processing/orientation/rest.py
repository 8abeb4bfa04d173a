"""Rest at the sensor's own noise floor: the sensor lies on a table, never on a person.

A worn sensor is never still enough: its slow posture drift would be learnt as gyroscope bias. So
rest needs the spread of rate and specific force at the floor of the device for seconds, a mean rate
that the remaining uncertainty of the bias can explain, and that it does not change: a slow sway
hides below the noise of one window, but not from one window to the next.

The floor of the gyroscope is what the quietest 2 s so far show, an assumed one until then. Above
the assumed one it is learnt where `floor_most_dps` allows, from white noise only.
"""

import numpy as np

from processing._jit import kernel
from processing.orientation.layout import (
    AGE_S,
    BI,
    BIAS,
    COUNT,
    FLOOR_A,
    FLOOR_KNOWN,
    FLOOR_W,
    QUIET_A,
    QUIET_STEP,
    QUIET_W,
    REF_W,
    STILL_S,
    STILL_W,
    SUM_A,
    SUM_A2,
    SUM_STEP2,
    SUM_W,
    SUM_W2,
)
from processing.orientation.tuning import FLOOR_MOST, LEARN_FLOOR, REST_RATIO, REST_TIME
from processing.types import FloatArray

UNCHANGED_SIGMAS = 4.0
"""A mean rate that moved by more than this many standard deviations of its noise is motion."""
WHITE_RATIO = 1.25
"""Noise whose variance differs from half its mean square step by more than this factor is not
white. Of 2 s at 25 Hz in three axes the ratio is known to 8 %."""
EXPLAINED_SIGMAS = 3.0
"""A mean rate beyond this many standard deviations of the bias is motion."""


@kernel()
def variance_of(s: FloatArray, first: int, squares: int) -> float:
    """Return the variance per axis inside the window from sums and the sum of squares."""
    n = s[COUNT]
    spread = s[squares]
    for j in range(3):
        spread -= s[first + j] * s[first + j] / n
    return float(max(spread, 0.0) / (3.0 * max(n - 1.0, 1.0)))


@kernel()
def learn_floor(s: FloatArray, most: float) -> None:
    """Take the last 2 s for the gyroscope's noise floor if none were quieter.

    A floor above the assumed one lets in more motion. It is learnt from white noise only: its
    variance is half the mean square of its steps from sample to sample (von Neumann 1941), while
    a wearer's motion is slower than that.
    """
    now = np.sqrt(s[QUIET_W])
    if now < s[FLOOR_W]:
        s[FLOOR_W] = now
        s[FLOOR_KNOWN] = 1.0
    elif s[FLOOR_KNOWN] == 0.0 and now < most:
        ratio = s[QUIET_W] / max(s[QUIET_STEP], 1e-30)
        if 1.0 / WHITE_RATIO < ratio < WHITE_RATIO:
            s[FLOOR_W] = now
            s[FLOOR_KNOWN] = 1.0


@kernel()
def expect_bias(
    s: FloatArray,
    P: FloatArray,
    r: int,
    k: FloatArray,
    dt: float,
    H: FloatArray,
    values: FloatArray,
    count: int,
) -> int:
    """Learn the noise floors and recognise rest; at rest, append the mean rate as measured bias.

    Returns the new length of the batch of measurements.
    """
    n = s[COUNT]
    T = n * dt
    var_w = variance_of(s, SUM_W, SUM_W2)
    var_a = variance_of(s, SUM_A, SUM_A2)
    s[AGE_S] += T
    memory = min(1.0, T / min(s[AGE_S], k[REST_TIME]))
    s[QUIET_W] += memory * (var_w - s[QUIET_W])
    s[QUIET_A] += memory * (var_a - s[QUIET_A])
    s[QUIET_STEP] += memory * (s[SUM_STEP2] / (6.0 * max(n - 1.0, 1.0)) - s[QUIET_STEP])
    if s[AGE_S] >= k[REST_TIME]:
        if k[LEARN_FLOOR] > 0.0:
            learn_floor(s, k[FLOOR_MOST] * np.sqrt(0.5 / dt))
        s[FLOOR_A] = min(s[FLOOR_A], np.sqrt(s[QUIET_A]))
    noise = s[FLOOR_W] * s[FLOOR_W] / n
    quiet = var_w < (k[REST_RATIO] * s[FLOOR_W]) ** 2 and var_a < (k[REST_RATIO] * s[FLOOR_A]) ** 2
    for j in range(3):
        rate = s[SUM_W + j] / n + s[REF_W + j] - s[BIAS + j]
        allowed = EXPLAINED_SIGMAS**2 * (P[r + BI + j, r + BI + j] + 2.0 * noise)
        quiet = quiet and rate * rate < allowed
        if s[STILL_S] > 0.0:
            change = rate + s[BIAS + j] - s[STILL_W + j]
            quiet = quiet and change * change < UNCHANGED_SIGMAS**2 * 2.0 * noise
    if not quiet:
        s[STILL_S] = 0.0
        return count
    s[STILL_S] += T
    for j in range(3):
        measured = s[SUM_W + j] / n + s[REF_W + j]
        s[STILL_W + j] += T / s[STILL_S] * (measured - s[STILL_W + j])
    if s[STILL_S] < k[REST_TIME]:
        return count
    for j in range(3):
        values[count + j, 0] = s[SUM_W + j] / n + s[REF_W + j] - s[BIAS + j]
        values[count + j, 1] = 2.0 * noise
        H[count + j, r + BI + j] = 1.0
    return count + 3
