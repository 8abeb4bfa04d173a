"""Posture maps of two periods and their difference, cell by cell, with its uncertainty.

The unit of uncertainty is the day: a cell's share of each day's time, its mean over the days, and
Welch's interval of the difference of two means. With so many cells some differ by chance: a cell
counts as different where the false discovery rate over the whole map stays below 5 % (Benjamini
and Hochberg 1995).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from processing.summary.types import CELL_DEG, Plane, PostureCell
from processing.types import BoolArray, FloatArray

Place = tuple[float, float]
"""Lower edges of rotation and of lateral tilt or flexion, degrees."""
LEVELS = 6


@dataclass(frozen=True, slots=True)
class MapCell:
    """One cell of a map, with what it says in words' numbers."""

    rotation_deg: float
    other_deg: float
    """Lateral tilt or flexion, as the map's plane says."""
    x: float
    y: float
    value: float
    """Percent of the time, or difference in percent points."""
    low: float | None
    high: float | None
    level: int
    """1 to `LEVELS`, by the square root of the value's size."""
    established: bool
    """Of a difference: kept by the false discovery rate."""


@dataclass(frozen=True, slots=True)
class PostureMap:
    """A map in drawing coordinates: ten units per cell."""

    name: str
    plane: Plane
    cells: tuple[MapCell, ...]
    width: float
    height: float
    zero_x: float
    zero_y: float
    days: int
    seconds: float
    left_deg: float
    right_deg: float
    top_deg: float
    bottom_deg: float


@dataclass(frozen=True, slots=True)
class MapPair:
    """Two periods side by side, and later minus earlier."""

    before: PostureMap
    after: PostureMap
    change: PostureMap


DayShares = Mapping[Place, float]
Day = tuple[DayShares, float]
"""Percent of a day's time per cell, and the seconds they are of."""
Judged = tuple[FloatArray, FloatArray, BoolArray]
"""Per cell the ends of the interval and whether the difference is kept."""


def day_shares(cells: Sequence[PostureCell]) -> Day:
    """Return the percent of a day's time per cell, and the seconds they are of."""
    whole = sum(cell.seconds for cell in cells)
    if whole <= 0.0:
        return {}, 0.0
    return {(c.rotation_deg, c.other_deg): 100.0 * c.seconds / whole for c in cells}, whole


def map_pair(
    before: Sequence[Day],
    after: Sequence[Day],
    confidence: float = 0.95,
    plane: Plane = "rl",
) -> MapPair | None:
    """Return the maps of two periods; None where either holds no day.

    Parameters
    ----------
    before, after : sequence of tuple
        Per day what `day_shares` returns.
    confidence : float
        Of the intervals, and one minus the false discovery rate.
    plane : Plane
        What the cells are of.
    """
    earlier = [each for each in before if each[1] > 0.0]
    later = [each for each in after if each[1] > 0.0]
    if not earlier or not later:
        return None
    places = sorted({place for shares, _ in [*earlier, *later] for place in shares})
    a = np.array([[shares.get(p, 0.0) for p in places] for shares, _ in earlier])
    b = np.array([[shares.get(p, 0.0) for p in places] for shares, _ in later])
    low, high, kept = _welch(a, b, confidence)
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    none = np.full(len(places), np.nan)
    unjudged = (none, none, np.zeros(len(places), np.bool_))
    # one scale for both periods, so that equal shades mean equal shares
    largest = max(float(mean_a.max()), float(mean_b.max()))

    def drawn(name: str, values: FloatArray, judged: Judged, of: Sequence[Day]) -> PostureMap:
        top = largest if name != "change" else float(np.abs(values).max())
        return _drawn(name, plane, places, values, judged, top, len(of), sum(s for _, s in of))

    return MapPair(
        drawn("before", mean_a, unjudged, earlier),
        drawn("after", mean_b, unjudged, later),
        drawn("change", mean_b - mean_a, (low, high, kept), [*earlier, *later]),
    )


def _welch(a: FloatArray, b: FloatArray, confidence: float) -> Judged:
    """Return per column the ends of Welch's interval and whether the difference is kept.

    NaN and False where a side has fewer than two days.
    """
    n, m = len(a), len(b)
    if n < 2 or m < 2:
        none = np.full(a.shape[1], np.nan)
        return none, none, np.zeros(a.shape[1], np.bool_)
    from scipy import stats

    var_a, var_b = a.var(axis=0, ddof=1) / n, b.var(axis=0, ddof=1) / m
    both = np.maximum(var_a + var_b, 1e-12)
    freedom = both**2 / np.maximum(var_a**2 / (n - 1) + var_b**2 / (m - 1), 1e-24)
    freedom = np.maximum(freedom, 1.0)
    half = stats.t.ppf(0.5 + confidence / 2.0, freedom) * np.sqrt(both)
    difference = b.mean(axis=0) - a.mean(axis=0)
    chance = 2.0 * stats.t.sf(np.abs(difference) / np.sqrt(both), freedom)
    kept = stats.false_discovery_control(chance) <= 1.0 - confidence
    return difference - half, difference + half, kept


def _drawn(
    name: str,
    plane: Plane,
    places: Sequence[Place],
    values: FloatArray,
    judged: Judged,
    largest: float,
    days: int,
    seconds: float,
) -> PostureMap:
    left = min(-CELL_DEG, *(r for r, _ in places))
    right = max(0.0, *(r for r, _ in places)) + CELL_DEG
    bottom = min(-CELL_DEG, *(t for _, t in places))
    top = max(0.0, *(t for _, t in places)) + CELL_DEG
    unit = 10.0 / CELL_DEG
    cells = []
    for (rotation, other), value, a, b, kept in zip(places, values, *judged, strict=True):
        share = abs(float(value)) / max(largest, 1e-9)
        if share < 0.002:
            continue
        known = bool(np.isfinite(a))
        cells.append(
            MapCell(
                rotation_deg=rotation,
                other_deg=other,
                x=(rotation - left) * unit,
                y=(other - bottom if plane == "rf" else top - other - CELL_DEG) * unit,
                value=float(value),
                low=float(a) if known else None,
                high=float(b) if known else None,
                level=max(1, int(np.ceil(LEVELS * np.sqrt(share)))),
                established=bool(kept),
            )
        )
    return PostureMap(
        name=name,
        plane=plane,
        cells=tuple(cells),
        width=(right - left) * unit,
        height=(top - bottom) * unit,
        zero_x=-left * unit,
        zero_y=(-bottom if plane == "rf" else top) * unit,
        days=days,
        seconds=seconds,
        left_deg=left,
        right_deg=right,
        top_deg=top,
        bottom_deg=bottom,
    )
