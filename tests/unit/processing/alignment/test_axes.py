"""Rotations from two directions, and N from tilts."""

import numpy as np
import pytest

from processing import angles, quaternion
from processing.alignment.axes import angle_deg, from_right_and_up, level, neutral_rotation
from processing.errors import AlignmentError


def test_the_exact_direction_is_kept_and_the_other_gives_way() -> None:
    right, up = np.array([0.0, 0.2, 1.0]), np.array([0.1, 1.0, 0.0])
    by_right = from_right_and_up(right, up, exact="right")
    by_up = from_right_and_up(right, up, exact="up")
    unit_right, unit_up = right / np.linalg.norm(right), up / np.linalg.norm(up)
    np.testing.assert_allclose(quaternion.rotate(by_right, unit_right), [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(quaternion.rotate(by_up, unit_up), [0, 1, 0], atol=1e-12)
    assert quaternion.rotate(by_right, unit_up)[1] > 0.97
    assert quaternion.rotate(by_up, unit_right)[2] > 0.97


def test_parallel_directions_are_refused() -> None:
    with pytest.raises(AlignmentError, match="repeat"):
        from_right_and_up(np.array([0, 0, 1.0]), np.array([0, 0.01, 1.0]), exact="up")
    with pytest.raises(AlignmentError, match="upright"):
        level(np.array([0.0, 0.0, 1.0]))


def test_neutral_keeps_tilt_and_has_no_rotation() -> None:
    rng = np.random.default_rng(4)
    mounts = quaternion.normalize(rng.normal(size=(2, 4)))
    # a neutral with the chin 12° down and the head 7° to the right, faced straight
    tilt = quaternion.from_rotation_vector(np.radians([7.0, 0.0, -12.0]))
    up = np.array([0.0, 1.0, 0.0])
    up_head_segment = quaternion.rotate(quaternion.conjugate(tilt), up)
    up_head = quaternion.rotate(quaternion.conjugate(mounts[0]), up_head_segment)
    up_trunk = quaternion.rotate(quaternion.conjugate(mounts[1]), up)
    n = neutral_rotation(mounts[0], up_head, mounts[1], up_trunk)
    np.testing.assert_allclose(quaternion.rotate(n, up_head_segment), up, atol=1e-12)
    right = quaternion.rotate(n, np.array([0.0, 0.0, 1.0]))
    assert abs(right[0]) < 1e-12
    assert right[2] > 0.9
    flexion, lateral, _ = angles.decompose(n)
    np.testing.assert_allclose([flexion, lateral], [12.0, 7.0], atol=0.3)


def test_angle_between_directions() -> None:
    assert angle_deg(np.array([1.0, 0, 0]), np.array([0, 2.0, 0])) == pytest.approx(90.0)
    assert angle_deg(np.array([1.0, 0, 0]), np.array([-3.0, 0, 0])) == pytest.approx(180.0)
