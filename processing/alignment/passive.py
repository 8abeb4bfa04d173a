"""Which way a worn sensor faces, where neither movements nor a declared mounting say it.

Walking says it best. A walker is an inverted pendulum: with every step the body is fastest forward
when it is lowest, so forward acceleration runs a quarter of a period ahead of the acceleration
upward (Zijlstra and Hof 2003), while swaying aside has half the frequency. The quadrature part of
the horizontal against the vertical acceleration at step frequency is thus a vector that points
forward, in the axes of the sensor, whatever its mounting.

Without walking there is only posture, after Kong et al. 2016: people lean and look forward more,
and further, than aside or backward. The direction is that of the largest horizontal spread of
tilt, its sign that of the longer tail.
"""

from typing import Final

import numpy as np

from processing import quaternion
from processing.alignment.axes import unit
from processing.frames import EARTH_UP
from processing.types import BoolArray, FloatArray

WINDOW_S: Final = 4.0
STEP_HZ: Final = (1.3, 2.6)
"""Step frequencies from a stroll to a hurry."""
MIN_STEP_MS2: Final = 1.0
"""Least amplitude of the vertical acceleration at step frequency; a slow walk has about 1.5."""
MIN_WINDOWS: Final = 4
MIN_AGREEMENT: Final = 0.7
"""Length of the mean of the windows' directions; a smaller one is not walking."""


def forward_from_walking(
    acc: FloatArray, q_es: FloatArray, valid: BoolArray, up: FloatArray, rate_hz: float
) -> FloatArray | None:
    """Return the direction (3,) in sensor axes that points forward while walking, None without.

    Parameters
    ----------
    acc : (n, 3) float64
        Specific force, m/s², sensor axes.
    q_es : (n, 4) float64
        Sensor to earth; its heading has no influence.
    valid : (n,) bool
        Rows with samples.
    up : (3,) float64
        Earth's up in sensor axes in the neutral pose.
    rate_hz : float
        Sample rate.
    """
    width = round(WINDOW_S * rate_hz)
    across = unit(np.cross(up, np.eye(3)[np.argmin(np.abs(up))]))
    basis = np.stack((across, np.cross(up, across)))
    hz = np.fft.rfftfreq(4 * width, 1.0 / rate_hz)
    band = np.flatnonzero((hz >= STEP_HZ[0]) & (hz <= STEP_HZ[1]))
    taper = np.hanning(width)
    directions: list[FloatArray] = []
    for start in range(0, acc.shape[0] - width + 1, max(1, width // 2)):
        rows = slice(start, start + width)
        if not (valid[rows].all() and np.isfinite(q_es[rows]).all()):
            continue
        ups = _up(q_es[rows])
        vertical = np.sum(acc[rows] * ups, axis=1)
        level = (acc[rows] - vertical[:, None] * ups) @ basis.T
        signals = np.column_stack((vertical, level))
        signals -= signals.mean(axis=0)
        spectrum = np.fft.rfft(signals * taper[:, None], 4 * width, axis=0)
        peak = band[np.argmax(np.abs(spectrum[band, 0]))]
        # a Hann window halves the amplitude of a sine
        if 4.0 * abs(spectrum[peak, 0]) / width < MIN_STEP_MS2:
            continue
        ahead = np.imag(spectrum[peak, 1:] * np.conj(spectrum[peak, 0]))
        directions.append(ahead / np.linalg.norm(ahead))
    if len(directions) < MIN_WINDOWS:
        return None
    mean = np.mean(directions, axis=0)
    if np.linalg.norm(mean) < MIN_AGREEMENT:
        return None
    return unit(mean @ basis)


def forward_from_posture(q_es: FloatArray, up: FloatArray) -> FloatArray:
    """Return the direction (3,) in sensor axes in which the wearer leans most: probably forward.

    Parameters
    ----------
    q_es : (n, 4) float64
        Orientation over the recording; NaN rows are left out.
    up : (3,) float64
        Earth's up in sensor axes in the neutral pose.
    """
    ups = _up(q_es[np.isfinite(q_es).all(axis=1)])
    tilt = ups - np.outer(ups @ up, up)
    _, vectors = np.linalg.eigh(tilt.T @ tilt)
    back = vectors[:, -1] - (vectors[:, -1] @ up) * up
    along = tilt @ back
    # when a segment tips forward, earth's up moves towards its back
    if np.sum(along * np.abs(along)) < 0.0:
        back = -back
    return unit(-back)


def _up(q_es: FloatArray) -> FloatArray:
    shape = (q_es.shape[0], 3)
    return quaternion.rotate(quaternion.conjugate(q_es), np.broadcast_to(EARTH_UP, shape))
