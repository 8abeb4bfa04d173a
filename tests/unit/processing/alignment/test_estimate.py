"""Alignment on simulated calibrations with true orientations: mountings, gates, fallbacks."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from processing import alignment, quaternion
from processing.alignment import StoredReference, estimate_alignment, parse_mounting
from processing.errors import AlignmentError
from processing.rows import orientation_rows, pair_rows
from processing.synthesis import IDEAL_SENSOR, SimulatedRecording, axis_permutations
from processing.types import Alignment, PairBlock, PairOrientation, Span
from tests.support.aligned_recording import (
    angle_errors,
    pair_block,
    recording,
    true_orientation,
    undeclared_errors,
)


def aligned(made: SimulatedRecording, **options: Any) -> Alignment:
    spans = options.pop("spans", made.spans)
    heading_deg = options.pop("heading_deg", 0.0)
    return estimate_alignment(
        pair_block(made), true_orientation(made, heading_deg=heading_deg), spans, **options
    )


def mounted(rng: np.random.Generator) -> tuple[float, float, float, float]:
    tilt = quaternion.from_rotation_vector(np.radians(8.0) * rng.standard_normal(3))
    q = quaternion.multiply(tilt, axis_permutations()[rng.integers(24)])
    return tuple(q.tolist())


@pytest.mark.parametrize("seed", range(6))
def test_a_guided_calibration_costs_about_a_degree(seed: int) -> None:
    made = recording(seed, 400.0)
    found = aligned(made)
    assert found.method == "guided"
    assert found.quality == "good"
    assert found.warnings == ()
    # 0.6° of it is soft tissue, which no alignment can know
    assert angle_errors(made, found).max() < 2.5


def test_an_accelerometer_that_is_off_is_not_taken_for_restlessness() -> None:
    made = recording(1, 110.0)
    pair = pair_block(made)
    off = replace(pair, trunk_acc=pair.trunk_acc * 1.1)
    found = estimate_alignment(off, true_orientation(made), made.spans)
    assert found.quality == "low"
    assert [w for w in found.warnings if "accelerometer of the trunk sensor is off" in w]
    assert not [w for w in found.warnings if "held still" in w]


def test_any_mounting_of_either_sensor_gives_the_same_angles() -> None:
    rng = np.random.default_rng(5)
    quiet: dict[str, Any] = {"head_sensor": IDEAL_SENSOR, "trunk_sensor": IDEAL_SENSOR}
    reference = recording(3, 200.0, **quiet)
    oriented = true_orientation(reference)
    want = aligned(reference)
    base = angle_errors(reference, want)
    for permutation in axis_permutations():
        head = quaternion.multiply(quaternion.normalize(mounted(rng)), permutation)
        made = recording(
            3, 200.0, head_mounting=tuple(head.tolist()), trunk_mounting=mounted(rng), **quiet
        )
        got = aligned(made, heading_deg=float(rng.uniform(-180, 180)))
        assert got.quality == "good"
        # the same person, the same motion: only the quantisation differs
        np.testing.assert_allclose(angle_errors(made, got), base, atol=0.05)
        assert np.degrees(quaternion.angle_between(got.neutral_q, want.neutral_q)) < 0.05
    assert np.isfinite(oriented.q_es_head).all()


def test_truth_is_recovered_up_to_motion_about_other_axes() -> None:
    made = recording(
        2, 110.0, head_sensor=IDEAL_SENSOR, trunk_sensor=IDEAL_SENSOR, cross_axis=0.0,
        sway_deg=0.0, breathing_deg=0.0, drift_sd_deg=(0.0, 0.0, 0.0), head_soft_tissue_deg=0.0,
        trunk_soft_tissue_deg=0.0, reset_error_deg=(0.0, 0.0, 0.0),
    )  # fmt: skip
    found = aligned(made)
    for got, want in (
        (found.q_head_segment_sensor, made.head.q_segment_sensor),
        (found.q_trunk_segment_sensor, made.trunk.q_segment_sensor),
        (found.neutral_q, quaternion.IDENTITY),
    ):
        assert np.degrees(quaternion.angle_between(got, want)) < 0.1


def exchanged(made: SimulatedRecording) -> tuple[PairBlock, PairOrientation]:
    pair, true = pair_block(made), true_orientation(made)
    swapped = replace(
        pair,
        head_gyr=pair.trunk_gyr,
        head_acc=pair.trunk_acc,
        trunk_gyr=pair.head_gyr,
        trunk_acc=pair.head_acc,
    )
    return swapped, replace(true, q_es_head=true.q_es_trunk, q_es_trunk=true.q_es_head)


def test_swapped_sensors_are_named() -> None:
    made = recording(6)
    found = estimate_alignment(*exchanged(made), made.spans)
    assert found.quality == "low"
    (said,) = found.warnings
    assert "are swapped" in said, "what follows from it is not said besides"
    assert "exchange" in said
    assert not any("swapped" in warning for warning in aligned(made).warnings)


@pytest.mark.parametrize("declared", [(), ("neutral_pose",), ("neutral_pose", "trunk_bow")])
def test_without_a_nod_swapped_sensors_show_in_how_much_they_move(declared: Any) -> None:
    made = recording(6, 300.0)
    spans = [span for span in made.spans if span.kind in declared]
    found = estimate_alignment(*exchanged(made), spans)
    assert any("perhaps they are exchanged" in warning for warning in found.warnings)
    assert not any("exchanged" in warning for warning in aligned(made, spans=spans).warnings)


def test_walking_alone_is_no_sign_of_swapped_sensors() -> None:
    made = recording(
        6, 210.0, calibration=False, reset_every_s=0.0, walk_every_s=200.0, walk_duration_s=100.0
    )
    pair, oriented = exchanged(made)
    begin, end = (round(at_s * made.rate_hz) for at_s in (103.0, 197.0))
    walking = pair_rows(pair, begin, end)
    found = estimate_alignment(walking, orientation_rows(oriented, begin, end), ())
    assert not any("exchanged" in warning for warning in found.warnings)


def scaled_rows(pair: PairBlock, span: Span, axes: Any, factor: float) -> PairBlock:
    rows = (np.arange(pair.head_gyr.shape[0]) / pair.rate_hz * 1e9 >= span.start_ns) & (
        np.arange(pair.head_gyr.shape[0]) / pair.rate_hz * 1e9 < span.end_ns
    )
    gyr = pair.head_gyr.copy()
    gyr[rows] = factor * gyr[rows] @ axes
    return replace(pair, head_gyr=gyr)


def test_a_timid_nod_is_to_be_repeated() -> None:
    made = recording(7)
    nod = next(span for span in made.spans if span.kind == "nod")
    pair = scaled_rows(pair_block(made), nod, np.eye(3), 0.15)
    found = estimate_alignment(pair, true_orientation(made), made.spans)
    assert found.quality == "low"
    assert any("nod" in warning and "10°" in warning for warning in found.warnings)


def test_a_single_nod_is_too_few() -> None:
    made = recording(7)
    nod = next(span for span in made.spans if span.kind == "nod")
    length = (nod.end_ns - nod.start_ns) // 5
    spans = [
        replace(span, end_ns=span.start_ns + length) if span.kind == "nod" else span
        for span in made.spans
    ]
    found = aligned(made, spans=spans)
    assert found.quality == "low"
    assert any("repetitions" in warning for warning in found.warnings)


def test_a_circling_nod_is_to_be_repeated() -> None:
    made = recording(7)
    pair = pair_block(made)
    nod = next(span for span in made.spans if span.kind == "nod")
    start, stop = (round(edge * 1e-9 * pair.rate_hz) for edge in (nod.start_ns, nod.end_ns))
    gyr = pair.head_gyr.copy()
    t = np.arange(stop - start) / pair.rate_hz
    main = quaternion.rotate(quaternion.conjugate(made.head.q_segment_sensor), [0.0, 0.0, 1.0])
    side = quaternion.rotate(quaternion.conjugate(made.head.q_segment_sensor), [1.0, 0.0, 0.0])
    gyr[start:stop] = np.outer(np.sin(2 * t), main) + 0.7 * np.outer(np.cos(2 * t), side)
    found = estimate_alignment(replace(pair, head_gyr=gyr), true_orientation(made), made.spans)
    assert found.quality == "low"
    assert any("about one axis" in warning for warning in found.warnings)


def test_an_accelerometer_with_reversed_signs_is_not_good() -> None:
    """It looks like a first shake to the left, and the angles are upside down."""
    made = recording(1, 110.0)
    pair, true = pair_block(made), true_orientation(made)
    reversed_signs = replace(pair, head_acc=-pair.head_acc, trunk_acc=-pair.trunk_acc)
    over = quaternion.from_rotation_vector([np.pi, 0.0, 0.0])
    oriented = replace(
        true,
        q_es_head=quaternion.multiply(over, true.q_es_head),
        q_es_trunk=quaternion.multiply(over, true.q_es_trunk),
    )
    found = estimate_alignment(reversed_signs, oriented, made.spans)
    assert found.quality == "fair"
    said = [w for w in found.warnings if "the first shake went left" in w]
    assert len(said) == 1
    assert "must read +g" in said[0]


def test_nod_and_shake_about_one_axis_are_refused() -> None:
    made = recording(7)
    nod = next(span for span in made.spans if span.kind == "nod")
    spans = [replace(nod, kind="shake"), *(s for s in made.spans if s.kind != "shake")]
    found = aligned(made, spans=spans)
    assert found.quality == "low"
    assert any("right angle" in warning for warning in found.warnings)


def test_a_nod_that_is_a_shake_is_off_the_level() -> None:
    made = recording(7)
    shake = next(span for span in made.spans if span.kind == "shake")
    spans = [replace(shake, kind="nod"), *(s for s in made.spans if s.kind not in ("nod", "shake"))]
    found = aligned(made, spans=spans)
    assert found.quality == "low"
    assert any("off the level" in warning for warning in found.warnings)


def test_a_neutral_pose_in_motion_is_to_be_repeated() -> None:
    made = recording(7)
    shake = next(span for span in made.spans if span.kind == "shake")
    spans = [replace(shake, kind="neutral_pose", end_ns=shake.start_ns + 5_000_000_000)]
    found = aligned(made, spans=spans + [s for s in made.spans if s.kind != "neutral_pose"])
    assert any("held still" in warning for warning in found.warnings)


def test_a_repeated_step_replaces_the_failed_one() -> None:
    made = recording(7)
    nod = next(span for span in made.spans if span.kind == "nod")
    failed = Span("nod", 1_000_000_000, 6_000_000_000)
    found = aligned(made, spans=[failed, *made.spans])
    assert found.quality == "good"
    assert aligned(made, spans=[failed, replace(nod, kind="x"), *made.spans[2:]]).quality == "low"


@pytest.fixture(scope="module")
def declared_made() -> tuple[SimulatedRecording, object]:
    head = parse_mounting({"head": {"anterior": "-z", "up": "+x"}}).head
    trunk = parse_mounting({"trunk": {"anterior": "+y", "up": "-z"}}).trunk
    assert head is not None
    assert trunk is not None
    made = recording(
        8,
        200.0,
        head_mounting=tuple(head.q_segment_sensor.tolist()),
        trunk_mounting=tuple(trunk.q_segment_sensor.tolist()),
    )
    return made, parse_mounting(
        {"head": {"anterior": "-z", "up": "+x"}, "trunk": {"anterior": "+y", "up": "-z"}}
    )


def test_declared_mounting_replaces_movements(declared_made: Any) -> None:
    made, mounting = declared_made
    spans = [span for span in made.spans if span.kind == "neutral_pose"]
    found = aligned(made, spans=spans, mounting=mounting)
    assert (found.method, found.quality) == ("mounting", "low")
    assert angle_errors(made, found).max() < 3.0


DECLARED = parse_mounting(
    {"head": {"anterior": "-z", "up": "+x"}, "trunk": {"anterior": "+y", "up": "-z"}}
)
ABOUT_FRONT, ABOUT_RIGHT = ([np.pi, 0.0, 0.0], [0.0, 0.0, np.pi])


@pytest.mark.parametrize("walks", [0.0, 150.0])
@pytest.mark.parametrize("about", [ABOUT_FRONT, ABOUT_RIGHT])
@pytest.mark.parametrize("worn", [("head",), ("trunk",), ("head", "trunk")])
def test_upside_down_against_the_declaration_is_named_and_mended(
    worn: tuple[str, ...], about: list[float], walks: float
) -> None:
    assert DECLARED.head is not None
    assert DECLARED.trunk is not None
    mounted_as = {"head": DECLARED.head.q_segment_sensor, "trunk": DECLARED.trunk.q_segment_sensor}
    for point in worn:
        turned = quaternion.from_rotation_vector(about)
        mounted_as[point] = quaternion.multiply(turned, mounted_as[point])
    made = recording(
        8,
        300.0,
        head_mounting=tuple(mounted_as["head"].tolist()),
        trunk_mounting=tuple(mounted_as["trunk"].tolist()),
        walk_every_s=walks,
        walk_duration_s=30.0,
    )
    spans = [span for span in made.spans if span.kind == "neutral_pose"]
    found = aligned(made, spans=spans, mounting=DECLARED, heading_deg=50.0)
    assert found.quality == "low"
    said = [warning for warning in found.warnings if "upside down" in warning]
    assert [warning.split()[1] for warning in said] == sorted(worn, reverse=True)
    assert all(("turned round" in warning) is (about is ABOUT_RIGHT) for warning in said)
    assert angle_errors(made, found).max() < 3.0
    guided = aligned(made, mounting=DECLARED)
    assert guided.quality == "good", "the movements were done well"
    assert len([w for w in guided.warnings if "upside down" in w]) == len(worn)
    assert len(guided.warnings) == len(worn)
    assert angle_errors(made, guided).max() < 3.0


def test_a_front_declared_backward_shows_in_walking() -> None:
    assert DECLARED.trunk is not None
    made = recording(
        8, 300.0, trunk_mounting=tuple(DECLARED.trunk.q_segment_sensor.tolist()),
        walk_every_s=150.0, walk_duration_s=30.0,
    )  # fmt: skip
    spans = [span for span in made.spans if span.kind in ("neutral_pose", "nod", "shake")]
    right = aligned(made, spans=spans, mounting=replace(DECLARED, head=None))
    assert not any("walking" in warning for warning in right.warnings)
    backward = parse_mounting({"trunk": {"anterior": "-y", "up": "-z"}})
    found = aligned(made, spans=spans, mounting=backward)
    assert any("walking goes 1" in w and "--mounting" in w for w in found.warnings)


def test_movements_win_over_a_wrong_declaration(declared_made: Any) -> None:
    made, _ = declared_made
    wrong = parse_mounting(
        {"head": {"anterior": "+z", "up": "+x"}, "trunk": {"anterior": "+y", "up": "-z"}}
    )
    found = aligned(made, mounting=wrong)
    assert (found.method, found.quality) == ("guided", "good")
    assert any("head sensor is worn turned by 17" in warning for warning in found.warnings)
    assert angle_errors(made, found).max() < 3.0


# the pose that is found for 204 is a lean of 26°
@pytest.mark.parametrize("walks", [0.0, 300.0])
@pytest.mark.parametrize("seed", [40, 41, 204])
def test_nothing_declared_any_mounting_and_a_heading_of_its_own(seed: int, walks: float) -> None:
    made = recording(seed, 900.0, calibration=False, reset_every_s=0.0, walk_every_s=walks)
    found = aligned(made, spans=(), heading_deg=-110.0)
    assert (found.method, found.quality) == ("passive", "low")
    assert undeclared_errors(made, found).max() < 4.0


def test_a_trunk_without_bow_follows_the_head_that_nodded() -> None:
    made = recording(12, 300.0)
    spans = [span for span in made.spans if span.kind != "trunk_bow"]
    found = aligned(made, spans=spans, heading_deg=130.0)
    assert found.method == "passive"
    assert any("shares with the head" in warning for warning in found.warnings)
    assert angle_errors(made, found).max() < 4.0


def test_without_anything_there_is_still_an_answer_and_it_says_so() -> None:
    made = recording(9, 500.0, calibration=False, reset_every_s=0.0)
    found = aligned(made, spans=())
    assert (found.method, found.quality) == ("passive", "low")
    assert any("--neutral" in warning for warning in found.warnings)
    assert any("--mounting" in warning for warning in found.warnings)
    up = quaternion.rotate(found.q_trunk_segment_sensor, quaternion.rotate(
        quaternion.conjugate(made.trunk.q_segment_sensor), [0.0, 1.0, 0.0]))  # fmt: skip
    assert up[1] > 0.9


def test_head_alone_needs_no_trunk() -> None:
    made = recording(10)
    pair = pair_block(made)
    nothing = np.full_like(pair.trunk_gyr, np.nan)
    pair = replace(
        pair, trunk_gyr=nothing, trunk_acc=nothing, trunk_valid=np.zeros_like(pair.trunk_valid)
    )
    true = true_orientation(made)
    oriented = replace(true, q_es_trunk=np.full_like(true.q_es_trunk, np.nan))
    found = estimate_alignment(pair, oriented, made.spans, head_only=True)
    assert found.quality == "good"
    head = quaternion.angle_between(found.q_head_segment_sensor, made.head.q_segment_sensor)
    assert np.degrees(head) < 8.0


def test_redon_shows_the_stored_rotation_and_keeps_n() -> None:
    first = recording(11, 300.0, learn_poses=3)
    before = aligned(first)
    references = alignment.reference_poses(
        pair_block(first), true_orientation(first, heading_deg=77.0), before, first.spans
    )
    stored = StoredReference(
        n_id=before.n_id, rotations=dict(references.rotations), sigma_deg=references.sigma_deg
    )
    # the next day: sensors on anew, one nod, one bow, holding M; the same person by the same seed
    rng = np.random.default_rng(1)
    day = recording(
        11, 300.0, learn_poses=3, head_mounting=mounted(rng), trunk_mounting=mounted(rng)
    )
    midline = next(span for span in day.spans if span.kind == "midline_pose")
    movements = [
        replace(span, end_ns=span.start_ns + 6_000_000_000)
        for span in day.spans
        if span.kind in ("nod", "trunk_bow")
    ]
    spans = [*movements, midline]
    again = aligned(day, spans=spans, stored_n=stored)
    assert again.method == "redon"
    assert again.quality == "good"
    assert again.n_id == before.n_id
    assert again.id != before.id
    np.testing.assert_allclose(again.neutral_q, before.neutral_q)
    kept = alignment.reference_poses(
        pair_block(day), true_orientation(day), again, spans, stored=stored.rotations
    )
    reset = alignment.heading_resets(again, spans, t0_ns=0, rate_hz=day.rate_hz, references=kept)[0]
    held = slice(reset.k_start, reset.k_end)
    true = true_orientation(day)
    q_th = quaternion.multiply(quaternion.conjugate(true.q_es_trunk[held]), true.q_es_head[held])
    tilted = quaternion.angle_between(quaternion.mean(q_th), reset.q_th_ref)
    # how the pose was taken up (3/2/1.5°) stands between the two, nothing else
    assert np.degrees(tilted) < 9.0


def test_too_little_is_an_error_with_a_remedy() -> None:
    made = recording(1, 3.0)
    with pytest.raises(AlignmentError, match="5 s"):
        aligned(made, spans=())
    pair = replace(pair_block(recording(1, 20.0)), head_valid=np.zeros(2080, dtype=np.bool_))
    with pytest.raises(AlignmentError, match="missing samples"):
        estimate_alignment(pair, true_orientation(recording(1, 20.0)), ())
