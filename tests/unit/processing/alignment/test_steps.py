"""A known pose taken up again: sensors that sit otherwise are named, and lying angles are not."""

from dataclasses import replace

import numpy as np
import pytest

from processing import quaternion
from processing.alignment import (
    check_step,
    estimate_alignment,
    expected_up,
    sensor_rotation,
)
from processing.types import Alignment, FloatArray, PairBlock, Span
from tests.support.aligned_recording import pair_block, recording, true_orientation


@pytest.fixture(scope="module")
def worn() -> tuple[PairBlock, Alignment, Span]:
    """A recording, its alignment and the last neutral pose in it."""
    made = recording(2, 1300.0)
    poses = [span for span in made.spans if span.kind == "neutral_pose"]
    assert len(poses) > 1
    pair = pair_block(made)
    return pair, estimate_alignment(pair, true_orientation(made), made.spans), poses[-1]


def turned(acc: FloatArray, degrees: float) -> FloatArray:
    """Forces as a sensor feels them that was turned about an axis across gravity."""
    across = np.cross(acc.mean(axis=0), [0.3, -0.5, 0.8])
    vector = np.radians(degrees) * across / np.linalg.norm(across)
    q = quaternion.from_rotation_vector(vector)
    return quaternion.rotate(np.broadcast_to(q, (acc.shape[0], 4)), acc)


def test_well_worn_sensors_pass(worn: tuple[PairBlock, Alignment, Span]) -> None:
    pair, found, pose = worn
    up = expected_up(found, sensor_rotation(found, found.neutral_q))
    assert check_step(pair, pose, expected_up=up).passed


@pytest.mark.parametrize("point", ["head", "trunk"])
def test_a_sensor_that_sits_otherwise_is_named(
    worn: tuple[PairBlock, Alignment, Span], point: str
) -> None:
    pair, found, pose = worn
    up = expected_up(found, sensor_rotation(found, found.neutral_q))
    if point == "head":
        slipped = replace(pair, head_acc=turned(pair.head_acc, 17.0))
    else:
        slipped = replace(pair, trunk_acc=turned(pair.trunk_acc, 17.0))
    assert check_step(slipped, pose, expected_up=up).problem == f"slipped_{point}"
    assert check_step(slipped, pose).passed, "a first pose may be any"
