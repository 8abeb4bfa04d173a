"""Signs, order and published numbers of the cervical angles (clinical specification, section 2)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processing import angles, quaternion
from processing.frames import UPRIGHT_FACING_EAST
from processing.types import Alignment, FloatArray, PairOrientation
from tests.oracles import angles as oracle


def alignment(
    q_head: FloatArray = quaternion.IDENTITY,
    q_trunk: FloatArray = quaternion.IDENTITY,
    neutral: FloatArray = quaternion.IDENTITY,
    sigma_deg: float = 0.0,
) -> Alignment:
    return Alignment("a", "n", "guided", "good", q_head, q_trunk, neutral, sigma_deg)


def orientation(q_head: FloatArray, q_trunk: FloatArray, sigma: float = 1.0) -> PairOrientation:
    n = len(q_head)
    return PairOrientation(0, q_head, q_trunk, np.full(n, sigma), np.zeros(3), np.zeros(3))


@pytest.mark.parametrize(
    ("toward", "expected"),
    [
        # where the head's own axes point in thorax coordinates after the movement
        (((0.866, -0.5, 0), (0.5, 0.866, 0), (0, 0, 1)), (30, 0, 0)),  # nose down
        (((1, 0, 0), (0, 0.940, 0.342), (0, -0.342, 0.940)), (0, 20, 0)),  # crown to the right
        (((0.766, 0, 0.643), (0, 1, 0), (-0.643, 0, 0.766)), (0, 0, 40)),  # face to the right
    ],
)
def test_signs_follow_the_body(
    toward: tuple[tuple[float, ...], ...], expected: tuple[float, float, float]
) -> None:
    columns = np.array(toward).T
    q = quaternion.from_matrix(columns)
    np.testing.assert_allclose(angles.decompose(q), expected, atol=0.05)


@pytest.mark.parametrize(
    ("yaw_first", "expected", "deviation"),
    [
        ((20, 0, 60), (10.3, 17.2, 58.4), 62.9),
        ((0, 15, 60), (-13.1, 7.4, 60.9), 61.7),
        ((10, 20, 40), (-5.2, 21.7, 39.2), 44.0),
        ((-15, 20, 70), (-23.7, -7.5, 71.1), 76.2),
    ],
)
def test_published_numbers_of_yaw_first_postures(
    yaw_first: tuple[float, float, float], expected: tuple[float, float, float], deviation: float
) -> None:
    flexion, lateral, rotation = yaw_first
    q = oracle.yaw_first(flexion, lateral, rotation)
    np.testing.assert_allclose(angles.decompose(q), expected, atol=0.06)
    assert np.degrees(quaternion.angle_between(quaternion.IDENTITY, q)) == pytest.approx(
        deviation, abs=0.06
    )


angle = st.floats(-85.0, 85.0)


@given(angle, angle, angle)
def test_compose_and_decompose_are_inverse(flexion: float, lateral: float, rotation: float) -> None:
    q = angles.compose(flexion, lateral, rotation)
    np.testing.assert_allclose(angles.decompose(q), (flexion, lateral, rotation), atol=1e-9)
    np.testing.assert_allclose(
        quaternion.to_matrix(q), oracle.zxy_matrix(flexion, lateral, rotation), atol=1e-12
    )


def test_kernel_equals_the_matrix_oracle() -> None:
    rng = np.random.default_rng(1)
    head, trunk = (quaternion.normalize(rng.normal(size=(200, 4))) for _ in range(2))
    mounts = quaternion.normalize(rng.normal(size=(3, 4)))
    made = alignment(*mounts)
    got = angles.cervical_angles(orientation(head, trunk), made, np.ones(200, bool))
    want = np.array([oracle.cervical(h, t, *mounts) for h, t in zip(head, trunk, strict=True)])
    np.testing.assert_allclose(got.flexion_deg, want[:, 0], atol=1e-9)
    np.testing.assert_allclose(got.lateral_right_deg, want[:, 1], atol=1e-9)
    np.testing.assert_allclose(got.rotation_right_deg, want[:, 2], atol=1e-9)
    np.testing.assert_allclose(got.deviation_deg, want[:, 3], atol=1e-6)
    np.testing.assert_allclose(
        np.abs(np.sum(got.q_rel * angles.relative(orientation(head, trunk), made), axis=1)), 1.0
    )


def test_a_leaned_trunk_does_not_read_as_neck_motion() -> None:
    posture = angles.compose(5.0, 10.0, 25.0)
    leans = quaternion.from_rotation_vector(np.radians([[0, 0, 0], [40, 0, 0], [10, 200, -30]]))
    trunk = quaternion.multiply(UPRIGHT_FACING_EAST, leans)
    got = angles.cervical_angles(
        orientation(quaternion.multiply(trunk, posture), trunk), alignment(), np.ones(3, bool)
    )
    np.testing.assert_allclose(got.flexion_deg, 5.0)
    np.testing.assert_allclose(got.lateral_right_deg, 10.0)
    np.testing.assert_allclose(got.rotation_right_deg, 25.0)


def test_rotation_of_the_head_sensor_on_the_head_cancels() -> None:
    rng = np.random.default_rng(2)
    neck = angles.compose(*rng.uniform(-40, 40, (3, 50)))
    neutral = angles.compose(3.0, -2.0, 1.0)
    trunk = np.tile(UPRIGHT_FACING_EAST, (50, 1))
    head = quaternion.multiply(trunk, neck)
    plain = angles.cervical_angles(
        orientation(head, trunk), alignment(neutral=neutral), np.ones(50, bool)
    )
    wrong = quaternion.normalize(rng.normal(size=4))
    turned = angles.cervical_angles(
        orientation(head, trunk),
        alignment(q_head=wrong, neutral=quaternion.multiply(neutral, quaternion.conjugate(wrong))),
        np.ones(50, bool),
    )
    np.testing.assert_allclose(turned.flexion_deg, plain.flexion_deg, atol=1e-9)
    np.testing.assert_allclose(turned.rotation_right_deg, plain.rotation_right_deg, atol=1e-9)


def test_missing_rows_stay_missing_and_do_not_spread() -> None:
    trunk = np.tile(UPRIGHT_FACING_EAST, (3, 1))
    head = trunk.copy()
    head[1] = np.nan
    got = angles.cervical_angles(
        orientation(head, trunk), alignment(), np.array([True, False, True])
    )
    for series in (got.flexion_deg, got.lateral_right_deg, got.rotation_right_deg):
        assert np.isnan(series).tolist() == [False, True, False]


def test_sigma_joins_filter_and_alignment_and_names_the_quality() -> None:
    trunk = np.tile(UPRIGHT_FACING_EAST, (1, 1))
    got = angles.cervical_angles(
        orientation(trunk, trunk, 3.0), alignment(sigma_deg=4.0), np.ones(1, bool)
    )
    assert got.heading_sigma_deg[0] == pytest.approx(5.0)
    assert [angles.heading_quality(s) for s in (5.0, 5.01, 10.0, 10.01, np.nan)] == [
        "good",
        "fair",
        "fair",
        "poor",
        "poor",
    ]
    assert angles.heading_quality(np.array([5.0, 7.0, np.nan])) == ["good", "fair", "poor"]


def test_head_alone_gives_inclination_whatever_its_heading() -> None:
    mount = quaternion.normalize(np.array([0.3, -0.5, 0.7, 0.2]))
    headings = np.radians([0.0, 70.0, 200.0])
    turned = quaternion.from_rotation_vector(np.outer(headings, [0.0, 0.0, 1.0]))
    worn_tilted = angles.compose(4.0, -3.0, 0.0)
    for posture, pitch, roll in (
        (angles.compose(30.0, 0.0, 0.0), 30.0, 0.0),
        (angles.compose(0.0, 20.0, 0.0), 0.0, 20.0),
    ):
        segment = quaternion.multiply(quaternion.multiply(turned, UPRIGHT_FACING_EAST), posture)
        sensor = quaternion.multiply(quaternion.multiply(segment, worn_tilted), mount)
        got = angles.head_inclination(sensor, alignment(q_head=mount, neutral=worn_tilted))
        np.testing.assert_allclose(got.head_pitch_deg, pitch, atol=1e-9)
        np.testing.assert_allclose(got.head_roll_deg, roll, atol=1e-9)
