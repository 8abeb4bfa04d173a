"""Short windows of the relative rate: power spectrum, dominant peak, axis, regularity.

Welch's method with two Hann segments of 3 s in a window of 4 s, on every second row: after the
20 Hz low-pass nothing above 38 Hz is left that could fold into 1-12 Hz. Both segments go through
one complex transform: of ``z = a + ib`` the sum ``|Z(f)|² + |Z(-f)|²`` is ``2 (|A|² + |B|²)``.
"""

import numpy as np
from numpy.typing import NDArray

from processing._jit import kernel
from processing.types import FloatArray, IntArray

WINDOW_ROWS = 400
"""Rows of a window: 4 s at 100 Hz."""
HOP_ROWS = 100
"""Rows between windows: 1 s."""
SEGMENT = 150
"""Samples of a segment: 3 s at 50 Hz."""
SHIFT = 30
"""Samples between segments: 80 % overlap."""
POINTS = 200
"""Transform length: bins of 0.25 Hz."""
BIN_HZ = 0.25
FIRST_BIN, LAST_BIN = 4, 48
"""1 and 12 Hz."""

HANN: FloatArray = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(SEGMENT) / SEGMENT)
_HANN_POWER = float(np.sum(HANN * HANN))
_INVERSE: FloatArray = (
    1.0 / (2.0 * np.pi * BIN_HZ * np.arange(FIRST_BIN, LAST_BIN + 1, dtype=np.float64)) ** 2
)
"""From the density of the rate to that of the angle, s²."""


@kernel()
def _segments(w: FloatArray, starts: IntArray, hann: FloatArray, z: FloatArray) -> None:
    """Fill z (m, 3, 200, 2) with the detrended, windowed segments of each window and axis."""
    n = hann.shape[0]
    middle = 0.5 * (n - 1)
    spread = n * (n * n - 1.0) / 12.0
    x = np.empty((3, n + SHIFT))
    mean, slope = np.empty((2, 3)), np.empty((2, 3))
    for i in range(starts.shape[0]):
        rows = w[starts[i] : starts[i] + 2 * (n + SHIFT)]
        for k in range(n + SHIFT):
            x[0, k], x[1, k], x[2, k] = rows[2 * k, 0], rows[2 * k, 1], rows[2 * k, 2]
        for part in range(2):
            xa, xb, xc = x[0, SHIFT * part :], x[1, SHIFT * part :], x[2, SHIFT * part :]
            # three sums side by side: one alone waits for its own last addition
            ta = tb = tc = sa = sb = sc = 0.0
            for k in range(n):
                a, b, c = xa[k], xb[k], xc[k]
                at = k - middle
                ta, tb, tc = ta + a, tb + b, tc + c
                sa, sb, sc = sa + at * a, sb + at * b, sc + at * c
            mean[part, 0], mean[part, 1], mean[part, 2] = ta / n, tb / n, tc / n
            slope[part, 0], slope[part, 1], slope[part, 2] = sa / spread, sb / spread, sc / spread
        for j in range(3):
            first, second, into = x[j, :n], x[j, SHIFT:], z[i, j].reshape(-1)
            m0, m1, s0, s1 = mean[0, j], mean[1, j], slope[0, j], slope[1, j]
            for k in range(n):
                into[2 * k] = hann[k] * (first[k] - m0 - s0 * (k - middle))
                into[2 * k + 1] = hann[k] * (second[k] - m1 - s1 * (k - middle))
            for k in range(2 * n, into.shape[0]):
                into[k] = 0.0


@kernel()
def _density(f: FloatArray, scale: float, psd: FloatArray) -> None:
    """Fill psd (m, 45) with the density summed over axes from transforms f (m, 3, 200, 2)."""
    points = f.shape[2]
    for i in range(f.shape[0]):
        for b in range(psd.shape[1]):
            k = b + FIRST_BIN
            total = 0.0
            for j in range(3):
                re, im = f[i, j, k, 0], f[i, j, k, 1]
                mr, mi = f[i, j, points - k, 0], f[i, j, points - k, 1]
                total += re * re + im * im + mr * mr + mi * mi
            psd[i, b] = 0.25 * scale * total


def transform(w_dps: FloatArray, starts: IntArray, rate_hz: float) -> tuple[FloatArray, FloatArray]:
    """Return (psd, transforms) of the windows that begin at rows `starts`.

    Parameters
    ----------
    w_dps : (n, 3) float64
        Relative rate low-passed at 20 Hz, on the 100 Hz grid.
    starts : (m,) int64
        First rows of the windows.

    Returns
    -------
    psd : (m, 45) float64
        One-sided density (deg/s)²/Hz at 1, 1.25, .. 12 Hz, axes summed.
    transforms : (m, 3, 200, 2) float64
        Complex transforms per axis, for `axis_covariance`.
    """
    m = starts.shape[0]
    z = np.empty((m, 3, POINTS, 2))
    _segments(w_dps, starts, HANN, z)
    complex_z: NDArray[np.complex128] = z.view(np.complex128)[..., 0]
    f = np.ascontiguousarray(np.fft.fft(complex_z, axis=-1)).view(np.float64)
    f = f.reshape(m, 3, POINTS, 2)
    psd = np.empty((m, LAST_BIN - FIRST_BIN + 1))
    # a density of two segments: mean of |A|² and |B|², twice for the negative frequencies
    _density(f, 2.0 / (0.5 * rate_hz * _HANN_POWER), psd)
    return psd, f


@kernel()
def find_peaks(
    psd: FloatArray,
    low_bin: int,
    high_bin: int,
    half_band: int,
    of_angle: bool,
    out: FloatArray,
) -> None:
    """Fill out (m, 4): frequency Hz, share of the 1-12 Hz power, p-p deg, band power (deg/s)².

    The peak is the highest bin of low_bin..high_bin (indices into psd); frequency 0 where that is
    the lowest one, which only says that something slower is going on. With `of_angle` peak and
    share are those of the angle's spectrum: a sawtooth has equal harmonics in its rate, but a clear
    fundamental in its angle.
    """
    bins = psd.shape[1]
    inverse = _INVERSE
    for i in range(psd.shape[0]):
        best = low_bin
        highest = total = 0.0
        for b in range(bins):
            value = psd[i, b] * inverse[b] if of_angle else psd[i, b]
            total += value
            if low_bin <= b <= high_bin and value > highest:
                highest = value
                best = b
        power = angle = 0.0
        for b in range(max(0, best - half_band), min(bins, best + half_band + 1)):
            power += psd[i, b]
            angle += psd[i, b] * inverse[b]
        # vertex of the parabola through the peak's logarithms
        shift = 0.0
        if 0 < best < bins - 1 and psd[i, best - 1] > 0.0 and psd[i, best + 1] > 0.0:
            y0, y1, y2 = np.log(psd[i, best - 1]), np.log(psd[i, best]), np.log(psd[i, best + 1])
            curve = y0 - 2.0 * y1 + y2
            if curve < 0.0:
                shift = min(0.5, max(-0.5, 0.5 * (y0 - y2) / curve))
        out[i, 0] = 0.0 if best == low_bin else BIN_HZ * (best + FIRST_BIN + shift)
        out[i, 1] = (angle if of_angle else power) / total if total > 0.0 else 0.0
        out[i, 2] = 2.0 * np.sqrt(2.0 * angle * BIN_HZ)
        out[i, 3] = power * BIN_HZ


@kernel()
def oscillation_axis(f: FloatArray, peak_bin: int, half_band: int, axis: FloatArray) -> float:
    """Fill axis (3,) with the main axis of the band; return its share of the band's power.

    f is one window's (3, 200, 2); power iteration on the 3 x 3 covariance, largest component
    positive.
    """
    points = f.shape[1]
    c = np.zeros((3, 3))
    for k in range(max(1, peak_bin - half_band), peak_bin + half_band + 1):
        for side in (k, points - k):
            for a in range(3):
                for b in range(3):
                    c[a, b] += f[a, side, 0] * f[b, side, 0] + f[a, side, 1] * f[b, side, 1]
    trace = c[0, 0] + c[1, 1] + c[2, 2]
    big = 0
    for a in range(1, 3):
        if c[a, a] > c[big, big]:
            big = a
    for a in range(3):
        axis[a] = c[a, big]
    for _ in range(40):
        norm = np.sqrt(axis[0] * axis[0] + axis[1] * axis[1] + axis[2] * axis[2])
        if norm == 0.0:
            return 0.0
        v0, v1, v2 = axis[0] / norm, axis[1] / norm, axis[2] / norm
        for a in range(3):
            axis[a] = c[a, 0] * v0 + c[a, 1] * v1 + c[a, 2] * v2
    value = np.sqrt(axis[0] * axis[0] + axis[1] * axis[1] + axis[2] * axis[2])
    big = 0
    for a in range(1, 3):
        if abs(axis[a]) > abs(axis[big]):
            big = a
    sign = 1.0 if axis[big] >= 0.0 else -1.0
    for a in range(3):
        axis[a] *= sign / value
    return value / trace if trace > 0.0 else 0.0


@kernel()
def regularity(
    w: FloatArray, start: int, rows: int, axis: FloatArray, period_rows: float
) -> tuple[float, float]:
    """Return (coefficient of variation of the cycle periods, skewness) along an axis.

    The mean over one cycle is removed, which leaves the oscillation with its harmonics; for the
    periods it is smoothed over a third of a cycle and upward zero crossings are interpolated. Fewer
    than three cycles give NaN.
    """
    whole = max(1, round(0.5 * period_rows))
    third = max(1, round(period_rows / 6.0))
    # sums up to each row, so that a moving mean costs one difference
    upto = np.zeros(rows + 1)
    x = np.empty(rows)
    for i in range(rows):
        x[i] = w[start + i, 0] * axis[0] + w[start + i, 1] * axis[1] + w[start + i, 2] * axis[2]
        upto[i + 1] = upto[i] + x[i]
    n = rows - 2 * whole
    y = np.empty(n)
    y_upto = np.zeros(n + 1)
    for i in range(n):
        y[i] = x[i + whole] - (upto[i + 2 * whole + 1] - upto[i]) / (2 * whole + 1)
        y_upto[i + 1] = y_upto[i] + y[i]
    square = cube = 0.0
    for i in range(n):
        square += y[i] * y[i]
        cube += y[i] * y[i] * y[i]
    skew = (cube / n) / (square / n) ** 1.5 if square > 0.0 else 0.0
    count = 0
    period_sum = period_square = 0.0
    before = crossing = -1.0
    for i in range(third, n - third):
        value = y_upto[i + third + 1] - y_upto[i - third]
        if i > third and before < 0.0 <= value:
            at = i - value / (value - before)
            if crossing >= 0.0:
                period_sum += at - crossing
                period_square += (at - crossing) * (at - crossing)
                count += 1
            crossing = at
        before = value
    if count < 3:
        return np.nan, skew
    mean = period_sum / count
    variance = max(0.0, period_square / count - mean * mean)
    return np.sqrt(variance) / mean, skew
