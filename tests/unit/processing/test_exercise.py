"""Counting repetitions: against a slow twin, in any chunking, and at its edges."""

import numpy as np
import pytest

from processing import state as saved
from processing.errors import InputError
from processing.exercise import (
    EXERCISES,
    ExerciseParams,
    ExerciseState,
    progress,
    step,
)
from processing.types import FloatArray
from tests.oracles.exercise import repetitions

PARAMS = ExerciseParams(hold_s=2.0)
RATE_HZ = 8.0  # an exact step in binary, so that sums of times are exact too


def moves(*ways: tuple[float, float]) -> FloatArray:
    """Progress that goes in straight lines: (to, seconds) each."""
    values = [0.0]
    for to, seconds in ways:
        n = round(seconds * RATE_HZ)
        values += np.linspace(values[-1], to, n + 1)[1:].tolist()
    return np.array(values)


def times(p: FloatArray) -> FloatArray:
    return np.arange(p.size) / RATE_HZ


def run(p: FloatArray, **given: bool) -> ExerciseState:
    return step(PARAMS, ExerciseState(), times(p), p, **given)


def test_a_full_repetition_a_short_one_and_one_that_never_arrives() -> None:
    full = [(1.0, 1.0), (1.0, 3.0), (0.0, 1.0)]
    short = [(1.0, 1.0), (0.0, 1.0)]
    weak = [(0.6, 1.0), (0.6, 3.0), (0.0, 1.0)]
    found = run(moves(*full, *short, *weak)).repetitions
    assert [rep.held for rep in found] == [True, False]
    assert found[0].hold_s == pytest.approx(3.5, abs=0.3)
    assert found[0].peak == 1.0
    # back to the edge of the band and out again is the same repetition
    assert len(run(moves((1.0, 1.0), (0.5, 0.5), (1.0, 0.5), (0.0, 1.0))).repetitions) == 1


def test_too_far_does_not_count_as_holding_but_being_in_the_middle_does() -> None:
    p = moves((1.4, 1.0), (1.4, 4.0), (0.0, 1.0))
    assert not run(p).repetitions[0].held
    assert run(p, can_go_beyond=False).repetitions[0].held
    assert run(p[:20]).phase == "beyond"
    assert run(p[:20], can_go_beyond=False).phase == "in_band"


def test_unknown_progress_breaks_a_hold_and_silence_the_repetition() -> None:
    p = moves((1.0, 1.0), (1.0, 3.0), (0.0, 1.0))
    broken = p.copy()
    broken[20] = np.nan
    assert len(run(broken).repetitions) == 1
    assert not run(broken).repetitions[0].held
    broken[14:24] = np.nan
    assert run(broken).repetitions == ()
    assert run(broken).phase == "away"
    assert run(broken[:24]).phase == "unknown"


def test_the_slow_twin_agrees_and_chunks_change_nothing() -> None:
    rng = np.random.default_rng(4)
    for _ in range(40):
        knots = rng.uniform(-0.3, 1.5, size=14)
        p = np.round(np.interp(np.linspace(0, 13, 240), np.arange(14), knots), 3)
        p[rng.random(p.size) < 0.04] = np.nan
        t = times(p)
        t[120:] += rng.choice([0.0, 2.0])
        whole = step(PARAMS, ExerciseState(), t, p)
        found = [(r.start_s, r.end_s, r.peak, r.hold_s, r.held) for r in whole.repetitions]
        assert found == repetitions(t, p, hold_s=PARAMS.hold_s)
        state = ExerciseState()
        for rows in np.array_split(np.arange(p.size), np.sort(rng.integers(0, p.size, size=9))):
            state = saved.decode(saved.encode(state))
            state = step(PARAMS, state, t[rows], p[rows])
        assert saved.encode(state) == saved.encode(whole)


def test_who_rests_in_the_band_has_to_leave_it_first() -> None:
    p = 1.0 - moves((0.0, 3.0), (1.0, 1.0), (0.0, 1.0), (0.0, 3.0), (1.0, 1.0))
    assert run(p[:20]).phase == "returning"
    assert len(run(p).repetitions) == 1


def test_rows_that_were_seen_are_left_out() -> None:
    p = moves((1.0, 1.0), (1.0, 3.0), (0.0, 1.0))
    once = run(p)
    assert step(PARAMS, once, times(p), p) == once


def test_progress_speaks_the_patients_right_and_left() -> None:
    angle = np.array([-20.0, 0.0, 20.0, np.nan])
    right = progress(EXERCISES["turn_right"], 20.0, angle)
    np.testing.assert_array_equal(right, [-1.0, 0.0, 1.0, np.nan])
    np.testing.assert_array_equal(progress(EXERCISES["turn_left"], 20.0, angle), -right)
    np.testing.assert_array_equal(progress(EXERCISES["chin_up"], 20.0, angle), -right)
    middle = progress(EXERCISES["midline"], 10.0, np.array([0.0, 10.0, 13.0, 17.0]))
    np.testing.assert_allclose(middle, [2.0, 1.0, 0.7, 0.3])


@pytest.mark.parametrize("target", [0.0, -5.0, 61.0, float("nan")])
def test_a_target_that_nobody_may_set_is_refused(target: float) -> None:
    with pytest.raises(InputError, match="at most 60°"):
        progress(EXERCISES["turn_right"], target, np.zeros(1))
