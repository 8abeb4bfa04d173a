"""Days against treatments: difference before and after, onset, best fortnight, wearing off.

Definitions are those of the clinical specification, section 9: the x-axis counts days since the
injection, smoothing is the median of seven days, and the effect wears off on the first day whose
7-day median has lost half of the improvement, for three days. Onset mirrors that: the first day
that has gained half of it, for three days. The 7-day median is centred, so that neither date is
late by half a window.

Intervals are those of `processing.shift`; the ones of onset and wearing off take days as
independent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from processing.shift import Shift, median_interval, shift

Better = Literal["lower", "higher"]


@dataclass(frozen=True, slots=True)
class TrendParams:
    """What a trend needs."""

    window_d: int = 7
    """Days of the centred running median. Smaller follows faster and trembles more."""
    least_days: int = 4
    """Days with a value that a window needs (a valid week, clinical specification, section 9)."""
    baseline_d: int = 28
    """Days before the injection that make the baseline. More averages better and reaches further
    into the previous cycle's last relief."""
    best_d: int = 14
    """Length of the best window, days."""
    best_least_days: int = 7
    """Days with a value that the best window needs."""
    lost_fraction: float = 0.5
    """Share of the improvement gained at onset and lost at wearing off."""
    sustained_d: int = 3
    """Days in a row that onset and wearing off must hold. Fewer takes a bad day for a turn."""
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class TrendDay:
    """One local day of one figure."""

    day: int
    """Number of the day; any origin, the same for all."""
    value: float | None
    """None where the day has no value or too little was worn."""
    n_id: str = ""
    """Which neutral the day's angles are relative to; "" for figures that need none."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A day on which the effect turned, with its interval; or why there is none."""

    day: int | None
    """Days since the injection."""
    low: int | None = None
    """First day on which the turn cannot be excluded."""
    high: int | None = None
    """First day on which no doubt is left; None where the data end before."""
    reason: str = ""
    """Code of why there is none: `no_baseline`, `no_follow_up`, `no_improvement`, `not_reached`."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """One injection's course."""

    injected: int
    end: int
    """First day that no longer belongs to it: the next injection, a new neutral, the data's end."""
    ended_by: Literal["injection", "neutral", "data"]
    days: tuple[TrendDay, ...]
    """From the beginning of the baseline on."""
    smooth: tuple[TrendDay, ...]
    """Centred running median of the days after the injection."""
    baseline: float | None
    baseline_n: int
    best_start: int | None
    """First day of the best window."""
    best: float | None
    """Median of that window."""
    change: Shift | None
    """Best window against baseline. The window was chosen for being best: the estimate flatters."""
    onset: Turn
    wearing_off: Turn


def running_median(params: TrendParams, days: Sequence[TrendDay]) -> tuple[TrendDay, ...]:
    """Return the centred running median, one entry per calendar day from first to last.

    A window never mixes neutrals: days of another `n_id` than its middle day's do not count.
    """
    return tuple(
        TrendDay(day, None if len(held) < params.least_days else float(np.median(held)), n_id)
        for day, n_id, held in _windows(params, days)
    )


def _windows(params: TrendParams, days: Sequence[TrendDay]) -> list[tuple[int, str, list[float]]]:
    if not days:
        return []
    by_day = {each.day: each for each in days}
    half = params.window_d // 2
    found, n_id = [], days[0].n_id
    for day in range(days[0].day, days[-1].day + 1):
        n_id = by_day[day].n_id if day in by_day else n_id
        held = [
            each.value
            for near in range(day - half, day - half + params.window_d)
            if (each := by_day.get(near)) is not None
            and each.value is not None
            and each.n_id == n_id
        ]
        found.append((day, n_id, held))
    return found


def cycles(
    params: TrendParams, days: Sequence[TrendDay], injections: Sequence[int], better: Better
) -> tuple[Cycle, ...]:
    """Return the course after each injection.

    Parameters
    ----------
    params : TrendParams
    days : sequence of TrendDay
        In order of time, at most one per day.
    injections : sequence of int
        Days, in the same count.
    better : {"lower", "higher"}
        Which way the figure improves.
    """
    ordered = sorted(set(injections))
    return tuple(
        _cycle(params, days, injected, tuple(ordered[i - 1 : i]) if i else (), nexts, better)
        for i, injected in enumerate(ordered)
        for nexts in [ordered[i + 1] if i + 1 < len(ordered) else None]
    )


def _cycle(
    params: TrendParams,
    days: Sequence[TrendDay],
    injected: int,
    previous: tuple[int, ...],
    following: int | None,
    better: Better,
) -> Cycle:
    first = max((injected - params.baseline_d, *previous))
    end = following if following is not None else (days[-1].day + 1 if days else injected)
    ended_by: Literal["injection", "neutral", "data"] = "data" if following is None else "injection"
    reach = [each for each in days if first <= each.day < end]
    n_id = next((d.n_id for d in reversed(reach) if d.day < injected and d.value is not None), None)
    before = [d for d in reach if d.day < injected and d.n_id == n_id]
    after = []
    for each in reach:
        if each.day < injected:
            continue
        if n_id is not None and each.n_id != n_id:
            end, ended_by = each.day, "neutral"
            break
        after.append(each)
    sign = 1.0 if better == "lower" else -1.0
    base = [sign * d.value for d in before if d.value is not None]
    smooth = running_median(params, after)
    baseline = float(np.median(base)) if len(base) >= params.least_days else None
    best_start, best_values = _best(params, after, sign)
    change = shift(base, best_values, params.confidence) if base and best_values else None
    nothing = _why_nothing(baseline, best_values, change)
    if nothing or baseline is None or best_start is None:
        onset = wearing = Turn(None, reason=nothing)
    else:
        best = float(np.median(best_values))
        half = baseline - params.lost_fraction * (baseline - best)
        windows = [(day, [sign * v for v in held]) for day, _, held in _windows(params, after)]
        onset = _turn(params, windows, injected, lambda low, high: (low <= half, high <= half))
        late = [w for w in windows if w[0] >= best_start + params.best_d]
        wearing = _turn(params, late, injected, lambda low, high: (high >= half, low >= half))
    if change is not None and sign < 0.0:
        change = _mirrored(change)
    return Cycle(
        injected=injected,
        end=end,
        ended_by=ended_by,
        days=tuple(before + after),
        smooth=smooth,
        baseline=None if baseline is None else sign * baseline,
        baseline_n=len(base),
        best_start=best_start,
        best=sign * float(np.median(best_values)) if best_values else None,
        change=change,
        onset=onset,
        wearing_off=wearing,
    )


def _mirrored(change: Shift) -> Shift:
    low = None if change.high is None else -change.high
    high = None if change.low is None else -change.low
    return Shift(-change.estimate, low, high, change.before_n, change.after_n)


def _why_nothing(baseline: float | None, best_values: Sequence[float], change: Shift | None) -> str:
    if baseline is None:
        return "no_baseline"
    if not best_values or change is None:
        return "no_follow_up"
    return "" if change.established and change.estimate < 0.0 else "no_improvement"


def _best(
    params: TrendParams, days: Sequence[TrendDay], sign: float
) -> tuple[int | None, list[float]]:
    """Return the first day and the values (turned so that lower is better) of the best window."""
    best_start: int | None = None
    best: list[float] = []
    last = days[-1].day if days else 0
    for start in range(days[0].day if days else 1, last - params.best_d + 2):
        held = [
            sign * d.value
            for d in days
            if start <= d.day < start + params.best_d and d.value is not None
        ]
        enough = len(held) >= params.best_least_days
        if enough and (not best or np.median(held) < np.median(best)):
            best_start, best = start, held
    return best_start, best


def _turn(
    params: TrendParams,
    windows: Sequence[tuple[int, list[float]]],
    injected: int,
    test: Callable[[float, float], tuple[bool, bool]],
) -> Turn:
    """Return the first sustained day of the median, and of either end of its interval."""
    runs = {"median": 0, "possible": 0, "certain": 0}
    first: dict[str, int] = {}
    for day, held in windows:
        if len(held) < params.least_days:
            runs = dict.fromkeys(runs, 0)
            continue
        middle = float(np.median(held))
        low, high = median_interval(held, params.confidence)
        possible, certain = test(low, high)
        hits = {"median": test(middle, middle)[0], "possible": possible, "certain": certain}
        for name, hit in hits.items():
            runs[name] = runs[name] + 1 if hit else 0
            if runs[name] == params.sustained_d and name not in first:
                first[name] = day - params.sustained_d + 1 - injected
    if "median" not in first:
        return Turn(None, reason="not_reached")
    return Turn(first["median"], first["possible"], first.get("certain"))
