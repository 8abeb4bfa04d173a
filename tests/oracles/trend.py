"""Trends by enumeration and plain loops, from the words of the specification."""

from collections.abc import Sequence
from itertools import combinations
from math import comb
from statistics import median

from processing.trend import TrendDay


def rank_counts(n: int, m: int) -> list[int]:
    """Mann-Whitney counts: every way to place n values among n + m."""
    counts = [0] * (n * m + 1)
    for places in combinations(range(n + m), n):
        counts[sum(place - i for i, place in enumerate(places))] += 1
    return counts


def shift(
    before: Sequence[float], after: Sequence[float], confidence: float
) -> tuple[float, float | None, float | None]:
    """Hodges-Lehmann estimate, and the widest-tailed exact interval stretched for dependence."""
    pairs = sorted(b - a for a in before for b in after)
    counts = rank_counts(len(before), len(after))
    whole, seen, cut = sum(counts), 0, 0
    for count in counts:
        seen += count
        if seen / whole > (1 - confidence) / 2:
            break
        cut += 1
    if cut == 0:
        return median(pairs), None, None
    middle, wider = median(pairs), dependence(before, after)
    low, high = pairs[cut - 1], pairs[len(pairs) - cut]
    return middle, middle - wider * (middle - low), middle + wider * (high - middle)


def dependence(before: Sequence[float], after: Sequence[float]) -> float:
    """Ratio of standard errors: first-order autoregression against independent days."""
    products = squares = 0.0
    for values in (before, after):
        mean = sum(values) / len(values)
        for i, value in enumerate(values):
            squares += (value - mean) ** 2
            if i:
                products += (value - mean) * (values[i - 1] - mean)
    if squares == 0:
        return 1.0
    raw = products / squares
    each = (len(before) + len(after)) / 2
    r = max(0.0, min(0.85, raw + (1 + 4 * raw) / each))

    def variance(n: int) -> float:
        return sum(r ** abs(i - j) for i in range(n) for j in range(n)) / n**2

    return float(
        ((variance(len(before)) + variance(len(after))) / (1 / len(before) + 1 / len(after))) ** 0.5
    )


def median_interval(values: Sequence[float], confidence: float) -> tuple[float, float]:
    """The narrowest symmetric pair of order statistics that covers the median often enough."""
    ordered, n = sorted(values), len(values)
    best = 0
    for below in range((n + 1) // 2):
        missed = 2 * sum(comb(n, k) for k in range(below + 1)) / 2**n
        if 1 - missed >= confidence:
            best = below
    return ordered[best], ordered[n - 1 - best]


def running(days: Sequence[TrendDay], window: int, least: int) -> dict[int, float | None]:
    """Centred median of each calendar day, of days of the same neutral."""
    found: dict[int, float | None] = {}
    n_id = days[0].n_id
    for day in range(days[0].day, days[-1].day + 1):
        own = [d for d in days if d.day == day]
        n_id = own[0].n_id if own else n_id
        held = [
            d.value
            for d in days
            if abs(d.day - day) <= window // 2 and d.value is not None and d.n_id == n_id
        ]
        found[day] = median(held) if len(held) >= least else None
    return found
