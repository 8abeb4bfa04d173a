"""Head and trunk in one filter: relative heading, its variance, and what a held pose teaches.

The filter knows sensors, not segments: a reset says which rotation between the two sensors a pose
stands for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from processing import quaternion
from processing.errors import InputError, StateError
from processing.orientation.layout import BIAS, FLOOR, N_ERROR, N_STATE, OFFSET, POWER, STARTED
from processing.orientation.params import (
    DEFAULT_GYRO_NOISE_DPS,
    PairParams,
    constants,
    initial_variances,
)
from processing.orientation.window import heading_sigma, reset_heading, run, sum_pose_error
from processing.types import FloatArray, HeadingReset, PairBlock, PairOrientation

STATE_VERSION = 1


@dataclass(frozen=True, slots=True)
class PairState:
    """Everything the filter remembers; plain arrays, so it can be saved and compared."""

    k: int
    """Grid index of the next row."""
    rate_hz: float
    x: FloatArray
    """(2, `N_STATE`) running state of head and trunk."""
    P: FloatArray
    """(2 `N_ERROR`, 2 `N_ERROR`) joint covariance."""
    pose_start: int
    """First grid index of the pose being summed, -1 for none."""
    pose: FloatArray
    """(4,) sum of pose errors so far."""


def start(params: PairParams, rate_hz: float) -> PairState:
    """Return the state before the first row of a grid of `rate_hz`."""
    if not (np.isfinite(rate_hz) and rate_hz > 0.0):
        raise InputError(f"rate_hz is {rate_hz}; give the grid rate in hertz")
    sensors = (params.head, params.trunk)
    x = np.zeros((2, N_STATE))
    for row, sensor in zip(x, sensors, strict=True):
        row[BIAS : BIAS + 3] = np.radians(sensor.bias_dps)
        row[OFFSET : OFFSET + 3] = sensor.offset_ms2
        row[POWER] = 1.0
        noise = sensor.gyro_noise_dps
        row[FLOOR] = np.radians(DEFAULT_GYRO_NOISE_DPS if noise is None else noise)
    P = np.diag(np.concatenate([initial_variances(s, params.filter) for s in sensors]))
    return PairState(k=0, rate_hz=rate_hz, x=x, P=P, pose_start=-1, pose=np.zeros(4))


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
    n = pair.head_gyr.shape[0]
    if state.k != pair.k0 and not _fresh(state):
        raise InputError(f"block starts at grid index {pair.k0}, expected {state.k}: grid broken")
    if abs(pair.rate_hz - state.rate_hz) > 1e-9:
        raise InputError(f"block has {pair.rate_hz} Hz, the filter runs at {state.rate_hz} Hz")
    ordered = sorted(resets, key=lambda reset: reset.k_start)
    window = max(1, round(params.filter.window_s * state.rate_hz))
    for first, second in pairwise(ordered):
        if second.k_start < _acts_at(first, window):
            raise InputError(
                f"reference poses at grid index {first.k_start} and {second.k_start} overlap; "
                "give one of them"
            )
    gyr = np.ascontiguousarray(np.stack((pair.head_gyr, pair.trunk_gyr)))
    acc = np.ascontiguousarray(np.stack((pair.head_acc, pair.trunk_acc)))
    valid = np.ascontiguousarray(np.stack((pair.head_valid, pair.trunk_valid)))
    c = np.stack([constants(s, params.filter) for s in (params.head, params.trunk)])
    x, P, pose = state.x.copy(), state.P.copy(), state.pose.copy()
    pose_start = state.pose_start
    q = np.empty((2, n, 4))
    sigma = np.empty(n)
    work = np.empty((6, 2 * N_ERROR))
    dt = 1.0 / state.rate_hz

    def advance(a: int, b: int) -> None:
        run(gyr, acc, valid, a - pair.k0, b - pair.k0, pair.k0, x, P, c, dt, window, work, q, sigma)

    k, stop = pair.k0, pair.k0 + n
    for reset in ordered:
        acts = _acts_at(reset, window)
        if acts <= k or reset.k_start >= stop:
            continue
        begin, end = max(k, reset.k_start), min(stop, acts)
        if pose_start != reset.k_start:
            pose_start, pose = reset.k_start, np.zeros(4)
        advance(k, end)
        seen = slice(max(begin, reset.k_start) - pair.k0, min(end, reset.k_end) - pair.k0)
        both = x[0, STARTED] > 0.0 and x[1, STARTED] > 0.0
        if both:
            sum_pose_error(q[0], q[1], reset.q_th_ref, seen.start, seen.stop, pose)
        k = end
        if end == acts:
            if np.any(pose):
                heading = 2.0 * np.arctan2(pose[3], pose[0])
                heading = (heading + np.pi) % (2.0 * np.pi) - np.pi
                reset_heading(x, P, heading, np.radians(reset.sigma_deg) ** 2, work)
                q[:, end - 1 - pair.k0] = x[:, 0:4]
                sigma[end - 1 - pair.k0] = heading_sigma(P)
            pose_start, pose = -1, np.zeros(4)
    advance(k, stop)
    for i in range(2):
        if x[i, STARTED] == 0.0:
            q[i] = np.nan
    if np.isnan(q[:, :, 0]).any():
        sigma[:] = np.nan
    new = PairState(stop, state.rate_hz, x, P, pose_start, pose)
    q = quaternion.normalize(q)
    return new, PairOrientation(
        k0=pair.k0,
        q_es_head=q[0],
        q_es_trunk=q[1],
        heading_sigma_deg=np.degrees(sigma),
        head_bias_dps=np.degrees(x[0, BIAS : BIAS + 3]),
        trunk_bias_dps=np.degrees(x[1, BIAS : BIAS + 3]),
    )


def smooth(
    params: PairParams, pair: PairBlock, resets: Sequence[HeadingReset] = ()
) -> PairOrientation:
    """Return the orientation of a whole wear session."""
    return step(params, start(params, pair.rate_hz), pair, resets)[1]


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
    if x.shape != (2, N_STATE) or P.shape != (2 * N_ERROR, 2 * N_ERROR) or pose.shape != (4,):
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
