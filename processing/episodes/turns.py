"""Voluntary turns: the negative class of the jerk detector, and an outcome of their own.

A movement goes one way about one axis of the head until it stops or turns back; short stops belong
to it and are counted, since slow turns in cervical dystonia come from pauses (Shaikh 2015). Out and
back are two movements, however soon: the specification's "not returning within 0.5 s" is not asked.
Pulls into a posture count as well; nobody can see from outside who wanted a movement.
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
    reversal_deg: float = 5.0
    """Turning back by this much ends a movement and begins the next. Smaller lets tremor cut a turn
    to pieces, larger joins out and back of a small glance."""
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
_CUT = 2.0


@dataclass(frozen=True, slots=True)
class TurnState:
    """The movement under way about each axis."""

    moving: FloatArray
    """(3, 8): sign (0 idle, 2 cut off), first row, last row of progress, excursion now and at its
    farthest (times the rate), peak speed, slow rows at the end, pauses."""


def start() -> TurnState:
    """Return the state before the first row."""
    return TurnState(np.zeros((3, _FIELDS)))


@kernel()
def _follow(
    w: FloatArray,
    bad: BoolArray,
    k_row0: int,
    rate_min: float,
    gap_rows: int,
    pause_fraction: float,
    pause_rows: int,
    reversal: float,
    excursion_min: float,
    moving: FloatArray,
    out: FloatArray,
) -> int:
    """Follow rows of w (n, 3); return how many movements ended.

    Fills out (m, 7): deciding row, axis, first and last row, excursion, peak, pauses.
    """
    found = 0
    for a in range(3):
        sign, first, last, total = moving[a, 0], moving[a, 1], moving[a, 2], moving[a, 3]
        farthest, peak, slow, pauses = moving[a, 4], moving[a, 5], moving[a, 6], moving[a, 7]
        for i in range(w.shape[0]):
            v = w[i, a]
            speed = abs(v)
            if bad[i]:
                sign = _CUT
                continue
            if sign == _CUT:
                # what goes on from inside a gate began there: wait for its end
                if speed < rate_min:
                    sign = 0.0
                continue
            if sign == 0.0:
                if speed >= rate_min:
                    sign = 1.0 if v > 0.0 else -1.0
                    first = last = k_row0 + i
                    total = farthest = v
                    peak = speed
                    slow = pauses = 0.0
                continue
            total += v
            if total * sign > farthest * sign:
                farthest = total
                if speed >= rate_min:
                    last = k_row0 + i
                    peak = max(peak, speed)
            if speed < max(rate_min, pause_fraction * peak):
                slow += 1.0
            else:
                if slow >= pause_rows and v * sign > 0.0:
                    pauses += 1.0
                slow = 0.0
            turned = (farthest - total) * sign >= reversal
            if not turned and k_row0 + i - last < gap_rows:
                continue
            if abs(farthest) >= excursion_min:
                out[found, 0] = k_row0 + i
                out[found, 1] = a
                out[found, 2] = first
                out[found, 3] = last
                out[found, 4] = farthest
                out[found, 5] = peak
                out[found, 6] = pauses
                found += 1
            if turned:
                # the way back began at the farthest point
                sign = -sign
                first = last
                last = k_row0 + i
                total -= farthest
                farthest = total
                peak = speed
                slow = pauses = 0.0
            else:
                sign = 0.0
        moving[a, 0], moving[a, 1], moving[a, 2], moving[a, 3] = sign, first, last, total
        moving[a, 4], moving[a, 5], moving[a, 6], moving[a, 7] = farthest, peak, slow, pauses
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
    out = np.empty((w_dps.shape[0] + 3, 7))
    found = _follow(
        w_dps,
        bad,
        k_row0,
        params.rate_min_dps,
        round(params.gap_merge_s * rate_hz),
        params.pause_fraction,
        round(params.pause_min_s * rate_hz),
        params.reversal_deg * rate_hz,
        params.excursion_min_deg * rate_hz,
        moving,
        out,
    )
    period_ns = round(1e9 / rate_hz)
    turns = []
    # every axis ran by itself: back into the order of their decisions
    for _, axis, first, last, total, peak, pauses in sorted(out[:found].tolist()):
        duration_s = (last - first + 1.0) / rate_hz
        excursion = total / rate_hz
        in_time = params.duration_min_s <= duration_s <= params.duration_max_s
        if in_time and abs(excursion) / peak > params.width_min_s:
            turns.append(
                Turn(
                    axis=AXES[int(axis)],
                    start_ns=t0_ns + int(first) * period_ns,
                    end_ns=t0_ns + int(last) * period_ns,
                    excursion_deg=_SIGNS[int(axis)] * excursion,
                    peak_velocity_dps=peak,
                    pauses=int(pauses),
                )
            )
    return TurnState(moving), turns
