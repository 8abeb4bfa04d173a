"""Non-wear with hindsight: whole minutes of a day, from their stored figures alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from processing.summary.types import MinuteSummary
from processing.types import BoolArray, FloatArray, IntArray
from processing.wear import WearParams


def _axes(text: str) -> FloatArray:
    """Return the three values of a minute's ``x,y,z``, NaN where there are none."""
    return np.array([float(v) for v in text.split(",")]) if text else np.full(3, np.nan)


@dataclass(frozen=True, slots=True)
class _Minutes:
    """One sensor's minutes as columns."""

    t_min: IntArray
    n: FloatArray
    mean: FloatArray
    sd: FloatArray
    low: FloatArray
    high: FloatArray
    gyr_sd: FloatArray


def _columns(minutes: Sequence[MinuteSummary], sensor: str) -> _Minutes:
    def axes(name: str) -> FloatArray:
        rows = [_axes(getattr(m, f"{sensor}_acc_{name}_ms2")) for m in minutes]
        return np.array(rows).reshape(len(minutes), 3)

    gyr_sd = [getattr(m, f"{sensor}_gyr_sd_dps") for m in minutes]
    return _Minutes(
        t_min=np.array([m.t_ns // 60_000_000_000 for m in minutes], dtype=np.int64),
        n=np.array([float(m.n) for m in minutes]),
        mean=axes("mean"),
        sd=axes("sd"),
        low=axes("min"),
        high=axes("max"),
        gyr_sd=np.array([np.nan if v is None else v for v in gyr_sd], dtype=np.float64),
    )


def _still_runs(params: WearParams, columns: _Minutes) -> BoolArray:
    """Return minutes inside stillness of at least `still_s`."""
    quiet = np.all(columns.sd < params.acc_sd_ms2, axis=1)
    still = np.asarray((columns.gyr_sd < params.gyr_sd_dps) & quiet)
    off = np.zeros_like(still)
    needed = round(params.still_s / 60.0)
    begin = 0
    for i in range(1, still.shape[0] + 1):
        broken = i == still.shape[0] or (
            not still[i] or not still[i - 1] or columns.t_min[i] != columns.t_min[i - 1] + 1
        )
        if broken:
            if still[i - 1] and i - begin >= needed:
                off[begin:i] = True
            begin = i
    return off


def _quiet_quarters(params: WearParams, columns: _Minutes) -> BoolArray:
    """Return minutes of quarters of an hour in a quiet hour; half of that hour must be known."""
    off = np.zeros(columns.t_min.shape[0], dtype=np.bool_)
    known = np.isfinite(columns.mean).all(axis=1)
    for quarter in np.unique(columns.t_min // 15):
        t = columns.t_min - 15 * quarter
        hour = known & (t >= -22) & (t < 38)
        if hour.sum() < 30:
            continue
        weight = columns.n[hour, None] / columns.n[hour].sum()
        mean = np.sum(weight * columns.mean[hour], axis=0)
        square = np.sum(weight * (columns.sd[hour] ** 2 + columns.mean[hour] ** 2), axis=0)
        sd = np.sqrt(np.maximum(square - mean**2, 0.0))
        span = columns.high[hour].max(axis=0) - columns.low[hour].min(axis=0)
        quiet = (sd < params.hour_sd_ms2) | (span < params.hour_range_ms2)
        if quiet.sum() >= params.hour_axes:
            off |= columns.t_min // 15 == quarter
    return off


def worn_minutes(
    params: WearParams, minutes: Sequence[MinuteSummary], *, head_only: bool = False
) -> list[bool]:
    """Return for every minute whether all sensors were worn, judged with hindsight.

    Parameters
    ----------
    minutes : sequence of MinuteSummary
        In order of time; holes are allowed.
    head_only : bool
        There is no trunk sensor to be judged.

    Notes
    -----
    A sensor is off in stillness of at least `still_s`, and in every quarter of an hour whose
    surrounding hour is quiet on two axes (GGIR's rule for wrists). The hour reaches 22 minutes
    back and 38 forward, as there.
    """
    off = np.zeros(len(minutes), dtype=np.bool_)
    if not minutes:
        return []
    for sensor in ("head",) if head_only else ("head", "trunk"):
        columns = _columns(minutes, sensor)
        off |= _still_runs(params, columns) | _quiet_quarters(params, columns)
    return [not o for o in off.tolist()]
