"""One step of a guided calibration by itself, and whether it was done well enough to go on.

The same gates as `estimate_alignment`, applied to a single pose or movement while it is being made,
so that a person hears at once what to repeat.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from processing.alignment.facing import MIN_RANGE_DEG
from processing.alignment.guided import MIN_EXPLAINED, MIN_REPETITIONS
from processing.alignment.movements import motion_deg, movement_axis
from processing.alignment.neutral import held_in, span_rows, valid_rows
from processing.alignment.placement import Lean, Placement, placement
from processing.alignment.references import MOVEMENTS
from processing.alignment.swapped import LEAST_MOTION_DEG, SWAP_RATIO
from processing.types import Alignment, BoolArray, FloatArray, PairBlock, Span

StepProblem = (
    Literal[
        "",
        "no_samples",
        "moved",
        "nothing_moved",
        "too_small",
        "too_few",
        "crooked",
        "other_sensor",
        "neck_moved",
        "head_off_gravity",
        "trunk_off_gravity",
    ]
    | Lean
)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a reference pose that is taken up again has to look like."""

    alignment: Alignment
    """In force."""
    rotation: FloatArray
    """(4,) `R_rel` that the pose stands for."""


@dataclass(frozen=True, slots=True)
class StepCheck:
    """What one step amounts to."""

    problem: StepProblem
    """Why it does not count, empty where it does."""
    repetitions: int = 0
    """Of a movement, complete ones."""
    range_deg: float = 0.0
    """Of a movement, the largest swing."""
    unrest_dps: float = 0.0
    """Of a pose, the angular rate of the sensor that moved more, RMS."""
    placement: Placement | None = None
    """Of a reference pose taken up again: where head and sensors are."""

    @property
    def passed(self) -> bool:
        """Whether the step counts."""
        return not self.problem


def check_step(
    pair: PairBlock,
    span: Span,
    *,
    enough: int = MIN_REPETITIONS,
    head_only: bool = False,
    expected: Expected | None = None,
) -> StepCheck:
    """Judge a pose or a movement by its own samples.

    Parameters
    ----------
    pair : PairBlock
        Samples around it.
    span : Span
        When it was asked for; for one under way, up to now.
    enough : int
        Repetitions that a movement needs: `MIN_REPETITIONS`, or 1 for a re-don.
    head_only : bool
        There is no trunk sensor.
    expected : Expected, optional
        What a pose has to look like besides being held; for both sensors.
    """
    if span.kind in MOVEMENTS:
        return _movement(pair, span, enough, head_only=head_only)
    return _pose(pair, span, expected, head_only=head_only)


def _pose(pair: PairBlock, span: Span, expected: Expected | None, *, head_only: bool) -> StepCheck:
    held = held_in(pair, span, head_only=head_only)
    if held is None:
        return StepCheck("no_samples")
    rows = valid_rows(pair, head_only=head_only)[held.start : held.stop]
    sensors = [pair.head_gyr] if head_only else [pair.head_gyr, pair.trunk_gyr]
    unrest = max(_rms_dps(gyr[held.start : held.stop][rows]) for gyr in sensors)
    if held.off_gravity:
        which: StepProblem = "head_off_gravity"
        if "head" not in held.off_gravity:
            which = "trunk_off_gravity"
        return StepCheck(which, unrest_dps=unrest)
    if not held.passed:
        return StepCheck("moved", unrest_dps=unrest)
    if expected is None or head_only:
        return StepCheck("", unrest_dps=unrest)
    found = placement(pair, held, expected.alignment, expected.rotation)
    problem: StepProblem = "" if found.as_calibrated else found.lean
    return StepCheck(problem, unrest_dps=unrest, placement=found)


def _movement(pair: PairBlock, span: Span, enough: int, *, head_only: bool) -> StepCheck:
    start, stop = span_rows(pair, span)
    of_head = span.kind != "trunk_bow"
    gyr, valid = (pair.head_gyr, pair.head_valid) if of_head else (pair.trunk_gyr, pair.trunk_valid)
    mine = gyr[start:stop][valid[start:stop]]
    if mine.shape[0] < 0.5 * pair.rate_hz:
        return StepCheck("no_samples")
    if of_head and not head_only:
        other = _turned(pair.trunk_gyr, pair.trunk_valid, start, stop, pair.rate_hz)
        if other > SWAP_RATIO * motion_deg(mine, pair.rate_hz) and other > LEAST_MOTION_DEG:
            return StepCheck("other_sensor")
    found = movement_axis(mine, pair.rate_hz)
    if not (of_head or head_only) and (found is None or found.range_deg < MIN_RANGE_DEG):
        head = _turned(pair.head_gyr, pair.head_valid, start, stop, pair.rate_hz)
        if head > LEAST_MOTION_DEG:
            return StepCheck("neck_moved")
    if found is None:
        return StepCheck("nothing_moved")
    problem: StepProblem = ""
    if found.range_deg < MIN_RANGE_DEG:
        problem = "too_small"
    elif found.repetitions < enough:
        problem = "too_few"
    elif found.explained < MIN_EXPLAINED:
        problem = "crooked"
    return StepCheck(problem, repetitions=found.repetitions, range_deg=found.range_deg)


def _turned(gyr: FloatArray, valid: BoolArray, start: int, stop: int, rate_hz: float) -> float:
    rows = gyr[start:stop][valid[start:stop]]
    return motion_deg(rows, rate_hz) if rows.shape[0] else 0.0


def _rms_dps(gyr: FloatArray) -> float:
    return float(np.degrees(np.sqrt(np.mean(np.sum(gyr**2, axis=1)))))
