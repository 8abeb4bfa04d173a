"""Voluntary turns: the negative class of the jerk detector, and an outcome of their own.

A movement is a run of one sign of the rate about one axis of the head; short stops belong to it
and are counted, since slow turns in cervical dystonia come from pauses (Shaikh 2015).
"""

from dataclasses import dataclass

import numpy as np

from processing._jit import kernel
from processing.episodes.types import Turn
from processing.types import BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class TurnParams:
    """Thresholds of a voluntary turn (clinical specification, section 7.5)."""

    rate_min_dps: float = 5.0
    """Rate that counts as moving. Smaller joins drift to movements, larger cuts their ends."""
    excursion_min_deg: float = 10.0
    """Least excursion of a movement that is reported; 30° make a `turn`."""
    gap_merge_s: float = 0.5
    """Stops shorter than this belong to the movement if it goes on the same way."""
    duration_min_s: float = 0.3
    """Least duration."""
    duration_max_s: float = 10.0
    """Longest duration."""
    width_min_s: float = 0.20
    """Least excursion / peak rate, which is the half-height width of a bell-shaped movement;
    shorter ones are jerks."""
    pause_fraction: float = 0.1
    """A pause is a rate below this part of the movement's peak so far .."""
    pause_min_s: float = 0.08
    """.. for at least this long."""


TURN_DEG = 30.0
"""Excursion that makes a movement a turn (PMC7570702)."""

AXES = ("lateral", "rotation", "flexion")
_SIGNS = (1.0, -1.0, -1.0)
_FIELDS = 8


@dataclass(frozen=True, slots=True)
class TurnState:
    """The movement under way about each axis."""

    moving: FloatArray
    """(3, 8): sign (0 idle), first row, last moving row, excursion, peak, slow rows now, pauses,
    whether the slow stretch under way is already a pause."""


def start() -> TurnState:
    """Return the state before the first row."""
    return TurnState(np.zeros((3, _FIELDS)))


@kernel()
def _follow(
    w: FloatArray,
    bad: BoolArray,
    k_row0: int,
    rate_hz: float,
    rate_min: float,
    gap_rows: int,
    pause_fraction: float,
    pause_rows: int,
    excursion_min: float,
    moving: FloatArray,
    out: FloatArray,
) -> int:
    """Follow rows of w (n, 3); fill out (m, 7) with axis and fields of movements that ended."""
    found = 0
    for i in range(w.shape[0]):
        for a in range(3):
            state = moving[a]
            if bad[i]:
                state[0] = 0.0
                continue
            v = w[i, a]
            speed = abs(v)
            sign = 1.0 if v > 0.0 else -1.0
            if state[0] != 0.0:
                turned = speed >= rate_min and sign != state[0]
                if turned or state[5] >= gap_rows:
                    if abs(state[3]) >= excursion_min:
                        out[found, 0] = a
                        for j in range(1, 5):
                            out[found, j] = state[j]
                        out[found, 5] = state[6]
                        found += 1
                    state[0] = 0.0
            if state[0] == 0.0:
                if speed >= rate_min:
                    state[0] = sign
                    state[1] = k_row0 + i
                    state[2] = k_row0 + i
                    state[3] = v / rate_hz
                    state[4] = speed
                    state[5] = state[6] = 0.0
                continue
            state[3] += v / rate_hz
            if speed >= max(rate_min, pause_fraction * state[4]):
                if state[5] >= pause_rows:
                    state[6] += 1.0
                state[2] = k_row0 + i
                state[5] = 0.0
                state[4] = max(state[4], speed)
            else:
                state[5] += 1.0
    return found


def advance(
    params: TurnParams,
    state: TurnState,
    w_dps: FloatArray,
    bad: BoolArray,
    k_row0: int,
    t0_ns: int,
    rate_hz: float,
) -> tuple[TurnState, list[Turn]]:
    """Feed filtered rates; return the voluntary turns that ended, in order of their ends."""
    moving = state.moving.copy()
    out = np.empty((w_dps.shape[0] + 3, 6))
    found = _follow(
        w_dps,
        bad,
        k_row0,
        rate_hz,
        params.rate_min_dps,
        round(params.gap_merge_s * rate_hz),
        params.pause_fraction,
        round(params.pause_min_s * rate_hz),
        params.excursion_min_deg,
        moving,
        out,
    )
    period_ns = round(1e9 / rate_hz)
    turns = []
    for axis, first, last, excursion, peak, pauses in out[:found]:
        duration_s = (last - first + 1.0) / rate_hz
        in_time = params.duration_min_s <= duration_s <= params.duration_max_s
        if in_time and abs(excursion) / peak > params.width_min_s:
            turns.append(
                Turn(
                    axis=AXES[int(axis)],
                    start_ns=t0_ns + int(first) * period_ns,
                    end_ns=t0_ns + int(last) * period_ns,
                    excursion_deg=_SIGNS[int(axis)] * float(excursion),
                    peak_velocity_dps=float(peak),
                    pauses=int(pauses),
                )
            )
    return TurnState(moving), turns
