"""Calibration of one unit off the body: six faces and the turns between them.

The sensor lies still on each of its six faces in turn. The still stretches give the gyroscope's
offset, and the accelerometer's offset and scale from ``|S (a - o)| = g`` on every face (Tedaldi,
Pretto, Menegatti 2014, without their cross axes where fewer than nine orientations were held). The
turns between faces give the gyroscope's 3 x 3 matrix: integrated, each must carry gravity of the
face before into gravity of the face after. Without a gyroscope the accelerometer alone is
calibrated.

True values are ``matrix (measured - offset)``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from processing._jit import kernel
from processing.errors import InputError
from processing.frames import STANDARD_GRAVITY_MS2
from processing.types import BoolArray, FloatArray

STILL_S: Final = 2.0
"""Least length of a still stretch."""
STILL_DPS: Final = 0.5
"""Standard deviation of the rate, largest axis, in a still window; a hand is above, a table below
whatever the sensor."""
STILL_MS2: Final = 0.1
"""Standard deviation of the force, largest axis, in a still window where there is no gyroscope. A
hand that holds is above (0.2 and more), a table below (0.03) also for the cheapest sensors."""
MAX_OFFSET_DPS: Final = 10.0
"""A mean rate beyond this is motion, not offset."""
FACE_DEG: Final = 30.0
"""A face counts where gravity is this close to the axis."""
FACE_NAMES: Final = ("+x up", "-x up", "+y up", "-y up", "+z up", "-z up")


@dataclass(frozen=True, slots=True)
class AccelerometerEstimate:
    """The errors of an accelerometer, with how well they are known (one standard deviation)."""

    acc_matrix: FloatArray
    """(3, 3)"""
    acc_offset_ms2: FloatArray
    """(3,)"""
    acc_offset_sigma_ms2: FloatArray
    """(3,)"""
    residual_mg: float
    """RMS over the still stretches of |S (a - o)| - g, thousandths of g."""
    faces: tuple[str, ...]
    """Faces that were found, of `FACE_NAMES`."""


@dataclass(frozen=True, slots=True)
class UnitEstimate:
    """The errors of one unit, with how well they are known (one standard deviation)."""

    acc_matrix: FloatArray
    """(3, 3)"""
    acc_offset_ms2: FloatArray
    """(3,)"""
    acc_offset_sigma_ms2: FloatArray
    """(3,)"""
    gyr_matrix: FloatArray
    """(3, 3)"""
    gyr_offset_rads: FloatArray
    """(3,)"""
    gyr_offset_sigma_rads: FloatArray
    """(3,)"""
    gyr_gain_sigma: float
    """Typical standard deviation of an entry of `gyr_matrix`."""
    gyro_noise_dps: float
    """Standard deviation of the rate at rest, at the rate of the recording."""
    residual_mg: float
    """RMS over the still stretches of |S (a - o)| - g, thousandths of g."""
    closure_deg: float
    """RMS over the turns of the angle between gravity carried over and gravity found."""
    faces: tuple[str, ...]
    """Faces that were found, of `FACE_NAMES`."""


def calibrate_unit(acc: FloatArray, gyr: FloatArray, *, rate_hz: float) -> UnitEstimate:
    """Return the errors of a unit that lay on its six faces.

    Parameters
    ----------
    acc : (n, 3) float64, m/s²
        Measured specific force, uncalibrated.
    gyr : (n, 3) float64, rad/s
        Measured rate, uncalibrated.
    rate_hz : float

    Raises
    ------
    InputError
        Faces are missing; the message names them.
    """
    still = still_stretches(gyr, rate_hz=rate_hz)
    means = _means(acc, still)
    faces = _all_faces(means)
    matrix, offset, offset_sigma, residual = _accelerometer(means)
    rows = np.concatenate([np.arange(a, b) for a, b in still])
    gyr_offset = gyr[rows].mean(axis=0)
    spread = np.sqrt(np.mean([gyr[a:b].var(axis=0, ddof=1).mean() for a, b in still]))
    of_stretches = np.array([gyr[a:b].mean(axis=0) for a, b in still])
    gravity = (means - offset) @ matrix.T
    gain, gain_sigma, closure = _gyroscope(gyr - gyr_offset, still, gravity, rate_hz)
    return UnitEstimate(
        acc_matrix=matrix,
        acc_offset_ms2=offset,
        acc_offset_sigma_ms2=offset_sigma,
        gyr_matrix=gain,
        gyr_offset_rads=gyr_offset,
        gyr_offset_sigma_rads=of_stretches.std(axis=0, ddof=1) / np.sqrt(len(still)),
        gyr_gain_sigma=gain_sigma,
        gyro_noise_dps=float(np.degrees(spread)),
        residual_mg=1e3 * residual / STANDARD_GRAVITY_MS2,
        closure_deg=closure,
        faces=faces,
    )


def calibrate_accelerometer(acc: FloatArray, *, rate_hz: float) -> AccelerometerEstimate:
    """Return the errors of a unit without gyroscope that lay on its six faces.

    Parameters
    ----------
    acc : (n, 3) float64, m/s²
        Measured specific force, uncalibrated.
    rate_hz : float

    Raises
    ------
    InputError
        Faces are missing; the message names them.
    """
    blocks = _blocks(acc, rate_hz)
    still = _stretches(blocks.std(axis=1).max(axis=1) < STILL_MS2, blocks.shape[1], rate_hz)
    means = _means(acc, still)
    faces = _all_faces(means)
    matrix, offset, offset_sigma, residual = _accelerometer(means)
    return AccelerometerEstimate(
        acc_matrix=matrix,
        acc_offset_ms2=offset,
        acc_offset_sigma_ms2=offset_sigma,
        residual_mg=1e3 * residual / STANDARD_GRAVITY_MS2,
        faces=faces,
    )


def still_stretches(gyr: FloatArray, *, rate_hz: float) -> list[tuple[int, int]]:
    """Return (first, one past last) rows in which the sensor lay still, a margin cut off."""
    blocks = _blocks(gyr, rate_hz)
    quiet = np.degrees(blocks.std(axis=1)).max(axis=1) < STILL_DPS
    quiet &= np.degrees(np.abs(blocks.mean(axis=1))).max(axis=1) < MAX_OFFSET_DPS
    return _stretches(quiet, blocks.shape[1], rate_hz)


def _blocks(values: FloatArray, rate_hz: float) -> FloatArray:
    """Return (m, rows, 3) blocks of half a second."""
    width = max(4, round(0.5 * rate_hz))
    n = values.shape[0] // width
    return values[: n * width].reshape(n, width, 3)


def _stretches(quiet: BoolArray, width: int, rate_hz: float) -> list[tuple[int, int]]:
    """Return runs of quiet blocks that are long enough, as rows, without their ends."""
    found: list[tuple[int, int]] = []
    edges = np.flatnonzero(np.diff(np.concatenate(([False], quiet, [False])).astype(np.int8)))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        # the first and the last half second may hold the hand that lays it down and takes it up
        a, b = (int(first) + 1) * width, (int(last) - 1) * width
        if b - a >= STILL_S * rate_hz - 2 * width and b - a >= width:
            found.append((a, b))
    return found


def _means(acc: FloatArray, still: Sequence[tuple[int, int]]) -> FloatArray:
    return np.array([acc[a:b].mean(axis=0) for a, b in still]).reshape(-1, 3)


def _all_faces(means: FloatArray) -> tuple[str, ...]:
    """Return the names of all six faces; missing ones are an error that names them."""
    faces = _faces(means)
    missing = [name for name in FACE_NAMES if name not in faces]
    if missing:
        raise InputError(
            f"the sensor did not lie still on {len(missing)} of its six faces "
            f"({', '.join(missing)}); lay it on each for {STILL_S:.0f} s or more and let go of it"
        )
    return tuple(name for name in FACE_NAMES if name in faces)


def _faces(means: FloatArray) -> set[str]:
    names = set()
    for mean in means:
        direction = mean / np.linalg.norm(mean)
        axis = int(np.argmax(np.abs(direction)))
        if np.abs(direction[axis]) > np.cos(np.radians(FACE_DEG)):
            names.add(FACE_NAMES[2 * axis + int(direction[axis] < 0.0)])
    return names


def _accelerometer(means: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Gauss-Newton on |S (a - o)| = g: offset, scale, and cross axes from nine orientations on."""
    entries = [(0, 0), (1, 1), (2, 2)]
    if means.shape[0] >= 9:
        entries += [(0, 1), (0, 2), (1, 2)]
    S, offset = np.eye(3), np.zeros(3)
    J = np.empty((means.shape[0], 3 + len(entries)))
    for _ in range(20):
        centred = means - offset
        force = centred @ S.T
        size = np.linalg.norm(force, axis=1)
        unit = force / size[:, None]
        J[:, :3] = -unit @ S
        for column, (i, j) in enumerate(entries):
            d = unit[:, i] * centred[:, j]
            J[:, 3 + column] = d if i == j else d + unit[:, j] * centred[:, i]
        miss = STANDARD_GRAVITY_MS2 - size
        change = np.linalg.lstsq(J, miss, rcond=None)[0]
        offset = offset + change[:3]
        for column, (i, j) in enumerate(entries):
            S[i, j] += change[3 + column]
            if i != j:
                S[j, i] += change[3 + column]
        if np.abs(change).max() < 1e-10:
            break
    residual = float(np.sqrt(np.mean(miss**2)))
    freedom = max(1, means.shape[0] - J.shape[1])
    # with six faces there is no redundancy: fall back on what a consumer sensor wanders
    noise = max(np.sqrt(np.sum(miss**2) / freedom), 1e-3 * STANDARD_GRAVITY_MS2)
    sigma = noise * np.sqrt(np.diag(np.linalg.pinv(J.T @ J)))
    return S, offset, sigma[:3], residual


@kernel()
def _carry(gyr: FloatArray, gain: FloatArray, dt: float, v: FloatArray) -> FloatArray:
    """Return vector v, fixed in the earth, in sensor axes after the rates (n, 3) have acted."""
    out = v.copy()
    for i in range(gyr.shape[0]):
        wx = gain[0, 0] * gyr[i, 0] + gain[0, 1] * gyr[i, 1] + gain[0, 2] * gyr[i, 2]
        wy = gain[1, 0] * gyr[i, 0] + gain[1, 1] * gyr[i, 1] + gain[1, 2] * gyr[i, 2]
        wz = gain[2, 0] * gyr[i, 0] + gain[2, 1] * gyr[i, 1] + gain[2, 2] * gyr[i, 2]
        angle = np.sqrt(wx * wx + wy * wy + wz * wz) * dt
        if angle < 1e-12:
            continue
        # Rodrigues, by minus the angle: the sensor turns, the vector stays
        kx, ky, kz = wx * dt / angle, wy * dt / angle, wz * dt / angle
        c, s = np.cos(angle), np.sin(angle)
        dot = (kx * out[0] + ky * out[1] + kz * out[2]) * (1.0 - c)
        x = out[0] * c - s * (ky * out[2] - kz * out[1]) + kx * dot
        y = out[1] * c - s * (kz * out[0] - kx * out[2]) + ky * dot
        z = out[2] * c - s * (kx * out[1] - ky * out[0]) + kz * dot
        out[0], out[1], out[2] = x, y, z
    return out


def _gyroscope(
    gyr: FloatArray, still: Sequence[tuple[int, int]], gravity: FloatArray, rate_hz: float
) -> tuple[FloatArray, float, float]:
    """Return (matrix, typical sigma of an entry, closure in degrees) from the turns."""
    unit = gravity / np.linalg.norm(gravity, axis=1, keepdims=True)
    turns = [
        (np.ascontiguousarray(gyr[(a0 + a1) // 2 : (b0 + b1) // 2]), unit[i], unit[i + 1])
        for i, ((a0, a1), (b0, b1)) in enumerate(pairwise(still))
    ]
    dt = 1.0 / rate_hz

    def misses(gain: FloatArray) -> FloatArray:
        return np.concatenate([after - _carry(w, gain, dt, before) for w, before, after in turns])

    # a gyroscope of scale 1 is known to some thousandths; what no turn shows stays there
    prior_sigma, turn_sigma = 0.01, 0.003
    gain = np.eye(3)
    for _ in range(6):
        miss = misses(gain)
        J = np.empty((miss.size, 9))
        for k in range(9):
            step = np.zeros(9)
            step[k] = 1e-6
            J[:, k] = (misses(gain) - misses(gain + step.reshape(3, 3))) / 1e-6
        A = J.T @ J / turn_sigma**2 + np.eye(9) / prior_sigma**2
        b = J.T @ miss / turn_sigma**2 - (gain - np.eye(3)).ravel() / prior_sigma**2
        change = np.linalg.solve(A, b)
        gain = gain + change.reshape(3, 3)
        if np.abs(change).max() < 1e-8:
            break
    sigma = float(np.sqrt(np.mean(np.diag(np.linalg.inv(A)))))
    final = misses(gain).reshape(-1, 3)
    closure = float(np.degrees(np.sqrt(np.mean(np.sum(final**2, axis=1)))))
    return gain, sigma, closure
