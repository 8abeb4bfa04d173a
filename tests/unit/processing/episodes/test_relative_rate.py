"""Rate of the head relative to the trunk, against the quaternion module and against motion."""

import numpy as np

from processing import quaternion
from processing.episodes import relative_rate_dps
from processing.types import Alignment, FloatArray, PairBlock


def alignment(seed: int = 0) -> Alignment:
    rng = np.random.default_rng(seed)
    head, trunk, n = quaternion.normalize(rng.standard_normal((3, 4)))
    return Alignment("a", "n", "guided", "good", head, trunk, n, 1.0)


def pair(head: FloatArray, trunk: FloatArray) -> PairBlock:
    ok = np.ones(head.shape[0], dtype=np.bool_)
    return PairBlock(0, 0, 100.0, head, head, ok, trunk, trunk, ok)


def test_equals_the_definition() -> None:
    rng = np.random.default_rng(1)
    head, trunk = rng.standard_normal((2, 50, 3))
    q_rel = quaternion.normalize(rng.standard_normal((50, 4)))
    a = alignment()
    expected = quaternion.rotate(a.q_head_segment_sensor, head) - quaternion.rotate(
        quaternion.conjugate(q_rel), quaternion.rotate(a.q_trunk_segment_sensor, trunk)
    )
    found = relative_rate_dps(pair(head, trunk), q_rel, a)
    np.testing.assert_allclose(found, np.degrees(expected), atol=1e-11)
    alone = relative_rate_dps(pair(head, trunk), q_rel * np.nan, a, head_only=True)
    expected = quaternion.rotate(a.q_head_segment_sensor, head)
    np.testing.assert_allclose(alone, np.degrees(expected), atol=1e-11)


def test_turning_with_the_chair_is_no_neck_motion() -> None:
    a = alignment()
    q_rel = quaternion.from_rotation_vector(np.radians([10.0, 25.0, -5.0]))
    spin = np.tile([0.0, 1.0, 0.2], (10, 1))
    trunk = quaternion.rotate(quaternion.conjugate(a.q_trunk_segment_sensor), spin)
    head_segment = quaternion.rotate(quaternion.conjugate(q_rel), spin)
    head = quaternion.rotate(quaternion.conjugate(a.q_head_segment_sensor), head_segment)
    found = relative_rate_dps(pair(head, trunk), np.tile(q_rel, (10, 1)), a)
    np.testing.assert_allclose(found, 0.0, atol=1e-11)


def test_is_the_derivative_of_the_relative_rotation() -> None:
    a = alignment(2)
    t = np.arange(200) / 100.0
    angle = np.stack((0.2 * np.sin(3 * t), 0.8 * np.sin(2 * t), 0.1 * t), axis=1)
    q_rel = quaternion.from_rotation_vector(angle)
    step = quaternion.multiply(quaternion.conjugate(q_rel[:-1]), q_rel[1:])
    rate = quaternion.to_rotation_vector(step) * 100.0
    middle = quaternion.from_rotation_vector(0.5 * (angle[1:] + angle[:-1]))
    head = quaternion.rotate(quaternion.conjugate(a.q_head_segment_sensor), rate)
    found = relative_rate_dps(pair(head, np.zeros_like(head)), middle, a)
    np.testing.assert_allclose(found, np.degrees(rate), atol=1e-9)
