"""What decoders of other makers' sensors return: raw numbers with their scale and device time.

Device time is the sensor's own clock as it stands in the packet; it may wrap and has any origin.
Arrival time is never part of it.
"""

from dataclasses import dataclass
from math import pi
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

STANDARD_GRAVITY_MS2 = 9.80665
"""Conventional value of g, m/s²."""
DEG = pi / 180.0
"""Radians per degree."""

RawSamples: TypeAlias = NDArray[np.int16] | NDArray[np.int32] | NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of raw numbers."""

    name: str
    """`acc_x` .. `mag_z`, `roll`, `pitch`, `yaw`."""
    unit: Literal["m/s^2", "rad/s", "uT", "rad"]
    scale: float
    """Value in `unit` = raw number * scale."""


def axes(kind: Literal["acc", "gyr", "mag"], scale: float) -> tuple[Column, Column, Column]:
    """Return the x, y, z columns of one quantity in SI units (magnetic field in µT)."""
    unit: Literal["m/s^2", "rad/s", "uT"] = (
        "m/s^2" if kind == "acc" else "rad/s" if kind == "gyr" else "uT"
    )
    return (
        Column(f"{kind}_x", unit, scale),
        Column(f"{kind}_y", unit, scale),
        Column(f"{kind}_z", unit, scale),
    )


@dataclass(frozen=True, slots=True)
class SampleBlock:
    """Consecutive samples of one stream from one packet."""

    stream: str
    """`imu`, or `acc`, `gyr`, `mag` where they are sampled apart, or `angles`."""
    columns: tuple[Column, ...]
    samples: RawSamples
    """(n, columns) raw numbers, n >= 1."""
    first_ns: int | None = None
    """Device time of the first sample, ns; None where the sensor does not tell it."""
    last_ns: int | None = None
    """Device time of the last sample where the sensor stamps that one."""
    rate_hz: float | None = None
    """Nominal rate where the packet tells it."""
    gap_before: bool = False
    """The sensor says that samples are missing before this packet."""
    clip: bool = False
    """The sensor says that a value reached the end of its range."""

    @property
    def n(self) -> int:
        """Return the number of samples."""
        return int(self.samples.shape[0])

    def physical(self) -> NDArray[np.float64]:
        """Return (n, columns) float64 in the units of `columns`."""
        scale = np.array([c.scale for c in self.columns], dtype=np.float64)
        return np.asarray(self.samples, dtype=np.float64) * scale


def unwrap(raw: int, modulus: int, near: int) -> int:
    """Return the value nearest to `near` that a counter of `modulus` steps shows as `raw`."""
    half = modulus // 2
    return near + (raw - near + half) % modulus - half
