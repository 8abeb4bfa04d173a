"""How far two groups of days lie apart, and how sure that is.

Nothing is drawn at random. Intervals come from order statistics: of the pairwise differences for
a shift (Hodges and Lehmann 1963), of the days themselves for a median (Conover 1999, section 3.2).
Days resemble their neighbours, so the interval of a shift is stretched by what that costs
(`dependence`); that of a median takes days as independent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from processing.types import FloatArray


@dataclass(frozen=True, slots=True)
class Shift:
    """How much later days differ from earlier ones."""

    estimate: float
    """Median of all pairwise differences, later minus earlier."""
    low: float | None
    """Ends of the interval; None where so few days allow none at this confidence."""
    high: float | None
    before_n: int
    after_n: int

    @property
    def established(self) -> bool:
        """The interval leaves no room for no difference."""
        return self.low is not None and self.high is not None and self.low * self.high > 0.0


def shift(before: Sequence[float], after: Sequence[float], confidence: float = 0.95) -> Shift:
    """Return the Hodges-Lehmann shift with its interval, stretched for days that hang together.

    Parameters
    ----------
    before, after : sequence of float
        At least one value each, in order of time.
    confidence : float
        Of the interval.

    Notes
    -----
    The distribution-free interval of independent days, each end moved away from the estimate by
    the square root of the variance that autocorrelation adds. A block bootstrap was measured and
    covers less at a clinic's numbers of days (docs/decisions, days-hang-together).
    """
    x, y = np.asarray(before, np.float64), np.asarray(after, np.float64)
    pairs = np.sort((y[:, None] - x[None, :]).ravel())
    estimate = float(np.median(pairs))
    below = _rank_below(len(x), len(y), confidence)
    low = high = None
    if below >= 0:
        stretch = dependence(x, y)
        low = estimate - stretch * (estimate - float(pairs[below]))
        high = estimate + stretch * (float(pairs[-1 - below]) - estimate)
    return Shift(estimate, low, high, before_n=len(x), after_n=len(y))


_LARGEST_CORRELATION = 0.85
"""A fortnight cannot tell a higher one from a slope."""


def dependence(before: FloatArray, after: FloatArray) -> float:
    """Return how much wider an interval of a difference of two levels is than of independent days.

    Parameters
    ----------
    before, after : (n,), (m,) float64
        In order of time. Days missing in between make the correlation look longer than it is,
        and so the interval wider.

    Notes
    -----
    Days are taken as an autoregression of first order: the variance of a mean of n grows by
    1 + 2 sum (1 - k/n) r^k (Bartlett 1946). r is pooled over both periods about their own means
    and freed of most of its bias, which is -(1 + 4r)/n (Marriott and Pope 1954).
    """
    products = squares = 0.0
    for values in (before, after):
        centred = values - values.mean()
        products += float(np.sum(centred[1:] * centred[:-1]))
        squares += float(np.sum(centred * centred))
    if squares <= 0.0:
        return 1.0
    n, m = len(before), len(after)
    r = products / squares
    r = min(max(r + (1.0 + 4.0 * r) / ((n + m) / 2.0), 0.0), _LARGEST_CORRELATION)
    grown = _mean_variance(n, r) + _mean_variance(m, r)
    return float(np.sqrt(grown / (1.0 / n + 1.0 / m)))


def _mean_variance(n: int, r: float) -> float:
    """Return the variance of a mean of n days of unit variance."""
    k = np.arange(1, n)
    return float(1.0 + 2.0 * np.sum((1.0 - k / n) * r**k)) / n


def _rank_below(n: int, m: int, confidence: float) -> int:
    """Return how many pairwise differences lie outside each end of the interval; -1: too few."""
    tail = (1.0 - confidence) / 2.0
    if n * m > 2500:
        z = NormalDist().inv_cdf(1.0 - tail)
        return int(np.floor(n * m / 2.0 - z * np.sqrt(n * m * (n + m + 1) / 12.0))) - 1
    cumulative = np.cumsum(_rank_sum_counts(n, m))
    below = int(np.searchsorted(cumulative / cumulative[-1], tail, side="right"))
    return below - 1


def _rank_sum_counts(n: int, m: int) -> FloatArray:
    """Return how many arrangements give each Mann-Whitney count 0 … n·m (Mann and Whitney 1947).

    The Gaussian binomial: a product of (1 - q^(m + i)) / (1 - q^i), multiplied out.
    """
    counts = np.zeros(n * m + 1)
    counts[0] = 1.0
    for i in range(1, n + 1):
        top = m + i
        if top <= n * m:
            counts[top:] -= counts[:-top].copy()
        for first in range(i):
            counts[first::i] = np.cumsum(counts[first::i])
    return counts


def median_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Return the order statistics around the median; the extremes where nothing narrower does.

    Parameters
    ----------
    values : sequence of float
        At least one. Five or fewer reach less than 95 % even with their extremes.
    confidence : float
        Of the interval.
    """
    ordered = np.sort(np.asarray(values, np.float64))
    n = len(ordered)
    tail = (1.0 - confidence) / 2.0
    below, mass, term = -1, 0.0, 0.5**n
    while below + 1 < n // 2:
        mass += term
        if mass > tail:
            break
        below += 1
        term *= (n - below) / (below + 1)
    rank = max(0, below)
    return float(ordered[rank]), float(ordered[n - 1 - rank])
