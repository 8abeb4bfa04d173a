"""Head and trunk in one filter: relative heading, its variance, and what a held pose teaches.

The filter knows sensors, not segments: a reset says which rotation between the two sensors a pose
stands for.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from processing._jit import kernel
from processing.derived import derived
from processing.errors import InputError
from processing.orientation import tuning
from processing.orientation.agreement import take_look, with_field
from processing.orientation.consistency import BLOCK_WINDOWS, close_block, factor, gather
from processing.orientation.field import FIELD_WINDOWS, FieldParams, close_look, gather_field
from processing.orientation.grade import walk_factor
from processing.orientation.heading import (
    HEADING_UNKNOWN_RAD,
    heading_sigma,
    reset_heading,
    sum_pose_error,
    wrapped,
)
from processing.orientation.layout import BATCH, BIAS, STARTED, Q
from processing.orientation.pair_state import PairState, fresh, known_biases, start
from processing.orientation.params import PairParams, constants
from processing.orientation.recording import Recording, smooth_rows, swept
from processing.orientation.repetition import own_error, shared_error, with_own_error
from processing.orientation.window import LOG_PLACE, LOG_TURN, log_attitude, run
from processing.types import BoolArray, FloatArray, HeadingReset, PairBlock, PairOrientation

SMOOTHED_WINDOWS = 40 * BLOCK_WINDOWS
"""Windows recorded at a time while smoothing; bounds memory, changes no result."""


def step(
    params: PairParams, state: PairState, pair: PairBlock, resets: Sequence[HeadingReset] = ()
) -> tuple[PairState, PairOrientation]:
    """Advance over one block; any chunking gives the same bits.

    Parameters
    ----------
    resets : sequence of HeadingReset
        Every reset whose pose overlaps the block must be given with it; others, earlier or later,
        may be given too and do nothing. A reset acts at the end of every window that its pose
        overlaps, by its share of the pose. Poses must not overlap each other.

    Raises
    ------
    InputError
        If the block does not continue the grid of `state`, or poses overlap.
    """
    if state.k != pair.k0 and not fresh(state):
        raise InputError(f"block starts at grid index {pair.k0}, expected {state.k}: grid broken")
    if abs(pair.rate_hz - state.rate_hz) > 1e-9:
        raise InputError(f"block has {pair.rate_hz} Hz, the filter runs at {state.rate_hz} Hz")
    work = _Work.of(params, pair, resets)
    new, q, sigma = _advance(work, state, pair.k0, pair.k0 + work.n, _NOT_RECORDED)
    return new, _result(new, pair.k0, q, sigma)


def smooth(
    params: PairParams, pair: PairBlock, resets: Sequence[HeadingReset] = ()
) -> PairOrientation:
    """Return the orientation of a whole wear session, every row from all of it.

    The filter runs twice: once through, keeping its state every `SMOOTHED_WINDOWS` windows, then
    again from each kept state, last to first, recording what the smoother needs.
    """
    work = _Work.of(params, pair, resets)
    stop = pair.k0 + work.n
    length = SMOOTHED_WINDOWS * work.window
    borders = [pair.k0, *range((pair.k0 // length + 1) * length, stop, length), stop]
    weight = 0.0
    begin = start(params, pair.rate_hz)
    if any(reset.own_value for reset in work.resets):
        begin = replace(begin, P=with_own_error(begin.P))
    for _ in range(2):
        states = [begin]
        parts: list[tuple[FloatArray, FloatArray]] = []
        for k, k_next in pairwise(borders):
            state, q, sigma = _advance(work, states[-1], k, k_next, _NOT_RECORDED, weight)
            states.append(state)
            parts.append((q, sigma))
        weight = factor(states[-1].evidence, whole=True)
    n = states[-1].P.shape[0]
    adjoint, L = np.zeros((1, n)), np.zeros((n, n))
    passages: list[FloatArray] = []
    errors: list[FloatArray] = []
    variances: list[FloatArray] = []
    for i in range(len(parts) - 1, -1, -1):
        k, k_next = borders[i], borders[i + 1]
        record = Recording.of(k_next // work.window - k // work.window, 2, n)
        _advance(work, states[i], k, k_next, record, weight)
        error, variance = swept(record, adjoint, L)
        passages.insert(0, record.passages)
        errors.insert(0, error)
        variances.insert(0, variance)
    q = np.concatenate([part[0] for part in parts], axis=1)
    passage, error = np.concatenate(passages), np.concatenate(errors)
    first = pair.k0 % work.window
    for i in range(2):
        smooth_rows(q[i], first, work.window, passage[:, i], error[:, i])
    sigma = np.concatenate([part[1] for part in parts])
    variance = np.concatenate(variances)
    if variance.shape[0] > 0:
        of_row = (np.arange(work.n) + first) // work.window
        known = of_row < variance.shape[0]
        smoothed = np.sqrt(np.maximum(variance[of_row[known]], 0.0))
        scale_sigma(smoothed, weight, met=states[-1].met)
        sigma[known] = smoothed
    return _result(states[-1], pair.k0, q, sigma)


_NOT_RECORDED = Recording.of(0, 2)
_NO_MAG = (np.empty((0, 3)), np.empty((0, 3)))
"""Arrays without rows, the same for every step: there is nothing in them to write to."""


@derived
def _constants(params: PairParams) -> FloatArray:
    """Return both sensors' constants."""
    both = np.stack([constants(s, params.filter) for s in (params.head, params.trunk)])
    both[:, tuning.GAP_RATE] = params.head_gap_rad, params.trunk_gap_rad
    return both


@dataclass(frozen=True, slots=True)
class _Work:
    """A block as the kernels want it."""

    gyr: tuple[FloatArray, FloatArray]
    acc: tuple[FloatArray, FloatArray]
    valid: tuple[BoolArray, BoolArray]
    mag: tuple[FloatArray, FloatArray] | None
    k0: int
    n: int
    resets: list[HeadingReset]
    constants: FloatArray
    reference_sigma_deg: float
    bias: FloatArray
    bias_variance: FloatArray
    window: int
    dt: float
    field: FieldParams

    @classmethod
    def of(cls, params: PairParams, pair: PairBlock, resets: Sequence[HeadingReset]) -> "_Work":
        window = window_rows(params, pair.rate_hz)
        ordered = sorted(resets, key=lambda reset: reset.k_start)
        for one, two in pairwise(ordered):
            if two.k_start < _acts_at(one, window):
                raise InputError(
                    f"reference poses at grid index {one.k_start} and {two.k_start} overlap; "
                    "give one of them"
                )
        bias, bias_variance = known_biases(params)
        return cls(
            gyr=(_contiguous(pair.head_gyr), _contiguous(pair.trunk_gyr)),
            acc=(_contiguous(pair.head_acc), _contiguous(pair.trunk_acc)),
            valid=(_flags(pair.head_valid), _flags(pair.trunk_valid)),
            mag=(
                None
                if pair.head_mag is None or pair.trunk_mag is None
                else (_contiguous(pair.head_mag), _contiguous(pair.trunk_mag))
            ),
            k0=pair.k0,
            n=pair.head_gyr.shape[0],
            resets=ordered,
            constants=_constants(params),
            reference_sigma_deg=params.reference_sigma_deg,
            bias=bias,
            bias_variance=bias_variance,
            window=window,
            dt=1.0 / pair.rate_hz,
            field=params.magnetic,
        )

    def shared_variance(self, reset: HeadingReset) -> float:
        """Return the variance of the error that a pose shares with its repetitions, rad²."""
        sigma = reset.shared_sigma_deg
        return math.radians(self.reference_sigma_deg if sigma is None else sigma) ** 2


def _advance(
    work: _Work, state: PairState, k: int, stop: int, record: Recording, weight: float = 0.0
) -> tuple[PairState, FloatArray, FloatArray]:
    """Filter grid rows [k, stop); return the new state, (2, n, 4) attitudes and (n,) sigma, rad.

    `weight` is the factor on the filter's variances where it is known beforehand, else 0.
    """
    x, P, pose = state.x.copy(), state.P.copy(), state.pose.copy()
    evidence, joint, field = state.evidence.copy(), state.joint.copy(), state.field.copy()
    pose_start, walk, met = state.pose_start, state.walk, state.met
    tuned = work.constants.copy()
    rows = slice(k - work.k0, stop - work.k0)
    gyr = (work.gyr[0][rows], work.gyr[1][rows])
    acc = (work.acc[0][rows], work.acc[1][rows])
    valid = (work.valid[0][rows], work.valid[1][rows])
    mag = None if work.mag is None else (work.mag[0][rows], work.mag[1][rows])
    if mag is not None:
        P = with_field(P)
    q, sigma = np.empty((2, stop - k, 4)), np.empty(stop - k)
    turns = np.empty(2)
    k0, posing = k, False
    block, look = BLOCK_WINDOWS * work.window, FIELD_WINDOWS * work.window
    segment = block if mag is None else look
    recording = record.log.shape[0] > 0
    if not recording:
        # the innovations of one block at a time, for the evidence
        windows = min(segment, stop - k) // work.window + 1
        record = _innovations(record, BATCH * windows, P.shape[0])

    def trusted() -> float:
        return weight or factor(evidence)

    def tune() -> None:
        # what a gap hides is known by itself, as a held pose is
        tuned[:, tuning.GAP_RATE] = work.constants[:, tuning.GAP_RATE] / math.sqrt(trusted())
        # so is white noise
        tuned[:, tuning.GYRO_DENSITY] = work.constants[:, tuning.GYRO_DENSITY] / math.sqrt(
            trusted()
        )
        tuned[:, tuning.JOINT_NOISE] = work.constants[:, tuning.JOINT_NOISE] / trusted()
        tuned[:, tuning.BIAS_WALK] = work.constants[:, tuning.BIAS_WALK] * walk

    tune()

    def filter_until(begin: int, end: int) -> None:
        nonlocal walk
        while begin < end:
            border = min(end, (begin // segment + 1) * segment)
            if not recording:
                record.used[0] = 0
            used = int(record.used[0])
            run(gyr, acc, _NO_MAG, valid, begin - k0, border - k0, k0, x, P, joint, tuned,
                work.dt, work.window, q, sigma, *record.arrays)  # fmt: skip
            gather(record.tape, used, int(record.used[0]), evidence)
            scale_sigma(sigma[begin - k0 : border - k0], trusted(), met=met)
            if mag is not None:
                gather_field(field, *mag, *valid, q, begin - k0, border - k0, k0)
                if border % look == 0:
                    if met and not posing:
                        share = take_look(work.field, work.window, work.dt, x, P, field, trusted(),
                                          turns, record)  # fmt: skip
                        if share > 0.0:
                            turned(border, share)
                    close_look(field)
            begin = border
            if begin % block == 0:
                close_block(evidence, begin // block - 1)
                walk = walk_factor(x, P, work.bias, work.bias_variance)
                tune()

    def turned(k: int, share: float = 0.0) -> None:
        """Note what came after the window that ends at row k: a turn of heading, and `wear_off`."""
        q[:, k - 1 - k0] = x[:, Q : Q + 4]
        sigma[k - 1 - k0] = heading_sigma(P)
        scale_sigma(sigma[k - 1 - k0 : k - k0], trusted(), met=met)
        if recording:
            entry = record.log[record.used[1] - 1]
            record.marks[record.used[1]] = record.used[0]
            for i in range(2):
                entry[i, LOG_TURN] = turns[i]
                entry[i, LOG_PLACE] = share
                log_attitude(x[i], P, i, entry)

    for reset in work.resets:
        acts = _acts_at(reset, work.window)
        if acts <= k or reset.k_start >= stop:
            continue
        filter_until(k, reset.k_start)
        k = max(k, reset.k_start)
        if pose_start != reset.k_start:
            pose_start, pose = reset.k_start, np.zeros(4)
            if reset.own_value and own_error(P.shape[0]) < 0:
                P = with_own_error(P)
                record = _innovations(record, record.tape.shape[0], P.shape[0])
            shared = shared_error(P.shape[0], own_value=reset.own_value)
            if met and P[shared, shared] == 0.0:
                P[shared, shared] = work.shared_variance(reset) / trusted()
        posing = True
        while k < min(stop, acts):
            border = (k // work.window + 1) * work.window
            begin, k = k, min(border, stop)
            filter_until(begin, k)
            if x[0, STARTED] > 0.0 and x[1, STARTED] > 0.0:
                last = min(k, reset.k_end) - k0
                sum_pose_error(q[0], q[1], reset.q_th_ref, begin - k0, last, pose)
            if k < border or not np.any(pose):
                continue
            # every window has the weight of its share of the pose
            first, last = max(border - work.window, reset.k_start), min(border, reset.k_end)
            share = (last - first) / (reset.k_end - reset.k_start)
            lag_s = (border - 0.5 * (first + last + 1)) * work.dt
            heading = wrapped(2.0 * np.arctan2(pose[3], pose[0]))
            variance = np.radians(reset.sigma_deg) ** 2 / (share * trusted())
            shared = shared_error(P.shape[0], own_value=reset.own_value)
            if not P[shared, shared] > 0.0 or reset.shared_sigma_deg == 0.0:
                shared = -1
            reset_heading(x, P, heading, variance, lag_s, shared, turns,
                          record.tape, record.used)  # fmt: skip
            pose, met = np.zeros(4), True
            turned(k)
            close_look(field)  # it was seen with the heading before
        posing = False
        if k >= acts:
            pose_start = -1
    filter_until(k, stop)
    new = PairState(stop, state.rate_hz, x, P, pose_start, pose, met, evidence, walk, joint, field)
    return new, q, sigma


def _innovations(record: Recording, rows: int, n: int) -> Recording:
    """Return a record with room for the innovations of one block, of `n` error states."""
    return Recording(
        record.log, record.marks, np.empty((rows, 2 * n + 2)), np.zeros(2, dtype=np.int64)
    )


def scale_sigma(sigma: FloatArray, weight: float, *, met: bool) -> None:
    """Scale standard deviations of relative heading in place, once a pose was met.

    From then on none is larger than that of an angle of which nothing is known. Before, they say
    "unknown" and stay: only how they grow means something.
    """
    if met:
        _scale(sigma, math.sqrt(weight))


@kernel()
def _scale(sigma: FloatArray, by: float) -> None:
    for i in range(sigma.shape[0]):
        sigma[i] = min(sigma[i] * by, HEADING_UNKNOWN_RAD)


def _result(state: PairState, k0: int, q: FloatArray, sigma: FloatArray) -> PairOrientation:
    if state.x[0, STARTED] == 0.0 or state.x[1, STARTED] == 0.0:
        q[state.x[:, STARTED] == 0.0] = np.nan
        sigma = np.full_like(sigma, np.nan)
    return PairOrientation(
        k0=k0,
        q_es_head=q[0],
        q_es_trunk=q[1],
        heading_sigma_deg=np.degrees(sigma),
        head_bias_dps=np.degrees(state.x[0, BIAS : BIAS + 3]),
        trunk_bias_dps=np.degrees(state.x[1, BIAS : BIAS + 3]),
    )


def _contiguous(a: FloatArray) -> FloatArray:
    return np.ascontiguousarray(a, dtype=np.float64)


def _flags(a: BoolArray) -> BoolArray:
    return np.ascontiguousarray(a, dtype=np.bool_)


def window_rows(params: PairParams, rate_hz: float) -> int:
    """Return how many grid rows a window has; windows begin at its multiples."""
    return max(1, round(params.filter.window_s * rate_hz))


def told_from(params: PairParams, rate_hz: float, k: int) -> int:
    """Return the first row (grid index) whose heading a pose held from row k on has told."""
    window = window_rows(params, rate_hz)
    return (k // window + 1) * window - 1


def _acts_at(reset: HeadingReset, window: int) -> int:
    return -(-reset.k_end // window) * window
