"""The axis of a guided movement, its sign from the onset, and how well it was done.

Clinical specification, section 3: first principal component of the angular rate; the person was
told the first direction, so the first swing, not the largest, gives the sign.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from processing.types import FloatArray

SMOOTHING_S: Final = 0.24
"""Two moving means of this length before the axis is sought. Shorter lets a tremor of 4 Hz, whose
rate can exceed that of the movement, turn the axis; longer blunts a quick nod."""
SWING_SHARE: Final = 0.2
"""A swing counts from this share of the largest one on. Smaller counts wobbles, larger misses
uneven repetitions."""
MIN_SWING_DEG: Final = 5.0
"""...and never below this."""


@dataclass(frozen=True, slots=True)
class MovementAxis:
    """What one guided movement says about the sensor."""

    axis: FloatArray
    """(3,) unit vector, sensor axes; the first movement was a negative rotation about it."""
    explained: float
    """Share of the rate's variance about this axis, 0..1."""
    repetitions: int
    """Complete repetitions found."""
    range_deg: float
    """Largest swing."""
    scatter_deg: float
    """Standard error of the axis from the scatter of the single swings."""


def movement_axis(gyr: FloatArray, rate_hz: float) -> MovementAxis | None:
    """Return the axis of a repeated movement, or None where nothing moved.

    Parameters
    ----------
    gyr : (n, 3) float64
        Angular rate without bias, rad/s, sensor axes, over the movement.
    rate_hz : float
        Sample rate.
    """
    w = _smooth(gyr, max(1, round(SMOOTHING_S * rate_hz)))
    if w.shape[0] < 3:
        return None
    direction, _ = _principal(w)
    swings = _swings(w @ direction, rate_hz)
    if not swings:
        return None
    moving = np.concatenate([np.arange(a, b) for a, b, _ in swings])
    direction, explained = _principal(w[moving])
    swings = _swings(w @ direction, rate_hz)
    if not swings:
        return None
    first = np.sign(swings[0][2])
    back = sum(1 for _, _, angle in swings if np.sign(angle) != first)
    axes = np.array([w[a:b].sum(axis=0) for a, b, _ in swings])
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    across = axes - np.outer(axes @ direction, direction)
    # swings of one repetition share its error
    scatter = np.sqrt(np.mean(np.sum(across**2, axis=1)) / max(1, back))
    return MovementAxis(
        axis=np.ascontiguousarray(-first * direction),
        explained=explained,
        repetitions=back,
        range_deg=max(abs(angle) for _, _, angle in swings),
        scatter_deg=float(np.degrees(scatter)),
    )


def motion_deg(gyr: FloatArray, rate_hz: float) -> float:
    """Return how much a sensor turned altogether, degrees: the integral of the smoothed rate."""
    w = _smooth(gyr, max(1, round(SMOOTHING_S * rate_hz)))
    return float(np.degrees(np.linalg.norm(w, axis=1).sum() / rate_hz))


def _smooth(gyr: FloatArray, width: int) -> FloatArray:
    """Return two moving means of `width` rows, shorter at the ends."""
    w = np.ascontiguousarray(gyr, dtype=np.float64)
    for _ in range(2):
        if w.shape[0] < width:
            return w
        sums = np.concatenate((np.zeros((1, 3)), np.cumsum(w, axis=0)))
        w = (sums[width:] - sums[:-width]) / width
    return w


def _principal(w: FloatArray) -> tuple[FloatArray, float]:
    values, vectors = np.linalg.eigh(w.T @ w)
    total = float(values.sum())
    axis: FloatArray = vectors[:, -1]
    return axis, float(values[-1]) / total if total > 0.0 else 0.0


def _swings(rate: FloatArray, rate_hz: float) -> list[tuple[int, int, float]]:
    """Return (first row, end row, angle in degrees) of the swings that count, in order."""
    if rate.size == 0:
        return []
    borders = np.flatnonzero(np.diff(np.sign(rate)) != 0.0) + 1
    edges = np.concatenate(([0], borders, [rate.size]))
    angles = np.degrees(np.add.reduceat(rate, edges[:-1])) / rate_hz
    limit = max(MIN_SWING_DEG, SWING_SHARE * float(np.abs(angles).max()))
    return [
        (int(edges[i]), int(edges[i + 1]), float(angles[i]))
        for i in np.flatnonzero(np.abs(angles) >= limit)
    ]
