"""The line under a fit's points: what arrivals say of a clock's offset and drift.

Seconds are counted from the state's origin: x is device time, d is arrival minus x. A line is
h + s x in these coordinates. All functions work in place on the arrays they are given.

Arrival delays are never negative. With delays of exponential distribution (mean `delay_s`) and a
drift that is normal about what the oscillator is made for (`drift_sd`), the likeliest line touches
the points from below and maximises, over the slope s,

    n (h(s) + s c) / delay_s - (s - s0)^2 / (2 drift_sd^2),    h(s) = min(d - s x),

c the mean of the n points' x. Without the second term that is the lower convex hull's edge under
the centroid (reference: clock mapping); with it the centroid is shifted by lambda (s - s0),
lambda = delay_s / (n drift_sd^2). So a young fit has the drift of a quartz whatever came late, and
after a minute or two the points decide.
"""

import numpy as np

from processing._jit import kernel
from processing.types import FloatArray

P_WINDOW, P_BUCKET, P_SETTLE, P_RELAX, P_SLEW = 0, 1, 2, 3, 4
P_DISCONTINUITY, P_LATE, P_LATE_FOR, P_JUMP, P_PERIOD = 5, 6, 7, 8, 9
P_DRIFT, P_DELAY, P_WITHIN = 10, 11, 12

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
S_PRIOR = 25
"""Drift that is expected before the fit has points: 0, or what an earlier fit of the boot found."""
N_SCALARS = 26


@kernel()
def _find(s: FloatArray, buckets: FloatArray, n: int, prior: float, weight: float) -> None:
    """Find the likeliest line: an edge of the lower hull, or one through a vertex of it."""
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
    centre = total / n
    vertex = hull[m - 1]
    for j in range(m - 1):
        a, b = hull[j], hull[j + 1]
        pulled = centre - weight * (_slope(buckets, a, b) - prior)
        if pulled <= buckets[a, 0]:
            vertex = a
            break
        if pulled <= buckets[b, 0]:
            s[S_EDGE_A], s[S_EDGE_B], s[S_HAS_EDGE] = a, b, 1.0
            return
    slope = prior + (centre - buckets[vertex, 0]) / weight
    s[S_SLOPE] = slope
    s[S_LINE] = buckets[vertex, 1] - slope * buckets[vertex, 0]


@kernel()
def _slope(buckets: FloatArray, a: int, b: int) -> float:
    return float((buckets[b, 1] - buckets[a, 1]) / (buckets[b, 0] - buckets[a, 0]))


@kernel()
def _above(buckets: FloatArray, a: int, b: int, i: int) -> bool:
    """Return whether point i, right of a and b, lies above their line."""
    dx, dy = buckets[b, 0] - buckets[a, 0], buckets[b, 1] - buckets[a, 1]
    cross = dx * (buckets[i, 1] - buckets[a, 1]) - dy * (buckets[i, 0] - buckets[a, 0])
    return bool(cross > 0.0)


@kernel()
def _refit(p: FloatArray, s: FloatArray, buckets: FloatArray) -> None:
    """Put the line through the complete buckets, of which the last one is new.

    The edge in use stays one of the hull unless the new point lies below it, and stays the one to
    use until the centroid has passed it: seldom anything has to be searched.
    """
    n = int(s[S_BUCKETS])
    if n < 2:
        return
    prior, weight = s[S_PRIOR], p[P_DELAY] / (n * p[P_DRIFT] * p[P_DRIFT])
    a, b = int(s[S_EDGE_A]), int(s[S_EDGE_B])
    found = s[S_HAS_EDGE] == 1.0
    if found:
        s[S_SUM_X] += buckets[n - 1, 0]
        pulled = s[S_SUM_X] / n - weight * (_slope(buckets, a, b) - prior)
        found = buckets[a, 0] < pulled <= buckets[b, 0] and _above(buckets, a, b, n - 1)
    if not found:
        _find(s, buckets, n, prior, weight)
        if s[S_HAS_EDGE] == 0.0:
            return
        a, b = int(s[S_EDGE_A]), int(s[S_EDGE_B])
    slope = _slope(buckets, a, b)
    s[S_LINE] = buckets[a, 1] - slope * buckets[a, 0]
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
def bound(p: FloatArray, s: FloatArray, syncs: FloatArray, x: float) -> None:
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
        # of a slow round trip the lower bound says little: the least delay is a few ms
        s[S_BEST] = max(0.5 * (s[S_LINE] + low), s[S_LINE] - 0.5 * p[P_WITHIN])


@kernel()
def store(p: FloatArray, s: FloatArray, buckets: FloatArray, x: float, d: float, i: float) -> bool:
    """Keep the point if it is the lowest of its bucket; True when the line was fitted anew."""
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
    if n > 0:
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
    return n > 0


@kernel()
def begin(s: FloatArray, syncs: FloatArray, x: float, d: float) -> None:
    """Begin a fit at this point; the rate learnt so far is kept, it is the same oscillator."""
    if s[S_STARTED] == 1.0:
        s[S_FIT] += 1.0
        syncs[:] = np.nan
        s[S_PERIOD] = 0.0
    s[S_STARTED] = 1.0
    s[S_PRIOR] = s[S_SLOPE]
    _from_here(s, x, d)


@kernel()
def fall(s: FloatArray, x: float, d: float) -> None:
    """Let go of a young fit's points: this one shows that all of them were late."""
    s[S_SLOPE] = s[S_PRIOR]
    _from_here(s, x, d)


@kernel()
def _from_here(s: FloatArray, x: float, d: float) -> None:
    s[S_ANEW] = 1.0
    s[S_BUCKETS] = 0.0
    s[S_HAS_EDGE] = 0.0
    s[S_POINTS] = 0.0
    s[S_FIRST_X] = x
    s[S_LATE_X] = np.nan
    s[S_LINE] = d - s[S_SLOPE] * x


@kernel()
def tie(p: FloatArray, s: FloatArray, syncs: FloatArray, xs: FloatArray, ds: FloatArray) -> None:
    """Let a fit know its first points before any sample gets a time: the line lies below all."""
    if s[S_STARTED] == 0.0:
        begin(s, syncs, xs[0], ds[0])
    for k in range(xs.shape[0]):
        s[S_LINE] = min(s[S_LINE], ds[k] - s[S_SLOPE] * xs[k])
    bound(p, s, syncs, xs[-1])
