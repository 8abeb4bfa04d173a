"""Which way a worn sensor faces, where neither movements nor a declared mounting say it.

Walking says it best. A walker is an inverted pendulum: with every step the body is fastest forward
when it is lowest, so forward acceleration runs a quarter of a period ahead of the acceleration
upward (Zijlstra and Hof 2003), while swaying aside has half the frequency. The quadrature part of
the horizontal against the vertical acceleration at step frequency is thus a vector that points
forward, in the axes of the sensor, whatever its mounting.

Without walking there is only posture, after Kong et al. 2016: people lean forward more, and
further, than aside or backward. Each lean is a vector, weighted with the square of its size; those
to the left and to the right cancel.

Where one sensor's facing is known the other's follows, because in N both segments face the same
way: below 3 Hz head and trunk are pushed about together, and the angle between their horizontal
accelerations is that between their headings.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from processing import quaternion
from processing.alignment.axes import unit
from processing.frames import EARTH_UP
from processing.types import BoolArray, FloatArray, PairBlock, PairOrientation

ComplexArray = NDArray[np.complex128]

WINDOW_S: Final = 4.0
STEP_HZ: Final = (1.3, 2.6)
"""Step frequencies from a stroll to a hurry."""
MIN_STEP_MS2: Final = 1.0
"""Least amplitude of the vertical acceleration at step frequency; a slow walk has about 1.5."""
MIN_WINDOWS: Final = 4
MIN_AGREEMENT: Final = 0.7
"""Length of the mean of the windows' directions; a smaller one is not walking."""
MIN_ONE_WAY: Final = 0.6
"""The same of weighted leans; below, forward was 45° off in a simulated patient."""
MIN_LEAN_DEG: Final = 10.0
"""Somebody who leant by less may as well have slouched."""

SHARED_WINDOW_S: Final = 10.0
SHARED_HZ: Final = (0.2, 3.0)
"""Band in which head and trunk are accelerated together. Below, errors of tilt show as
acceleration; above, the head's own motion drowns the rest."""
SHARED_SIGMA_DEG: Final = 10.0
"""A shared heading with a larger standard error is not believed; posture is no better then."""


@dataclass(frozen=True, slots=True)
class Leaning:
    """Where somebody leans."""

    forward: FloatArray
    """(3,) direction in sensor axes, probably forward."""
    agreement: float
    """Length of the sum of the weighted leans over the sum of their lengths, 0..1."""
    largest_deg: float

    @property
    def is_clear(self) -> bool:
        """Whether somebody leant, and mostly one way."""
        return self.agreement >= MIN_ONE_WAY and self.largest_deg >= MIN_LEAN_DEG


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


def forward_from_leaning(q_es: FloatArray, up: FloatArray) -> Leaning:
    """Return the direction in which the wearer leans more and further than in any other.

    Parameters
    ----------
    q_es : (n, 4) float64
        Orientation over the recording; NaN rows are left out.
    up : (3,) float64
        Earth's up in sensor axes in the neutral pose.
    """
    ups = _up(q_es[np.isfinite(q_es).all(axis=1)])
    # from the usual posture: the pose may have been found while somebody leant
    usual = _median(ups)
    tilt = ups - np.outer(ups @ usual, usual)
    weight = np.sum(tilt**2, axis=1)
    # when a segment tips forward, earth's up moves towards its back
    total = -(weight @ tilt)
    lengths = float(np.sum(weight * np.sqrt(weight)))
    level = total - (total @ up) * up
    size = float(np.linalg.norm(level))
    if size < 1e-12:
        return Leaning(unit(np.cross(up, np.eye(3)[np.argmin(np.abs(up))])), 0.0, 0.0)
    largest = float(np.degrees(np.arcsin(min(1.0, np.sqrt(weight.max())))))
    return Leaning(level / size, size / lengths, largest)


def shared_turn(pair: PairBlock, oriented: PairOrientation) -> FloatArray | None:
    """Return the turn about the vertical (4,) from the trunk's heading to the head's in the filter.

    Two six-axis filters have each a heading of their own. None where head and trunk were not
    pushed about enough to tell.

    Parameters
    ----------
    pair : PairBlock
        Samples of both sensors.
    oriented : PairOrientation
        Orientations for the same rows, in earth frames that differ by the turn.
    """
    width = round(SHARED_WINDOW_S * pair.rate_hz)
    hz = np.abs(np.fft.fftfreq(width, 1.0 / pair.rate_hz))
    band = (hz >= SHARED_HZ[0]) & (hz <= SHARED_HZ[1])
    taper = np.hanning(width)
    both = pair.head_valid & pair.trunk_valid
    crossed: list[complex] = []
    for start in range(0, both.shape[0] - width + 1, width):
        rows = slice(start, start + width)
        of_head, of_trunk = oriented.q_es_head[rows], oriented.q_es_trunk[rows]
        if not (both[rows].all() and np.isfinite(of_head).all() and np.isfinite(of_trunk).all()):
            continue
        head = np.fft.fft(_level(of_head, pair.head_acc[rows]) * taper)
        trunk = np.fft.fft(_level(of_trunk, pair.trunk_acc[rows]) * taper)
        crossed.append(complex(np.sum(head[band] * np.conj(trunk[band]))))
    if len(crossed) < MIN_WINDOWS:
        return None
    each = np.array(crossed)
    total = each.sum()
    if abs(total) == 0.0:
        return None
    # across the common direction a window says nothing but scatter
    turned = each * np.conj(total) / abs(total)
    error = float(np.sqrt(np.sum(turned.imag**2)) / np.sum(turned.real))
    if error > np.radians(SHARED_SIGMA_DEG):
        return None
    half = 0.5 * float(np.angle(total))
    return np.array([np.cos(half), 0.0, 0.0, np.sin(half)])


def carried(
    forward: FloatArray, q_es_from: FloatArray, turn: FloatArray, q_es_to: FloatArray
) -> FloatArray:
    """Return what points `forward` in one sensor's axes (3,) in those of the other.

    Parameters
    ----------
    forward : (3,) float64
        Direction in the axes of the sensor it is known of.
    q_es_from, q_es_to : (m, 4) float64
        Orientations of the two over one held pose.
    turn : (4,) float64
        From the heading of the first to that of the second.
    """
    across = quaternion.multiply(
        quaternion.conjugate(q_es_to), quaternion.multiply(turn, q_es_from)
    )
    fine = across[np.isfinite(across).all(axis=1)]
    return unit(quaternion.rotate(quaternion.mean(fine), forward))


def usual_up(q_es: FloatArray) -> FloatArray:
    """Return earth's up in sensor axes (3,) in the usual posture, rows of NaN left out."""
    return _median(_up(q_es[np.isfinite(q_es).all(axis=1)]))


def _median(ups: FloatArray) -> FloatArray:
    return unit(np.median(ups, axis=0))


def _level(q_es: FloatArray, acc: FloatArray) -> ComplexArray:
    """Return the horizontal acceleration in earth axes, (n,) complex: east + i north."""
    in_earth = quaternion.rotate(q_es, acc)
    level = in_earth[:, 0] + 1j * in_earth[:, 1]
    return np.asarray(level - level.mean())


def _up(q_es: FloatArray) -> FloatArray:
    shape = (q_es.shape[0], 3)
    return quaternion.rotate(quaternion.conjugate(q_es), np.broadcast_to(EARTH_UP, shape))
