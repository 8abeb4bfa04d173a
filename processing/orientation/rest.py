"""Rest at the sensor's own noise floor: the sensor lies on a table, never on a person.

A worn sensor is never still enough: its slow posture drift would be learnt as gyroscope bias. So
rest needs the spread of rate and specific force at the floor of the device for seconds, a mean rate
that the remaining uncertainty of the bias can explain, and that it does not change: a slow sway
hides below the noise of one window, but not from one window to the next.
"""

import numpy as np

from processing._jit import kernel
from processing.orientation.layout import (
    AGE_S,
    BI,
    BIAS,
    COUNT,
    FLOOR_A,
    FLOOR_W,
    QUIET_A,
    QUIET_W,
    REF_W,
    STILL_S,
    STILL_W,
    SUM_A,
    SUM_A2,
    SUM_W,
    SUM_W2,
)
from processing.orientation.tuning import LEARN_FLOOR, REST_RATIO, REST_TIME
from processing.types import FloatArray

UNCHANGED_SIGMAS = 4.0
"""A mean rate that moved by more than this many standard deviations of its noise is motion."""
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
    if s[AGE_S] >= k[REST_TIME]:
        if k[LEARN_FLOOR] > 0.0:
            s[FLOOR_W] = min(s[FLOOR_W], np.sqrt(s[QUIET_W]))
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
