"""What an emulated sensor is put through, and the clock by which it lives.

Sensors count samples until a test moves them; from then on they measure what the movement gives.
The clock may run faster than the wall's, so that minutes of handling pass in seconds.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support import six_faces

Floats = NDArray[np.float64]
_RATE_HZ = 100.0
_G = 9.80665


class Clock:
    """Seconds that may pass faster than real ones."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._at = self._since
        self._speed = 1.0

    def now(self) -> float:
        return self._at + (time.monotonic() - self._since) * self._speed

    def run(self, speed: float) -> None:
        """Go on from here at another speed."""
        self._at, self._since, self._speed = self.now(), time.monotonic(), speed


CLOCK = Clock()
"""That of all sensors of an emulated daemon."""


class Motion:
    """Acceleration and angular rate over time, from a beginning; the last one stays."""

    def __init__(self, kind: str, **arguments: Any) -> None:
        acc, gyr = _KINDS[kind](**arguments)
        self._acc, self._gyr = acc, gyr
        self._began = CLOCK.now()

    def at(self, seconds: Floats) -> tuple[Floats, Floats]:
        """Return (n, 3) m/s² and rad/s at times of `CLOCK`."""
        at = np.clip((seconds - self._began) * _RATE_HZ, 0, len(self._acc) - 1)
        steps = np.arange(len(self._acc))
        acc, gyr = (
            np.stack([np.interp(at, steps, values[:, axis]) for axis in range(3)], axis=1)
            for values in (self._acc, self._gyr)
        )
        return acc, gyr

    @property
    def seconds(self) -> float:
        return len(self._acc) / _RATE_HZ


def _still(gyr_dps: tuple[float, float, float] = (0.4, -0.3, 0.2)) -> tuple[Floats, Floats]:
    return np.array([[0.0, 0.0, _G]]), np.radians([gyr_dps])


def _nod(
    degrees: float = 20.0,
    seconds: float = 60.0,
    period_s: float = 1.5,
    offset_dps: tuple[float, float, float] = (0.4, -0.3, 0.2),
) -> tuple[Floats, Floats]:
    """Nod again and again about y."""
    t = np.arange(round(seconds * _RATE_HZ)) / _RATE_HZ
    phase = 2 * np.pi * t / period_s
    angle = np.radians(degrees) * np.sin(phase)
    rate = np.radians(degrees) * np.cos(phase) * 2 * np.pi / period_s
    acc = _G * np.stack((-np.sin(angle), np.zeros_like(t), np.cos(angle)), axis=1)
    gyr = np.stack((np.zeros_like(t), rate, np.zeros_like(t)), axis=1) + np.radians(offset_dps)
    return acc, gyr


def _faces(faces: int = 6) -> tuple[Floats, Floats]:
    return six_faces.recording(faces, rate_hz=_RATE_HZ)


_KINDS: dict[str, Callable[..., tuple[Floats, Floats]]] = {
    "still": _still,
    "nod": _nod,
    "faces": _faces,
}
