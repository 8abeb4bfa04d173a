"""Gate of walking and trunk motion, inside which no episode is counted.

On a real recording walking moves the head relative to the trunk at 46-56 °/s and 3° peak to peak in
3-7 Hz; ungated the jerk detector fires once a second there (clinical specification, section 6).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from processing._jit import kernel
from processing.derived import derived
from processing.errors import InputError
from processing.types import BoolArray, FloatArray, IntArray, PairBlock


@dataclass(frozen=True, slots=True)
class GateParams:
    """Thresholds of the gate; defaults from the clinical specification, section 6."""

    trunk_rate_dps: float = 10.0
    """RMS of the trunk's angular rate over the window. Smaller masks leaning and breathing hard,
    larger lets slow walking through. 10 °/s masks all walking and at most 2 % of sitting."""
    trunk_acc_ms2: float = 0.3
    """RMS over the window of |specific force| minus its moving mean. Smaller masks fidgeting,
    larger misses soft steps. 0.3 m/s²."""
    head_acc_ms2: float = 1.0
    """The same of the head, used where there is no trunk sensor [project default]. Larger than the
    trunk's because a head tremor of some degrees already accelerates a head sensor by 0.5 m/s²; a
    head alone cannot tell slow walking from tremor."""
    window_s: float = 1.0
    """Length of both moving windows, at most 2 s together with the pad. Shorter follows single
    steps, longer widens the gate."""
    pad_s: float = 1.0
    """Gate time added before and after: the first and the last step are below the threshold."""
    rate_hz: float = 100.0
    """Grid rate."""

    @property
    def half_rows(self) -> int:
        """Rows on each side of a window's centre."""
        return round(0.5 * self.window_s * self.rate_hz)

    @property
    def pad_rows(self) -> int:
        """Rows of the pad on each side."""
        return round(self.pad_s * self.rate_hz)

    @property
    def lag_rows(self) -> int:
        """Rows by which the gate follows the newest sample: mean, RMS and pad, centred all."""
        return 2 * self.half_rows + self.pad_rows


@dataclass(frozen=True, slots=True)
class GateBlock:
    """Gate of consecutive grid rows, a fixed lag behind the newest sample."""

    k0: int
    gated: BoolArray
    """(n,) True inside trunk motion or walking, pad included."""
    trunk_rms_dps: FloatArray
    """(n,) RMS of the trunk's angular rate over 1 s, of the head's where there is no trunk sensor;
    NaN where no sample is valid."""


@dataclass(frozen=True, slots=True)
class GateState:
    """What the gate remembers: rings of the last windows, their sums, the last exceedance."""

    rings: IntArray
    """(5, ring): |specific force|, its squared dynamic part, squared rate (fixed point, see
    `_NANO`), validity, and the mean squared rate that waits for its row to leave."""
    counters: IntArray
    """(8,): next row in, first row, last row above a threshold, and the running sums."""
    started: bool
    """False until the first block tells the first row."""


_NANO = 1e9
_BEFORE = -(1 << 60)


@kernel()
def _advance(
    gyr: FloatArray,
    acc: FloatArray,
    valid: BoolArray,
    half: int,
    pad: int,
    rate_limit: int,
    acc_limit: int,
    rings: IntArray,
    counters: IntArray,
    gated: BoolArray,
    rms_dps: FloatArray,
) -> int:
    """Push rows through mean, RMS and pad; return the number of rows that left.

    Sums run over fixed-point integers, so that they are exact: what a window says does not depend
    on what passed through it before.
    """
    ring = rings.shape[1]
    norm, dynamic, rate, ok, waiting = rings[0], rings[1], rings[2], rings[3], rings[4]
    first = counters[1]
    last = counters[2]
    norm_sum, norm_n = counters[3], counters[4]
    dynamic_sum, rate_sum, rms_n = counters[5], counters[6], counters[7]
    left = 0
    # places in the ring, one step back each: a division for each of them in every row would cost
    # more than all the rest
    at = (counters[0] - 1) % ring
    mean_gone = (counters[0] - 2 * half - 2) % ring
    centre = (counters[0] - half - 1) % ring
    rms_gone = (counters[0] - 3 * half - 2) % ring
    judged = (counters[0] - 2 * half - 1) % ring
    leaving = (counters[0] - 2 * half - pad - 1) % ring
    for i in range(gyr.shape[0]):
        k = counters[0] + i
        at = at + 1 if at + 1 < ring else 0
        mean_gone = mean_gone + 1 if mean_gone + 1 < ring else 0
        centre = centre + 1 if centre + 1 < ring else 0
        rms_gone = rms_gone + 1 if rms_gone + 1 < ring else 0
        judged = judged + 1 if judged + 1 < ring else 0
        leaving = leaving + 1 if leaving + 1 < ring else 0
        norm[at] = 0
        rate[at] = 0
        ok[at] = 0
        if valid[i]:
            size = np.sqrt(acc[i, 0] * acc[i, 0] + acc[i, 1] * acc[i, 1] + acc[i, 2] * acc[i, 2])
            turn = gyr[i, 0] * gyr[i, 0] + gyr[i, 1] * gyr[i, 1] + gyr[i, 2] * gyr[i, 2]
            norm[at] = np.int64(size * 1e6)
            rate[at] = np.int64(turn * 1e9)
            ok[at] = 1
        # moving mean of |a|, centred on row k - half
        norm_sum += norm[at] - norm[mean_gone]
        norm_n += ok[at] - ok[mean_gone]
        dynamic[centre] = 0
        if ok[centre] == 1:
            deviation = (norm[centre] - norm_sum / norm_n) * 1e-6
            dynamic[centre] = np.int64(deviation * deviation * 1e9)
        # RMS of both signals, centred on row k - 2 half
        dynamic_sum += dynamic[centre] - dynamic[rms_gone]
        rate_sum += rate[centre] - rate[rms_gone]
        rms_n += ok[centre] - ok[rms_gone]
        waiting[judged] = rate_sum // rms_n if rms_n > 0 else -1
        if rms_n > 0 and (rate_sum > rate_limit * rms_n or dynamic_sum > acc_limit * rms_n):
            last = k - 2 * half
        # pad: row k - lag is within reach of an exceedance on either side
        out = k - 2 * half - pad
        if out >= first:
            gated[left] = last >= out - pad
            mean_square = waiting[leaving]
            rms_dps[left] = np.nan
            if mean_square >= 0:
                rms_dps[left] = np.sqrt(mean_square / _NANO) * (180.0 / np.pi)
            left += 1
    counters[0] += gyr.shape[0]
    counters[2] = last
    counters[3], counters[4] = norm_sum, norm_n
    counters[5], counters[6], counters[7] = dynamic_sum, rate_sum, rms_n
    return left


@derived
def _limits(params: GateParams, head_only: bool) -> tuple[int, int]:
    """Return squared rate and acceleration in fixed point."""
    acc_limit = params.head_acc_ms2 if head_only else params.trunk_acc_ms2
    # no rate limit for a head alone: looking around is what heads do
    rate_limit = 1e3 if head_only else np.radians(params.trunk_rate_dps) ** 2
    return int(rate_limit * _NANO), int(acc_limit**2 * _NANO)


def start(params: GateParams) -> GateState:
    """Return the state before the first row.

    Raises
    ------
    InputError
        The windows make the gate lag more than 2 s, which live processing does not allow.
    """
    if params.lag_rows > 2.0 * params.rate_hz:
        raise InputError(
            f"a gate window of {params.window_s} s and a pad of {params.pad_s} s lag more than "
            "2 s; make window + pad at most 2 s"
        )
    ring = max(3 * params.half_rows, params.lag_rows) + 2
    counters = np.zeros(8, dtype=np.int64)
    counters[2] = _BEFORE
    return GateState(np.zeros((5, ring), dtype=np.int64), counters, started=False)


def step(
    params: GateParams,
    state: GateState,
    pair: PairBlock,
    *,
    head_only: bool = False,
    final: bool = False,
) -> tuple[GateState, GateBlock]:
    """Return the gate of the rows that are `params.lag_rows` old by now.

    Parameters
    ----------
    pair : PairBlock
        Rows that continue those of the step before.
    head_only : bool
        There is no trunk sensor: judge by the head's acceleration alone, see
        `GateParams.head_acc_ms2`.
    final : bool
        Nothing follows: give the gate of all rows.

    Notes
    -----
    Windows are centred and shrink to the valid samples at both ends and around gaps. Rows without
    any valid sample in reach are not gated; they are invalid, which comes first.
    """
    gyr, acc, valid = (
        (pair.head_gyr, pair.head_acc, pair.head_valid)
        if head_only
        else (pair.trunk_gyr, pair.trunk_acc, pair.trunk_valid)
    )
    rings, counters = state.rings.copy(), state.counters.copy()
    if not state.started and gyr.shape[0] > 0:
        counters[0] = counters[1] = pair.k0
    n = gyr.shape[0]
    next_out = max(counters[1], counters[0] - params.lag_rows)
    tail = params.lag_rows if final else 0
    gated = np.empty(n + tail, dtype=np.bool_)
    rms_dps = np.empty(n + tail)
    limits = _limits(params, head_only)
    left = _advance(
        gyr,
        acc,
        valid,
        params.half_rows,
        params.pad_rows,
        *limits,
        rings,
        counters,
        gated,
        rms_dps,
    )
    if final:
        left += _advance(
            np.zeros((tail, 3)),
            np.zeros((tail, 3)),
            np.zeros(tail, dtype=np.bool_),
            params.half_rows,
            params.pad_rows,
            *limits,
            rings,
            counters,
            gated[left:],
            rms_dps[left:],
        )
    block = GateBlock(k0=int(next_out), gated=gated[:left], trunk_rms_dps=rms_dps[:left])
    return GateState(rings, counters, started=state.started or n > 0), block


def excluding(gate: GateBlock, ranges: Sequence[tuple[int, int]]) -> GateBlock:
    """Return the gate with more rows closed: guided movements and exercises are no free living.

    Parameters
    ----------
    ranges : sequence of (int, int)
        First grid index and the one past the last of each stretch; they may lie anywhere. Nods and
        shakes done to order look like a slow tremor.
    """
    if not ranges:
        return gate
    gated = gate.gated.copy()
    for begin, end in ranges:
        gated[max(0, begin - gate.k0) : max(0, end - gate.k0)] = True
    return replace(gate, gated=gated)
