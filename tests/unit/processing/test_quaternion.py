"""Quaternion algebra against rotation matrices and scipy."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from processing import quaternion
from processing.types import FloatArray

vectors = arrays(np.float64, 3, elements=st.floats(-3.0, 3.0, width=32))


def from_scipy(rotation: Rotation) -> FloatArray:
    return np.asarray(rotation.as_quat())[..., [3, 0, 1, 2]]


@given(vectors, vectors)
def test_product_is_composition(a: FloatArray, b: FloatArray) -> None:
    p, q = quaternion.from_rotation_vector(a), quaternion.from_rotation_vector(b)
    np.testing.assert_allclose(
        quaternion.to_matrix(quaternion.multiply(p, q)),
        quaternion.to_matrix(p) @ quaternion.to_matrix(q),
        atol=1e-12,
    )


@given(vectors, vectors)
def test_rotate_is_the_matrix(a: FloatArray, v: FloatArray) -> None:
    q = quaternion.from_rotation_vector(a)
    np.testing.assert_allclose(
        quaternion.rotate(q, v), Rotation.from_rotvec(a).as_matrix() @ v, atol=1e-10
    )


@given(vectors)
def test_exponential_and_logarithm_are_inverse(a: FloatArray) -> None:
    q = quaternion.from_rotation_vector(a)
    back = quaternion.to_rotation_vector(q)
    if np.linalg.norm(a) < np.pi - 1e-6:
        np.testing.assert_allclose(back, a, atol=1e-9)
    np.testing.assert_allclose(
        quaternion.angle_between(quaternion.from_rotation_vector(back), q), 0.0, atol=1e-7
    )


@given(vectors)
def test_matrix_round_trip_keeps_the_rotation(a: FloatArray) -> None:
    q = quaternion.from_rotation_vector(a)
    back = quaternion.from_matrix(quaternion.to_matrix(q))
    assert back[0] >= 0.0
    np.testing.assert_allclose(np.abs(np.dot(back, q)), 1.0, atol=1e-12)


def test_mean_is_scipys_and_ignores_signs() -> None:
    rng = np.random.default_rng(3)
    rotations = Rotation.from_rotvec(rng.normal(0, 0.3, (50, 3)))
    q = from_scipy(rotations)
    q[::2] *= -1.0
    expected = from_scipy(rotations.mean())
    np.testing.assert_allclose(np.abs(np.dot(quaternion.mean(q), expected)), 1.0, atol=1e-9)


def test_tiny_rotations_keep_their_digits() -> None:
    v = np.array([1e-9, -2e-9, 3e-9])
    np.testing.assert_allclose(
        quaternion.to_rotation_vector(quaternion.from_rotation_vector(v)), v, rtol=1e-9
    )


def test_zero_norm_is_unknown_not_identity() -> None:
    assert np.isnan(quaternion.normalize(np.zeros(4))).all()
