"""The BROAD metric, plain and aligned, as pure functions of arrays.

BROAD: Laidig, Caruso, Cereatti, Seel 2021, Data 6(7), 72. The error quaternion is
``q ⊗ conj(q_opt)`` in the earth frame; heading and inclination are its parts about and away from
the vertical. BROAD's IMU lags its optics by about 2.5 ms, so every method is also scored against
the truth delayed by the one constant (0 to 8 ms) that suits it best over all trials: the aligned
metric.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from processing import quaternion
from processing.errors import InputError
from processing.types import BoolArray, FloatArray

DELAYS_MS: FloatArray = np.arange(0.0, 8.01, 0.25)
"""Candidate delays of the aligned metric, milliseconds."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One recording with optical truth."""

    name: str
    gyr: FloatArray
    """(n, 3) rad/s."""
    acc: FloatArray
    """(n, 3) m/s², specific force."""
    mag: FloatArray
    """(n, 3), any unit."""
    q_true: FloatArray
    """(n, 4) wxyz sensor to earth, NaN where the optics lost the body."""
    movement: BoolArray
    """(n,) samples that count."""
    rate_hz: float


Estimator = Callable[[FloatArray, FloatArray, FloatArray | None, float], FloatArray]
"""(gyr, acc, mag or None, rate_hz) -> (n, 4) wxyz sensor to earth."""


@dataclass(frozen=True, slots=True)
class TrialErrors:
    """RMSE of one estimate over the scored samples, degrees (drift: degrees per minute)."""

    total: float
    heading: float
    inclination: float
    inclination_p95: float
    total_best: float
    """Total error after removing the best constant heading offset (`_al`)."""
    heading_best: float
    total_start: float
    """Total error with the heading offset fixed just before movement starts (`_st`)."""
    drift_deg_min: float


def stressed(
    trial: Trial,
    *,
    decimate: int = 1,
    starts_moving: bool = False,
    bias_dps: float = 0.0,
) -> Trial:
    """Return a trial made harder: bias X (1, -0.7, 0.5) °/s, cut to movement, block-averaged."""
    add = np.radians(bias_dps) * np.array([1.0, -0.7, 0.5])
    first = int(np.argmax(trial.movement)) if starts_moving else 0
    n = (trial.gyr.shape[0] - first) // decimate * decimate
    span = slice(first, first + n)

    def block_mean(a: FloatArray) -> FloatArray:
        mean: FloatArray = a[span].reshape(-1, decimate, 3).mean(axis=1)
        return mean

    last = slice(first + decimate - 1, first + n, decimate)
    return Trial(
        name=trial.name,
        gyr=block_mean(trial.gyr) + add,
        acc=block_mean(trial.acc),
        mag=block_mean(trial.mag),
        q_true=trial.q_true[last],
        movement=trial.movement[last],
        rate_hz=trial.rate_hz / decimate,
    )


def delayed(q: FloatArray, delay_ms: float, rate_hz: float) -> FloatArray:
    """Return (n, 4) quaternions `delay_ms` earlier, interpolated; NaN where that is not known."""
    shift = delay_ms * 1e-3 * rate_hz
    whole = int(np.floor(shift))
    part = shift - whole
    n = q.shape[0]
    late = np.full_like(q, np.nan)
    late[whole:] = q[: n - whole]
    if part == 0.0:
        return late
    early = np.full_like(q, np.nan)
    early[whole + 1 :] = q[: n - whole - 1]
    sign = np.where(np.sum(late * early, axis=1, keepdims=True) < 0.0, -1.0, 1.0)
    return quaternion.normalize((1.0 - part) * late + part * sign * early)


def trial_errors(q: FloatArray, trial: Trial, *, delay_ms: float = 0.0) -> TrialErrors:
    """Return the errors of estimate `q` against the truth `delay_ms` earlier.

    Raises
    ------
    InputError
        If the estimate has the wrong shape, is not finite or not of unit norm: never skipped.
    """
    if q.shape != trial.q_true.shape:
        raise InputError(f"estimate has shape {q.shape}, expected {trial.q_true.shape}")
    norm = np.linalg.norm(q, axis=1)
    if not np.isfinite(norm).all() or np.abs(norm - 1.0).max() > 1e-3:
        raise InputError(f"estimate of {trial.name} holds quaternions that are not of unit norm")
    truth = delayed(trial.q_true, delay_ms, trial.rate_hz)
    known = np.isfinite(truth[:, 0])
    scored = trial.movement & known
    e = quaternion.multiply(q[scored], quaternion.conjugate(truth[scored]))
    w, z = e[:, 0], e[:, 3]
    total = _degrees_of_cosine(np.abs(w))
    inclination = _degrees_of_cosine(np.hypot(w, z))
    h = 2.0 * np.arctan2(z, w)
    first = int(np.argmax(trial.movement))
    before = slice(max(0, first - round(trial.rate_hz)), first)
    still = known[before]
    if still.any():
        e0 = quaternion.multiply(q[before][still], quaternion.conjugate(truth[before][still]))
        start = _circular_mean(2.0 * np.arctan2(e0[:, 3], e0[:, 0]))
    else:
        start = _circular_mean(h[: round(trial.rate_hz)])
    best = _circular_mean(h)
    t_min = np.flatnonzero(scored) / trial.rate_hz / 60.0
    slope = np.polyfit(t_min, np.degrees(np.unwrap(h)), 1)[0]
    return TrialErrors(
        total=_rms(total),
        heading=_rms(np.degrees(2.0 * np.arctan2(np.abs(z), np.abs(w)))),
        inclination=_rms(inclination),
        inclination_p95=float(np.percentile(inclination, 95.0)),
        total_best=_rms(_without_offset(e, best)),
        heading_best=_rms(np.degrees(np.angle(np.exp(1j * (h - best))))),
        total_start=_rms(_without_offset(e, start)),
        drift_deg_min=float(abs(slope)),
    )


def best_delay_ms(
    estimates: Sequence[FloatArray], trials: Sequence[Trial], *, every: int = 4
) -> float:
    """Return the one constant delay with the least mean inclination RMSE over all trials.

    `every` thins the samples of the search; the scores themselves always use all.
    """
    scores = [
        float(
            np.mean(
                [
                    _inclination_rms(q, trial, delay, every)
                    for q, trial in zip(estimates, trials, strict=True)
                ]
            )
        )
        for delay in DELAYS_MS
    ]
    return float(DELAYS_MS[int(np.argmin(scores))])


@dataclass(frozen=True, slots=True)
class AlignedScores:
    """Scores of one method over trials at its own best constant delay."""

    delay_ms: float
    errors: tuple[TrialErrors, ...]


def aligned(estimates: Sequence[FloatArray], trials: Sequence[Trial]) -> AlignedScores:
    """Return the scores at the one delay that suits the method best over all trials."""
    delay_ms = best_delay_ms(estimates, trials)
    errors = tuple(
        trial_errors(q, trial, delay_ms=delay_ms)
        for q, trial in zip(estimates, trials, strict=True)
    )
    return AlignedScores(delay_ms, errors)


def run(estimator: Estimator, trials: Sequence[Trial], *, with_mag: bool) -> list[FloatArray]:
    """Return the estimates of one method on all trials."""
    return [estimator(t.gyr, t.acc, t.mag if with_mag else None, t.rate_hz) for t in trials]


def _inclination_rms(q: FloatArray, trial: Trial, delay_ms: float, every: int) -> float:
    truth = delayed(trial.q_true, delay_ms, trial.rate_hz)
    scored = np.flatnonzero(trial.movement & np.isfinite(truth[:, 0]))[::every]
    e = quaternion.multiply(q[scored], quaternion.conjugate(truth[scored]))
    return _rms(_degrees_of_cosine(np.hypot(e[:, 0], e[:, 3])))


def _without_offset(e: FloatArray, offset: float) -> FloatArray:
    turn = np.array([np.cos(offset / 2.0), 0.0, 0.0, -np.sin(offset / 2.0)])
    return _degrees_of_cosine(np.abs(quaternion.multiply(turn, e)[:, 0]))


def _degrees_of_cosine(half_cosine: FloatArray) -> FloatArray:
    return np.degrees(2.0 * np.arccos(np.clip(half_cosine, 0.0, 1.0)))


def _circular_mean(angle: FloatArray) -> float:
    return float(np.angle(np.mean(np.exp(1j * angle))))


def _rms(x: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(x))))
