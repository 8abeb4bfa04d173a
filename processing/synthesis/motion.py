"""From scheduled events to what ideal sensors feel: angles, rates and specific force.

Every layer of motion is a closed form with its first and second derivative, so body rates and
specific force are exact for the orientation that is also returned; nothing is differenced.

Channels of motion, in degrees: 0-2 neck (flexion, lateral, rotation), 3-5 trunk (lean forward, lean
right, turn right), 6-8 neck as the protocol asks for it, 9 weight of the protocol over the person's
own posture (0..1), 10 weight of walking (0..1).
"""

from typing import Final

import numpy as np

from processing._jit import kernel
from processing.types import FloatArray

N_CHANNELS: Final = 11
HOLD: Final = 9
WALK: Final = 10

STEP: Final = 0.0
"""Kind of event: a minimum-jerk move that stays."""
JERK: Final = 1.0
"""A minimum-jerk rise and an exponential return to zero."""
TREMOR: Final = 2.0
"""An oscillation under a smooth envelope, modulated in frequency and amplitude."""

KIND, START, END, RISE, TAU = 0, 1, 2, 3, 4
HZ, FM_HZ, FM_PHASE, AM_HZ, AM_PHASE, SAW = 5, 6, 7, 8, 9, 10
AMPLITUDE: Final = 11
ROW: Final = AMPLITUDE + N_CHANNELS
"""Columns of an event row; from `AMPLITUDE` on, degrees (or weight) per channel."""

RETURN_ROUNDING_S: Final = 0.06
"""Second time constant of a jerk's return: it makes speed continuous at the peak."""
FM_DEPTH: Final = 0.06
AM_DEPTH: Final = 0.25
TREMOR_RAMP_S: Final = 1.0
SAW_HARMONICS: Final = 4
SAW_SCALE: Final = 0.65476
"""Gives the sawtooth of four harmonics unit peak."""

DRIFT, SWAY, HEAD_SKIN, TRUNK_SKIN = 0, 3, 6, 9
N_KNOT_CHANNELS: Final = 12
"""Slow random channels on knots: neck drift, trunk sway, soft tissue of head and of trunk."""
KNOT_S: Final = 0.5
"""Knot spacing; cubic B-splines between give continuous acceleration."""

HELD_DRIFT: Final = 0.2
"""Share of posture drift left while a pose is held on purpose."""
HELD_SWAY: Final = 0.5
"""Share of trunk sway left while a pose is held, back supported."""

WALK_HARMONICS: Final = 6
N_WALK: Final = 9
"""Walking outputs: hip x, y, z in metres, trunk and neck angles in degrees."""


@kernel()
def _event(row: FloatArray, t: float, out: FloatArray) -> None:
    """Write value, speed and acceleration of a unit event at time t into `out` (3,)."""
    s = t - row[START]
    if row[KIND] == TREMOR:
        length = row[END] - row[START]
        r = TREMOR_RAMP_S
        e, de, dde = 1.0, 0.0, 0.0
        if s < r or s > length - r:
            sign = 1.0 if s < r else -1.0
            u = (s if s < r else length - s) / r
            e = u * u * u * (10.0 + u * (-15.0 + 6.0 * u))
            de = sign * u * u * (30.0 + u * (-60.0 + 30.0 * u)) / r
            dde = u * (60.0 + u * (-180.0 + 120.0 * u)) / (r * r)
        wa = 2.0 * np.pi * row[AM_HZ]
        ma = AM_DEPTH * np.sqrt(2.0)
        sa, ca = np.sin(wa * s + row[AM_PHASE]), np.cos(wa * s + row[AM_PHASE])
        g, dg, ddg = 1.0 + ma * sa, ma * wa * ca, -ma * wa * wa * sa
        E = e * g
        dE = de * g + e * dg
        ddE = dde * g + 2.0 * de * dg + e * ddg
        wf = 2.0 * np.pi * row[FM_HZ]
        mf = FM_DEPTH * np.sqrt(2.0)
        w0 = 2.0 * np.pi * row[HZ]
        sf, cf = np.sin(wf * s + row[FM_PHASE]), np.cos(wf * s + row[FM_PHASE])
        phase = w0 * (s - mf / wf * cf)
        dphase = w0 * (1.0 + mf * sf)
        ddphase = w0 * mf * wf * cf
        if row[SAW] == 0.0:
            u0 = np.sin(phase)
            u1 = np.cos(phase)
            u2 = -u0
        else:
            u0 = u1 = u2 = 0.0
            for h in range(1, SAW_HARMONICS + 1):
                sh, ch = np.sin(h * phase), np.cos(h * phase)
                u0 += SAW_SCALE * sh / h
                u1 += SAW_SCALE * ch
                u2 -= SAW_SCALE * sh * h
        out[0] = E * u0
        out[1] = dE * u0 + E * u1 * dphase
        out[2] = ddE * u0 + 2.0 * dE * u1 * dphase + E * (u2 * dphase * dphase + u1 * ddphase)
        return
    T = row[RISE]
    if s < T:
        u = s / T
        out[0] = u * u * u * (10.0 + u * (-15.0 + 6.0 * u))
        out[1] = u * u * (30.0 + u * (-60.0 + 30.0 * u)) / T
        out[2] = u * (60.0 + u * (-180.0 + 120.0 * u)) / (T * T)
        return
    s -= T
    a, b = row[TAU], RETURN_ROUNDING_S
    ea, eb = np.exp(-s / a), np.exp(-s / b)
    out[0] = (a * ea - b * eb) / (a - b)
    out[1] = (eb - ea) / (a - b)
    out[2] = (ea / a - eb / b) / (a - b)


@kernel()
def _to_sensor(
    w: FloatArray,
    f: FloatArray,
    eps: FloatArray,
    deps: FloatArray,
    m: FloatArray,
    out: FloatArray,
    at: int,
) -> None:
    """Write specific force and rate of a sensor on skin that turned by the small vector `eps`.

    `m` (3, 3) turns segment coordinates into sensor coordinates.
    """
    ex, ey, ez = eps[0], eps[1], eps[2]
    # I - [e]x + [e]x²/2, third order (1e-5 at 2°) left out
    for v, base in ((f, at), (w, at + 3)):
        cx = ey * v[2] - ez * v[1]
        cy = ez * v[0] - ex * v[2]
        cz = ex * v[1] - ey * v[0]
        vx = v[0] - cx + 0.5 * (ey * cz - ez * cy)
        vy = v[1] - cy + 0.5 * (ez * cx - ex * cz)
        vz = v[2] - cz + 0.5 * (ex * cy - ey * cx)
        if base == at + 3:
            # right Jacobian of the exponential map, first order
            vx += deps[0] - 0.5 * (ey * deps[2] - ez * deps[1])
            vy += deps[1] - 0.5 * (ez * deps[0] - ex * deps[2])
            vz += deps[2] - 0.5 * (ex * deps[1] - ey * deps[0])
        for i in range(3):
            out[base + i] = m[i, 0] * vx + m[i, 1] * vy + m[i, 2] * vz


@kernel()
def _rigid(w: FloatArray, dw: FloatArray, r: FloatArray, f: FloatArray) -> None:
    """Add to f what a point at r feels more than the origin: dw x r + w x (w x r)."""
    cx = w[1] * r[2] - w[2] * r[1]
    cy = w[2] * r[0] - w[0] * r[2]
    cz = w[0] * r[1] - w[1] * r[0]
    f[0] += dw[1] * r[2] - dw[2] * r[1] + w[1] * cz - w[2] * cy
    f[1] += dw[2] * r[0] - dw[0] * r[2] + w[2] * cx - w[0] * cz
    f[2] += dw[0] * r[1] - dw[1] * r[0] + w[0] * cy - w[1] * cx


@kernel()
def _quaternion_zxy(a: float, b: float, c: float, q: FloatArray) -> None:
    """Write the quaternion of Rz(a) Rx(b) Ry(c)."""
    ca, sa = np.cos(0.5 * a), np.sin(0.5 * a)
    cb, sb = np.cos(0.5 * b), np.sin(0.5 * b)
    cc, sc = np.cos(0.5 * c), np.sin(0.5 * c)
    w, x, y, z = ca * cb, ca * sb, sa * sb, sa * cb
    q[0] = w * cc - y * sc
    q[1] = x * cc - z * sc
    q[2] = y * cc + w * sc
    q[3] = z * cc + x * sc


@kernel()
def move(
    k_first: int,
    n: int,
    rate_hz: float,
    events: FloatArray,
    done: FloatArray,
    base: FloatArray,
    knots: FloatArray,
    knot_first: int,
    breathing: FloatArray,
    walk: FloatArray,
    walk_phase: FloatArray,
    walk_hz: float,
    gravity: float,
    head_arm: FloatArray,
    trunk_arm: FloatArray,
    hip_arm: FloatArray,
    head_m: FloatArray,
    trunk_m: FloatArray,
    ideal: FloatArray,
    truth: FloatArray,
) -> None:
    """Fill `ideal` (n, 12) and, unless it is empty, `truth` (n, 14) from sample `k_first` on.

    `ideal`: head specific force and rate, trunk specific force and rate; m/s², rad/s, sensor axes.
    `truth`: q_rel, trunk segment in the earth axes of `frames.UPRIGHT_FACING_EAST` (4 each), then
    the soft tissue rotation vectors of head and trunk (3 each), rad.
    `events` is sorted by start; `done` and `base` (what finished moves left) are advanced in place.
    `breathing` is (degrees, hertz, phase).
    """
    rad = np.pi / 180.0
    p = np.empty(N_CHANNELS)
    v = np.empty(N_CHANNELS)
    a = np.empty(N_CHANNELS)
    unit = np.empty(3)
    kp = np.empty(N_KNOT_CHANNELS)
    kv = np.empty(N_KNOT_CHANNELS)
    ka = np.empty(N_KNOT_CHANNELS)
    wp = np.zeros(N_WALK)
    wv = np.zeros(N_WALK)
    wacc = np.zeros(N_WALK)
    neck, dneck, ddneck = np.empty(3), np.empty(3), np.empty(3)
    wt, dwt, ft = np.empty(3), np.empty(3), np.empty(3)
    wh, dwh, fh = np.empty(3), np.empty(3), np.empty(3)
    r_trunk = hip_arm + trunk_arm
    for k in range(n):
        t = (k_first + k) / rate_hz
        for i in range(N_CHANNELS):
            p[i] = base[i]
            v[i] = 0.0
            a[i] = 0.0
        for j in range(events.shape[0]):
            if events[j, START] > t:
                break
            if done[j] != 0.0:
                continue
            row = events[j]
            if t >= row[END]:
                done[j] = 1.0
                if row[KIND] == STEP:
                    for i in range(N_CHANNELS):
                        base[i] += row[AMPLITUDE + i]
                        p[i] += row[AMPLITUDE + i]
                continue
            _event(row, t, unit)
            for i in range(N_CHANNELS):
                p[i] += row[AMPLITUDE + i] * unit[0]
                v[i] += row[AMPLITUDE + i] * unit[1]
                a[i] += row[AMPLITUDE + i] * unit[2]

        x = t / KNOT_S
        at = int(np.floor(x))
        u = x - at
        at -= knot_first
        o = 1.0 - u
        b0, b1 = o * o * o / 6.0, (4.0 + u * u * (3.0 * u - 6.0)) / 6.0
        b2, b3 = (1.0 + 3.0 * u * (1.0 + u * o)) / 6.0, u * u * u / 6.0
        d0, d1 = -0.5 * o * o, u * (1.5 * u - 2.0)
        d2, d3 = 0.5 + u * (1.0 - 1.5 * u), 0.5 * u * u
        for i in range(N_KNOT_CHANNELS):
            k0, k1, k2, k3 = knots[at, i], knots[at + 1, i], knots[at + 2, i], knots[at + 3, i]
            kp[i] = b0 * k0 + b1 * k1 + b2 * k2 + b3 * k3
            kv[i] = (d0 * k0 + d1 * k1 + d2 * k2 + d3 * k3) / KNOT_S
            ka[i] = (o * k0 + (3.0 * u - 2.0) * k1 + (1.0 - 3.0 * u) * k2 + u * k3) / KNOT_S**2

        h, dh, ddh = p[HOLD], v[HOLD], a[HOLD]
        for i in range(3):
            # own posture gives way to the held pose; what is left of the drift stays
            own, down, ddown = p[i] + kp[i], v[i] + kv[i], a[i] + ka[i]
            left, dleft, ddleft = HELD_DRIFT * kp[i], HELD_DRIFT * kv[i], HELD_DRIFT * ka[i]
            gap, dgap = left - own, dleft - down
            neck[i] = own + h * gap + p[6 + i]
            dneck[i] = down + h * dgap + dh * gap + v[6 + i]
            ddneck[i] = ddown + h * (ddleft - ddown) + 2.0 * dh * dgap + ddh * gap + a[6 + i]
            c = 1.0 - (1.0 - HELD_SWAY) * h
            dc, ddc = -(1.0 - HELD_SWAY) * dh, -(1.0 - HELD_SWAY) * ddh
            p[3 + i] += c * kp[SWAY + i]
            v[3 + i] += c * kv[SWAY + i] + dc * kp[SWAY + i]
            a[3 + i] += c * ka[SWAY + i] + 2.0 * dc * kv[SWAY + i] + ddc * kp[SWAY + i]
        wb = 2.0 * np.pi * breathing[1]
        breath = wb * t + breathing[2]
        p[3] += breathing[0] * np.sin(breath)
        v[3] += breathing[0] * wb * np.cos(breath)
        a[3] -= breathing[0] * wb * wb * np.sin(breath)

        for i in range(3):
            wacc[i] = 0.0
        if p[WALK] != 0.0:
            for i in range(N_WALK):
                wp[i] = wv[i] = wacc[i] = 0.0
                for m in range(WALK_HARMONICS):
                    w0 = 2.0 * np.pi * walk_hz * (m + 1)
                    angle = w0 * t + walk_phase[i, m]
                    sn, cs = walk[i, m] * np.sin(angle), walk[i, m] * np.cos(angle)
                    wp[i] += sn
                    wv[i] += w0 * cs
                    wacc[i] -= w0 * w0 * sn
                e, de, dde = p[WALK], v[WALK], a[WALK]
                wacc[i] = e * wacc[i] + 2.0 * de * wv[i] + dde * wp[i]
                wv[i] = e * wv[i] + de * wp[i]
                wp[i] = e * wp[i]
            for i in range(3):
                p[3 + i] += wp[3 + i]
                v[3 + i] += wv[3 + i]
                a[3 + i] += wacc[3 + i]
                neck[i] += wp[6 + i]
                dneck[i] += wv[6 + i]
                ddneck[i] += wacc[6 + i]

        # trunk: R_T = Ry(yaw) Rz(za) Rx(xb), axes X forward, Y up, Z right
        za, dza, ddza = -rad * p[3], -rad * v[3], -rad * a[3]
        xb, dxb, ddxb = rad * p[4], rad * v[4], rad * a[4]
        dy, ddy = -rad * v[5], -rad * a[5]
        sz, cz = np.sin(za), np.cos(za)
        sx, cx = np.sin(xb), np.cos(xb)
        # of the frame between (after yaw and Rz)
        ux, uy, uz = dy * sz, dy * cz, dza
        dux, duy, duz = ddy * sz + dy * cz * dza, ddy * cz - dy * sz * dza, ddza
        wt[0] = ux + dxb
        wt[1] = cx * uy + sx * uz
        wt[2] = -sx * uy + cx * uz
        dwt[0] = dux + ddxb
        dwt[1] = cx * duy + sx * duz + dxb * wt[2]
        dwt[2] = -sx * duy + cx * duz - dxb * wt[1]
        gx, gy, gz = wacc[0], wacc[1] + gravity, wacc[2]
        hx, hy = cz * gx + sz * gy, -sz * gx + cz * gy
        ft[0], ft[1], ft[2] = hx, cx * hy + sx * gz, -sx * hy + cx * gz
        fjx, fjy, fjz = ft[0], ft[1], ft[2]
        _rigid(wt, dwt, r_trunk, ft)

        # the neck joint's own specific force, then into the head
        fh[0], fh[1], fh[2] = fjx, fjy, fjz
        _rigid(wt, dwt, hip_arm, fh)
        al, dal, ddal = -rad * neck[0], -rad * dneck[0], -rad * ddneck[0]
        be, dbe, ddbe = rad * neck[1], rad * dneck[1], rad * ddneck[1]
        ga, dga, ddga = -rad * neck[2], -rad * dneck[2], -rad * ddneck[2]
        s1, c1 = np.sin(al), np.cos(al)
        s2, c2 = np.sin(be), np.cos(be)
        s3, c3 = np.sin(ga), np.cos(ga)
        # rows of R_rel = Rz Rx Ry
        r00, r01, r02 = c1 * c3 - s1 * s2 * s3, -s1 * c2, c1 * s3 + s1 * s2 * c3
        r10, r11, r12 = s1 * c3 + c1 * s2 * s3, c1 * c2, s1 * s3 - c1 * s2 * c3
        r20, r21, r22 = -c2 * s3, s2, c2 * c3
        # rate of the head relative to the trunk, head axes, and its derivative
        rx = c3 * dbe - s3 * c2 * dal
        ry = s2 * dal + dga
        rz = s3 * dbe + c3 * c2 * dal
        drx = c3 * ddbe - s3 * dga * dbe - s3 * c2 * ddal - dal * (c3 * c2 * dga - s3 * s2 * dbe)
        dry = s2 * ddal + c2 * dbe * dal + ddga
        drz = s3 * ddbe + c3 * dga * dbe + c3 * c2 * ddal - dal * (s3 * c2 * dga + c3 * s2 * dbe)
        tx = r00 * wt[0] + r10 * wt[1] + r20 * wt[2]
        ty = r01 * wt[0] + r11 * wt[1] + r21 * wt[2]
        tz = r02 * wt[0] + r12 * wt[1] + r22 * wt[2]
        wh[0], wh[1], wh[2] = tx + rx, ty + ry, tz + rz
        dwh[0] = r00 * dwt[0] + r10 * dwt[1] + r20 * dwt[2] - (ry * tz - rz * ty) + drx
        dwh[1] = r01 * dwt[0] + r11 * dwt[1] + r21 * dwt[2] - (rz * tx - rx * tz) + dry
        dwh[2] = r02 * dwt[0] + r12 * dwt[1] + r22 * dwt[2] - (rx * ty - ry * tx) + drz
        jx, jy, jz = fh[0], fh[1], fh[2]
        fh[0] = r00 * jx + r10 * jy + r20 * jz
        fh[1] = r01 * jx + r11 * jy + r21 * jz
        fh[2] = r02 * jx + r12 * jy + r22 * jz
        _rigid(wh, dwh, head_arm, fh)

        for i in range(HEAD_SKIN, N_KNOT_CHANNELS):
            kp[i] *= rad
            kv[i] *= rad
        _to_sensor(wh, fh, kp[HEAD_SKIN:], kv[HEAD_SKIN:], head_m, ideal[k], 0)
        _to_sensor(wt, ft, kp[TRUNK_SKIN:], kv[TRUNK_SKIN:], trunk_m, ideal[k], 6)
        if truth.shape[0] > 0:
            _quaternion_zxy(al, be, ga, truth[k, 0:4])
            _quaternion_zxy(za, xb, 0.0, truth[k, 4:8])
            yaw = -rad * p[5]
            cy, sy = np.cos(0.5 * yaw), np.sin(0.5 * yaw)
            q0, q1, q2, q3 = truth[k, 4], truth[k, 5], truth[k, 6], truth[k, 7]
            truth[k, 4] = cy * q0 - sy * q2
            truth[k, 5] = cy * q1 + sy * q3
            truth[k, 6] = cy * q2 + sy * q0
            truth[k, 7] = cy * q3 - sy * q1
            for i in range(6):
                truth[k, 8 + i] = kp[HEAD_SKIN + i]


@kernel()
def measure(
    k_first: int,
    rate_hz: float,
    ideal: FloatArray,
    noise: FloatArray,
    acc_offset: FloatArray,
    gyr_matrix: FloatArray,
    gyr_bias: FloatArray,
    gyr_warmup: FloatArray,
    warmup_tau_s: float,
    noise_sd: FloatArray,
    acc_per_count: float,
    gyr_per_count: float,
    counts: FloatArray,
) -> None:
    """Fill `counts` (n, 6), still float, acceleration first, saturated at int16."""
    for k in range(ideal.shape[0]):
        warm = 1.0 - np.exp(-((k_first + k) / rate_hz) / warmup_tau_s)
        for i in range(3):
            acc = ideal[k, i] + acc_offset[i] + noise_sd[0] * noise[k, i]
            gyr = gyr_bias[i] + warm * gyr_warmup[i] + noise_sd[1] * noise[k, 3 + i]
            for j in range(3):
                gyr += gyr_matrix[i, j] * ideal[k, 3 + j]
            counts[k, i] = min(32767.0, max(-32768.0, np.rint(acc / acc_per_count)))
            counts[k, 3 + i] = min(32767.0, max(-32768.0, np.rint(gyr / gyr_per_count)))
