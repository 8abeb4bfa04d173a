"""The neutral pose: declared or found, and held or not."""

from dataclasses import replace

import numpy as np
import pytest

from processing.alignment import check_step
from processing.alignment.neutral import find_held, held_in, neutral_span, up_in_sensor
from processing.errors import AlignmentError
from processing.types import PairBlock, Span

RATE_HZ = 100.0


def still(n: int, *, noise_dps: float = 0.1) -> PairBlock:
    rng = np.random.default_rng(0)
    gyr = np.radians(noise_dps) * rng.standard_normal((2, n, 3))
    acc = np.tile([0.0, 9.81, 0.0], (2, n, 1)) + 0.01 * rng.standard_normal((2, n, 3))
    ok = np.ones(n, dtype=np.bool_)
    return PairBlock(0, 1_000, RATE_HZ, gyr[0], acc[0], ok, gyr[1], acc[1], ok.copy())


def moving(pair: PairBlock, start: int, stop: int) -> PairBlock:
    gyr = pair.trunk_gyr.copy()
    gyr[start:stop] += np.radians(10.0)
    return replace(pair, trunk_gyr=gyr)


def test_the_first_quiet_five_seconds_are_found() -> None:
    held = find_held(moving(still(3000), 0, 1200))
    assert held.passed
    # one moving row in 500 does not make a stretch restless
    assert 1130 < held.start <= 1200
    assert held.stop - held.start == 500


def test_without_a_quiet_stretch_the_quietest_is_taken() -> None:
    pair = still(3000, noise_dps=8.0)
    gyr = pair.head_gyr.copy()
    gyr[1000:1500] *= 0.5
    held = find_held(replace(pair, head_gyr=gyr))
    assert not held.passed
    assert abs(held.start - 1000) < 60


def test_missing_rows_are_never_inside() -> None:
    pair = still(3000)
    ok = pair.head_valid.copy()
    ok[100::400] = False
    with pytest.raises(AlignmentError, match=r"the head sensor has no 5 s without missing samples"):
        find_held(replace(pair, head_valid=ok))
    with pytest.raises(AlignmentError, match=r"the trunk sensor .*--single head"):
        find_held(replace(pair, trunk_valid=ok))
    turns = np.arange(3000) // 600 % 2 == 0
    with pytest.raises(AlignmentError, match=r"at the same time"):
        find_held(replace(pair, head_valid=turns, trunk_valid=~turns))
    ok[:] = True
    ok[2:1000] = False
    assert find_held(replace(pair, head_valid=ok)).start >= 1000


def test_offset_is_not_motion_and_shaking_is() -> None:
    pair = still(1000)
    span = Span("neutral_pose", 1_000, 1_000 + 5 * 10**9)
    offset = replace(pair, head_acc=pair.head_acc * 1.04)
    shaken = replace(pair, head_acc=pair.head_acc * (1.0 + 0.06 * np.sin(np.arange(1000))[:, None]))
    for block, passed in ((pair, True), (offset, True), (shaken, False)):
        held = held_in(block, span)
        assert held is not None
        assert held.passed is passed
    assert held_in(pair, Span("neutral_pose", 20 * 10**9, 25 * 10**9)) is None


def test_a_still_sensor_that_does_not_weigh_what_gravity_does_is_named() -> None:
    pair = still(1000)
    span = Span("neutral_pose", 1_000, 1_000 + 5 * 10**9)
    off = replace(pair, trunk_acc=pair.trunk_acc * 1.1)
    held = held_in(off, span)
    assert held is not None
    assert (held.passed, held.off_gravity) == (False, ("trunk",))
    assert check_step(off, span).problem == "trunk_off_gravity"
    both = replace(off, head_acc=pair.head_acc * 0.9)
    assert check_step(both, span).problem == "head_off_gravity"
    # what moves is told to sit still first: its force says nothing
    restless = moving(off, 0, 500)
    assert check_step(restless, span).problem == "moved"


def test_a_declared_pose_wins_over_a_found_one() -> None:
    pair = still(3000)
    declared = Span("neutral_pose", 1_000 + 12 * 10**9, 1_000 + 17 * 10**9)
    assert neutral_span(pair, [Span("nod", 0, 10**9), declared]) == declared
    found = neutral_span(moving(pair, 0, 700), [])
    assert found.kind == "neutral_pose"
    assert found.end_ns - found.start_ns == 5 * 10**9
    assert held_in(pair, found) is not None


def test_up_needs_an_orientation() -> None:
    with pytest.raises(AlignmentError, match="no orientation"):
        up_in_sensor(np.full((10, 4), np.nan))
    np.testing.assert_allclose(up_in_sensor(np.array([[1.0, 0, 0, 0]])), [0, 0, 1])
