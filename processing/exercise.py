"""Repetitions and holds of a guided exercise, from progress towards the target.

A repetition is an excursion to at least 70 % of the target and a return to within 30 % (clinical
specification, section 9). Progress 0 is where the exercise starts from, 1 is the target; above 1
lies beyond what was prescribed.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from processing.errors import InputError
from processing.types import FloatArray

Axis = Literal["rotation", "lateral", "flexion", "deviation"]
Phase = Literal["away", "in_band", "beyond", "returning", "unknown"]


@dataclass(frozen=True, slots=True)
class Exercise:
    """One movement that can be asked for."""

    id: str
    axis: Axis
    sign: int
    """Of the angle towards the target; for `deviation` coming closer to neutral is progress."""
    most_deg: float
    """Largest target that may be set. Clinical specification, section 3: within what healthy
    people of any age reach; a person with dystonia reaches less, never more."""
    unprescribed_deg: float
    """Target where a person chose the exercise alone: small, so that nothing is forced."""


EXERCISES: Final[dict[str, Exercise]] = {
    each.id: each
    for each in (
        Exercise("midline", "deviation", -1, 20.0, 10.0),
        Exercise("turn_right", "rotation", 1, 60.0, 25.0),
        Exercise("turn_left", "rotation", -1, 60.0, 25.0),
        Exercise("tilt_right", "lateral", 1, 30.0, 15.0),
        Exercise("tilt_left", "lateral", -1, 30.0, 15.0),
        Exercise("chin_down", "flexion", 1, 40.0, 20.0),
        Exercise("chin_up", "flexion", -1, 40.0, 15.0),
    )
}
"""The short list. Each is a slow movement out of the middle and back, `midline` the way there."""


@dataclass(frozen=True, slots=True)
class ExerciseParams:
    """When something counts."""

    hold_s: float
    """Time in the target band that was asked for, seconds."""
    reach: float = 0.7
    """Progress from which the band begins (clinical specification, section 9). Smaller counts
    half-hearted excursions, larger asks for more than 70 % of what was prescribed."""
    home: float = 0.3
    """Progress to which a repetition has to return. Larger counts wobbles about the band as
    repetitions, smaller asks to come back further than many can."""
    beyond: float = 1.15
    """Progress from which the person has gone too far and holding does not count. Smaller scolds
    for the jitter of a held pose, larger lets a stretch pass that nobody prescribed. Our choice."""
    gap_s: float = 1.0
    """Longest silence that a repetition survives; over a longer one nothing is assumed. Our
    choice: ten live frames."""


@dataclass(frozen=True, slots=True)
class Repetition:
    """One excursion to the band and back."""

    start_s: float
    end_s: float
    peak: float
    """Largest progress reached."""
    hold_s: float
    """Longest unbroken time in the band, seconds."""
    held: bool
    """That was as long as asked for."""


@dataclass(frozen=True, slots=True)
class ExerciseState:
    """Where the person is in the exercise."""

    phase: Phase = "unknown"
    last_s: float = float("nan")
    """Time of the newest known progress."""
    start_s: float = float("nan")
    """When the excursion under way left home; NaN where none is."""
    peak: float = 0.0
    hold_s: float = 0.0
    """Unbroken time in the band up to now."""
    best_hold_s: float = 0.0
    """Longest of this excursion."""
    reached: bool = False
    ready: bool = False
    """Home was seen since the last silence: who rests in the band has not moved there."""
    repetitions: tuple[Repetition, ...] = ()


def progress(exercise: Exercise, target_deg: float, angle_deg: FloatArray) -> FloatArray:
    """Return progress towards the target (n,), NaN where the angle is not known.

    Parameters
    ----------
    exercise : Exercise
    target_deg : float
        Size of the prescribed angle; for `midline` the distance from neutral that counts as there.
    angle_deg : (n,) float64
        The exercise's axis, degrees, signs as stored.

    Raises
    ------
    InputError
        The target is not positive, or larger than the exercise allows.
    """
    if not 0.0 < target_deg <= exercise.most_deg:
        raise InputError(
            f"the target is {target_deg}°; {exercise.id} takes more than 0° and at most "
            f"{exercise.most_deg:.0f}°"
        )
    x = np.asarray(angle_deg, dtype=np.float64)
    if exercise.axis == "deviation":
        return np.asarray(2.0 - x / target_deg)
    return np.asarray(exercise.sign * x / target_deg)


def most_progress(exercise: Exercise) -> float:
    """Return the progress up to which the display reaches; nothing lies beyond the middle."""
    return 2.0 if exercise.axis == "deviation" else 1.5


def step(
    params: ExerciseParams,
    state: ExerciseState,
    t_s: FloatArray,
    reached: FloatArray,
    *,
    can_go_beyond: bool = True,
) -> ExerciseState:
    """Return the state after some more rows; any chunking gives the same.

    Parameters
    ----------
    params : ExerciseParams
    state : ExerciseState
    t_s : (n,) float64
        Increasing times, seconds. Rows that do not come after the newest are left out.
    reached : (n,) float64
        `progress`; NaN breaks the repetition after `gap_s`, and a hold at once.
    can_go_beyond : bool
        False for `midline`, where more than enough is fine.
    """
    for t, p in zip(t_s.tolist(), reached.tolist(), strict=True):
        if t <= state.last_s:
            continue
        state = _row(params, state, t, p, can_go_beyond=can_go_beyond)
    return state


def _row(
    params: ExerciseParams, state: ExerciseState, t: float, p: float, *, can_go_beyond: bool
) -> ExerciseState:
    silent = t - state.last_s > params.gap_s
    if np.isnan(p):
        # the time of the newest known row stays, so that silence adds up
        return replace(state, phase="unknown", hold_s=0.0)
    if silent or np.isnan(state.last_s):
        state = ExerciseState(repetitions=state.repetitions)
    too_far = can_go_beyond and p > params.beyond
    in_band = p >= params.reach and not too_far
    was_in_band = state.phase == "in_band"
    hold = state.hold_s + (t - state.last_s) if in_band and was_in_band else 0.0
    if p <= params.home:
        return _home(params, state, t)
    if not state.ready:
        return replace(state, phase="returning", last_s=t)
    out = not np.isnan(state.start_s)
    came = state.reached or p >= params.reach
    phase: Phase = "beyond" if too_far else "in_band" if in_band else "away"
    if phase == "away" and came:
        phase = "returning"
    return replace(
        state,
        phase=phase,
        last_s=t,
        start_s=state.start_s if out else t,
        peak=max(state.peak, p) if out else p,
        hold_s=hold,
        best_hold_s=max(state.best_hold_s, hold),
        reached=came,
    )


def _home(params: ExerciseParams, state: ExerciseState, t: float) -> ExerciseState:
    """Return the state at home; the excursion that ends here counts if it reached the band."""
    done = state.repetitions
    if state.reached:
        made = Repetition(
            start_s=state.start_s,
            end_s=t,
            peak=state.peak,
            hold_s=state.best_hold_s,
            held=state.best_hold_s >= params.hold_s,
        )
        done = (*done, made)
    return ExerciseState(phase="away", last_s=t, ready=True, repetitions=done)
