"""How a gyroscope's bias follows its temperature: a line, learnt while the sensor lies still.

Bias of a consumer gyroscope moves by 0.01 to 0.05 °/s per kelvin, nearly along a straight line. A
sensor that was taken off cools down by 10 K within half an hour, and if it lies still meanwhile its
mean rate *is* its bias: minutes of (temperature, bias) for nothing. Still is judged over whole
minutes, so that breathing does not pass for it, and gravity must stay where it is.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from processing.frames import STANDARD_GRAVITY_MS2
from processing.types import FloatArray

STILL_RADS: Final = float(np.radians(0.3))
"""Standard deviation of the rate in a minute, largest axis (clinical specification, non-wear)."""
STILL_MS2: Final = 5e-3 * STANDARD_GRAVITY_MS2
"""The same of the specific force; also how far gravity may move in the whole stretch."""
LEAST_MINUTES: Final = 5
"""Minutes without a break from which on stillness is that of a table. The first and the last of
them are left out: a hand had just let go, or is about to take hold."""
MAX_BIAS_RADS: Final = float(np.radians(10.0))
"""A mean rate beyond this is motion, as for a turning chair, not bias."""
LEAST_SPAN_K: Final = 3.0
"""A thermometer resolves 0.5 K: over less no slope is known."""
LEAST_PAIRS: Final = 10
INSTABILITY_RADS: Final = float(np.radians(0.01))
"""Standard deviation of a minute's bias about the line, at least: bias instability."""
TOGETHER: Final = 5.0
"""Minutes that err together: bias instability lasts."""
WORTH_RADS: Final = float(np.radians(0.01))
"""A slope known worse than this, rad/s per kelvin, is not worth using."""


@dataclass(frozen=True, slots=True)
class BiasPairs:
    """Minutes at rest: temperature and bias."""

    degc: FloatArray
    """(n,)"""
    bias_rads: FloatArray
    """(n, 3)"""


@dataclass(frozen=True, slots=True)
class TemperatureLine:
    """bias = bias_rads + slope_rads_k (T - at_degc), per axis."""

    at_degc: float
    bias_rads: FloatArray
    """(3,)"""
    slope_rads_k: FloatArray
    """(3,)"""
    slope_sigma_rads_k: FloatArray
    """(3,) one standard deviation."""
    span_k: float
    """Between the coldest and the warmest minute."""
    minutes: int

    @property
    def worth_using(self) -> bool:
        """Whether every slope is known well enough to be taken out of samples."""
        return bool((self.slope_sigma_rads_k <= WORTH_RADS).all())


def still_minutes(acc: FloatArray, gyr: FloatArray, rate_hz: float) -> list[tuple[int, int]]:
    """Return rows [a, b) of the minutes in which a sensor lay still, off the body.

    Parameters
    ----------
    acc, gyr : (n, 3)
        Consecutive samples, m/s² and rad/s.
    rate_hz : float
    """
    length = max(1, round(60.0 * rate_hz))
    minutes = acc.shape[0] // length
    if minutes == 0:
        return []
    forces = acc[: minutes * length].reshape(minutes, length, 3)
    rates = gyr[: minutes * length].reshape(minutes, length, 3)
    down, bias = forces.mean(axis=1), rates.mean(axis=1)
    still = (
        (forces.std(axis=1).max(axis=1) < STILL_MS2)
        & (rates.std(axis=1).max(axis=1) < STILL_RADS)
        & (np.abs(bias).max(axis=1) < MAX_BIAS_RADS)
    )
    found: list[tuple[int, int]] = []
    begin = 0
    for i in range(minutes + 1):
        goes_on = (
            i < minutes
            and still[i]
            and (i == begin or np.abs(down[i] - down[begin]).max() < STILL_MS2)
        )
        if goes_on:
            continue
        if i - begin >= LEAST_MINUTES:
            found += [(k * length, (k + 1) * length) for k in range(begin + 1, i - 1)]
        begin = i if i < minutes and still[i] else i + 1
    return found


def fit_line(pairs: BiasPairs) -> TemperatureLine | None:
    """Return the line through minutes at rest; None where temperature hardly moved."""
    n = pairs.degc.shape[0]
    if n < LEAST_PAIRS or float(np.ptp(pairs.degc)) < LEAST_SPAN_K:
        return None
    at_degc = float(pairs.degc.mean())
    away = pairs.degc - at_degc
    spread = float(away @ away)
    bias = pairs.bias_rads.mean(axis=0)
    slope = away @ pairs.bias_rads / spread
    left = pairs.bias_rads - bias - away[:, None] * slope
    variance = np.maximum(np.sum(left**2, axis=0) / (n - 2), INSTABILITY_RADS**2)
    return TemperatureLine(
        at_degc=at_degc,
        bias_rads=bias,
        slope_rads_k=slope,
        slope_sigma_rads_k=np.sqrt(variance * TOGETHER / spread),
        span_k=float(np.ptp(pairs.degc)),
        minutes=n,
    )
