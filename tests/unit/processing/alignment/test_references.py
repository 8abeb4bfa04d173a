"""Held poses as measurements: what they stand for, how far they are trusted, what they reveal."""

import numpy as np
import pytest

from processing import angles, quaternion
from processing.alignment import (
    estimate_alignment,
    heading_resets,
    reference_poses,
    sensor_rotation,
    sharing,
)
from processing.alignment.references import UNKNOWN_SIGMA_DEG
from processing.synthesis import SimulatedRecording
from processing.types import Alignment, Span
from tests.support.aligned_recording import pair_block, recording, true_orientation


def aligned(made: SimulatedRecording) -> Alignment:
    return estimate_alignment(pair_block(made), true_orientation(made), made.spans)


@pytest.fixture(scope="module")
def made() -> SimulatedRecording:
    return recording(3, 800.0, learn_poses=3, reset_pose="midline_pose")


def shown(q: np.ndarray, found: Alignment) -> np.ndarray:
    return np.array(angles.decompose(quaternion.multiply(q, quaternion.conjugate(found.neutral_q))))


def test_m_and_d_are_measured_whatever_the_filters_heading(made: SimulatedRecording) -> None:
    found = aligned(made)
    values = []
    for heading_deg in (0.0, 120.0, -77.0):
        references = reference_poses(
            pair_block(made),
            true_orientation(made, heading_deg=heading_deg),
            found,
            made.spans,
        )
        values.append(shown(references.rotations["midline_pose"], found))
        assert references.sigma_deg["midline_pose"] >= 3.0
        assert references.direction is not None
        assert references.direction[2] > 0.8
        # three repetitions with errors of 3/2/1.5°, against N that has its own
        np.testing.assert_allclose(values[-1], made.spec.midline_deg, atol=8.0)
    np.testing.assert_allclose(values[1], values[0], atol=1e-6)
    np.testing.assert_allclose(values[2], values[0], atol=1e-6)


def test_resets_say_what_the_pose_stands_for(made: SimulatedRecording) -> None:
    found = aligned(made)
    references = reference_poses(pair_block(made), true_orientation(made), found, made.spans)
    resets = heading_resets(found, made.spans, t0_ns=0, rate_hz=made.rate_hz, references=references)
    # N first, M as it was learnt, then M ten minutes later; D beside M was no measurement
    first, *learnt, later = resets
    assert (first.sigma_deg, later.sigma_deg) == (0.5, references.sigma_deg["midline_pose"])
    said = [s for s in made.spans if s.kind == "midline_pose"][:3]
    rows = [round(s.start_ns * 1e-9 * made.rate_hz) for s in said]
    assert [reset.k_start for reset in learnt] == rows
    # their scatter is that of one minute, and nobody knew before what M is
    assert {reset.sigma_deg for reset in learnt} == {references.repeated_sigma_deg["midline_pose"]}
    assert all(reset.shared_sigma_deg == UNKNOWN_SIGMA_DEG for reset in learnt)
    assert [reset.own_value for reset in resets] == [False, True, True, True, True]
    assert first.shared_sigma_deg is None and later.shared_sigma_deg is None
    np.testing.assert_allclose(first.q_th_ref, sensor_rotation(found, found.neutral_q))
    true = true_orientation(made)
    held = slice(later.k_start, later.k_end)
    q_th = quaternion.multiply(quaternion.conjugate(true.q_es_trunk[held]), true.q_es_head[held])
    off = quaternion.angle_between(quaternion.mean(q_th), later.q_th_ref)
    as_if_neutral = quaternion.angle_between(quaternion.mean(q_th), first.q_th_ref)
    assert np.degrees(off) < 9.0
    assert np.degrees(as_if_neutral) > 9.0


def test_the_error_of_a_pose_is_remembered_for_n_and_for_one_pose_taken_up_alone() -> None:
    assert sharing("neutral_pose", ("neutral_pose", "midline_pose")) == (False, None)
    assert sharing("midline_pose", ("neutral_pose", "midline_pose", "dystonic_pose")) == (
        True,
        None,
    )
    assert sharing("dystonic_pose", ("neutral_pose", "dystonic_pose")) == (True, None)
    assert sharing("dystonic_pose", ("midline_pose", "dystonic_pose")) == (False, 0.0)


def test_resets_keep_declared_sigma_and_drop_the_unknown_and_the_overlapping() -> None:
    q = np.array([1.0, 0.0, 0.0, 0.0])
    found = Alignment("a", "n", "guided", "good", q, q, q, 1.0)
    spans = [
        Span("neutral_pose", 10**9, 6 * 10**9),
        Span("neutral_pose", 5 * 10**9, 9 * 10**9),
        Span("dystonic_pose", 400 * 10**9, 405 * 10**9),
        Span("neutral_pose", 500 * 10**9, 505 * 10**9, sigma_deg=1.25),
        Span("neutral_pose", 600 * 10**9, 605 * 10**9, sigma_deg=float("nan")),
        Span("lunch", 700 * 10**9, 705 * 10**9),
    ]
    resets = heading_resets(found, spans, t0_ns=0, rate_hz=100.0)
    assert [(reset.k_start, reset.k_end, reset.sigma_deg) for reset in resets] == [
        (100, 600, 0.5),
        (50000, 50500, 1.25),
        (60000, 60500, 2.0),
    ]


def test_stored_poses_are_not_measured_again(made: SimulatedRecording) -> None:
    found = aligned(made)
    stored = {"midline_pose": angles.compose(0.0, 0.0, 33.0)}
    references = reference_poses(
        pair_block(made), true_orientation(made), found, made.spans,
        stored=stored, stored_sigma_deg={"midline_pose": 4.5},
    )  # fmt: skip
    np.testing.assert_allclose(references.rotations["midline_pose"], stored["midline_pose"])
    assert references.sigma_deg["midline_pose"] == 4.5
    resets = heading_resets(found, made.spans, t0_ns=0, rate_hz=made.rate_hz, references=references)
    # the stored N makes the first neutral pose a measurement, and every row of M and D is one
    assert resets[0].sigma_deg == 2.0
    assert len(resets) == len([s for s in made.spans if s.kind.endswith("_pose")])
