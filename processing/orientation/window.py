"""The window filter: everything that happens once per window, for one or two sensors.

A window is a fixed number of grid samples, keyed on the absolute grid index, so chunking cannot
move it. At its end the covariance is propagated, the motion model and rest are measured, and the
corrections go back into the running states.
"""

import numpy as np

from processing._jit import kernel
from processing.orientation.covariance import apply_transition, measure, transpose
from processing.orientation.layout import (
    AO,
    BI,
    BIAS,
    COUNT,
    FLOOR,
    GAIN,
    MG,
    MISSING,
    N_ERROR,
    OFFSET,
    PO,
    POS,
    POWER,
    REF_W,
    STARTED,
    STILL_S,
    SUM_A,
    SUM_A2,
    SUM_F,
    SUM_P,
    SUM_R,
    SUM_W,
    SUM_W2,
    TH,
    VE,
    VEL,
    WINDOW_START,
    WINDOW_STOP,
    Q,
)
from processing.orientation.strapdown import integrate
from processing.types import BoolArray, FloatArray

GRAVITY = 9.81

# One sensor's constants, in the order `params.constants` fills them.
C_ACC_STILL = 1
C_BIAS_RW = 2
C_OFFSET_RW = 3
C_GYRO_ND = 4
C_ACC_ND = 5
C_SCALE = 6
C_POLE1 = 7
C_POLE2 = 8
C_POWER_MIN = 9
C_POWER_TAU = 10
C_GAP_RATE = 11
C_REST_RATIO = 12
C_REST_S = 13
C_POS0 = 14
C_VEL0 = 15
N_CONST = 16


@kernel()
def apply_correction(s: FloatArray, dx: FloatArray, r: int) -> None:
    """Move the corrections of one sensor from the error state into its running state."""
    ax, ay, az = 0.5 * dx[r + TH], 0.5 * dx[r + TH + 1], 0.5 * dx[r + TH + 2]
    angle2 = ax * ax + ay * ay + az * az
    angle = np.sqrt(angle2)
    k = np.sin(angle) / angle if angle > 1e-12 else 1.0
    c = np.cos(angle)
    ax, ay, az = k * ax, k * ay, k * az
    w, x, y, z = s[Q], s[Q + 1], s[Q + 2], s[Q + 3]
    s[Q] = c * w - ax * x - ay * y - az * z
    s[Q + 1] = c * x + ax * w + ay * z - az * y
    s[Q + 2] = c * y - ax * z + ay * w + az * x
    s[Q + 3] = c * z + ax * y - ay * x + az * w
    for i in range(9):
        s[GAIN + i] += dx[r + MG + i]
    for i in range(3):
        s[BIAS + i] += dx[r + BI + i]
        s[OFFSET + i] += dx[r + AO + i]
        s[VEL + i] += dx[r + VE + i]
        s[POS + i] += dx[r + PO + i]
    for i in range(N_ERROR):
        dx[r + i] = 0.0


@kernel()
def update(x: FloatArray, P: FloatArray, c: FloatArray, dt: float, work: FloatArray) -> None:
    """Close a window: propagate the covariance, measure motion and rest, correct the states."""
    sensors = x.shape[0]
    h, gain, dx = work[0], work[1], work[2]
    h[:] = 0.0
    dx[:] = 0.0
    for i in range(sensors):
        s = x[i]
        for j in range(9):
            s[SUM_R + j] *= dt
        for j in range(3):
            s[SUM_F + j] *= dt
            s[SUM_P + j] *= dt * dt
    for _ in range(2):
        for i in range(sensors):
            s = x[i]
            T = s[COUNT] * dt
            apply_transition(P, i * N_ERROR, s, T, work[3:6])
        transpose(P)
    for i in range(sensors):
        s, k, r = x[i], c[i], i * N_ERROR
        T = s[COUNT] * dt
        span = (s[COUNT] + s[MISSING]) * dt
        if s[STARTED] == 0.0:
            continue
        n = max(s[COUNT], 1.0)
        rate2 = 0.0
        spread = s[SUM_W2]
        for j in range(3):
            mean = s[SUM_W + j] / n
            spread -= n * mean * mean
            rate = mean + s[REF_W + j] - s[BIAS + j]
            rate2 += rate * rate
        rate2 += max(spread, 0.0) / n
        sd = np.sqrt(max(spread, 0.0) / max(3.0 * (n - 1.0), 1.0))
        spread_a = s[SUM_A2]
        for j in range(3):
            spread_a -= s[SUM_A + j] ** 2 / n
        sd_a = np.sqrt(max(spread_a, 0.0) / max(3.0 * (n - 1.0), 1.0))
        # process noise
        q_th = (k[C_GYRO_ND] ** 2 + k[C_SCALE] ** 2 * rate2) * T + k[C_GAP_RATE] ** 2 * (span - T)
        for j in range(3):
            P[r + TH + j, r + TH + j] += q_th
            P[r + BI + j, r + BI + j] += k[C_BIAS_RW] ** 2 * span
            P[r + AO + j, r + AO + j] += k[C_OFFSET_RW] ** 2 * span
            P[r + VE + j, r + VE + j] += k[C_ACC_ND] ** 2 * T
        # motion
        for j in range(3):
            g = GRAVITY if j == 2 else 0.0
            s[POS + j] += T * s[VEL + j] + s[SUM_P + j] - 0.5 * g * T * T
            s[VEL + j] += s[SUM_F + j] - g * T
        if s[MISSING] > 0.0:
            restart_motion(s, P, r, k)
        else:
            p1, p2 = k[C_POLE1], k[C_POLE2]
            power = 0.0
            for j in range(3):
                g = GRAVITY if j == 2 else 0.0
                y = s[SUM_F + j] / T - g + (p1 + p2) * s[VEL + j] + p1 * p2 * s[POS + j]
                power += y * y * T / 3.0
            a = min(1.0, T / k[C_POWER_TAU])
            s[POWER] = max(power, s[POWER] + a * (power - s[POWER]))
            var = max(s[POWER], k[C_POWER_MIN]) / T
            for j in range(3):
                g = GRAVITY if j == 2 else 0.0
                y = s[SUM_F + j] / T - g + (p1 + p2) * s[VEL + j] + p1 * p2 * s[POS + j]
                for m in range(3):
                    h[r + AO + m] = -s[SUM_R + 3 * j + m] / T
                h[r + VE + j] = p1 + p2
                h[r + PO + j] = p1 * p2
                if j == 0:
                    h[r + TH + 1] = s[SUM_F + 2] / T
                elif j == 1:
                    h[r + TH] = -s[SUM_F + 2] / T
                else:
                    h[r + TH] = s[SUM_F + 1] / T
                    h[r + TH + 1] = -s[SUM_F] / T
                measure(P, h, -y, var, dx, gain)
                for m in range(N_ERROR):
                    h[r + m] = 0.0
            # rest
            bias_var = 0.0
            for j in range(3):
                bias_var += P[r + BI + j, r + BI + j]
            mean2 = 0.0
            for j in range(3):
                rate = s[SUM_W + j] / n + s[REF_W + j] - s[BIAS + j]
                mean2 += rate * rate
            quiet = (
                sd < k[C_REST_RATIO] * s[FLOOR]
                and sd_a < k[C_REST_RATIO] * k[C_ACC_STILL]
                and mean2 < 9.0 * (bias_var + s[FLOOR] ** 2 / n)
            )
            s[STILL_S] = s[STILL_S] + T if quiet else 0.0
            if s[STILL_S] >= k[C_REST_S]:
                for j in range(3):
                    h[r + BI + j] = 1.0
                    rate = s[SUM_W + j] / n + s[REF_W + j] - s[BIAS + j]
                    measure(P, h, rate, 2.0 * s[FLOOR] ** 2 / n, dx, gain)
                    h[r + BI + j] = 0.0
    for i in range(sensors):
        apply_correction(x[i], dx, i * N_ERROR)
        for j in range(WINDOW_START, WINDOW_STOP):
            x[i, j] = 0.0


@kernel()
def restart_motion(s: FloatArray, P: FloatArray, r: int, k: FloatArray) -> None:
    """Forget velocity and position after missing samples."""
    for j in range(3):
        s[VEL + j] = 0.0
        s[POS + j] = 0.0
    for j in range(6):
        for m in range(P.shape[0]):
            P[r + VE + j, m] = 0.0
            P[m, r + VE + j] = 0.0
    for j in range(3):
        P[r + VE + j, r + VE + j] = k[C_VEL0] ** 2
        P[r + PO + j, r + PO + j] = k[C_POS0] ** 2


@kernel()
def heading_sigma(P: FloatArray) -> float:
    """Return the standard deviation of head minus trunk heading, rad."""
    a, b = TH + 2, N_ERROR + TH + 2
    return float(np.sqrt(P[a, a] + P[b, b] - 2.0 * P[a, b]))


@kernel()
def run(
    gyr: FloatArray,
    acc: FloatArray,
    valid: BoolArray,
    start: int,
    stop: int,
    k0: int,
    x: FloatArray,
    P: FloatArray,
    c: FloatArray,
    dt: float,
    window: int,
    work: FloatArray,
    out: FloatArray,
    sigma: FloatArray,
) -> None:
    """Filter rows [start, stop) of a block whose row 0 has grid index `k0`.

    Shapes: gyr, acc (sensors, n, 3), valid (sensors, n), out (sensors, n, 4); sigma (n,) receives
    the standard deviation of relative heading, for two sensors only.
    """
    sensors = x.shape[0]
    i = start
    while i < stop:
        end = min(stop, i + window - (k0 + i) % window)
        for j in range(sensors):
            integrate(x[j], gyr[j], acc[j], valid[j], i, end, dt, out[j])
        if sensors == 2:
            now = heading_sigma(P)
            for m in range(i, end):
                sigma[m] = now
        if (k0 + end) % window == 0:
            update(x, P, c, dt, work)
            for j in range(sensors):
                for m in range(4):
                    out[j, end - 1, m] = x[j, Q + m]
            if sensors == 2:
                sigma[end - 1] = heading_sigma(P)
        i = end


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
    x: FloatArray, P: FloatArray, heading: float, variance: float, work: FloatArray
) -> None:
    """Take in that head minus trunk heading is too large by `heading`, rad.

    Heading is a symmetry of everything else, so the correction about the vertical is exact for any
    angle once velocity, position and their covariance turn along.
    """
    h, gain, dx = work[0], work[1], work[2]
    h[:] = 0.0
    dx[:] = 0.0
    h[TH + 2] = 1.0
    h[N_ERROR + TH + 2] = -1.0
    measure(P, h, -heading, variance, dx, gain)
    h[TH + 2] = 0.0
    h[N_ERROR + TH + 2] = 0.0
    turns = (dx[TH + 2], dx[N_ERROR + TH + 2])
    for i in range(2):
        apply_correction(x[i], dx, i * N_ERROR)
        c, s = np.cos(turns[i]), np.sin(turns[i])
        for block in (VEL, POS):
            a, b = x[i, block], x[i, block + 1]
            x[i, block] = c * a - s * b
            x[i, block + 1] = s * a + c * b
    for _ in range(2):
        for i in range(2):
            turn_rows(P, i * N_ERROR, turns[i])
        transpose(P)


@kernel()
def sum_pose_error(
    q_head: FloatArray, q_trunk: FloatArray, q_ref: FloatArray, start: int, stop: int, d: FloatArray
) -> None:
    """Add to `d` the earth-frame rotations from the expected to the estimated head attitude."""
    for i in range(start, stop):
        tw, tx, ty, tz = q_trunk[i, 0], q_trunk[i, 1], q_trunk[i, 2], q_trunk[i, 3]
        rw, rx, ry, rz = q_ref[0], q_ref[1], q_ref[2], q_ref[3]
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
