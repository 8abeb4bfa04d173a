"""Sums over minutes: what days and recordings have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from processing.exposure import histogram_quantile, unpack_into
from processing.summary.accumulate import BINS
from processing.summary.figures import AXES, HISTOGRAM_LOW_DEG
from processing.summary.nonwear import worn_minutes
from processing.summary.types import HISTOGRAM_BIN_DEG, MinuteSummary
from processing.types import Episode, EpisodeKind
from processing.wear import WearParams


@dataclass(frozen=True, slots=True)
class Total:
    """Minutes added up, those in which a sensor was off left out."""

    recorded_s: float
    received_s: float
    worn_s: float
    evaluable_s: float
    gated_s: float
    still_s: float
    decidable_s: float
    near_neutral_s: float
    heading_good_s: float
    heading_fair_s: float
    heading_poor_s: float
    judged_s: dict[str, float]
    """Evaluable seconds in which a kind of episode could be judged; absent where never."""
    turn_n: int
    axes: dict[str, dict[str, float | None]]
    """Per axis mean, sd, p05, p50, p95, degrees."""
    off_minutes: frozenset[int]
    """UTC minute numbers left out."""

    @property
    def completeness(self) -> float | None:
        """Received part of the samples expected."""
        return self.received_s / self.recorded_s if self.recorded_s > 0.0 else None

    @property
    def near_neutral_fraction(self) -> float | None:
        """Part of the decidable time spent near neutral."""
        return self.near_neutral_s / self.decidable_s if self.decidable_s > 0.0 else None


def _axis(minutes: Sequence[MinuteSummary], axis: str, low_deg: float) -> dict[str, float | None]:
    histogram = np.zeros(BINS, dtype=np.int64)
    n = 0
    total = square = 0.0
    for minute in minutes:
        before = n
        unpack_into(
            getattr(minute, f"{axis}_histogram"), histogram, round(low_deg / HISTOGRAM_BIN_DEG)
        )
        n = int(histogram.sum())
        mean, sd = getattr(minute, f"{axis}_mean_deg"), getattr(minute, f"{axis}_sd_deg")
        if mean is not None and sd is not None:
            total += (n - before) * mean
            square += (n - before) * (sd * sd + mean * mean)
    quantiles = {
        name: histogram_quantile(histogram, q, low_deg, HISTOGRAM_BIN_DEG)
        for name, q in (("p05", 0.05), ("p50", 0.5), ("p95", 0.95))
    }
    if n == 0:
        return {"mean": None, "sd": None, **quantiles}
    mean_deg = total / n
    sd_deg = sqrt(max(0.0, square / n - mean_deg * mean_deg))
    return {"mean": mean_deg, "sd": sd_deg, **quantiles}


def add_up(
    wear: WearParams,
    minutes: Sequence[MinuteSummary],
    *,
    begin_ns: int | None = None,
    end_ns: int | None = None,
) -> Total:
    """Return the sums over the minutes that begin in begin_ns .. end_ns.

    Parameters
    ----------
    minutes : sequence of MinuteSummary
        In order of time. Those outside the bounds only help to judge wear near them.
    """
    head_only = bool(minutes) and not any(m.trunk_compensated for m in minutes)
    worn = worn_minutes(wear, minutes, head_only=head_only)
    inside = [
        (m, on)
        for m, on in zip(minutes, worn, strict=True)
        if (begin_ns is None or m.t_ns >= begin_ns) and (end_ns is None or m.t_ns < end_ns)
    ]
    kept = [m for m, on in inside if on]
    judged = {
        kind: sum(m.evaluable_s for m in kept if getattr(m, f"{kind}_n") is not None)
        for kind in ("jerk", "tremor", "posture")
        if any(getattr(m, f"{kind}_n") is not None for m, _ in inside)
    }
    return Total(
        recorded_s=sum(m.recorded_s for m, _ in inside),
        received_s=sum(m.received_s for m, _ in inside),
        worn_s=sum(m.worn_s for m in kept),
        evaluable_s=sum(m.evaluable_s for m in kept),
        gated_s=sum(m.gated_s for m in kept),
        still_s=sum(m.still_s for m in kept),
        decidable_s=sum(m.decidable_s for m in kept),
        near_neutral_s=sum(m.near_neutral_s or 0.0 for m in kept),
        heading_good_s=sum(m.heading_good_s for m in kept),
        heading_fair_s=sum(m.heading_fair_s for m in kept),
        heading_poor_s=sum(m.heading_poor_s for m in kept),
        judged_s=judged,
        turn_n=sum(m.turn_n or 0 for m in kept),
        axes={
            axis: _axis(kept, axis, low) for axis, low in zip(AXES, HISTOGRAM_LOW_DEG, strict=True)
        },
        off_minutes=frozenset(m.t_ns // 60_000_000_000 for m, on in inside if not on),
    )


@dataclass(frozen=True, slots=True)
class KindTotal:
    """Episodes of one kind inside bounds."""

    n: int
    """Those that began there."""
    seconds: float
    """What of them and of earlier ones lies there."""
    per_evaluable_h: float | None
    low_per_h: float | None
    """95 % Poisson interval of the rate."""
    high_per_h: float | None
    bursts: int
    """Jerks that belong to bursts."""


def count_kind(
    total: Total,
    episodes: Sequence[Episode],
    kind: EpisodeKind,
    *,
    begin_ns: int | None = None,
    end_ns: int | None = None,
) -> KindTotal | None:
    """Return what a kind of episode amounts to, None where it could never be judged.

    Notes
    -----
    Episodes whose peak lies in a minute that was not worn are left out. The interval is Byar's
    approximation to the exact Poisson limits, better than 1 % from the first event on.
    """
    if kind not in total.judged_s:
        return None
    begin = begin_ns if begin_ns is not None else -(1 << 62)
    end = end_ns if end_ns is not None else 1 << 62
    own = [
        e
        for e in episodes
        if e.kind == kind and e.peak_ns // 60_000_000_000 not in total.off_minutes
    ]
    started = [e for e in own if begin <= e.start_ns < end]
    seconds = sum(max(0, min(e.end_ns, end) - max(e.start_ns, begin)) for e in own) * 1e-9
    n, hours = len(started), total.judged_s[kind] / 3600.0
    bursts = sum(e.label == "jerk_burst" for e in started)
    if hours <= 0.0:
        return KindTotal(n, seconds, None, None, None, bursts)
    low = n * (1.0 - 1.0 / (9.0 * n) - 1.96 / (3.0 * sqrt(n))) ** 3 if n else 0.0
    m = n + 1
    high = m * (1.0 - 1.0 / (9.0 * m) + 1.96 / (3.0 * sqrt(m))) ** 3
    return KindTotal(n, seconds, n / hours, low / hours, high / hours, bursts)
