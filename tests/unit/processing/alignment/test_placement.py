"""Gravity in a held pose: who leans with it held is right, who slipped is not."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processing import quaternion
from processing.alignment import Expected, check_step
from processing.alignment.placement import OTHER_POSE_DEG, Placement, slip_shown
from processing.types import FloatArray, PairBlock, Span
from tests.support.collecting import plain_setup

RATE_HZ = 100.0
N = 500
SPAN = Span("midline_pose", 0, round(1e9 * N / RATE_HZ))
G = 9.80665
X, Y, Z = np.eye(3)


def turn(axis: FloatArray, deg: float) -> FloatArray:
    return quaternion.from_rotation_vector(np.radians(deg) * axis)


def product(*turns: FloatArray) -> FloatArray:
    q = np.array([1.0, 0.0, 0.0, 0.0])
    for each in turns:
        q = quaternion.multiply(q, each)
    return q


POSE = product(turn(Z, -8.0), turn(X, 5.0), turn(Y, -20.0))
"""Chin 8° down, 5° to the right ear, turned."""
STRAIGHT = product()


def held(
    trunk: FloatArray, rel: FloatArray, head_mount: FloatArray, trunk_mount: FloatArray
) -> PairBlock:
    """Return a pose held: trunk (earth, y up, to thorax), head relative to it, mountings."""

    def block(segment: FloatArray, mount: FloatArray) -> FloatArray:
        to_sensor = quaternion.conjugate(quaternion.multiply(segment, mount))
        return np.tile(quaternion.rotate(to_sensor, G * Y), (N, 1))

    still, there = np.zeros((N, 3)), np.ones(N, dtype=np.bool_)
    return PairBlock(
        t0_ns=0,
        rate_hz=RATE_HZ,
        k0=0,
        head_acc=block(quaternion.multiply(trunk, rel), head_mount),
        head_gyr=still,
        head_valid=there,
        trunk_acc=block(trunk, trunk_mount),
        trunk_gyr=still,
        trunk_valid=there,
    )


def judged(
    trunk: FloatArray,
    rel: FloatArray,
    *,
    mounts: tuple[FloatArray, FloatArray] = (STRAIGHT, STRAIGHT),
    slipped: tuple[FloatArray, FloatArray] = (STRAIGHT, STRAIGHT),
) -> tuple[str, str]:
    """Return the problem of a step, and which of the sensors is farther off."""
    alignment = replace(
        plain_setup().alignment, q_head_segment_sensor=mounts[0], q_trunk_segment_sensor=mounts[1]
    )
    now = [quaternion.multiply(off, mount) for off, mount in zip(slipped, mounts, strict=True)]
    pair = held(trunk, rel, now[0], now[1])
    check = check_step(pair, SPAN, expected=Expected(alignment, POSE))
    assert check.placement is not None
    return check.problem, check.placement.point


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (STRAIGHT, ""),
        (turn(Z, -13.0), ""),
        (turn(Z, -20.0), "chin_down"),
        (turn(Z, 20.0), "chin_up"),
        (turn(X, 20.0), "tilted_right"),
        (turn(X, -20.0), "tilted_left"),
    ],
)
def test_a_head_held_otherwise_is_named(change: FloatArray, problem: str) -> None:
    assert judged(STRAIGHT, quaternion.multiply(change, POSE))[0] == problem


@pytest.mark.parametrize("lean", [turn(Z, -25.0), turn(X, 20.0), turn(Y, 90.0)])
def test_a_pose_held_while_leaning_counts(lean: FloatArray) -> None:
    assert judged(lean, POSE)[0] == ""


def test_a_back_that_leans_under_a_head_that_does_not_is_told() -> None:
    lean = turn(Z, -25.0)
    rel = quaternion.multiply(quaternion.conjugate(lean), POSE)
    assert judged(lean, rel) == ("trunk_leans", "trunk")


unit = st.tuples(*[st.floats(-1.0, 1.0)] * 4).filter(lambda q: sum(v * v for v in q) > 0.1)


@given(unit, unit, st.sampled_from(["head", "trunk"]), st.sampled_from(["x", "z"]))
def test_a_slip_is_seen_in_any_mounting(
    head: tuple[float, ...], trunk: tuple[float, ...], point: str, axis: str
) -> None:
    mounts = tuple(quaternion.normalize(np.array(q)) for q in (head, trunk))
    off = turn(X if axis == "x" else Z, OTHER_POSE_DEG + 2.0)
    slipped = (off, STRAIGHT) if point == "head" else (STRAIGHT, off)
    problem, found = judged(STRAIGHT, POSE, mounts=(mounts[0], mounts[1]), slipped=slipped)
    assert problem
    assert found == point
    assert judged(STRAIGHT, POSE, mounts=(mounts[0], mounts[1]))[0] == ""


def off(flexion_deg: float, lateral_right_deg: float) -> Placement:
    between = float(np.hypot(flexion_deg, lateral_right_deg))
    return Placement(between, between, 0.0, flexion_deg, lateral_right_deg)


def test_three_poses_off_to_the_same_side_say_slip_and_scatter_does_not() -> None:
    same = [off(12.0, 1.0), off(9.0, -2.0), off(11.0, 2.0)]
    shown = slip_shown([off(0.0, 0.0), *same])
    assert shown is not None
    assert shown.first == 1
    found = shown.placement
    assert found.between_deg == pytest.approx(10.7, abs=0.1)
    assert found.head_deg == pytest.approx(10.8, abs=0.1)
    assert found.point == "head"
    assert slip_shown(same[1:]) is None
    assert slip_shown([off(12.0, 0.0), off(-12.0, 0.0), off(12.0, 0.0)]) is None
