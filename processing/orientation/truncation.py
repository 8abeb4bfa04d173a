"""Counts that were cut off towards zero, and the half count that this took from each.

An integer conversion in firmware that truncates, as C's does, makes every count half a count too
small in the mean, whatever its sign, and 0 of everything from -1 to 1. At rest, with a bias beyond
its noise, a gyroscope has lost half a count of bias; in motion to both sides it loses nothing in
the mean. So the bias of the moving sensor is not that of the resting one: by 0.03 °/s on a range of
±2000 °/s, two degrees in a minute. No filter can tell that from a bias that wanders.

The counts show it themselves: 0 comes twice as often as its neighbours let expect. Where the sensor
rests, its noise is Gaussian, so every second of every axis is fitted with a normal distribution
seen through either kind of counts (interval-censored maximum likelihood), and the difference of the
two log-likelihoods is evidence. No second counts that neither explains. Half a count away from zero
then restores the mean; 0 stays.
"""

import math
from typing import Final

import numpy as np

from processing._jit import kernel
from processing.types import FloatArray

SECOND_S: Final = 1.0
"""Samples that are fitted together, s: bias and noise are constant for that long."""
DECIDED: Final = 20.0
"""Difference of the log-likelihoods, summed over axes and seconds, that decides: odds of e^20.
Small: chance decides; large: the first minute goes by undecided."""
LEAST_SPREAD: Final = 0.7
"""Counts of standard deviation below which the noise does not smooth the steps."""
MOST_SPREAD: Final = 6.0
"""Counts of standard deviation from which on a second says nothing: it is motion."""
LEAST_SAMPLES: Final = 30
"""A second at a low rate is longer, so that there is something to fit."""
MISFIT_SIGMAS: Final = 3.0
"""A second whose better fit is worse than chance by more than this is no rest."""
GRID_TOLERANCE: Final = 0.02
"""Most distance of a value from a whole count, in counts, where values are counts at all."""
FIRST_COUNTS: Final = 100
"""Counts from which the step is found first: beyond, its own rounding adds up."""
LEAST_STEP: Final = 1e-6
"""Smaller differences, as a share of the largest value, are rounding of the values."""
MOST_MISFIT: Final = 1.5
"""Mean misfit of truncated counts from which on the noise is another than this believes. Twelve
recordings that are truncated have 0.4 to 1.0; vibration of a count or two has more."""
_BINS: Final = 128
"""Counts around the first of a second; whatever goes beyond is motion."""
_STEPS: Final = 40


def first_known(gyr: FloatArray, rate_hz: float) -> tuple[int, float]:
    """Return from which row on it is known that counts are cut off towards zero, and a count.

    Parameters
    ----------
    gyr : (n, 3) finite
        Rates in any unit, as the sensor gave them: no bias taken out.
    rate_hz : float

    Returns
    -------
    int
        The row after the second that decided; n if none did. Later rows change nothing in it.
    float
        What a count is in the unit of `gyr`; 0 where nothing of the kind is known.
    """
    n = gyr.shape[0]
    length = max(LEAST_SAMPLES, round(SECOND_S * rate_hz))
    count = size_of_count(gyr[:length]) if n >= length else 0.0
    if count == 0.0:
        return n, 0.0
    known = _decided(np.ascontiguousarray(gyr), length, count)
    return (known, count) if known > 0 else (n, 0.0)


@kernel()
def _decided(gyr: FloatArray, length: int, count: float) -> int:
    """Return the row after the second that decides for truncated counts, 0 where none does."""
    said = np.zeros(3)
    for known in range(length, gyr.shape[0] + 1, length):
        _hear_second(gyr[known - length : known], count, said)
        if said[0] >= DECIDED and said[1] < MOST_MISFIT * said[2]:
            return known
        if said[0] <= -DECIDED:
            return 0
    return 0


def size_of_count(values: FloatArray) -> float:
    """Return the step of which all values are whole multiples, 0 where there is none."""
    sizes = np.unique(np.abs(values))
    steps = np.diff(sizes)
    steps = steps[steps > LEAST_STEP * sizes[-1]]
    if steps.size == 0:
        return 0.0
    count = float(steps.min())
    for part in (sizes[sizes < FIRST_COUNTS * count], sizes):
        whole = np.rint(part / count)
        if not whole.any():
            return 0.0
        count = float(part @ whole / (whole @ whole))
    return count if np.abs(sizes / count - whole).max() < GRID_TOLERANCE else 0.0


@kernel()
def restored(gyr: FloatArray, count: float) -> FloatArray:
    """Return rates (n, 3) with the half count that was cut off."""
    whole = np.empty_like(gyr)
    half = 0.5 * count
    for i in range(gyr.shape[0]):
        for j in range(3):
            rate = gyr[i, j]
            whole[i, j] = rate + half if rate > half else rate - half if rate < -half else rate
    return whole


@kernel()
def _hear_second(gyr: FloatArray, count: float, said: FloatArray) -> None:
    """Add what a second's axes say to the evidence, to the misfit and to the number of fits.

    The evidence is log-likelihood of truncated minus that of rounded counts, the misfit that of
    truncated ones. An axis that moves, or that neither explains, says nothing.
    """
    n = gyr.shape[0]
    seen = np.empty(_BINS)
    for axis in range(3):
        first = int(np.rint(gyr[0, axis] / count)) - _BINS // 2
        seen[:] = 0.0
        within = True
        mean = square = 0.0
        for i in range(n):
            k = int(np.rint(gyr[i, axis] / count)) - first
            within = 0 <= k < _BINS
            if not within:
                break
            seen[k] += 1.0
            mean += (first + k) / n
            square += (first + k) ** 2 / n
        spread = np.sqrt(max(square - mean * mean, 0.0))
        if not within or spread < LEAST_SPREAD or spread > MOST_SPREAD:
            continue
        rounds, rounds_misfit = _fit(seen, first, mean, spread, 0.0)
        cuts, cuts_misfit = _fit(seen, first, mean, spread, 0.5)
        if min(rounds_misfit, cuts_misfit) < MISFIT_SIGMAS:
            said[0] += cuts - rounds
            said[1] += cuts_misfit
            said[2] += 1.0


@kernel()
def _fit(
    seen: FloatArray, first: int, mean: float, spread: float, short: float
) -> tuple[float, float]:
    """Return the greatest log-likelihood of a histogram, and its misfit in standard deviations.

    Normal distribution seen in intervals, by expectation-maximisation (Dempster, Laird and Rubin
    1977, section 4.3): counts lie `short` nearer to zero than the middle of what they stand for,
    and 0 stands for all between. The misfit is that of the likelihood-ratio statistic against its
    chi-squared distribution.
    """
    total = seen.sum()
    likelihood = best = 0.0
    used = 0
    mean += short * np.sign(mean)
    for _ in range(_STEPS):
        one = two = likelihood = best = 0.0
        used = 0
        for i in range(seen.shape[0]):
            if seen[i] == 0.0:
                continue
            used += 1
            k = first + i
            low = k - 0.5 + (short if k > 0 else -short)
            high = k + 0.5 + (short if k >= 0 else -short)
            a, b = (low - mean) / spread, (high - mean) / spread
            p = max(0.5 * (math.erf(b / math.sqrt(2.0)) - math.erf(a / math.sqrt(2.0))), 1e-12)
            fa = math.exp(-0.5 * a * a) / math.sqrt(2.0 * math.pi)
            fb = math.exp(-0.5 * b * b) / math.sqrt(2.0 * math.pi)
            shift = (fa - fb) / p
            one += seen[i] * shift / total
            two += seen[i] * (1.0 + (a * fa - b * fb) / p) / total
            likelihood += seen[i] * math.log(p)
            best += seen[i] * math.log(seen[i] / total)
        mean += spread * one
        spread *= np.sqrt(max(two - one * one, 1e-6))
        if abs(one) < 1e-4 and abs(two - one * one - 1.0) < 1e-4:
            break
    freedom = max(used - 3.0, 1.0)
    return likelihood, (2.0 * (best - likelihood) - freedom) / math.sqrt(2.0 * freedom)
