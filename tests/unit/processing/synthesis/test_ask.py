"""A simulated person does what they are asked for, and goes on with their own afterwards."""

from dataclasses import replace

import numpy as np
import pytest

from processing import angles, synthesis
from processing.synthesis import PatientSpec, SimulatorState
from processing.types import FloatArray

SPEC = replace(PatientSpec(), calibration=False, reset_every_s=0.0, reset_error_deg=(0.0,) * 3)
QUIET = replace(synthesis.healthy(SPEC), trunk_move_every_s=0.0, turns_per_min=0.0)


def shown(state: SimulatorState, seconds: float) -> FloatArray:
    """(n, 3) true flexion, lateral, rotation of the next seconds."""
    _, chunk = synthesis.step(state, seconds, truth=True)
    return np.column_stack(angles.decompose(chunk.truth[:, :4]))


@pytest.mark.parametrize(
    ("kind", "want"),
    [("neutral_pose", (0, 0, 0)), ("midline_pose", (2, 4, 15)), ("dystonic_pose", (6, 12, 40))],
)
def test_a_pose_is_held_when_it_was_asked_for(kind: str, want: tuple[float, ...]) -> None:
    state = synthesis.start(SPEC, 3)
    synthesis.step(state, 20.0)
    synthesis.ask(state, kind, 23.0, 5.0)
    synthesis.step(state, 3.0)
    held = shown(state, 5.0)
    assert np.abs(held - want).max() < 2.0
    assert np.ptp(held, axis=0).max() < 2.0
    # their own motion comes back
    assert np.ptp(shown(state, 30.0), axis=0).max() > 8.0


def test_a_movement_is_made_so_many_times_in_the_instructed_direction() -> None:
    state = synthesis.start(QUIET, 3)
    synthesis.step(state, 10.0)
    synthesis.ask(state, "nod", 12.0, 12.0, times=2)
    synthesis.step(state, 2.0)
    flexion = shown(state, 14.0)[:, 0]
    out = np.abs(flexion) > 8.0
    starts = np.flatnonzero(out[1:] & ~out[:-1])
    assert flexion[starts[0] + 5] > 0.0  # chin down first
    assert 2 <= len(starts) <= 4
    assert np.abs(flexion[-100:]).max() < 6.0


def test_what_was_about_to_begin_waits() -> None:
    busy = replace(SPEC, trunk_move_every_s=6.0)
    asked, free = synthesis.start(busy, 2), synthesis.start(busy, 2)
    for state in (asked, free):
        synthesis.step(state, 30.0)
    synthesis.ask(asked, "neutral_pose", 34.0, 5.0)
    lean = []
    for state in (asked, free):
        synthesis.step(state, 4.0)
        _, chunk = synthesis.step(state, 5.0, truth=True)
        lean.append(np.ptp(chunk.truth[:, 4:8], axis=0).max())
    assert lean[0] < 0.03 < lean[1]


@pytest.mark.parametrize("again_s", [28.5, 30.0, 31.5])
def test_asked_again_while_at_it_they_end_the_first_and_do_the_second(again_s: float) -> None:
    state = synthesis.start(SPEC, 3)
    synthesis.step(state, 20.0)
    synthesis.ask(state, "dystonic_pose", 23.0, 5.0)
    synthesis.step(state, again_s - 23.0)
    synthesis.ask(state, "midline_pose", again_s + 1.5, 5.0)
    synthesis.step(state, again_s + 1.5 - (20.0 + again_s - 23.0))
    assert np.abs(shown(state, 5.0) - (2, 4, 15)).max() < 2.0
