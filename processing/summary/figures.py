"""The figures of one minute from its sums."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from processing.episodes.turns import TURN_DEG
from processing.episodes.types import Turn
from processing.exposure import histogram_quantiles, pack
from processing.summary import accumulate as acc
from processing.summary.types import HISTOGRAM_BIN_DEG, MinuteSummary
from processing.types import Episode, FloatArray, IntArray

MINUTE_NS = 60_000_000_000
AXES = ("flexion", "lateral", "rotation", "deviation")
HISTOGRAM_LOW_DEG = (-180.0, -180.0, -180.0, 0.0)
"""Lower edge of the first bin of each axis."""


@dataclass(frozen=True, slots=True)
class MinuteSums:
    """What has been counted of one minute; shapes as in `accumulate`."""

    minute_ns: int
    """Beginning of the minute; -1 before the first row."""
    counts: IntArray
    sums: FloatArray
    histograms: NDArray[np.int32]
    """Half the size: a live step copies them, and a minute has 6000 rows."""
    moments: FloatArray

    @classmethod
    def empty(cls, minute_ns: int) -> "MinuteSums":
        """Return a minute without rows."""
        return cls(
            minute_ns=minute_ns,
            counts=np.zeros(acc.COUNTS, dtype=np.int64),
            sums=np.zeros(acc.SUMS),
            histograms=np.zeros((4, acc.BINS), dtype=np.int32),
            moments=acc.empty_moments(),
        )

    def copy(self) -> "MinuteSums":
        """Return sums that may be counted up."""
        return MinuteSums(
            self.minute_ns,
            self.counts.copy(),
            self.sums.copy(),
            self.histograms.copy(),
            self.moments.copy(),
        )


def axis_statistics(
    counts: IntArray, sums: FloatArray, histograms: IntArray
) -> dict[str, float | None]:
    """Return mean, sd and percentiles of the four angles as named summary fields.

    Parameters
    ----------
    counts : (13,) int64
        As `accumulate.add_rows` fills them.
    sums : (10,) float64
    histograms : (4, 720) int64
    """
    fields: dict[str, float | None] = {}
    for j, axis in enumerate(AXES):
        n = int(counts[acc.TILT_N if j < 2 else acc.TURN_N])
        low = HISTOGRAM_LOW_DEG[j]
        mean = float(sums[j]) / n if n else None
        sd = None
        if mean is not None:
            sd = math.sqrt(max(0.0, float(sums[4 + j]) / n - mean * mean))
        fields[f"{axis}_mean_deg"] = mean
        fields[f"{axis}_sd_deg"] = sd
        quantiles = histogram_quantiles(histograms[j], (0.05, 0.5, 0.95), low, HISTOGRAM_BIN_DEG)
        for name, quantile in zip(("p05", "p50", "p95"), quantiles, strict=True):
            fields[f"{axis}_{name}_deg"] = quantile
    return fields


def _sensor_fields(name: str, moments: FloatArray) -> dict[str, str | float | None]:
    n = float(moments[6, 0])
    if n == 0.0:
        fields: dict[str, str | float | None] = {
            f"{name}_acc_{part}_ms2": "" for part in ("mean", "sd", "min", "max")
        }
        return {**fields, f"{name}_gyr_sd_dps": None}
    mean = moments[:6, 0] / n
    sd = np.sqrt(np.maximum(moments[:6, 1] / n - mean * mean, 0.0))

    def text(values: FloatArray) -> str:
        x, y, z = values.tolist()
        return f"{x:.4f},{y:.4f},{z:.4f}"

    return {
        f"{name}_acc_mean_ms2": text(mean[3:]),
        f"{name}_acc_sd_ms2": text(sd[3:]),
        f"{name}_acc_min_ms2": text(moments[3:6, 2]),
        f"{name}_acc_max_ms2": text(moments[3:6, 3]),
        f"{name}_gyr_sd_dps": float(np.degrees(sd[:3].max())),
    }


def minute_of(
    counted: MinuteSums, rate_hz: float, *, head_only: bool, low_rate: bool
) -> MinuteSummary:
    """Return the minute without its episodes."""
    counts, sums = counted.counts, counted.sums

    def seconds(place: int) -> float:
        return int(counts[place]) / rate_hz

    n, worn, evaluable = (int(counts[i]) for i in (acc.N, acc.WORN, acc.EVALUABLE))
    graded = int(counts[acc.GOOD] + counts[acc.FAIR] + counts[acc.POOR])
    decidable = int(counts[acc.DECIDABLE])
    counted_bins = counted.histograms.astype(np.int64)
    histograms = {
        f"{axis}_histogram": pack(counted_bins[j], round(HISTOGRAM_LOW_DEG[j] * 2.0))
        for j, axis in enumerate(AXES)
    }
    none_or_zero = None if low_rate else 0
    rms = float(np.sqrt(sums[acc.RATE_SQUARE] / evaluable)) if evaluable else None
    values: dict[str, object] = {
        "t_ns": counted.minute_ns,
        "n": n,
        "recorded_s": n / rate_hz,
        "received_s": seconds(acc.RECEIVED),
        "completeness": int(counts[acc.RECEIVED]) / n if n else None,
        "worn_s": worn / rate_hz,
        "evaluable_s": evaluable / rate_hz,
        "gated_s": seconds(acc.GATED),
        **axis_statistics(counts, sums, counted_bins),
        "near_neutral_s": seconds(acc.NEAR) if decidable else None,
        "decidable_s": decidable / rate_hz,
        "heading_good_s": seconds(acc.GOOD),
        "heading_fair_s": seconds(acc.FAIR),
        "heading_poor_s": seconds(acc.POOR),
        "heading_sigma_deg": float(sums[acc.SIGMA]) / graded if graded else None,
        "still_s": seconds(acc.STILL),
        "relative_rate_rms_dps": rms,
        "jerk_n": none_or_zero,
        "jerk_s": none_or_zero,
        "tremor_n": none_or_zero,
        "tremor_s": none_or_zero,
        "posture_n": None if head_only else 0,
        "posture_s": None if head_only else 0.0,
        "turn_n": 0,
        **histograms,
        **_sensor_fields("head", counted.moments[0]),
        **_sensor_fields("trunk", counted.moments[1]),
        "trunk_compensated": not head_only,
    }
    return MinuteSummary(**values)  # type: ignore[arg-type] # built by field name above


def with_events(
    minute: MinuteSummary, episodes: Iterable[Episode], turns: Iterable[Turn]
) -> MinuteSummary:
    """Return the minute with the episodes and turns that ended in it; others may be among them."""
    end_ns = minute.t_ns + MINUTE_NS
    ended = [e for e in episodes if minute.t_ns <= e.end_ns < end_ns]
    changes: dict[str, float | int] = {
        "turn_n": sum(
            minute.t_ns <= t.end_ns < end_ns and abs(t.excursion_deg) >= TURN_DEG for t in turns
        )
    }
    for kind in ("jerk", "tremor", "posture"):
        if getattr(minute, f"{kind}_n") is None:
            continue
        lengths = [e.end_ns - e.start_ns for e in ended if e.kind == kind]
        changes[f"{kind}_n"] = len(lengths)
        changes[f"{kind}_s"] = sum(lengths) * 1e-9
    return replace(minute, **changes)  # type: ignore[arg-type] # named fields of their own types


Ended = TypeVar("Ended", Episode, Turn)


def by_minute(ended: Iterable[Ended]) -> dict[int, list[Ended]]:
    """Return episodes or turns by the beginning of the minute in which they ended."""
    found: dict[int, list[Ended]] = {}
    for each in ended:
        found.setdefault(each.end_ns // MINUTE_NS * MINUTE_NS, []).append(each)
    return found
