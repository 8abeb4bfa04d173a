"""Phasic spasm candidates: short pulses of angular speed (clinical specification, section 7.2).

Pulse width and angular acceleration, not velocity, separate a jerk from a voluntary turn: healthy
turns reach 350 °/s, but fewer than 1 % of voluntary pulses are as short as 0.16 s.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np

from processing._jit import kernel
from processing.types import BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class JerkParams:
    """Thresholds of the jerk detector; all defaults are the specification's proposals."""

    peak_velocity_min_dps: float = 30.0
    """Least peak speed. Smaller finds fidgeting (quiet sitting has 3-5 °/s RMS), larger loses
    jerks of 3-5°."""
    peak_accel_min_dps2: float = 500.0
    """Least angular acceleration between onset and offset. A daily turn has 304 °/s², a jerk of
    5° in 0.15 s 1280. Smaller lets brisk turns in."""
    fwhm_max_s: float = 0.16
    """Longest width of the speed pulse at half its height. In simulation 0.15 s gave no false
    alarm, 0.20 s 29 an hour, 0.25 s 85."""
    amplitude_min_deg: float = 3.0
    """Least rotation between onset and offset. Below lie noise and slip of the sensor."""
    amplitude_max_deg: float = 40.0
    """Largest rotation; beyond lie voluntary movement and falls."""
    edge_fraction: float = 0.25
    """Onset and offset lie where the speed falls to this part of its peak."""
    separation_s: float = 0.08
    """Peaks closer than this are one: the highest counts."""
    refractory_s: float = 0.20
    """Jerks closer than this are one, the larger: out and back count once."""
    reach_s: float = 0.5
    """How far from the peak onset and offset are looked for; a pulse that is still fast there is no
    jerk. Also the lag of this detector."""
    neighbour_fraction: float = 0.6
    """Other peaks of the speed within `reach_s` that are at least this part of the jerk's .."""
    neighbours_max: int = 1
    """.. may be at most so many: one is the way back, more are an oscillation, whose every half
    cycle of 4° and more would otherwise pass (not in the specification: half of all jerks found in
    a simulated patient with 6° of tremor were such cycles)."""
    burst_n: int = 3
    """Jerks that make a burst."""
    burst_window_s: float = 5.0
    """Time within which they must lie."""
    direction_cos_min: float = 0.5
    """Reported split `toward` the direction of dystonia; no threshold for counting."""


@dataclass(frozen=True, slots=True)
class JerkCandidate:
    """A pulse that meets all thresholds."""

    k_peak: int
    k_onset: int
    k_offset: int
    peak_velocity_dps: float
    peak_accel_dps2: float
    fwhm_s: float
    flexion_deg: float
    """Excursion between onset and offset, positive as in `CervicalAngles`."""
    lateral_right_deg: float
    rotation_right_deg: float
    amplitude_deg: float


COLUMNS = 10


@kernel()
def scan(
    w: FloatArray,
    bad: BoolArray,
    begin: int,
    end: int,
    reach: int,
    separation: int,
    rate_hz: float,
    velocity_min: float,
    accel_min: float,
    fwhm_max_s: float,
    amplitude_min: float,
    amplitude_max: float,
    edge_fraction: float,
    neighbour_fraction: float,
    neighbours_max: int,
    out: FloatArray,
) -> int:
    """Judge rows begin..end-1 of filtered w (n, 3), deg/s, as peaks; return how many are jerks.

    Rows begin - reach .. end + reach - 1 must exist. Fills out (m, `COLUMNS`): peak, onset, offset
    (rows of w), speed, acceleration, width, excursion about X, Y, Z, its length.
    """
    first, last = begin - reach, end + reach
    square = np.empty(last - first)
    for i in range(first, last):
        square[i - first] = w[i, 0] * w[i, 0] + w[i, 1] * w[i, 1] + w[i, 2] * w[i, 2]
    floor = velocity_min * velocity_min
    found = 0
    for k in range(begin, end):
        c = k - first
        top = square[c]
        if top < floor or square[c - 1] >= top or square[c + 1] > top:
            continue
        highest = True
        for j in range(2, separation):
            if square[c - j] >= top or square[c + j] > top:
                highest = False
        if not highest:
            continue
        # edges at a fraction of the peak, width at half of it, both on the squared speed
        edge, half = top * edge_fraction * edge_fraction, 0.25 * top
        left = right = -1.0
        onset = offset = -1
        for j in range(1, reach + 1):
            if left < 0.0 and square[c - j] <= half:
                above, below = np.sqrt(square[c - j + 1]), np.sqrt(square[c - j])
                left = j - 1 + (above - 0.5 * np.sqrt(top)) / (above - below)
            if square[c - j] <= edge:
                onset = c - j
                break
        for j in range(1, reach):
            if right < 0.0 and square[c + j] <= half:
                above, below = np.sqrt(square[c + j - 1]), np.sqrt(square[c + j])
                right = j - 1 + (above - 0.5 * np.sqrt(top)) / (above - below)
            if square[c + j] <= edge:
                offset = c + j
                break
        if onset < 0 or offset < 0 or (left + right) / rate_hz > fwhm_max_s:
            continue
        neighbours = 0
        rival = top * neighbour_fraction * neighbour_fraction
        for j in range(c - reach + 1, c + reach - 1):
            peak = square[j] >= rival and square[j - 1] < square[j] and square[j + 1] <= square[j]
            if peak and j != c:
                neighbours += 1
        if neighbours > neighbours_max:
            continue
        clean = True
        accel = 0.0
        e0 = e1 = e2 = 0.0
        for i in range(onset + first, offset + first + 1):
            if bad[i]:
                clean = False
            e0 += w[i, 0]
            e1 += w[i, 1]
            e2 += w[i, 2]
            if i > onset + first:
                d0, d1, d2 = w[i, 0] - w[i - 1, 0], w[i, 1] - w[i - 1, 1], w[i, 2] - w[i - 1, 2]
                accel = max(accel, d0 * d0 + d1 * d1 + d2 * d2)
        accel = np.sqrt(accel) * rate_hz
        amplitude = np.sqrt(e0 * e0 + e1 * e1 + e2 * e2) / rate_hz
        if not clean or accel < accel_min or amplitude < amplitude_min or amplitude > amplitude_max:
            continue
        out[found, 0] = k
        out[found, 1] = onset + first
        out[found, 2] = offset + first
        out[found, 3] = np.sqrt(top)
        out[found, 4] = accel
        out[found, 5] = (left + right) / rate_hz
        out[found, 6] = e0 / rate_hz
        out[found, 7] = e1 / rate_hz
        out[found, 8] = e2 / rate_hz
        out[found, 9] = amplitude
        found += 1
    return found


def candidates(
    params: JerkParams,
    w_dps: FloatArray,
    bad: BoolArray,
    k_row0: int,
    begin: int,
    end: int,
    rate_hz: float,
) -> list[JerkCandidate]:
    """Return the jerks whose peak lies in rows begin..end-1 of the filtered rate.

    Parameters
    ----------
    w_dps : (n, 3) float64
        Low-passed relative rate, head segment frame.
    bad : (n,) bool
        Rows gated, invalid, or within the filter's reach of an invalid one.
    k_row0 : int
        Grid index of row 0.
    """
    if end <= begin:
        return []
    separation = max(2, round(params.separation_s * rate_hz))
    out = np.empty(((end - begin) // 2 + 2, COLUMNS))
    found = scan(
        w_dps,
        bad,
        begin,
        end,
        round(params.reach_s * rate_hz),
        separation,
        rate_hz,
        params.peak_velocity_min_dps,
        params.peak_accel_min_dps2,
        params.fwhm_max_s,
        params.amplitude_min_deg,
        params.amplitude_max_deg,
        params.edge_fraction,
        params.neighbour_fraction,
        params.neighbours_max,
        out,
    )
    return [
        JerkCandidate(
            k_peak=k_row0 + int(row[0]),
            k_onset=k_row0 + int(row[1]),
            k_offset=k_row0 + int(row[2]),
            peak_velocity_dps=row[3],
            peak_accel_dps2=row[4],
            fwhm_s=row[5],
            flexion_deg=-row[8],
            lateral_right_deg=row[6],
            rotation_right_deg=-row[7],
            amplitude_deg=row[9],
        )
        for row in out[:found].tolist()
    ]


def keep_larger(
    kept: list[JerkCandidate], new: list[JerkCandidate], refractory_rows: int
) -> list[JerkCandidate]:
    """Return `kept` continued by `new`, of any two within the refractory time only the larger."""
    result = list(kept)
    for candidate in new:
        if result and candidate.k_peak - result[-1].k_peak < refractory_rows:
            if candidate.amplitude_deg > result[-1].amplitude_deg:
                result[-1] = candidate
        else:
            result.append(candidate)
    return result


def burst_size(k_peak: int, peaks: list[int], burst_n: int, window_rows: int) -> int:
    """Return how many (sorted) peaks the fullest window around `k_peak` has, 0 below `burst_n`."""
    near = peaks[
        bisect_left(peaks, k_peak - window_rows) : bisect_right(peaks, k_peak + window_rows)
    ]
    best = 0
    for first in near:
        if first <= k_peak <= first + window_rows:
            best = max(best, sum(first <= p <= first + window_rows for p in near))
    return best if best >= burst_n else 0
