"""The declared mounting."""

import numpy as np
import pytest

from processing import quaternion
from processing.alignment import parse_mounting
from processing.errors import InputError


def test_declared_axes_become_segment_axes() -> None:
    mounting = parse_mounting(
        {"head": {"anterior": "-z", "up": "+x"}, "trunk": {"anterior": "Y", "up": "-x"}}
    )
    assert mounting.head is not None
    assert mounting.trunk is not None
    q = mounting.head.q_segment_sensor
    np.testing.assert_allclose(quaternion.rotate(q, [0.0, 0.0, -1.0]), [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(quaternion.rotate(q, [1.0, 0.0, 0.0]), [0, 1, 0], atol=1e-12)
    q = mounting.trunk.q_segment_sensor
    np.testing.assert_allclose(quaternion.rotate(q, [0.0, 1.0, 0.0]), [1, 0, 0], atol=1e-12)
    assert np.linalg.det(quaternion.to_matrix(q)) == pytest.approx(1.0)


def test_one_point_may_be_left_out() -> None:
    assert parse_mounting({"head": {"anterior": "+x", "up": "+y"}}).trunk is None


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        ([], "must be an object"),
        ({}, "must be an object"),
        ({"neck": {"anterior": "+x", "up": "+y"}}, "neck"),
        ({"head": "-z"}, "anterior"),
        ({"head": {"anterior": "+x"}}, '"up"'),
        ({"head": {"anterior": "+x", "up": "+q"}}, r"\+q"),
        ({"head": {"anterior": "+x", "up": 3}}, "3"),
        ({"trunk": {"anterior": "+x", "up": "-x"}}, "two different axes"),
    ],
)
def test_anything_else_is_refused_with_what_is_allowed(declared: object, says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_mounting(declared)
