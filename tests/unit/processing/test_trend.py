"""Days against treatments: known courses, slow oracles, and what cannot be said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processing.shift import median_interval, shift
from processing.synthesis.spec import botulinum_factor
from processing.trend import (
    Cycle,
    TrendDay,
    TrendParams,
    cycles,
    running_median,
)
from tests.oracles import trend as oracle

PARAMS = TrendParams()
NUMBERS = st.floats(-50.0, 50.0).map(lambda x: round(x, 1))
FEW = st.lists(NUMBERS, min_size=1, max_size=8)


def course(
    first: int = -28, last: int = 112, noise: float = 0.0, n_id: str = "n"
) -> list[TrendDay]:
    rng = np.random.default_rng(3)
    return [
        TrendDay(d, 20.0 * botulinum_factor(d) + float(rng.normal(0.0, noise)), n_id)
        for d in range(first, last)
    ]


def only(days: list[TrendDay], injected: int = 0) -> Cycle:
    (found,) = cycles(PARAMS, days, [injected], "lower")
    return found


@given(FEW, FEW)
@settings(max_examples=60, deadline=None)
def test_shift_is_the_enumerated_one(before: list[float], after: list[float]) -> None:
    found = shift(before, after)
    estimate, low, high = oracle.shift(before, after, 0.95)
    assert found.estimate == pytest.approx(estimate, abs=1e-9)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)


def test_large_samples_agree_with_exact_ranks() -> None:
    rng = np.random.default_rng(1)
    before, after = rng.normal(0.0, 1.0, 51), rng.normal(1.0, 1.0, 51)
    near = shift(list(before[:50]), list(after[:50]))
    far = shift(list(before), list(after))
    assert near.low is not None
    assert near.high is not None
    assert far.low == pytest.approx(near.low, abs=0.05)
    assert far.high == pytest.approx(near.high, abs=0.05)


def test_interval_of_the_shift_covers_what_it_promises() -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(400):
        found = shift(list(rng.standard_t(3, 8)), list(rng.standard_t(3, 7) + 1.0))
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 1.0 <= found.high
    assert 0.93 <= hits / 400 <= 0.99


def walk(rng: np.random.Generator, n: int, r: float) -> list[float]:
    """Days that hang together: an autoregression of first order and unit variance."""
    steps = rng.normal(0.0, 1.0, n)
    held = [float(steps[0])]
    for step in steps[1:]:
        held.append(r * held[-1] + float(np.sqrt(1.0 - r * r) * step))
    return held


@pytest.mark.parametrize(("r", "least"), [(0.3, 0.91), (0.6, 0.87)])
def test_interval_of_the_shift_holds_where_days_hang_together(r: float, least: float) -> None:
    # the interval of independent days covers 85 % and 69 % here, a block bootstrap 87 % and 81 %
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(400):
        found = shift(walk(rng, 28, r), walk(rng, 14, r))
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 0.0 <= found.high
    assert hits / 400 >= least


@given(st.lists(NUMBERS, min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_median_interval_is_the_oracle(values: list[float]) -> None:
    assert median_interval(values) == oracle.median_interval(values, 0.95)


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.none() | NUMBERS, st.sampled_from("ab")),
        min_size=1,
        max_size=40,
        unique_by=lambda row: row[0],
    )
)
@settings(max_examples=60, deadline=None)
def test_running_median_is_the_oracle(rows: list[tuple[int, float | None, str]]) -> None:
    days = [TrendDay(*row) for row in sorted(rows, key=lambda row: row[0])]
    found = {each.day: each.value for each in running_median(PARAMS, days)}
    assert found == oracle.running(days, PARAMS.window_d, PARAMS.least_days)


def test_the_trials_course_is_found() -> None:
    # half of the relief comes on day 7 and has gone on day 56 + 28 * 0.29 / 0.55 = 70.8
    found = only(course())
    assert found.baseline == 20.0
    assert found.best == pytest.approx(12.0)
    assert (found.onset.day, found.wearing_off.day) == (7, 71)


def test_noise_moves_the_days_but_not_out_of_their_intervals() -> None:
    found = only(course(noise=1.5))
    for turn, truth in ((found.onset, 7), (found.wearing_off, 71)):
        assert turn.day is not None
        assert turn.low is not None
        assert turn.high is not None
        assert turn.low <= truth <= turn.high
        assert turn.low <= turn.day <= turn.high
    assert found.change is not None
    assert found.change.established


def test_higher_is_better_mirrors_lower() -> None:
    days = course(noise=1.0)
    turned = [TrendDay(d.day, -d.value, d.n_id) for d in days if d.value is not None]
    (up,) = cycles(PARAMS, turned, [0], "higher")
    down = only(days)
    assert (up.onset, up.wearing_off, up.best_start) == (
        down.onset,
        down.wearing_off,
        down.best_start,
    )
    assert up.change is not None
    assert down.change is not None
    assert up.change.estimate == -down.change.estimate
    assert (up.change.low, up.change.high) == (-down.change.high, -down.change.low)  # type: ignore[operator]  # both known here


@pytest.mark.parametrize(
    ("days", "onset", "wearing_off"),
    [
        (course(first=-3), "no_baseline", "no_baseline"),
        (course(last=10), "no_follow_up", "no_follow_up"),
        (course(last=50), "", "not_reached"),
        ([TrendDay(d, 20.0 + d % 3, "n") for d in range(-28, 60)], *["no_improvement"] * 2),
    ],
)
def test_what_cannot_be_determined_says_why(
    days: list[TrendDay], onset: str, wearing_off: str
) -> None:
    found = only(days)
    assert (found.onset.reason, found.wearing_off.reason) == (onset, wearing_off)
    assert found.wearing_off.day is None


def test_a_cycle_ends_where_the_neutral_is_taken_anew() -> None:
    days = course(last=60) + [TrendDay(d, 3.0, "new") for d in range(60, 112)]
    found = only(days)
    assert (found.end, found.ended_by) == (60, "neutral")
    assert {d.n_id for d in found.days} == {"n"}
    assert found.wearing_off.reason == "not_reached"


def test_days_before_a_new_neutral_are_no_baseline() -> None:
    days = [TrendDay(d, 40.0, "old") for d in range(-28, -10)] + course(first=-10)
    found = only(days)
    assert (found.baseline, found.baseline_n) == (20.0, 10)


def test_the_next_injection_ends_a_cycle_and_begins_one() -> None:
    first, second = cycles(PARAMS, course(last=112), [0, 84], "lower")
    assert (first.end, first.ended_by) == (84, "injection")
    assert (second.injected, second.ended_by) == (84, "data")
    assert min(d.day for d in second.days) == 56


def test_a_missing_stretch_is_no_value() -> None:
    days = [d for d in course() if not 60 <= d.day < 90]
    found = only(days)
    assert {d.day: d.value for d in found.smooth}[75] is None
    assert found.wearing_off.day is not None
    assert found.wearing_off.day >= 86
