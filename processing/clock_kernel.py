"""The loop behind `processing.clock`: one packet after the other, so that chunking cannot matter.

Seconds are counted from the state's origin: x is device time, d is arrival minus x. A line is
h + s x in these coordinates. All functions work in place on the arrays they are given.
"""

import numpy as np

from processing._jit import kernel
from processing.types import BoolArray, FloatArray, IntArray

P_WINDOW, P_BUCKET, P_SETTLE, P_RELAX, P_SLEW = 0, 1, 2, 3, 4
P_DISCONTINUITY, P_LATE, P_LATE_FOR, P_JUMP, P_PERIOD = 5, 6, 7, 8, 9
P_DRIFT, P_DRIFT_FOR = 10, 11

S_STARTED = 0
"""1 after the first live point."""
S_FIT = 1
"""Number of the current fit."""
S_SLOPE = 2
"""s = b - 1."""
S_LINE = 3
"""h of the lower hull: upper bound of the offset."""
S_BEST = 4
"""h of the offset in use: middle between the bounds."""
S_LOW = 5
"""h of the lower bound from round trips, NaN where there is none."""
S_RTT = 6
"""Smallest round trip in the window, s."""
S_POINTS = 7
S_LATE_D = 8
"""Arrival - device of the first of the late points since `S_LATE_X`."""
S_BUCKETS = 9
"""Rows of `buckets` in use."""
S_KEY = 10
"""Number of the bucket being filled."""
S_FIRST_X = 11
"""x of the first point of the fit."""
S_LATE_X = 12
"""x since which every point was late, NaN where the last one was not."""
S_HAS_KNOT = 13
"""1 after the first live packet."""
S_KNOT_X = 14
S_KNOT_U = 15
"""Mapped time at the knot, s from the origin."""
S_KNOT_RATE = 16
S_KNOT_ERROR = 17
"""What is still to be approached at the knot, s."""
S_KNOT_RELAX = 18
"""Time in which it is approached, s."""
S_PERIOD = 19
"""Sample period on the device's clock, s; 0 before it is known."""
S_ANEW = 20
"""1 from the beginning of a fit to its first packet."""
S_EDGE_A, S_EDGE_B = 21, 22
"""Rows of the hull's edge that the line goes through."""
S_HAS_EDGE = 23
"""1 while that edge still is one of the points in the window."""
S_SUM_X = 24
"""Sum of x of the complete buckets, while there is an edge."""
N_SCALARS = 25

LIVE = 0
BACKFILLED = 1
REPLY = 2
"""A time-sync reply: a bound like a packet, without samples."""

ORDINARY = 0
LATE = 1
JUMPED = 2

_MIN_STEP_NS = 1000


@kernel()
def _find_edge(s: FloatArray, buckets: FloatArray, n: int) -> None:
    """Find the lower hull's edge under the centroid of the points' x; none for points in line."""
    hull = np.empty(n, dtype=np.int64)
    m = 0
    total = 0.0
    for i in range(n):
        total += buckets[i, 0]
        while m >= 2 and not _above(buckets, hull[m - 2], hull[m - 1], i):
            m -= 1
        hull[m] = i
        m += 1
    s[S_SUM_X] = total
    s[S_HAS_EDGE] = 0.0
    for j in range(m - 1):
        a, b = hull[j], hull[j + 1]
        if buckets[b, 0] >= total / n and buckets[b, 0] > buckets[a, 0]:
            s[S_EDGE_A], s[S_EDGE_B], s[S_HAS_EDGE] = a, b, 1.0
            return
    s[S_LINE], s[S_SLOPE] = buckets[hull[0], 1], 0.0


@kernel()
def _above(buckets: FloatArray, a: int, b: int, i: int) -> bool:
    """Return whether point i, right of a and b, lies above their line."""
    dx, dy = buckets[b, 0] - buckets[a, 0], buckets[b, 1] - buckets[a, 1]
    cross = dx * (buckets[i, 1] - buckets[a, 1]) - dy * (buckets[i, 0] - buckets[a, 0])
    return bool(cross > 0.0)


@kernel()
def _refit(p: FloatArray, s: FloatArray, buckets: FloatArray) -> None:
    """Put the upper line through the complete buckets, of which the last one is new.

    The edge in use stays one of the hull unless the new point lies below it, and stays the one to
    use until the centroid has passed it: seldom anything has to be searched.
    """
    n = int(s[S_BUCKETS])
    if n < 3:
        return
    a, b = int(s[S_EDGE_A]), int(s[S_EDGE_B])
    found = s[S_HAS_EDGE] == 1.0
    if found:
        s[S_SUM_X] += buckets[n - 1, 0]
        centre = s[S_SUM_X] / n
        found = buckets[a, 0] < centre <= buckets[b, 0] and _above(buckets, a, b, n - 1)
    if not found:
        _find_edge(s, buckets, n)
        if s[S_HAS_EDGE] == 0.0:
            return
        a, b = int(s[S_EDGE_A]), int(s[S_EDGE_B])
    slope = (buckets[b, 1] - buckets[a, 1]) / (buckets[b, 0] - buckets[a, 0])
    line = buckets[a, 1] - slope * buckets[a, 0]
    young = buckets[n - 1, 0] - s[S_FIRST_X] < p[P_DRIFT_FOR]
    if young and abs(slope) > p[P_DRIFT]:
        # few late points look like a drift that no quartz has
        slope = p[P_DRIFT] if slope > 0.0 else -p[P_DRIFT]
        line = buckets[0, 1] - slope * buckets[0, 0]
        for i in range(1, n):
            line = min(line, buckets[i, 1] - slope * buckets[i, 0])
    s[S_LINE] = line
    s[S_SLOPE] = slope


@kernel()
def residual_s(s: FloatArray, buckets: FloatArray) -> float:
    """Return the median of the complete buckets' minima above the line, s; 0 before the third.

    Worked out when somebody asks: a median of ten minutes costs more than all else of a second.
    """
    n = int(s[S_BUCKETS]) - 1
    if n < 3:
        return 0.0
    return float(np.median(buckets[:n, 1] - s[S_LINE] - s[S_SLOPE] * buckets[:n, 0]))


@kernel()
def _bound(p: FloatArray, s: FloatArray, syncs: FloatArray, x: float) -> None:
    """Set the lower bound from the round trips in the window, and the offset in use."""
    low = np.nan
    rtt = np.inf
    # newest first: what is not filled yet lies before them, and every packet asks
    for i in range(syncs.shape[0] - 1, -1, -1):
        if np.isnan(syncs[i, 0]):
            break
        if syncs[i, 0] < x - p[P_WINDOW]:
            continue
        bound = syncs[i, 1] - s[S_SLOPE] * syncs[i, 0]
        if np.isnan(low) or bound > low:
            low = bound
        rtt = min(rtt, syncs[i, 2])
    s[S_LOW] = low
    s[S_RTT] = rtt if np.isfinite(rtt) else 0.0
    s[S_BEST] = s[S_LINE]
    if low < s[S_LINE]:
        s[S_BEST] = 0.5 * (s[S_LINE] + low)


@kernel()
def _store(p: FloatArray, s: FloatArray, buckets: FloatArray, x: float, d: float, i: float) -> bool:
    """Keep the point if it is the lowest of its bucket; True when a bucket was completed."""
    n = int(s[S_BUCKETS])
    key = np.floor(x / p[P_BUCKET])
    level = d - s[S_SLOPE] * x
    if n > 0 and key < s[S_KEY]:
        return False
    if n > 0 and key == s[S_KEY]:
        if level < buckets[n - 1, 1] - s[S_SLOPE] * buckets[n - 1, 0]:
            buckets[n - 1, 0], buckets[n - 1, 1] = x, d
        if np.isnan(buckets[n - 1, 3]):
            buckets[n - 1, 2], buckets[n - 1, 3] = x, i
        return False
    settled = n > 0 and x - s[S_FIRST_X] >= p[P_SETTLE]
    if settled:
        _refit(p, s, buckets)
    old = 0
    while old < n and (buckets[old, 0] < x - p[P_WINDOW] or n - old >= buckets.shape[0]):
        old += 1
    if old > 0:
        for row in range(old):
            s[S_SUM_X] -= buckets[row, 0]
        s[S_EDGE_A] -= old
        s[S_EDGE_B] -= old
        if s[S_EDGE_A] < 0.0:
            s[S_HAS_EDGE] = 0.0
        flat = buckets.reshape(-1)
        for _ in range(old):  # one at a time, as nearly always there is: a distance known is fast
            for k in range(4 * (n - 1)):
                flat[k] = flat[k + 4]
        n -= old
    buckets[n, 0], buckets[n, 1], buckets[n, 2], buckets[n, 3] = x, d, x, i
    s[S_BUCKETS] = n + 1
    s[S_KEY] = key
    return settled


@kernel()
def _judge(p: FloatArray, s: FloatArray, x: float, d: float) -> int:
    """Return whether a point is `ORDINARY`, `LATE` (says nothing), or proves a clock `JUMPED`.

    While the fit settles the line only comes down: its first point may have been a late one. A
    backlog is late too, but comes faster than it was sampled; after a jump it comes at real pace.
    """
    delay = d - s[S_LINE] - s[S_SLOPE] * x
    if delay < -p[P_DISCONTINUITY]:
        return JUMPED if x - s[S_FIRST_X] >= p[P_SETTLE] else ORDINARY
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
def _begin(s: FloatArray, syncs: FloatArray, x: float, d: float) -> None:
    """Begin a fit at this point; the rate learnt so far is kept, it is the same oscillator."""
    if s[S_STARTED] == 1.0:
        s[S_FIT] += 1.0
        syncs[:] = np.nan
        s[S_PERIOD] = 0.0
    s[S_STARTED] = 1.0
    s[S_ANEW] = 1.0
    s[S_BUCKETS] = 0.0
    s[S_HAS_EDGE] = 0.0
    s[S_POINTS] = 0.0
    s[S_FIRST_X] = x
    s[S_LATE_X] = np.nan
    s[S_LINE] = d - s[S_SLOPE] * x


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
    broken = False
    if s[S_ANEW] == 1.0:
        s[S_ANEW] = 0.0
        u = max(target, floor_u)
        if target < floor_u - p[P_JUMP]:
            u = target
            broken = True
    else:
        u = _mapped(s, x)
    error = target - u
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
                _begin(s, syncs, sent, d)
            if verdict != LATE:
                index = np.nan
                if kinds[k] == LIVE:
                    index = float(first_index[k] + n_samples[k] - 1)
                    _period(p, s, buckets, sent, index)
                    period = _usable(s[S_PERIOD], nominal_period_s)
                s[S_POINTS] += 1.0
                _store(p, s, buckets, sent, d, index)
                if sent - s[S_FIRST_X] < p[P_SETTLE]:
                    s[S_LINE] = min(s[S_LINE], d - s[S_SLOPE] * sent)
                _bound(p, s, syncs, sent)
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
