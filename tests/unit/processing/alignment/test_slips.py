"""A step in the poses of a day: scatter is none, a slip is one until the sensor is put back."""

import numpy as np
import pytest

from processing.alignment.slips import Step, step_in, steps_in
from processing.types import FloatArray

SD = np.array([3.0, 2.0])
"""With which a pose is taken up: flexion, lateral."""
DAYS = 200
POSES = 48


def shown(poses_deg: FloatArray, *, fewest: int = 2) -> Step | None:
    return step_in(poses_deg, fewest=fewest, most=3, alone_deg=15.0)


def first_shown(poses_deg: FloatArray, *, fewest: int = 2) -> int | None:
    """Return the pose at which somebody who is told after each hears of a slip."""
    steps = steps_in(poses_deg, fewest=fewest, most=3, alone_deg=15.0)
    return next((n for n, step in enumerate(steps) if step is not None), None)


def day(rng: np.random.Generator, scatter: float = 1.0) -> FloatArray:
    """Return a day's poses, off by how they and the calibration's own were taken up."""
    sd = scatter * SD
    return np.asarray(sd * rng.standard_normal((POSES, 2)) - sd * rng.standard_normal(2))


@pytest.mark.parametrize("fewest", [1, 2])
def test_later_poses_change_nothing_of_what_was_said(fewest: int) -> None:
    rng = np.random.default_rng(4)
    for _ in range(5):
        poses = 1.5 * day(rng)
        poses[10:20] += 10.0
        steps = steps_in(poses, fewest=fewest, most=3, alone_deg=15.0)
        assert None in steps
        assert steps != [None] * POSES
        assert steps == [shown(poses[: n + 1], fewest=fewest) for n in range(POSES)]


@pytest.mark.parametrize("fewest", [1, 2])
def test_scatter_is_no_slip(fewest: int) -> None:
    rng = np.random.default_rng(1)
    alarms = [first_shown(day(rng), fewest=fewest) is not None for _ in range(DAYS)]
    # the mean of three against the calibration alone: 11 of 200
    assert sum(alarms) <= 4


@pytest.mark.parametrize(("size_deg", "at", "least"), [(10.0, 24, 0.95), (15.0, 0, 0.9)])
def test_a_slip_is_found_within_three_poses(size_deg: float, at: int, least: float) -> None:
    rng = np.random.default_rng(2)
    found = 0
    for _ in range(DAYS):
        poses = day(rng)
        direction = rng.uniform(0.0, 2.0 * np.pi)
        poses[at:] += size_deg * np.array([np.cos(direction), np.sin(direction)])
        first = first_shown(poses[: at + 3])
        found += first is not None and first >= at
    assert found >= least * DAYS


def test_who_takes_poses_up_less_exactly_is_given_more_room() -> None:
    rng = np.random.default_rng(3)
    wild = 3.0 * np.array([(1.0, 1.0), (-1.0, -1.0)] * 8) + rng.normal(0.0, 0.5, (16, 2))
    calm = wild / 6.0
    step = np.array([9.0, 0.0])
    assert shown(np.concatenate((calm, calm[:3] + step))) is not None
    assert shown(np.concatenate((2.0 * wild, 2.0 * wild[:3] + step))) is None


def test_a_slip_lasts_until_the_sensor_is_put_back() -> None:
    right, off = np.zeros((5, 2)), np.tile([0.0, 12.0], (20, 1))
    slipped = np.concatenate((right, off))
    assert shown(slipped) == Step(first=5, noticed=6)
    back = np.concatenate((slipped, right))
    assert shown(back) is None
    assert shown(np.concatenate((back, off[:1]))) is None
    again = shown(np.concatenate((back, -off)))
    assert again == Step(first=30, noticed=31), "what was off in between is no measure"


def test_one_pose_says_it_only_where_it_was_not_asked_for_again() -> None:
    one = np.array([(1.0, 0.0), (-1.0, 1.0), (22.0, 0.0)])
    assert shown(one) is None
    assert shown(one, fewest=1) == Step(first=2, noticed=2)
    assert shown(one / 1.6, fewest=1) is None
    assert shown(np.empty((0, 2))) is None
