"""Poses of a recording in which a sensor slips: which, when, by how much, and none without."""

import re
from dataclasses import replace

import numpy as np
import pytest

from processing import quaternion
from processing.alignment import (
    ReferencePoses,
    estimate_alignment,
    reference_poses,
)
from processing.alignment.slip_warnings import jump_warnings, pose_starts, slip_warnings
from processing.synthesis import SimulatedRecording
from processing.types import Alignment, CervicalAngles, FloatArray, PairBlock, Span
from tests.support.aligned_recording import pair_block, recording, true_orientation

RATE = {"rate_hz": 52.0}


def slipped(
    pair: PairBlock, found: Alignment, point: str, rotation_deg: FloatArray, at_s: float
) -> PairBlock:
    """Return the samples of a sensor that turns on the segment at a time."""
    q = found.q_head_segment_sensor if point == "head" else found.q_trunk_segment_sensor
    axis = quaternion.rotate(quaternion.conjugate(q), np.radians(rotation_deg))
    acc = (pair.head_acc if point == "head" else pair.trunk_acc).copy()
    later = round(at_s * pair.rate_hz)
    acc[later:] = quaternion.rotate(quaternion.from_rotation_vector(-axis), acc[later:])
    return replace(pair, head_acc=acc) if point == "head" else replace(pair, trunk_acc=acc)


def settled(made: SimulatedRecording) -> tuple[PairBlock, Alignment, ReferencePoses]:
    pair, true = pair_block(made), true_orientation(made)
    found = estimate_alignment(pair, true, made.spans)
    return pair, found, reference_poses(pair, true, found, made.spans)


@pytest.fixture(scope="module", params=["neutral_pose", "midline_pose"])
def made(request: pytest.FixtureRequest) -> SimulatedRecording:
    learnt = 3 if request.param == "midline_pose" else 0
    return recording(2, 1900.0, reset_pose=request.param, learn_poses=learnt, **RATE)


@pytest.mark.parametrize("point", ["head", "trunk"])
@pytest.mark.parametrize("axis", [(25.0, 0.0, 0.0), (0.0, 0.0, 25.0)])
def test_a_slipped_sensor_is_named(
    made: SimulatedRecording, point: str, axis: tuple[float, ...]
) -> None:
    pair, found, references = settled(made)
    assert slip_warnings(pair, found, references, made.spans) == ()
    off = slipped(pair, found, point, np.array(axis), 900.0)
    (said,) = slip_warnings(off, found, references, made.spans)
    named = re.match(rf"the {point} sensor sits (\d+)°", said)
    assert named is not None
    # by 25°, and two poses by how they were taken up
    assert 15 <= int(named[1]) <= 35
    assert "slipped after the pose at 1" in said
    assert "calibrate again" in said


def test_a_pose_that_was_not_held_or_is_unknown_says_nothing(made: SimulatedRecording) -> None:
    pair, found, references = settled(made)
    off = slipped(pair, found, "head", np.array([25.0, 0.0, 0.0]), 900.0)
    early = [span for span in made.spans if span.start_ns < 800e9]
    assert slip_warnings(off, found, references, early) == ()
    anywhere = [Span("dystonic_pose", 1_000_000_000_000, 1_005_000_000_000)]
    assert slip_warnings(off, found, references, early + anywhere) == ()
    moved = replace(off, head_gyr=off.head_gyr + 0.2)
    assert slip_warnings(moved, found, references, made.spans) == ()


def shown_at(rotation_deg: float, sigma_deg: float, k0: int, n: int) -> CervicalAngles:
    row, nothing = np.zeros(n), np.zeros((n, 4))
    sigma, ok = np.full(n, sigma_deg), np.ones(n, dtype=np.bool_)
    return CervicalAngles(k0, nothing, row, row, row + rotation_deg, row, sigma, ok)


def test_a_turn_about_the_vertical_is_told_where_drift_does_not_explain_it(
    made: SimulatedRecording,
) -> None:
    pair, found, references = settled(made)
    starts = pose_starts(pair, found, references, made.spans)
    assert len(starts) >= 2
    second = starts[1]
    assert second.since == f"the pose at {starts[0].at_min:.0f} min"
    wanted = second.rotation_right_deg
    if made.spec.reset_pose == "midline_pose":
        assert wanted == pytest.approx(made.spec.midline_deg[2], abs=6.0)

    def said(rotation_deg: float, sigma_deg: float, first: int, n: int = 500) -> tuple[str, ...]:
        stretch = shown_at(rotation_deg, sigma_deg, second.k + first, n)
        return jump_warnings(starts, stretch, made.rate_hz)

    (sentence,) = said(wanted - 20.0, 3.0, -250)
    assert "rotation was 20° off" in sentence
    assert "calibrate again" in sentence
    assert len(said(wanted - 20.0, 3.0, -499)) == 1, "the last row of a stretch"
    assert said(wanted + 20.0, 9.0, -250) == (), "drift explains it"
    assert said(wanted + 11.0, 1.0, -250) == ()
    assert said(wanted + 355.0, 1.0, -250) == ()
    assert said(wanted + 90.0, 1.0, -500) == said(wanted + 90.0, 1.0, 1) == ()
