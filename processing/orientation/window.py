"""The window filter: everything that happens once per window, for one or two sensors.

A window is a fixed number of grid samples, keyed on the absolute grid index, so chunking cannot
move it. Samples inside it cost strapdown integration only; at its end the covariance is propagated,
motion, rest and field are measured, and the corrections go back into the running states.
"""

from typing import Final

from processing._jit import kernel
from processing.orientation.correction import apply_correction, correct_common
from processing.orientation.covariance import (
    GRAVITY_MS2,
    T_S,
    narrow,
    propagate,
    take_in,
    widen,
)
from processing.orientation.heading import heading_sigma
from processing.orientation.joint import LEAST_MS2, close_joint, expect_joint, gather_joint
from processing.orientation.layout import (
    AO,
    BI,
    BIAS,
    COUNT,
    MISSING,
    N_ERROR,
    N_TRANSITION,
    OFFSET,
    REF_A,
    REF_W,
    SLOW,
    SLOW_AGE,
    STARTED,
    SUM_A,
    SUM_A2,
    SUM_BLOW,
    SUM_R,
    SUM_W,
    SUM_W2,
    TH,
    VE,
    WINDOW_START,
    WINDOW_STOP,
    Q,
)
from processing.orientation.magnetometer import expect_north, sum_field
from processing.orientation.motion import expect_still, forget, move, power
from processing.orientation.rest import expect_bias, variance_of
from processing.orientation.scratch import Scratch, allocated
from processing.orientation.strapdown import integrate
from processing.orientation.tuning import (
    ACC_DENSITY,
    ACC_SHARE,
    BIAS_SHARE,
    BIAS_WALK,
    BLOW,
    COHERENCE,
    GAP_RATE,
    GYRO_DENSITY,
    GYRO_SHAKE,
    GYRO_SHARE,
    JOINT_NOISE,
    OFFSET_WALK,
    WARM_TAU,
)
from processing.orientation.warming import share_of_window, warm_up
from processing.types import BoolArray, FloatArray, IntArray

# One window of the log, per sensor: what the smoother needs besides the tape of measurements.
LOG_TRANSITION: Final = 0
LOG_FORGOT: Final = T_S + 1
"""1 where velocity and position were forgotten."""
LOG_TURN: Final = T_S + 2
"""Turn about the vertical by a heading reset after the window, rad."""
LOG_WARM: Final = T_S + 3
"""Share of all warming that falls into the window."""
LOG_PLACE: Final = T_S + 4
"""Share of what the magnetic field shows of its place that wears off."""
LOG_BEFORE: Final = T_S + 5
"""Attitude before the corrections of the window (4)."""
LOG_AFTER: Final = T_S + 9
"""Attitude after them (4)."""
LOG_ROWS: Final = T_S + 13
"""The three attitude rows of the covariance after them."""


def log_width(n: int) -> int:
    """Return the numbers per window and sensor in the log, for n error states."""
    return LOG_ROWS + 3 * n


@kernel()
def rate_rms2(s: FloatArray) -> float:
    """Return the mean square rate of the window, bias removed, (rad/s)²."""
    n = s[COUNT]
    total = s[SUM_W2] / n
    for j in range(3):
        mean = s[SUM_W + j] / n
        centred = mean + s[REF_W + j] - s[BIAS + j]
        total += centred * centred - mean * mean
    return float(max(total, 0.0))


@kernel()
def motion_ms2(s: FloatArray) -> float:
    """Return the mean square of the window's specific force, offset removed, beyond gravity's."""
    n = s[COUNT]
    total = s[SUM_A2] / n
    for j in range(3):
        mean = s[SUM_A + j] / n
        centred = mean + s[REF_A + j] - s[OFFSET + j]
        total += centred * centred - mean * mean
    return float(max(total - GRAVITY_MS2 * GRAVITY_MS2, 0.0))


@kernel()
def predict(x: FloatArray, c: FloatArray, dt: float, work: Scratch, log: FloatArray) -> None:
    """Propagate covariance, velocity and position over the window that ends."""
    sensors = x.shape[0]
    P, t = work.P, work.transitions
    for i in range(sensors):
        s = x[i]
        T = s[COUNT] * dt
        t[i, T_S] = T
        if T > 0.0:
            s[SLOW_AGE] += T
            keep = min(1.0, T / min(s[SLOW_AGE], c[i, COHERENCE]))
            for j in range(N_TRANSITION):
                s[SLOW + j] += keep * (s[SUM_R + j] / T - s[SLOW + j])
        for j in range(N_TRANSITION):
            t[i, j] = s[SLOW + j] * T
    propagate(P, t)
    for i in range(sensors):
        s, k, r = x[i], c[i], i * N_ERROR
        if s[STARTED] == 0.0:
            continue
        T = s[COUNT] * dt
        span = T + s[MISSING] * dt
        turn = k[GAP_RATE] ** 2 * s[MISSING] * dt
        if T > 0.0:
            turn += (k[GYRO_DENSITY] ** 2 + k[GYRO_SHARE] ** 2 * rate_rms2(s)) * T
            turn += k[GYRO_SHAKE] ** 2 * motion_ms2(s) * T
            turn += k[BLOW] ** 2 * s[SUM_BLOW] * dt * dt
        density = power(s)
        for j in range(3):
            P[r + TH + j, r + TH + j] += turn
            P[r + BI + j, r + BI + j] += (k[BIAS_WALK] ** 2 + k[BIAS_SHARE] ** 2 * density) * span
            P[r + AO + j, r + AO + j] += k[OFFSET_WALK] ** 2 * span
            P[r + VE + j, r + VE + j] += (k[ACC_DENSITY] ** 2 + k[ACC_SHARE] ** 2 * density) * T
        move(s, T)
        if s[MISSING] > 0.0:
            forget(s, P, r, k)
        if log.shape[0] > 0:
            for j in range(T_S + 1):
                log[i, LOG_TRANSITION + j] = t[i, j]
            log[i, LOG_FORGOT] = 1.0 if s[MISSING] > 0.0 else 0.0
            log[i, LOG_TURN] = 0.0
            log[i, LOG_PLACE] = 0.0


@kernel()
def update(
    x: FloatArray,
    c: FloatArray,
    dt: float,
    with_mag: bool,
    joint: FloatArray,
    warm: float,
    work: Scratch,
    log: FloatArray,
    tape: FloatArray,
    used: IntArray,
) -> None:
    """Close a window: predict, measure, correct. `log` is its (sensors, width) entry or empty.

    `warm` is the share of all warming that falls into the window.
    """
    sensors = x.shape[0]
    predict(x, c, dt, work, log)
    P, H, values, dx = work.P, work.H, work.values, work.dx
    if sensors == 2:
        warm_up(x, P, warm)
        if log.shape[0] > 0:
            log[0, LOG_WARM] = warm
    count = 0
    for i in range(sensors):
        s, k, r = x[i], c[i], i * N_ERROR
        if s[STARTED] == 0.0 or s[MISSING] > 0.0:
            continue
        count = expect_still(s, r, k, dt, H, values, count)
        count = expect_bias(s, P, r, k, dt, H, values, count)
        if with_mag:
            count = expect_north(s, r, k, dt, H, values, count)
    if sensors == 2:
        if x[0, MISSING] == 0.0 and x[1, MISSING] == 0.0:
            count = expect_joint(joint, x, P, c[0, JOINT_NOISE], H, values, count)
        close_joint(joint, variance_of(x[1], SUM_A, SUM_A2) > LEAST_MS2 * LEAST_MS2)
    take_in(P, H, values, count, dx, work.G, work.where, tape, used)
    if sensors == 2:
        correct_common(x, dx[: P.shape[0]])
    for i in range(sensors):
        s = x[i]
        if log.shape[0] > 0:
            for j in range(4):
                log[i, LOG_BEFORE + j] = s[Q + j]
        apply_correction(s, dx, i * N_ERROR)
        for j in range(WINDOW_START, WINDOW_STOP):
            s[j] = 0.0
        if log.shape[0] > 0:
            log_attitude(s, P, i, log)


@kernel()
def log_attitude(s: FloatArray, P: FloatArray, i: int, log: FloatArray) -> None:
    """Note attitude and attitude covariance of sensor i after the corrections of a window."""
    for j in range(4):
        log[i, LOG_AFTER + j] = s[Q + j]
    n = P.shape[0]
    for j in range(3):
        for m in range(n):
            log[i, LOG_ROWS + n * j + m] = P[i * N_ERROR + TH + j, m]


@kernel()
def run(
    gyr: tuple[FloatArray, ...],
    acc: tuple[FloatArray, ...],
    mag: tuple[FloatArray, ...],
    valid: tuple[BoolArray, ...],
    start: int,
    stop: int,
    k0: int,
    x: FloatArray,
    P: FloatArray,
    joint: FloatArray,
    c: FloatArray,
    dt: float,
    window: int,
    out: FloatArray,
    sigma: FloatArray,
    log: FloatArray,
    marks: IntArray,
    tape: FloatArray,
    used: IntArray,
) -> None:
    """Filter rows [start, stop) of a block whose row 0 has grid index `k0`.

    One array per sensor: gyr, acc (n, 3), mag the same or of no rows, valid (n,). out is
    (sensors, n, 4). For two sensors joint (`N_JOINT`,) holds what the window says of the neck, and
    sigma (n,) receives the standard deviation of relative heading, rad. log (windows, sensors,
    width), marks (windows + 1,) and tape record for the smoother,
    or have no rows; used (2,) counts rows of the tape and of the log.
    """
    work = allocated(x.shape[0], P.shape[0])
    widen(P, work.P)
    sensors = x.shape[0]
    with_mag = mag[0].shape[0] > 0
    i = start
    while i < stop:
        end = min(stop, i + window - (k0 + i) % window)
        for j in range(sensors):
            integrate(x[j], gyr[j], acc[j], valid[j], i, end, dt, out[j], work.part)
            if with_mag:
                sum_field(x[j], mag[j], out[j], i, end)
        if sensors == 2:
            gather_joint(joint, x, gyr[0], gyr[-1], acc[0], acc[-1], valid[0], valid[-1],
                         i, end, k0, dt, out)  # fmt: skip
            now = heading_sigma(work.P)
            for m in range(i, end):
                sigma[m] = now
        if (k0 + end) % window == 0:
            warm = share_of_window(k0 + end - window, k0 + end, dt, c[0, WARM_TAU])
            if log.shape[0] > 0:
                entry = log[used[1]]
                used[1] += 1
                update(x, c, dt, with_mag, joint, warm, work, entry, tape, used)
                marks[used[1]] = used[0]
            else:
                update(x, c, dt, with_mag, joint, warm, work, x[0:0], tape, used)
            for j in range(sensors):
                for m in range(4):
                    out[j, end - 1, m] = x[j, Q + m]
            if sensors == 2:
                sigma[end - 1] = heading_sigma(work.P)
        i = end
    narrow(work.P, P)
