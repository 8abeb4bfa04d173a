"""The 1 Hz grid of angles: made from full-rate angles, packed by the minute, read coarser."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processing.types import CervicalAngles, FloatArray
from storage.result_rows import ANGLE_FIELDS, SECOND_NS, AngleSeries, FullRate
from storage.slots import slots_of
from storage.whole_numbers import EMPTY, to_whole

_WIDTH = len(ANGLE_FIELDS)
_VALID = ANGLE_FIELDS.index("valid")
_UNITS = np.array([0.01] * (_WIDTH - 1) + [0.0001])
"""Whole centidegrees, and ten-thousandths for the valid fraction."""


def full_rate_of(
    angles: CervicalAngles, t0_ns: int, rate_hz: float, head_deg: FloatArray | None = None
) -> FullRate:
    """Return the pipeline's angles with their times; grid point k lies at t0 + k / rate."""
    k = angles.k0 + np.arange(len(angles.valid), dtype=np.int64)
    period_ns = 1e9 / rate_hz
    exact = round(period_ns)
    t = t0_ns + (k * exact if exact == period_ns else np.rint(k * period_ns).astype(np.int64))
    return FullRate(
        t_ns=t,
        angles_deg=np.column_stack(
            (
                angles.flexion_deg,
                angles.lateral_right_deg,
                angles.rotation_right_deg,
                angles.deviation_deg,
            )
        ),
        heading_sigma_deg=angles.heading_sigma_deg,
        q_rel=angles.q_rel,
        valid=angles.valid,
        head_deg=head_deg,
    )


@dataclass(frozen=True, slots=True)
class SecondsState:
    """The rows of the second that is not complete yet."""

    rows: FullRate | None = None


def seconds_step(
    state: SecondsState, block: FullRate | None, *, rate_hz: float, final: bool = False
) -> tuple[SecondsState, AngleSeries, FullRate | None]:
    """Take full-rate rows, give the seconds that became complete, and their rows.

    Any chunking is one batch.

    Parameters
    ----------
    state : SecondsState
        From the step before, or `SecondsState()`.
    block : FullRate or None
        Rows that continue those before.
    rate_hz : float
        Nominal rate: a second with fewer valid rows is valid in part.
    final : bool
        Nothing follows: the last second is given too.
    """
    rows = joined(state.rows, block)
    if rows is None:
        return SecondsState(), AngleSeries.empty(), None
    seconds = rows.t_ns // SECOND_NS
    whole = len(seconds) if final else int(np.searchsorted(seconds, seconds[-1]))
    complete = _rows(rows, 0, whole)
    rest = None if whole == len(seconds) else _rows(rows, whole, len(seconds))
    return SecondsState(rest), _reduced(complete, rate_hz), complete if whole else None


def pack_minute(second: NDArray[np.int64], values: FloatArray) -> bytes:
    """Return the blob of one minute.

    Parameters
    ----------
    second : (n,) int64
        Second of the minute, 0..59.
    values : (n, 16) float64
        One column per `ANGLE_FIELDS`.
    """
    whole = np.empty((_WIDTH, len(second)), np.int16)
    to_whole(values, _UNITS, whole)
    deltas = np.full((_WIDTH, 60), EMPTY)
    deltas[:, second] = whole
    deltas[:, 1:] -= deltas[:, :-1].copy()
    return zlib.compress(deltas.astype("<i2", copy=False).tobytes(), 1)


def unpack_minutes(rows: Iterable[tuple[int, bytes]]) -> AngleSeries:
    """Return the seconds of (minute since 1970, blob) rows, in order."""
    listed = list(rows)
    if not listed:
        return AngleSeries.empty()
    raw = b"".join(zlib.decompress(blob) for _, blob in listed)
    deltas = np.frombuffer(raw, dtype="<i2").reshape(len(listed), _WIDTH, 60)
    grid = np.cumsum(deltas, axis=2, dtype=np.int16).transpose(0, 2, 1).reshape(-1, _WIDTH)
    minutes = np.array([minute for minute, _ in listed], dtype=np.int64)
    t = ((minutes[:, None] * 60 + np.arange(60)) * SECOND_NS).ravel()
    present = grid[:, _VALID] != EMPTY
    kept = grid[present]
    values = np.where(kept == EMPTY, np.nan, kept * _UNITS)
    return AngleSeries(t[present], 1, values)


def step_for(t0_ns: int, t1_ns: int, max_points: int | None) -> int:
    """Return the slot length in seconds that keeps [t0, t1) within `max_points` slots."""
    if max_points is None:
        return 1
    seconds = max(-(-(t1_ns - t0_ns) // SECOND_NS), 1)
    step = max(-(-seconds // max(max_points, 1)), 1)
    # Slots lie on multiples of their length, so a range may touch one slot more than it fills.
    while _slots(t0_ns, t1_ns, step) > max(max_points, 1) and step < seconds * 2:
        step += 1
    return int(step)


def coarser(series: AngleSeries, step_s: int) -> AngleSeries:
    """Return slots of `step_s` seconds: mean of means, exact minimum and maximum.

    Seconds without a valid sample count for the valid fraction only.
    """
    if step_s == 1 or not len(series.t_ns):
        return AngleSeries(series.t_ns, step_s, hide_invalid(series.values))
    slots = series.t_ns // (step_s * SECOND_NS)
    starts = np.flatnonzero(np.diff(slots, prepend=slots[0] - 1))
    values = hide_invalid(series.values)
    out = np.empty((len(starts), _WIDTH))
    for k, name in enumerate(ANGLE_FIELDS):
        column = values[:, k]
        known = np.isfinite(column)
        if name.endswith("_min_deg"):
            low = np.minimum.reduceat(np.where(known, column, np.inf), starts)
            out[:, k] = np.where(np.isinf(low), np.nan, low)
        elif name.endswith("_max_deg"):
            high = np.maximum.reduceat(np.where(known, column, -np.inf), starts)
            out[:, k] = np.where(np.isinf(high), np.nan, high)
        elif k == _VALID:
            out[:, k] = np.add.reduceat(column, starts) / step_s
        else:
            count = np.add.reduceat(known.astype(np.float64), starts)
            total = np.add.reduceat(np.where(known, column, 0.0), starts)
            out[:, k] = np.divide(total, count, out=np.full(len(starts), np.nan), where=count > 0)
    return AngleSeries(slots[starts] * step_s * SECOND_NS, step_s, out)


def hide_invalid(values: FloatArray) -> FloatArray:
    """Return values with NaN in every column but ``valid`` where nothing of the slot is valid."""
    dead = ~(values[:, _VALID] > 0.0)
    if not dead.any():
        return values
    hidden = values.copy()
    hidden[dead, :_VALID] = np.nan
    return hidden


def _slots(t0_ns: int, t1_ns: int, step: int) -> int:
    size = step * SECOND_NS
    return int(-(-t1_ns // size) - t0_ns // size)


def _reduced(rows: FullRate, rate_hz: float) -> AngleSeries:
    if not len(rows.t_ns):
        return AngleSeries.empty()
    t_ns, values = slots_of(rows, SECOND_NS, rate_hz)
    return AngleSeries(t_ns, 1, values)


def _rows(rows: FullRate, a: int, b: int) -> FullRate:
    return FullRate(
        rows.t_ns[a:b],
        rows.angles_deg[a:b],
        rows.heading_sigma_deg[a:b],
        rows.q_rel[a:b],
        rows.valid[a:b],
        None if rows.head_deg is None else rows.head_deg[a:b],
    )


def joined(first: FullRate | None, second: FullRate | None) -> FullRate | None:
    """Return consecutive rows as one."""
    if first is None or second is None:
        found = second if first is None else first
        return None if found is None or not len(found.t_ns) else found
    heads = None
    if first.head_deg is not None or second.head_deg is not None:
        heads = np.concatenate((_heads(first), _heads(second)))
    return FullRate(
        np.concatenate((first.t_ns, second.t_ns)),
        np.concatenate((first.angles_deg, second.angles_deg)),
        np.concatenate((first.heading_sigma_deg, second.heading_sigma_deg)),
        np.concatenate((first.q_rel, second.q_rel)),
        np.concatenate((first.valid, second.valid)),
        heads,
    )


def _heads(rows: FullRate) -> FloatArray:
    return np.full((len(rows.t_ns), 2), np.nan) if rows.head_deg is None else rows.head_deg
