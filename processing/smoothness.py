"""Smoothness of discrete, prompted movements; never of continuous free living.

Balasubramanian, Melendez-Calderon, Roby-Brami, Burdet 2015, J NeuroEngineering Rehabil 12:112.
"""

import numpy as np

from processing.errors import InputError
from processing.types import FloatArray


def _speed(speed: FloatArray, least: int) -> FloatArray:
    v = np.asarray(speed, dtype=np.float64)
    if v.ndim != 1 or v.shape[0] < least:
        raise InputError(f"speed has shape {v.shape}; a movement needs (n,) with n >= {least}")
    if not np.isfinite(v).all():
        raise InputError("speed holds missing samples; cut the movement where it is complete")
    if not np.any(v > 0.0):
        raise InputError("speed is zero throughout; there is no movement to judge")
    return v


def sparc(
    speed: FloatArray,
    rate_hz: float,
    *,
    cutoff_hz: float = 10.0,
    amplitude_min: float = 0.05,
    pad_level: int = 4,
) -> float:
    """Return the spectral arc length of a speed profile: nearer to zero is smoother.

    Parameters
    ----------
    speed : (n,) float64
        Speed of one movement, any unit.
    rate_hz : float
        Sample rate.
    cutoff_hz : float
        Highest frequency that counts; 10 Hz. Lower hides tremor, higher lets noise in.
    amplitude_min : float
        Part of the largest magnitude at which the spectrum ends; 0.05. Smaller follows noise.
    pad_level : int
        Zero padding by powers of two; 4. Less makes the arc coarse.

    Raises
    ------
    InputError
        No movement, missing samples, or fewer than two samples.
    """
    v = _speed(speed, 2)
    n = 1 << (int(np.ceil(np.log2(v.shape[0]))) + pad_level)
    f = np.arange(n) * rate_hz / n
    magnitude = np.abs(np.fft.fft(v, n))
    magnitude /= magnitude.max()
    low = f <= cutoff_hz
    f, magnitude = f[low], magnitude[low]
    above = np.flatnonzero(magnitude >= amplitude_min)
    part = slice(int(above[0]), int(above[-1]) + 1)
    f, magnitude = f[part], magnitude[part]
    if f.shape[0] < 2:
        return 0.0
    steps = np.diff(f) / (f[-1] - f[0])
    return float(-np.sum(np.sqrt(steps**2 + np.diff(magnitude) ** 2)))


def dimensionless_jerk(speed: FloatArray, rate_hz: float) -> float:
    """Return ``-(T³/v_peak²) Σ (d²v/dt²)² dt`` with T = n dt: nearer to zero is smoother.

    Raises
    ------
    InputError
        No movement, missing samples, or fewer than three samples.
    """
    v = _speed(speed, 3)
    dt = 1.0 / rate_hz
    jerk = np.diff(v, 2) / dt**2
    scale = (v.shape[0] * dt) ** 3 / float(v.max()) ** 2
    return float(-scale * np.sum(jerk**2) * dt)


def log_dimensionless_jerk(speed: FloatArray, rate_hz: float) -> float:
    """Return ``-ln |dimensionless_jerk|``, the most sensitive of the three in dystonia."""
    return float(-np.log(abs(dimensionless_jerk(speed, rate_hz))))
