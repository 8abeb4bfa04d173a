"""Sustained posturing: long stretches away from N (clinical specification, section 7.3).

Works on points 10 times a second: the mean of ten rows, then a Gaussian of 0.5 Hz. What an episode
needs is gathered in histograms, since a posture may be held all day.
"""

from dataclasses import dataclass

import numpy as np

from processing._jit import kernel
from processing.episodes.confidence import posture_confidence
from processing.episodes.types import DETECTOR_VERSION
from processing.exposure import histogram_quantile
from processing.filters import gaussian_taps
from processing.kept_rows import rows_from
from processing.types import BoolArray, Episode, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class PostureParams:
    """Thresholds of the posture detector; all defaults are the specification's proposals."""

    lowpass_hz: float = 0.5
    """Half-power frequency of angles and rates. Lower smears the beginning of an episode, higher
    lets jerks and tremor cross the thresholds."""
    theta_on_deg: float = 15.0
    """Deviation that begins an episode: a step of the laterocollis scale."""
    theta_off_deg: float = 10.0
    """Deviation that ends it: neutral by TWSTRS and ISO 11226."""
    flexion_on_deg: float = 25.0
    """Onset for bending forward alone, which is how people read."""
    duration_min_s: float = 5.0
    """Least time for which the head is held still away from N, from beyond `theta_on_deg` on; above
    most voluntary gazes. Turning away and back does not count: a stiff neck takes 2 s each way, so
    that every look over the shoulder would last 5 s. Smaller takes looks for postures, larger loses
    short pulls."""
    still_break_s: float = 1.0
    """Interruptions of stillness up to this, which is what is left of a jerk after the low-pass,
    do not begin the hold anew. Smaller loses postures with jerks, larger bridges quick turns."""
    gap_merge_s: float = 2.0
    """Episodes closer than this are one: the head near N, or nothing known, for longer ends one."""
    carry_s: float = 6.0
    """Inside a gate nothing begins and nothing counts, but how far the head is from N is known: an
    episode goes on through a gate up to this long while it stays away. A lean or a turn of the
    chair lasts up to 2.5 s, its gate 3 s more (window and pads). Smaller cuts a pull in two at each
    of them, larger joins what lies before and after a walk, and delays the end of every episode."""
    rate_median_max_dps: float = 10.0
    """Largest median relative rate (low-passed, so tremor does not count) of a posture, and the
    rate below which the head is held still."""
    place_deg: float = 10.0
    """A hold stays within this of its own mean direction so far: what counts as one direction, as
    10° count as neutral. Rate alone takes the slow beginning and end of a stiff neck's look for
    holding. Smaller cuts holds at jerks (with 20 a minute 8° loses one pull in thirty), larger
    joins a look to its way there."""
    direction_cos_min: float = 0.8
    """Least cosine between the median deviation and d for the label `dystonic`."""
    sigma_max_deg: float = 10.0
    """Heading worse than this cannot say how far from N the head is (`heading_quality` poor)."""


POINT_ROWS = 10
"""Rows per point: 10 Hz at 100 Hz."""
HALF_TAPS = 10
"""Taps on each side, at 10 Hz: 1 s."""
COLUMNS = 8
"""Of a point: flexion, lateral, rotation, deviation, sigma, rate about X, Y, Z."""

_BINS = 720
_AXES_LOW = -180.0
_WIDTH = 0.5
_IDLE, _OPEN, _GAP = 0, 1, 2
_GOES_ON, _WRITES = -1000, -1001
"""No decision; points are numbered from -`HALF_TAPS` on."""


@dataclass(frozen=True, slots=True)
class PostureState:
    """Points waiting for their filter, and the episode under way."""

    points: FloatArray
    """(m, 8) block means."""
    known: BoolArray
    """(m,) the angles of at least half of the rows are known."""
    judged: BoolArray
    """(m,) at least half of the rows count as well: known, and outside of gates."""
    k_point: int
    """Number of the first waiting point; point p has rows 10 p .. 10 p + 9."""
    counters: IntArray
    """(9,): mode, first, last and peak point of the open episode, points gathered; still points of
    the hold under way, its last one, and the still points of the longest hold; the last point at
    which the head was away, whether it counted or not."""
    sums: FloatArray
    """(9,): largest deviation; sums of deviation, flexion, lateral, rotation, sigma; of the hold
    under way the sums of flexion, lateral, rotation."""
    histograms: IntArray
    """(5, 720): flexion, lateral, rotation, deviation, rate."""


@kernel()
def block_means(
    angles: FloatArray,
    w: FloatArray,
    invalid: BoolArray,
    gated: BoolArray,
    points: FloatArray,
    known: BoolArray,
    judged: BoolArray,
) -> None:
    """Fill points (m, 8) from angles (10 m, 5) and rates (10 m, 3) of the rows that are known.

    Those outside of gates count for `judged` as well.
    """
    for p in range(points.shape[0]):
        n = 0
        m = 0
        for j in range(COLUMNS):
            points[p, j] = 0.0
        for i in range(p * POINT_ROWS, (p + 1) * POINT_ROWS):
            if not invalid[i] and np.isfinite(angles[i, 0]):
                n += 1
                m += 0 if gated[i] else 1
                for j in range(5):
                    points[p, j] += angles[i, j]
                for j in range(3):
                    points[p, 5 + j] += w[i, j]
        known[p] = 2 * n >= POINT_ROWS
        judged[p] = 2 * m >= POINT_ROWS
        if known[p]:
            for j in range(COLUMNS):
                points[p, j] /= n


@kernel()
def follow(
    points: FloatArray,
    known: BoolArray,
    judged: BoolArray,
    p_first: int,
    taps: FloatArray,
    theta_on: float,
    theta_off: float,
    flexion_on: float,
    gap_points: int,
    carry_points: int,
    still_dps: float,
    place_deg: float,
    still_gap_points: int,
    counters: IntArray,
    sums: FloatArray,
    histograms: IntArray,
    writable: bool,
    from_row: int,
) -> tuple[int, int]:
    """Filter and follow points from `from_row`; stop behind the first episode that ends.

    Row i of points (m, 8) is point p_first + i; rows within `HALF_TAPS` of it must exist. Returns
    (next row, number of the deciding point, `_GOES_ON` or `_WRITES`): the figures of the episode
    that ended stand in `counters`, `sums` and `histograms` until the next call. `_WRITES` asks for
    histograms of our own: they are not `writable`, and this row has to be counted.
    """
    half = taps.shape[0] // 2
    value = np.empty(COLUMNS)
    for row in range(from_row, points.shape[0] - half):
        p = p_first + row
        mode = counters[0]
        away = off = False
        rate = deviation = limit = 0.0
        if known[row]:
            # eight sums side by side, each in a register of its own
            weight = v0 = v1 = v2 = v3 = v4 = v5 = v6 = v7 = 0.0
            near, sure = points[row - half : row + half + 1], known[row - half : row + half + 1]
            for t in range(2 * half + 1):
                if sure[t]:
                    tap = taps[t]
                    weight += tap
                    v0 += tap * near[t, 0]
                    v1 += tap * near[t, 1]
                    v2 += tap * near[t, 2]
                    v3 += tap * near[t, 3]
                    v4 += tap * near[t, 4]
                    v5 += tap * near[t, 5]
                    v6 += tap * near[t, 6]
                    v7 += tap * near[t, 7]
            value[0], value[1], value[2], value[3] = v0, v1, v2, v3
            value[4], value[5], value[6], value[7] = v4, v5, v6, v7
            for j in range(COLUMNS):
                value[j] /= weight
            rate = np.sqrt(value[5] * value[5] + value[6] * value[6] + value[7] * value[7])
            deviation = value[3]
            aside = np.sqrt(value[1] * value[1] + value[2] * value[2])
            bent = value[0] > 0.0 and aside < theta_off
            limit = flexion_on if bent else theta_on
            off = deviation < theta_off
            away = not off if mode == _OPEN else deviation >= limit
        lapsed = p - counters[6] > still_gap_points
        still = away and rate < still_dps
        if still and counters[5] > 0 and not lapsed:
            from_there = 0.0
            for j in range(3):
                moved = value[j] - sums[6 + j] / counters[5]
                from_there += moved * moved
            still = from_there <= place_deg * place_deg
        if away and judged[row]:
            if not writable:
                return row, _WRITES
            if mode == _IDLE:
                counters[1] = p
                counters[4] = 0
                counters[5] = 0
                counters[6] = p
                counters[7] = 0
                for j in range(sums.shape[0]):
                    sums[j] = 0.0
                for j in range(histograms.shape[0]):
                    for b in range(histograms.shape[1]):
                        histograms[j, b] = 0
            counters[0] = _OPEN
            counters[2] = p
            counters[4] += 1
            counters[8] = p
            if value[3] > sums[0]:
                sums[0] = value[3]
                counters[3] = p
            sums[1] += value[3]
            sums[2] += value[0]
            sums[3] += value[1]
            sums[4] += value[2]
            sums[5] += value[4]
            # as an episode does, a hold begins beyond the one threshold and lasts to the other
            if still and (deviation >= limit or (counters[5] > 0 and not lapsed)):
                if lapsed or counters[5] == 0:
                    counters[5] = 0
                    sums[6] = sums[7] = sums[8] = 0.0
                counters[5] += 1
                counters[6] = p
                counters[7] = max(counters[7], counters[5])
                for j in range(3):
                    sums[6 + j] += value[j]
            for j in range(3):
                b = min(_BINS - 1, max(0, int((value[j] - _AXES_LOW) / _WIDTH)))
                histograms[j, b] += 1
            histograms[3, min(_BINS - 1, int(value[3] / _WIDTH))] += 1
            histograms[4, min(_BINS - 1, int(rate / _WIDTH))] += 1
        elif mode != _IDLE:
            if away:
                # inside a gate: it goes on, and so does a hold, but neither gains by it
                counters[0] = _OPEN
                counters[8] = p
                if still and not lapsed:
                    counters[6] = p
            elif off:
                counters[0] = _GAP
            if p - counters[8] > gap_points or p - counters[2] > carry_points:
                counters[0] = _IDLE
                return row + 1, p
    return max(from_row, points.shape[0] - half), _GOES_ON


def start() -> PostureState:
    """Return the state before the first row."""
    return PostureState(
        points=np.zeros((HALF_TAPS, COLUMNS)),
        known=np.zeros(HALF_TAPS, dtype=np.bool_),
        judged=np.zeros(HALF_TAPS, dtype=np.bool_),
        k_point=-HALF_TAPS,
        counters=np.zeros(9, dtype=np.int64),
        sums=np.zeros(9),
        histograms=np.zeros((5, _BINS), dtype=np.int64),
    )


def report(
    params: PostureParams,
    counters: IntArray,
    sums: FloatArray,
    histograms: IntArray,
    t0_ns: int,
    rate_hz: float,
    direction: FloatArray,
    *,
    estimated: bool,
) -> Episode | None:
    """Return the episode, or None where it was not held long enough or not still enough."""
    first, last, peak, n = (int(c) for c in counters[1:5])
    point_s = POINT_ROWS / rate_hz
    rate = histogram_quantile(histograms[4], 0.5, 0.0, _WIDTH)
    held_s = int(counters[7]) * point_s
    if held_s < params.duration_min_s or rate is None or rate >= params.rate_median_max_dps:
        return None
    medians = [histogram_quantile(histograms[j], 0.5, _AXES_LOW, _WIDTH) or 0.0 for j in range(3)]
    median = np.array(medians)
    p95 = histogram_quantile(histograms[3], 0.95, 0.0, _WIDTH) or 0.0
    middle = histogram_quantile(histograms[3], 0.5, 0.0, _WIDTH) or 0.0
    length = float(np.sqrt(np.sum(median * median)))
    cosine = float(np.dot(median, direction)) / length if length > 0.0 else 0.0
    known = bool(np.any(direction))
    aside = float(np.hypot(median[1], median[2]))
    bent = median[0] > 0.0 and aside < params.theta_off_deg
    # forward alone stays unspecified unless forward is the direction of this person's dystonia
    if not known or (bent and cosine < params.direction_cos_min):
        label = "unspecified"
    else:
        label = "dystonic" if cosine >= params.direction_cos_min else "off_neutral"
    mean = float(sums[1]) / n
    sigma = float(sums[5]) / n
    features = {
        "deviation_mean_deg": mean,
        "deviation_median_deg": middle,
        "deviation_p95_deg": p95,
        "deviation_max_deg": float(sums[0]),
        "flexion_median_deg": medians[0],
        "lateral_right_median_deg": medians[1],
        "rotation_right_median_deg": medians[2],
        "dose_deg_min": mean * n * point_s / 60.0,
        "held_still_s": held_s,
        "relative_rate_median_dps": rate,
        "heading_sigma_mean_deg": sigma,
    }
    if known:
        features["direction_cos"] = cosine
        features["direction_estimated"] = float(estimated)
    row_ns = round(1e9 / rate_hz)
    return Episode(
        kind="posture",
        label=label,
        start_ns=t0_ns + first * POINT_ROWS * row_ns,
        end_ns=t0_ns + (last + 1) * POINT_ROWS * row_ns,
        peak_ns=t0_ns + (peak * POINT_ROWS + POINT_ROWS // 2) * row_ns,
        amplitude_deg=mean,
        confidence=posture_confidence(mean, sigma, params.theta_on_deg),
        detector=f"posture/{DETECTOR_VERSION}",
        features=features,
    )


def is_open(state: PostureState) -> bool:
    """Return whether an episode is under way."""
    return int(state.counters[0]) != _IDLE


def advance(
    params: PostureParams,
    state: PostureState,
    points: FloatArray,
    known: BoolArray,
    judged: BoolArray,
    rate_hz: float,
) -> tuple[PostureState, list[tuple[int, IntArray, FloatArray, IntArray]]]:
    """Feed block means; return the episodes that ended, with the deciding row of each."""
    taps = gaussian_taps(params.lowpass_hz, rate_hz / POINT_ROWS, HALF_TAPS)
    gap_points = round(params.gap_merge_s * rate_hz / POINT_ROWS)
    carry_points = round(params.carry_s * rate_hz / POINT_ROWS)
    still_gap_points = round(params.still_break_s * rate_hz / POINT_ROWS)
    all_points = np.concatenate((state.points, points))
    all_known = np.concatenate((state.known, known))
    all_judged = np.concatenate((state.judged, judged))
    counters, sums = state.counters.copy(), state.sums.copy()
    # most of the time no posture is under way: the histograms are copied when they are counted up
    histograms, writable = state.histograms, False
    ended: list[tuple[int, IntArray, FloatArray, IntArray]] = []
    row = HALF_TAPS
    while True:
        row, decided = follow(
            all_points,
            all_known,
            all_judged,
            state.k_point,
            taps,
            params.theta_on_deg,
            params.theta_off_deg,
            params.flexion_on_deg,
            gap_points,
            carry_points,
            params.rate_median_max_dps,
            params.place_deg,
            still_gap_points,
            counters,
            sums,
            histograms,
            writable,
            row,
        )
        if decided == _GOES_ON:
            break
        if decided == _WRITES:
            histograms, writable = histograms.copy(), True
            continue
        k = (decided + HALF_TAPS + 1) * POINT_ROWS
        ended.append((k, counters.copy(), sums.copy(), histograms))
        writable = False
    done = max(0, all_points.shape[0] - 2 * HALF_TAPS)
    rest = PostureState(
        points=rows_from(all_points, done),
        known=all_known[done:].copy(),
        judged=rows_from(all_judged, done),
        k_point=state.k_point + done,
        counters=counters,
        sums=sums,
        histograms=histograms,
    )
    return rest, ended
