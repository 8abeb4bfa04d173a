"""The loop behind `processing.clock`: one packet after the other, so that chunking cannot matter.

`processing.clock_line` says where the line is; here each packet is judged by it, and bends the map
from device time to UTC: pieces of straight line between knots. Coordinates are those of the line.
All functions work in place on the arrays they are given.
"""

import numpy as np

from processing._jit import kernel
from processing.clock_line import (
    P_BUCKET,
    P_DISCONTINUITY,
    P_JUMP,
    P_LATE,
    P_LATE_FOR,
    P_PERIOD,
    P_RELAX,
    P_SETTLE,
    P_SLEW,
    S_ANEW,
    S_BEST,
    S_BUCKETS,
    S_FIRST_X,
    S_HAS_KNOT,
    S_KNOT_ERROR,
    S_KNOT_RATE,
    S_KNOT_RELAX,
    S_KNOT_U,
    S_KNOT_X,
    S_LATE_D,
    S_LATE_X,
    S_LINE,
    S_PERIOD,
    S_POINTS,
    S_SLOPE,
    S_STARTED,
    begin,
    bound,
    fall,
    store,
)
from processing.types import BoolArray, FloatArray, IntArray

LIVE = 0
BACKFILLED = 1
REPLY = 2
"""A time-sync reply: a bound like a packet, without samples."""

ORDINARY = 0
LATE = 1
JUMPED = 2
FELL = 3

_MIN_STEP_NS = 1000


@kernel()
def _judge(p: FloatArray, s: FloatArray, x: float, d: float) -> int:
    """Return whether a point is `ORDINARY`, `LATE` (says nothing), or proves a clock `JUMPED`.

    While the fit settles, a point far below the line says that those before were late: it `FELL`. A
    backlog is late too, but comes faster than it was sampled; after a jump it comes at real pace.
    """
    delay = d - s[S_LINE] - s[S_SLOPE] * x
    if delay < -p[P_DISCONTINUITY]:
        return JUMPED if x - s[S_FIRST_X] >= p[P_SETTLE] else FELL
    if delay <= p[P_LATE]:
        s[S_LATE_X] = np.nan
        return ORDINARY
    if np.isnan(s[S_LATE_X]):
        s[S_LATE_X] = x
        s[S_LATE_D] = d
    span = x - s[S_LATE_X]
    at_pace = d - s[S_LATE_D] > -0.1 * span
    return JUMPED if span > p[P_LATE_FOR] and at_pace else LATE


@kernel()
def _period(p: FloatArray, s: FloatArray, buckets: FloatArray, x: float, i: float) -> None:
    """Update the sample period from the oldest packet within the window."""
    n = int(s[S_BUCKETS])
    # one row a bucket: what lies before these is older than the window
    for row in range(max(0, n - int(p[P_PERIOD] / p[P_BUCKET]) - 3), n):
        known = not np.isnan(buckets[row, 3]) and buckets[row, 3] < i
        if known and buckets[row, 0] >= x - p[P_PERIOD]:
            s[S_PERIOD] = (x - buckets[row, 2]) / (i - buckets[row, 3])
            return


@kernel()
def _mapped(s: FloatArray, x: float) -> float:
    """Return the mapped time of device time x on the piece that begins at the knot."""
    dx = x - s[S_KNOT_X]
    u: float = s[S_KNOT_U] + s[S_KNOT_RATE] * dx
    if dx > 0.0:
        u += s[S_KNOT_ERROR] * min(dx / s[S_KNOT_RELAX], 1.0)
    return u


@kernel()
def _knot(p: FloatArray, s: FloatArray, x: float, floor_u: float) -> bool:
    """Bend the map at this packet; True where time has to go back (a break of the axis)."""
    target = x + s[S_BEST] + s[S_SLOPE] * x
    u = target if s[S_HAS_KNOT] == 0.0 else _mapped(s, x)
    broken = False
    if s[S_ANEW] == 1.0 or abs(target - u) > p[P_JUMP]:
        broken = target < floor_u - p[P_JUMP]
        u = target if broken else max(target, floor_u)
    error = target - u
    s[S_ANEW] = 0.0
    s[S_HAS_KNOT] = 1.0
    s[S_KNOT_X] = x
    s[S_KNOT_U] = u
    s[S_KNOT_RATE] = 1.0 + s[S_SLOPE]
    s[S_KNOT_ERROR] = error
    s[S_KNOT_RELAX] = max(p[P_RELAX], abs(error) / p[P_SLEW])
    return broken


@kernel()
def _usable(period: float, nominal: float) -> float:
    """Return the measured period unless it is absurd, as after a lost count."""
    return period if 0.9 * nominal < period < 1.1 * nominal else nominal


@kernel()
def advance(
    p: FloatArray,
    s: FloatArray,
    buckets: FloatArray,
    syncs: FloatArray,
    xs: FloatArray,
    ys: FloatArray,
    first_index: IntArray,
    n_samples: IntArray,
    kinds: IntArray,
    stepped: BoolArray,
    nominal_period_s: float,
    origin_ns: int,
    last_ns: int,
    t_ns: IntArray,
    periods: FloatArray,
    breaks: BoolArray,
    timely: BoolArray,
) -> int:
    """Take packets one by one; fills the last four arrays and returns the last time."""
    at = 0
    for k in range(xs.shape[0]):
        x = xs[k]
        period = _usable(s[S_PERIOD], nominal_period_s)
        broken = False
        if kinds[k] != BACKFILLED:
            # a frame cannot leave before its last sample, so that one bounds the delay
            sent = x if kinds[k] == REPLY else x + (n_samples[k] - 1) * period
            d = ys[k] - sent
            fresh = s[S_STARTED] == 0.0 or stepped[k]
            verdict = JUMPED if fresh else _judge(p, s, sent, d)
            if verdict == JUMPED:
                begin(s, syncs, sent, d)
            elif verdict == FELL:
                fall(s, sent, d)
            if verdict != LATE:
                index = np.nan
                if kinds[k] == LIVE:
                    index = float(first_index[k] + n_samples[k] - 1)
                    _period(p, s, buckets, sent, index)
                    period = _usable(s[S_PERIOD], nominal_period_s)
                s[S_POINTS] += 1.0
                store(p, s, buckets, sent, d, index)
                if sent - s[S_FIRST_X] < p[P_SETTLE]:
                    s[S_LINE] = min(s[S_LINE], d - s[S_SLOPE] * sent)
                bound(p, s, syncs, sent)
            timely[k] = verdict != LATE
            # a late packet bends nothing, but the first one needs a line to lie on
            if kinds[k] == LIVE and (verdict != LATE or s[S_ANEW] == 1.0):
                floor_u = -np.inf
                if last_ns > np.iinfo(np.int64).min:
                    floor_u = (last_ns - origin_ns) * 1e-9 + period
                broken = _knot(p, s, x, floor_u)
        periods[k] = period
        breaks[k] = broken
        late = kinds[k] == BACKFILLED and x < s[S_KNOT_X]
        # `_mapped` with the knot at hand: looked up for every sample it costs eight times as much
        knot_x, knot_u, rate = s[S_KNOT_X], s[S_KNOT_U], s[S_KNOT_RATE]
        error, relax = s[S_KNOT_ERROR], s[S_KNOT_RELAX]
        for j in range(n_samples[k]):
            dx = x + j * period - knot_x
            u = knot_u + rate * dx
            if dx > 0.0:
                u += error * min(dx / relax, 1.0)
            t = origin_ns + int(np.round(u * 1e9))
            if not late:
                if t <= last_ns and not (broken and j == 0):
                    t = last_ns + _MIN_STEP_NS
                last_ns = t
            t_ns[at] = t
            at += 1
    return last_ns


@kernel()
def survey(n_samples: IntArray) -> tuple[int, int]:
    """Return (all samples, least of a packet)."""
    total = least = 0
    for k in range(n_samples.shape[0]):
        total += n_samples[k]
        least = min(least, n_samples[k])
    return total, least


@kernel()
def advance_packets(
    p: FloatArray,
    s: FloatArray,
    buckets: FloatArray,
    syncs: FloatArray,
    device_us: IntArray,
    host_ns: IntArray,
    first_index: IntArray,
    n_samples: IntArray,
    live: BoolArray,
    stepped: BoolArray,
    nominal_period_s: float,
    origin_us: int,
    origin_ns: int,
    last_ns: int,
    t_ns: IntArray,
    periods: FloatArray,
    breaks: BoolArray,
    timely: BoolArray,
) -> int:
    """Take packets as the record has them; see `advance`."""
    n = device_us.shape[0]
    xs, ys, kinds = np.empty(n), np.empty(n), np.empty(n, dtype=np.int64)
    for k in range(n):
        xs[k] = float(device_us[k] - origin_us) * 1e-6
        ys[k] = float(host_ns[k] - origin_ns) * 1e-9
        kinds[k] = LIVE if live[k] else BACKFILLED
        breaks[k] = timely[k] = False
    return advance(
        p,
        s,
        buckets,
        syncs,
        xs,
        ys,
        first_index,
        n_samples,
        kinds,
        stepped,
        nominal_period_s,
        origin_ns,
        last_ns,
        t_ns,
        periods,
        breaks,
        timely,
    )
