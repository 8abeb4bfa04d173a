"""The orientation filter and its smoother in plain, dense numpy: slow and obvious.

One class per idea is missing on purpose: this follows the equations of the docstrings in
`processing.orientation` line by line with full matrices, explicit transitions F, the textbook
Kalman update and the textbook Rauch-Tung-Striebel smoother, which inverts covariances.
"""

from dataclasses import dataclass, field

import numpy as np

from processing import quaternion
from processing.orientation import FilterParams, SensorParams
from processing.orientation.params import (
    DEFAULT_ACC_DENSITY_MS2,
    DEFAULT_GYRO_DENSITY_DPS,
)
from processing.types import FloatArray

G = 9.81
TH, BI, MG, AO, VE, PO = (slice(0, 3), slice(3, 6), slice(6, 15), slice(15, 18), slice(19, 22),
                          slice(22, 25))  # fmt: skip
LE = 18
N = 25


@dataclass
class Sensor:
    """Nominal state of one sensor and what it remembers between windows."""

    params: SensorParams
    rate_hz: float
    lead_s: float
    q: FloatArray | None = None
    bias: FloatArray = field(default_factory=lambda: np.zeros(3))
    gain: FloatArray = field(default_factory=lambda: np.zeros((3, 3)))
    offset: FloatArray = field(default_factory=lambda: np.zeros(3))
    vel: FloatArray = field(default_factory=lambda: np.zeros(3))
    pos: FloatArray = field(default_factory=lambda: np.zeros(3))
    last: FloatArray = field(default_factory=lambda: np.zeros(3))
    block: list[FloatArray] = field(default_factory=list)
    block_lead: FloatArray = field(default_factory=lambda: np.zeros(3))
    power: FloatArray = field(default_factory=lambda: np.ones(2))
    forces: list[FloatArray] = field(default_factory=list)
    still_s: float = 0.0
    still_w: FloatArray = field(default_factory=lambda: np.zeros(3))
    age_s: float = 0.0
    quiet: FloatArray = field(default_factory=lambda: np.zeros(2))
    quiet_step: float = 0.0
    floor_known: bool = False
    slow: FloatArray = field(default_factory=lambda: np.zeros((3, 13)))
    slow_age: float = 0.0

    def __post_init__(self) -> None:
        half = np.sqrt(self.rate_hz / 2.0)
        given = self.params.gyro_noise_dps
        floor = DEFAULT_GYRO_DENSITY_DPS * half if given is None else given
        self.floor = np.array([np.radians(floor), DEFAULT_ACC_DENSITY_MS2 * half])


def up_attitude(acc: FloatArray) -> FloatArray:
    """Shortest rotation that turns `acc` up."""
    u = acc / np.linalg.norm(acc)
    return quaternion.normalize(np.array([1.0 + u[2], u[1], -u[0], 0.0]))


def strapdown(
    s: Sensor, gyr: FloatArray, acc: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """One window: attitudes, ∫[R, R ω, R (ω × f)] dt (3, 13), ∫f dt and ∫∫f dt²."""
    dt = 1.0 / s.rate_hz
    attitudes = []
    J, F, D = np.zeros((3, 13)), np.zeros(3), np.zeros(3)
    block = max(1, int(0.02 / dt))
    for w, a in zip(gyr, acc, strict=True):
        if s.q is None:
            s.q = up_attitude(a)
        phi = (np.eye(3) + s.gain) @ (w - s.bias) * dt
        turned = quaternion.multiply(
            s.q, quaternion.from_rotation_vector(phi + np.cross(s.last, phi) / 12.0)
        )
        R = quaternion.to_matrix(quaternion.normalize(s.q + turned))
        s.last = phi
        s.q = quaternion.normalize(turned)
        attitudes.append(s.q)
        f = a - s.offset
        F += R @ (f + np.cross(s.lead_s / dt * phi, f)) * dt
        D += F * dt
        s.block.append(phi)
        s.block_lead += np.cross(phi, f)
        if len(s.block) == block:
            J[:, :3] += R * block * dt
            J[:, 3:12] += np.einsum("ij,k->ijk", R, np.sum(s.block, axis=0)).reshape(3, 9)
            J[:, 12] += R @ s.block_lead
            s.block, s.block_lead = [], np.zeros(3)
    return np.array(attitudes), J, F, D


def transition(J: FloatArray, T: float) -> FloatArray:
    """F of one sensor over a window: half of θ and p, then v, then the other half."""
    half = np.eye(N)
    half[PO, VE] = 0.5 * T * np.eye(3)
    half[TH, BI] = -0.5 * J[:, :3]
    half[TH, MG] = 0.5 * J[:, 3:12]
    middle = np.eye(N)
    middle[VE, AO] = -J[:, :3]
    middle[VE, LE] = J[:, 12]
    middle[19, 1] = G * T
    middle[20, 0] = -G * T
    F: FloatArray = half @ middle @ half
    return F


@dataclass
class Passed:
    """One window as the smoother needs it."""

    F: FloatArray
    predicted: FloatArray
    updated: FloatArray
    dx: FloatArray
    before: FloatArray
    after: FloatArray


def single(
    gyr: FloatArray,
    acc: FloatArray,
    rate_hz: float,
    params: SensorParams,
    shared: FilterParams,
) -> tuple[FloatArray, FloatArray, list[Passed]]:
    """Online attitudes (n, 4), final covariance and the windows passed, of one sensor."""
    s = Sensor(params, rate_hz, params.acc_lead_s)
    P = np.zeros((N, N))
    P[TH, TH] = np.diag([shared.tilt0_rad**2] * 2 + [shared.heading0_rad**2])
    P[BI, BI] = np.radians(params.bias_sigma_dps) ** 2 * np.eye(3)
    P[MG, MG] = params.gain_sigma**2 * np.eye(9)
    P[AO, AO] = params.offset_sigma_ms2**2 * np.eye(3)
    P[LE, LE] = params.acc_lead_sigma_s**2
    P[VE, VE] = shared.velocity0_ms**2 * np.eye(3)
    P[PO, PO] = shared.position0_m**2 * np.eye(3)
    window = round(shared.window_s * rate_hz)
    T = window / rate_hz
    rows, passed = [], []
    for k in range(0, gyr.shape[0] - window + 1, window):
        w, a = gyr[k : k + window], acc[k : k + window]
        bias, offset = s.bias.copy(), s.offset.copy()
        attitudes, J, S, D = strapdown(s, w, a)
        assert s.q is not None
        s.slow_age += T
        s.slow += min(1.0, T / min(s.slow_age, shared.coherence_s)) * (J / T - s.slow)
        F = transition(s.slow * T, T)
        mean_square = np.mean(np.sum((w - bias) ** 2, axis=1))
        beyond = np.mean(np.sum((a - offset) ** 2, axis=1)) - G**2
        Q = np.zeros((N, N))
        Q[TH, TH] = (
            np.radians(shared.gyro_density_dps) ** 2 / 2.0
            + shared.gyro_share**2 * mean_square
            + np.radians(shared.gyro_shake_dps) ** 2 * max(beyond, 0.0)
        ) * T * np.eye(3)  # fmt: skip
        s.forces = [*s.forces[-2:], *a]
        blows = np.sum(np.diff(s.forces, n=2, axis=0) ** 2) / rate_hz**2
        Q[TH, TH] += np.radians(shared.blow_deg) ** 2 * blows * np.eye(3)
        power = s.power.max()
        walk = np.radians(shared.bias_walk_dps) ** 2
        Q[BI, BI] = (walk + np.radians(shared.bias_share_dps) ** 2 * power) * T * np.eye(3)
        Q[AO, AO] = shared.offset_walk_ms2**2 * T * np.eye(3)
        Q[VE, VE] = (shared.acc_density_ms2**2 + shared.acc_share**2 * power) * T * np.eye(3)
        P = F @ P @ F.T + Q
        predicted = P.copy()
        g = np.array([0.0, 0.0, G])
        s.pos += T * s.vel + D - 0.5 * g * T * T
        s.vel += S - g * T
        H, y, r = _motion(s, S, T, shared)
        H2, y2, r2 = _rest(s, P, w, a, T, shared, learn=params.gyro_noise_dps is None)
        H, y, r = np.vstack((H, H2)), np.concatenate((y, y2)), np.concatenate((r, r2))
        K = P @ H.T @ np.linalg.inv(H @ P @ H.T + np.diag(r))
        dx = K @ y
        P = (np.eye(N) - K @ H) @ P
        before = s.q.copy()
        s.q = quaternion.multiply(quaternion.from_rotation_vector(dx[TH]), s.q)
        s.bias += dx[BI]
        s.gain += dx[MG].reshape(3, 3)
        s.offset += dx[AO]
        s.lead_s += dx[LE]
        s.vel += dx[VE]
        s.pos += dx[PO]
        attitudes[-1] = s.q
        rows.append(attitudes)
        passed.append(Passed(F, predicted, P.copy(), dx, before, s.q.copy()))
    return np.concatenate(rows), P, passed


def _motion(
    s: Sensor, S: FloatArray, T: float, shared: FilterParams
) -> tuple[FloatArray, FloatArray, FloatArray]:
    p = shared.pole_rad
    w = S / T - np.array([0.0, 0.0, G]) + 2.0 * p * s.vel + p * p * s.pos
    power = np.array([(w[0] ** 2 + w[1] ** 2) / 2.0, w[2] ** 2]) * T
    faded = s.power + min(1.0, T / shared.power_memory_s) * (power - s.power)
    s.power = np.maximum(power, faded)
    H = np.zeros((3, N))
    H[0, 1], H[1, 0] = G, -G
    H[:, AO] = -s.slow[:, :3]
    H[:, LE] = s.slow[:, 12]
    H[:, VE] = 2.0 * p * np.eye(3)
    H[:, PO] = p * p * np.eye(3)
    return H, -w, np.maximum(s.power[[0, 0, 1]], shared.power_floor) / T


def _rest(
    s: Sensor,
    P: FloatArray,
    w: FloatArray,
    a: FloatArray,
    T: float,
    shared: FilterParams,
    *,
    learn: bool,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    n = w.shape[0]
    inside = np.array([w.var(axis=0, ddof=1).mean(), a.var(axis=0, ddof=1).mean()])
    s.age_s += T
    s.quiet += min(1.0, T / min(s.age_s, shared.rest_s)) * (inside - s.quiet)
    most = np.radians(shared.floor_most_dps) * np.sqrt(s.rate_hz / 2.0)
    steps = float(np.mean(np.diff(w, axis=0) ** 2)) / 2.0
    s.quiet_step += min(1.0, T / min(s.age_s, shared.rest_s)) * (steps - s.quiet_step)
    if s.age_s >= shared.rest_s:
        floor_w, now = float(s.floor[0]), float(np.sqrt(s.quiet[0]))
        white = 0.8 < s.quiet[0] / s.quiet_step < 1.25
        if learn and (now < floor_w or (not s.floor_known and white and now < most)):
            floor_w, s.floor_known = now, True
        s.floor = np.array([floor_w, min(s.floor[1], np.sqrt(s.quiet[1]))])
    noise = s.floor[0] ** 2 / n
    rate = w.mean(axis=0) - s.bias
    at_rest = (inside < (shared.rest_ratio * s.floor) ** 2).all() and (
        rate**2 < 9.0 * (np.diag(P)[BI] + 2.0 * noise)
    ).all()
    at_rest = bool(at_rest)
    mean = w.mean(axis=0)
    if s.still_s > 0.0:
        at_rest &= bool(((mean - s.still_w) ** 2 < 16.0 * 2.0 * noise).all())
    s.still_s = s.still_s + T if at_rest else 0.0
    if at_rest:
        s.still_w += T / s.still_s * (mean - s.still_w)
    if s.still_s < shared.rest_s:
        return np.zeros((0, N)), np.zeros(0), np.zeros(0)
    H = np.zeros((3, N))
    H[:, BI] = np.eye(3)
    return H, rate, np.full(3, 2.0 * noise)


def smoothed_after(passed: list[Passed]) -> tuple[list[FloatArray], list[FloatArray]]:
    """Smoothed errors and covariances after each window (Rauch, Tung, Striebel 1965)."""
    errors = [np.zeros(N)]
    covariances = [passed[-1].updated]
    for now, later in zip(passed[-2::-1], passed[:0:-1], strict=True):
        C = now.updated @ later.F.T @ np.linalg.inv(later.predicted)
        # the error of the next window before its corrections: smoothed error after them + dx
        errors.insert(0, C @ (errors[0] + later.dx))
        covariances.insert(0, now.updated + C @ (covariances[0] - later.predicted) @ C.T)
    return errors, covariances
