"""Head and trunk in one filter: relative heading, its variance, and what a held pose teaches.

The filter knows sensors, not segments: a reset says which rotation between the two sensors a pose
stands for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from processing.errors import InputError, StateError
from processing.orientation.heading import heading_sigma, reset_heading, sum_pose_error
from processing.orientation.layout import (
    BIAS,
    LEAD,
    N_PAIR,
    N_STATE,
    N_WORK,
    STARTED,
    Q,
)
from processing.orientation.params import PairParams, constants, initial_state, initial_variances
from processing.orientation.recording import Recording, smooth_rows, swept
from processing.orientation.window import LOG_TURN, log_attitude, run
from processing.types import BoolArray, FloatArray, HeadingReset, PairBlock, PairOrientation

STATE_VERSION = 2
HEADING_KNOWN_RAD = 1.5
"""A relative heading less certain than this has met no reset yet: the next one defines its zero."""
SMOOTHED_WINDOWS = 2400
"""Windows recorded at a time while smoothing; bounds memory, changes no result."""


@dataclass(frozen=True, slots=True)
class PairState:
    """Everything the filter remembers; plain arrays, so it can be saved and compared."""

    k: int
    """Grid index of the next row."""
    rate_hz: float
    x: FloatArray
    """(2, `N_STATE`) running state of head and trunk."""
    P: FloatArray
    """(`N_PAIR`, `N_PAIR`) joint covariance."""
    pose_start: int
    """First grid index of the pose being summed, -1 for none."""
    pose: FloatArray
    """(4,) sum of pose errors so far."""


def start(params: PairParams, rate_hz: float) -> PairState:
    """Return the state before the first row of a grid of `rate_hz`."""
    if not (np.isfinite(rate_hz) and rate_hz > 0.0):
        raise InputError(f"rate_hz is {rate_hz}; give the grid rate in hertz")
    sensors = (params.head, params.trunk)
    x = np.stack([initial_state(s, rate_hz) for s in sensors])
    x[:, LEAD] += 0.5 / rate_hz  # the grid's specific force is that at the row, not a mean
    return PairState(
        k=0,
        rate_hz=rate_hz,
        x=x,
        P=np.diag(
            np.concatenate(
                [
                    *(initial_variances(s, params.filter) for s in sensors),
                    [np.radians(params.reference_sigma_deg) ** 2],
                ]
            )
        ),
        pose_start=-1,
        pose=np.zeros(4),
    )


def step(
    params: PairParams, state: PairState, pair: PairBlock, resets: Sequence[HeadingReset] = ()
) -> tuple[PairState, PairOrientation]:
    """Advance over one block; any chunking gives the same bits.

    Parameters
    ----------
    resets : sequence of HeadingReset
        Every reset whose pose overlaps the block must be given with it; others, earlier or later,
        may be given too and do nothing. A reset acts at the end of the window in which its pose
        ends. Poses must not overlap each other.

    Raises
    ------
    InputError
        If the block does not continue the grid of `state`, or poses overlap.
    """
    if state.k != pair.k0 and not _fresh(state):
        raise InputError(f"block starts at grid index {pair.k0}, expected {state.k}: grid broken")
    if abs(pair.rate_hz - state.rate_hz) > 1e-9:
        raise InputError(f"block has {pair.rate_hz} Hz, the filter runs at {state.rate_hz} Hz")
    work = _Work.of(params, pair, resets)
    new, q, sigma = _advance(work, state, pair.k0, pair.k0 + work.n, Recording.of(0, 2))
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
    states = [start(params, pair.rate_hz)]
    parts: list[tuple[FloatArray, FloatArray]] = []
    for k, k_next in pairwise(borders):
        state, q, sigma = _advance(work, states[-1], k, k_next, Recording.of(0, 2))
        states.append(state)
        parts.append((q, sigma))
    adjoint, L = np.zeros((1, N_PAIR)), np.zeros((N_PAIR, N_PAIR))
    passages: list[FloatArray] = []
    errors: list[FloatArray] = []
    variances: list[FloatArray] = []
    for i in range(len(parts) - 1, -1, -1):
        k, k_next = borders[i], borders[i + 1]
        record = Recording.of(k_next // work.window - k // work.window, 2)
        _advance(work, states[i], k, k_next, record)
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
        sigma[known] = np.sqrt(np.maximum(variance[of_row[known]], 0.0))
    return _result(states[-1], pair.k0, q, sigma)


@lru_cache(maxsize=16)
def _constants(params: PairParams) -> FloatArray:
    """Return both sensors' constants; kept, since every live step asks for them."""
    return np.stack([constants(s, params.filter) for s in (params.head, params.trunk)])


@dataclass(frozen=True, slots=True)
class _Work:
    """A block as the kernels want it."""

    gyr: tuple[FloatArray, FloatArray]
    acc: tuple[FloatArray, FloatArray]
    valid: tuple[BoolArray, BoolArray]
    k0: int
    n: int
    resets: list[HeadingReset]
    constants: FloatArray
    window: int
    dt: float

    @classmethod
    def of(cls, params: PairParams, pair: PairBlock, resets: Sequence[HeadingReset]) -> "_Work":
        window = max(1, round(params.filter.window_s * pair.rate_hz))
        ordered = sorted(resets, key=lambda reset: reset.k_start)
        for one, two in pairwise(ordered):
            if two.k_start < _acts_at(one, window):
                raise InputError(
                    f"reference poses at grid index {one.k_start} and {two.k_start} overlap; "
                    "give one of them"
                )
        return cls(
            gyr=(_contiguous(pair.head_gyr), _contiguous(pair.trunk_gyr)),
            acc=(_contiguous(pair.head_acc), _contiguous(pair.trunk_acc)),
            valid=(_flags(pair.head_valid), _flags(pair.trunk_valid)),
            k0=pair.k0,
            n=pair.head_gyr.shape[0],
            resets=ordered,
            constants=_constants(params),
            window=window,
            dt=1.0 / pair.rate_hz,
        )


def _advance(
    work: _Work, state: PairState, k: int, stop: int, record: Recording
) -> tuple[PairState, FloatArray, FloatArray]:
    """Filter grid rows [k, stop); return the new state, (2, n, 4) attitudes and (n,) sigma, rad."""
    x, P, pose = state.x.copy(), state.P.copy(), state.pose.copy()
    pose_start = state.pose_start
    rows = slice(k - work.k0, stop - work.k0)
    gyr = (work.gyr[0][rows], work.gyr[1][rows])
    acc = (work.acc[0][rows], work.acc[1][rows])
    valid = (work.valid[0][rows], work.valid[1][rows])
    no_mag = (np.empty((0, 3)), np.empty((0, 3)))
    q, sigma = np.empty((2, stop - k, 4)), np.empty(stop - k)
    scratch, turns = np.zeros((N_WORK, N_PAIR)), np.empty(2)
    k0 = k

    def filter_until(end: int) -> None:
        run(gyr, acc, no_mag, valid, k - k0, end - k0, k0, x, P, work.constants, work.dt,
            work.window, scratch, q, sigma, *record.arrays)  # fmt: skip

    for reset in work.resets:
        acts = _acts_at(reset, work.window)
        if acts <= k or reset.k_start >= stop:
            continue
        begin, end = max(k, reset.k_start), min(stop, acts)
        if pose_start != reset.k_start:
            pose_start, pose = reset.k_start, np.zeros(4)
        filter_until(end)
        k = end
        if x[0, STARTED] > 0.0 and x[1, STARTED] > 0.0:
            last = min(end, reset.k_end) - k0
            sum_pose_error(q[0], q[1], reset.q_th_ref, begin - k0, last, pose)
        if end < acts:
            continue
        if np.any(pose):
            heading = _wrapped(2.0 * np.arctan2(pose[3], pose[0]))
            variance = np.radians(reset.sigma_deg) ** 2
            known = bool(heading_sigma(P) < HEADING_KNOWN_RAD)
            reset_heading(x, P, heading, variance, known, scratch, turns, record.tape, record.used)
            q[:, end - 1 - k0] = x[:, Q : Q + 4]
            sigma[end - 1 - k0] = heading_sigma(P)
            if record.log.shape[0] > 0:
                entry = record.log[record.used[1] - 1]
                record.marks[record.used[1]] = record.used[0]
                for i in range(2):
                    entry[i, LOG_TURN] = turns[i]
                    log_attitude(x[i], P, i, entry)
        pose_start, pose = -1, np.zeros(4)
    filter_until(stop)
    return PairState(stop, state.rate_hz, x, P, pose_start, pose), q, sigma


def _result(state: PairState, k0: int, q: FloatArray, sigma: FloatArray) -> PairOrientation:
    missing = state.x[:, STARTED] == 0.0
    q[missing] = np.nan
    if missing.any():
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


def _wrapped(angle: float) -> float:
    return float((angle + np.pi) % (2.0 * np.pi) - np.pi)


def state_to_dict(state: PairState) -> dict[str, object]:
    """Return a state as numbers and lists, exact under a JSON round trip."""
    return {
        "version": STATE_VERSION,
        "k": state.k,
        "rate_hz": state.rate_hz,
        "x": state.x.tolist(),
        "P": state.P.tolist(),
        "pose_start": state.pose_start,
        "pose": state.pose.tolist(),
    }


def state_from_dict(data: dict[str, object]) -> PairState:
    """Return the state that `state_to_dict` saved; `StateError` if it is of another version."""
    if data.get("version") != STATE_VERSION:
        raise StateError(
            f"orientation state has version {data.get('version')}, this program reads "
            f"{STATE_VERSION}; reprocess from the record"
        )
    x = np.array(data["x"], dtype=np.float64)
    P = np.array(data["P"], dtype=np.float64)
    pose = np.array(data["pose"], dtype=np.float64)
    if x.shape != (2, N_STATE) or P.shape != (N_PAIR, N_PAIR) or pose.shape != (4,):
        raise StateError("orientation state has the wrong shape; reprocess from the record")
    return PairState(
        k=int(str(data["k"])),
        rate_hz=float(str(data["rate_hz"])),
        x=x,
        P=P,
        pose_start=int(str(data["pose_start"])),
        pose=pose,
    )


def _acts_at(reset: HeadingReset, window: int) -> int:
    return -(-reset.k_end // window) * window


def _fresh(state: PairState) -> bool:
    return state.k == 0 and not state.x[:, STARTED].any()
