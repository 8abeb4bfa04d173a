"""Symmetric FIR filters of fixed lag: the same live and in batch, no phase, no memory of starts."""

from functools import cache

import numpy as np

from processing._jit import kernel
from processing.types import BoolArray, FloatArray


@cache
def lowpass_taps(cutoff_hz: float, rate_hz: float, half: int) -> FloatArray:
    """Return the symmetric low-pass taps (2 half + 1,) with gain 1 at zero and -3 dB at the cutoff.

    Parameters
    ----------
    cutoff_hz : float
        Frequency of half power.
    rate_hz : float
        Sample rate.
    half : int
        Taps on each side; also the lag in samples. Fewer make the transition wide, more make live
        results later.

    Notes
    -----
    Hamming-windowed sinc; the sinc's own corner is moved until half power lies at `cutoff_hz`.
    """
    n = np.arange(-half, half + 1)
    window = 0.54 + 0.46 * np.cos(np.pi * n / (half + 0.5))

    def taps(corner_hz: float) -> FloatArray:
        raw = np.sinc(2.0 * corner_hz / rate_hz * n) * window
        return np.asarray(raw / raw.sum(), dtype=np.float64)

    low, high = 0.25 * cutoff_hz, min(4.0 * cutoff_hz, 0.5 * rate_hz)
    for _ in range(60):
        corner = 0.5 * (low + high)
        if gain(taps(corner), cutoff_hz, rate_hz) < np.sqrt(0.5):
            low = corner
        else:
            high = corner
    found = taps(0.5 * (low + high))
    found.flags.writeable = False
    return found


@cache
def gaussian_taps(cutoff_hz: float, rate_hz: float, half: int) -> FloatArray:
    """Return Gaussian low-pass taps (2 half + 1,), -3 dB at the cutoff where `half` allows it.

    Notes
    -----
    A Gaussian never overshoots, so a step of posture crosses a threshold once. Its standard
    deviation is sqrt(ln 2) / (2 π cutoff); `half` should reach to three of them.
    """
    sigma = np.sqrt(np.log(2.0)) / (2.0 * np.pi * cutoff_hz) * rate_hz
    n = np.arange(-half, half + 1)
    raw = np.exp(-0.5 * (n / sigma) ** 2)
    taps: FloatArray = raw / raw.sum()
    taps.flags.writeable = False
    return taps


def gain(taps: FloatArray, f_hz: float, rate_hz: float) -> float:
    """Return the gain of symmetric taps at a frequency; negative where the sign turns."""
    half = taps.shape[0] // 2
    n = np.arange(-half, half + 1)
    return float(np.sum(taps * np.cos(2.0 * np.pi * f_hz / rate_hz * n)))


@kernel()
def fir(x: FloatArray, taps: FloatArray, out: FloatArray) -> None:
    """Fill out (n, m) with the symmetric filter of x (n + 2 half, m).

    Row i of `out` is centred on row i + half of `x`. Taps run outermost so that the inner loop is
    one vector operation, and every output adds its terms in the same order whatever n is.
    """
    half = taps.shape[0] // 2
    width = x.shape[1]
    flat = x.reshape(-1)
    into = out.reshape(-1)
    size = into.shape[0]
    block = 768
    for begin in range(0, size, block):
        y = into[begin : min(begin + block, size)]
        n = y.shape[0]
        centre = begin + half * width
        middle, a = flat[centre:], taps[half]
        for f in range(n):
            y[f] = a * middle[f]
        # four taps a pass: each output is loaded and stored a quarter as often; slices, because
        # of an index that might be negative the compiler takes one at a time
        j = 1
        while j + 3 <= half:
            a, b, c, d = taps[half + j], taps[half + j + 1], taps[half + j + 2], taps[half + j + 3]
            after0, before0 = flat[centre + j * width :], flat[centre - j * width :]
            after1, before1 = flat[centre + (j + 1) * width :], flat[centre - (j + 1) * width :]
            after2, before2 = flat[centre + (j + 2) * width :], flat[centre - (j + 2) * width :]
            after3, before3 = flat[centre + (j + 3) * width :], flat[centre - (j + 3) * width :]
            for f in range(n):
                x0 = after0[f] + before0[f]
                x1 = after1[f] + before1[f]
                x2 = after2[f] + before2[f]
                x3 = after3[f] + before3[f]
                y[f] += (a * x0 + b * x1) + (c * x2 + d * x3)
            j += 4
        while j <= half:
            a = taps[half + j]
            after0, before0 = flat[centre + j * width :], flat[centre - j * width :]
            for f in range(n):
                y[f] += a * (after0[f] + before0[f])
            j += 1


@kernel()
def near_bad(bad: BoolArray, half: int, out: BoolArray) -> None:
    """Fill out (n,) with whether any of bad (n + 2 half,) within `half` rows is set."""
    last = -1
    for i in range(2 * half):
        if bad[i]:
            last = i
    for i in range(out.shape[0]):
        if bad[i + 2 * half]:
            last = i + 2 * half
        out[i] = last >= i
