"""Relative rates with known events, 100 Hz, for tests of the detectors."""

import numpy as np

from processing.types import CervicalAngles, FloatArray


def quiet(seconds: float, *, seed: int = 0, sd_dps: float = 1.0) -> FloatArray:
    """Return (n, 3) noise of a person sitting still, deg/s."""
    return np.random.default_rng(seed).standard_normal((round(100 * seconds), 3)) * sd_dps


def add_pulse(
    w_dps: FloatArray, start_s: float, length_s: float, excursion_deg: tuple[float, float, float]
) -> None:
    """Add a minimum-jerk movement; excursion about the head's X, Y, Z."""
    t = np.arange(w_dps.shape[0]) / 100.0
    x = np.clip((t - start_s) / length_s, 0.0, 1.0)
    w_dps += np.outer(30.0 * x**2 * (1.0 - x) ** 2 / length_s, excursion_deg)


def add_tremor(
    w_dps: FloatArray,
    start_s: float,
    end_s: float,
    frequency_hz: float,
    pp_deg: float,
    axis: tuple[float, float, float] = (0.0, 1.0, 0.0),
) -> None:
    """Add a sinusoid of the angle, peak to peak `pp_deg`."""
    t = np.arange(w_dps.shape[0]) / 100.0
    omega = 2.0 * np.pi * frequency_hz
    rate = 0.5 * pp_deg * omega * np.cos(omega * t)
    w_dps += np.outer(np.where((t >= start_s) & (t < end_s), rate, 0.0), axis)


def angles(
    flexion: FloatArray,
    lateral: FloatArray,
    rotation: FloatArray,
    *,
    sigma_deg: float = 3.0,
    k0: int = 0,
) -> CervicalAngles:
    """Return angles whose deviation is their root sum of squares (good for small ones)."""
    n = flexion.shape[0]
    q = np.zeros((n, 4))
    q[:, 0] = 1.0
    return CervicalAngles(
        k0=k0,
        q_rel=q,
        flexion_deg=flexion,
        lateral_right_deg=lateral,
        rotation_right_deg=rotation,
        deviation_deg=np.sqrt(flexion**2 + lateral**2 + rotation**2),
        heading_sigma_deg=np.full(n, sigma_deg),
        valid=np.ones(n, dtype=np.bool_),
    )


def neutral(n: int) -> CervicalAngles:
    """Return n rows at N."""
    zero = np.zeros(n)
    return angles(zero, zero.copy(), zero.copy())


def cut(block: CervicalAngles, begin: int, end: int) -> CervicalAngles:
    """Return rows begin..end-1."""
    part = slice(begin, end)
    return CervicalAngles(
        k0=block.k0 + begin,
        q_rel=block.q_rel[part],
        flexion_deg=block.flexion_deg[part],
        lateral_right_deg=block.lateral_right_deg[part],
        rotation_right_deg=block.rotation_right_deg[part],
        deviation_deg=block.deviation_deg[part],
        heading_sigma_deg=block.heading_sigma_deg[part],
        valid=block.valid[part],
    )
