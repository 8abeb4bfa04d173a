"""The simulator's sensors must feel exactly what the true motion says they feel."""

from dataclasses import replace

import numpy as np
import pytest

from processing import quaternion, synthesis
from processing.frames import EARTH_UP, STANDARD_GRAVITY_MS2
from processing.synthesis import IDEAL_SENSOR, PatientSpec
from processing.types import FloatArray

IDEAL = replace(PatientSpec(), head_sensor=IDEAL_SENSOR, trunk_sensor=IDEAL_SENSOR)


def test_gyroscopes_integrate_to_the_true_orientation() -> None:
    spec = replace(IDEAL, rate_hz=400.0, walk_every_s=120.0, walk_duration_s=30.0)
    made = synthesis.simulate(spec, 3, 200.0)
    for block, q in zip(made.blocks(), (made.q_es_head, made.q_es_trunk), strict=True):
        middle = 0.5 * (block.gyr[1:] + block.gyr[:-1])
        steps = quaternion.from_rotation_vector(middle / spec.rate_hz)
        while steps.shape[0] > 1:  # their product, neighbours first: 80 000 one by one take seconds
            odd = steps[steps.shape[0] & ~1 :]
            steps = quaternion.multiply(steps[: steps.shape[0] & ~1 : 2], steps[1::2])
            steps = np.concatenate((steps, odd))
        integrated = quaternion.multiply(q[0], steps[0])
        # 80 000 steps of quantisation noise 0.0044 °/s
        assert np.degrees(quaternion.angle_between(integrated, q[-1])) < 0.05


def test_accelerometers_feel_gravity_and_the_second_derivative_of_their_place() -> None:
    spec = replace(IDEAL, rate_hz=800.0, jerks_per_min=0.0)
    made = synthesis.simulate(spec, 5, 150.0)
    head, trunk = made.blocks()
    q_trunk = quaternion.multiply(
        made.q_es_trunk, quaternion.conjugate(made.trunk.q_segment_sensor)
    )
    q_head = quaternion.multiply(made.q_es_head, quaternion.conjugate(made.head.q_segment_sensor))
    joint = quaternion.rotate(q_trunk, np.broadcast_to(spec.hip_arm_m, (len(q_trunk), 3)))
    at_trunk = joint + quaternion.rotate(q_trunk, np.broadcast_to(spec.trunk_arm_m, joint.shape))
    at_head = joint + quaternion.rotate(q_head, np.broadcast_to(spec.head_arm_m, joint.shape))
    for block, q, place in ((head, made.q_es_head, at_head), (trunk, made.q_es_trunk, at_trunk)):
        want = _specific_force(place, q, spec.rate_hz)
        error = block.acc[1:-1] - want
        # 1.2 mm/s² quantisation per count, and arms here turn with the soft tissue
        assert np.sqrt(np.mean(error**2)) < 0.004
        assert np.abs(error).max() < 0.05


def _specific_force(place: FloatArray, q: FloatArray, rate_hz: float) -> FloatArray:
    acceleration = (place[2:] - 2.0 * place[1:-1] + place[:-2]) * rate_hz**2
    felt = acceleration + STANDARD_GRAVITY_MS2 * EARTH_UP
    return quaternion.rotate(quaternion.conjugate(q[1:-1]), felt)


def test_chunks_give_the_same_samples_labels_and_truth() -> None:
    spec = replace(PatientSpec(), reset_every_s=60.0, walk_every_s=100.0, walk_duration_s=30.0)
    whole = synthesis.simulate(spec, 11, 300.0)
    state = synthesis.start(spec, 11)
    chunks = []
    for length_s in [0.1] * 200 + [7.3, 0.0, 52.7, 120.0, 100.0]:
        state, chunk = synthesis.step(state, length_s, truth=True)
        chunks.append(chunk)
    np.testing.assert_array_equal(
        np.concatenate([chunk.head_counts for chunk in chunks]), whole.head_counts
    )
    np.testing.assert_array_equal(
        np.concatenate([chunk.trunk_counts for chunk in chunks]), whole.trunk_counts
    )
    np.testing.assert_array_equal(np.concatenate([chunk.truth for chunk in chunks]), whole.truth)
    assert tuple(label for chunk in chunks for label in chunk.labels) == whole.labels
    assert tuple(span for chunk in chunks for span in chunk.spans) == whole.spans


def test_seeds_are_persons() -> None:
    one, same, other = (
        synthesis.simulate(PatientSpec(), seed, 30.0).head_counts for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_guided_calibration_comes_first_in_the_instructed_directions() -> None:
    for seed in range(4):
        made = synthesis.simulate(replace(PatientSpec(), breathing_deg=0.0), seed, 90.0)
        flexion, _, rotation = made.angles()
        kinds = [span.kind for span in made.spans]
        assert kinds == ["neutral_pose", "nod", "shake", "trunk_bow"]
        neutral, nod, shake, bow = (
            (made.t_ns >= span.start_ns) & (made.t_ns < span.end_ns) for span in made.spans
        )
        assert np.abs(flexion[neutral]).max() < 2.0
        assert flexion[nod][np.argmax(np.abs(flexion[nod]) > 5.0)] > 0.0
        assert rotation[shake][np.argmax(np.abs(rotation[shake]) > 5.0)] > 0.0
        assert np.sum(np.diff((flexion[nod] > 10.0).astype(int)) > 0) == 5
        up = quaternion.rotate(quaternion.conjugate(made.truth[:, 4:8]), np.array([0.0, 1.0, 0.0]))
        assert np.degrees(np.arcsin(-up[bow, 0])).max() > 12.0
        assert np.ptp(rotation[nod]) < 8.0


def test_later_poses_are_taken_up_with_the_stated_scatter() -> None:
    spec = replace(PatientSpec(rate_hz=25.0), reset_every_s=60.0)
    made = synthesis.simulate(spec, 2, 6000.0)
    angles = made.angles()
    held = np.array(
        [
            [np.mean(a[(made.t_ns >= s.start_ns) & (made.t_ns < s.end_ns)]) for a in angles]
            for s in made.spans
            if s.kind == "neutral_pose"
        ]
    )
    assert len(held) > 80
    np.testing.assert_allclose(held[0], 0.0, atol=0.05)
    np.testing.assert_allclose(held[1:].std(axis=0), spec.reset_error_deg, rtol=0.3)


def test_posture_between_poses_is_the_dystonic_one() -> None:
    spec = replace(PatientSpec(rate_hz=25.0), turns_per_min=0.0, glances_per_min=0.0, tonic=False)
    made = synthesis.simulate(spec, 4, 1500.0)
    later = made.t_ns > 90e9
    means = [float(np.mean(a[later])) for a in made.angles()]
    # a pose every ten minutes pulls the mean by 2 %; N as held is off by its own error
    n_error = quaternion.angle_between(made.neutral_q(), quaternion.IDENTITY)
    np.testing.assert_allclose(
        means, spec.posture_offset_deg, atol=3.0 + float(np.degrees(n_error))
    )


def test_labelled_jerks_are_where_the_head_jerks() -> None:
    quiet = replace(
        IDEAL, turns_per_min=0.0, glances_per_min=0.0, tonic=False, tremor=False, breathing_deg=0.0
    )
    made = synthesis.simulate(replace(quiet, trunk_move_every_s=0.0), 6, 400.0)
    jerks = [label for label in made.labels if label.kind == "jerk"]
    assert len(jerks) > 20
    speed = np.degrees(np.linalg.norm(made.blocks()[0].gyr, axis=1))
    for jerk in jerks:
        near = np.abs(made.t_ns * 1e-9 - jerk.peak_s) < 0.02
        length_s = jerk.end_s - jerk.start_s
        # a minimum-jerk pulse peaks at 1.875 A / T
        assert speed[near].max() == pytest.approx(1.875 * jerk.amplitude_deg / length_s, rel=0.35)


def test_tremor_has_its_labelled_frequency_and_size() -> None:
    spec = replace(
        IDEAL,
        turns_per_min=0.0,
        glances_per_min=0.0,
        tonic=False,
        jerks_per_min=0.0,
        trunk_move_every_s=0.0,
        tremor_pp_deg=(2.0, 2.0),
        slow_jerky_fraction=0.0,
    )
    made = synthesis.simulate(spec, 7, 400.0)
    tremors = [label for label in made.labels if label.kind == "tremor"]
    assert tremors
    for label in tremors[:3]:
        inside = (made.t_ns > (label.start_s + 1) * 1e9) & (made.t_ns < (label.end_s - 1) * 1e9)
        axis = made.angles()[np.argmax([np.std(np.diff(a[inside])) for a in made.angles()])]
        wave = axis[inside] - np.convolve(axis, np.ones(104) / 104, mode="same")[inside]
        spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 65536))
        hz = np.fft.rfftfreq(65536, 1 / 104.0)
        band = hz > 2.0
        assert hz[band][np.argmax(spectrum[band])] == pytest.approx(label.hz, rel=0.12)
        assert 2.83 * np.std(wave) == pytest.approx(label.amplitude_deg, rel=0.35)


def test_sensor_errors_are_the_stated_ones() -> None:
    made = synthesis.simulate(PatientSpec(), 8, 600.0)
    clean = synthesis.simulate(
        replace(
            IDEAL,
            head_mounting=tuple(made.head.q_segment_sensor.tolist()),
            trunk_mounting=tuple(made.trunk.q_segment_sensor.tolist()),
        ),
        8,
        600.0,
    )
    for got, ideal, sensor in zip(
        made.blocks(), clean.blocks(), (made.head, made.trunk), strict=True
    ):
        bias = np.radians(sensor.bias_dps(got.t_ns * 1e-9))
        residual = got.gyr - ideal.gyr @ sensor.gyr_matrix.T - bias
        assert np.abs(residual.mean(axis=0)).max() < np.radians(0.003)
        assert np.degrees(residual.std()) == pytest.approx(0.007 * np.sqrt(52.0), rel=0.1)
        offset = (got.acc - ideal.acc).mean(axis=0)
        np.testing.assert_allclose(offset, sensor.acc_offset_ms2, atol=5e-4)


def test_walking_shakes_and_sitting_does_not() -> None:
    made = synthesis.simulate(replace(PatientSpec(), walk_every_s=200.0), 9, 400.0)
    walk = next(label for label in made.labels if label.kind == "walk")
    t = made.t_ns * 1e-9
    walking = (t > walk.start_s + 2) & (t < walk.end_s - 2)
    sitting = (t > 100.0) & (t < walk.start_s - 2)
    for block in made.blocks():
        magnitude = np.linalg.norm(block.acc, axis=1)
        assert 1.0 < np.std(magnitude[walking]) < 5.0
        assert np.std(magnitude[sitting]) < 0.4


def test_healthy_has_motion_and_no_dystonia() -> None:
    made = synthesis.simulate(synthesis.healthy(), 10, 400.0)
    assert {label.kind for label in made.labels} <= {"turn", "glance", "lean", "chair_turn"}
    assert np.abs(np.median(made.angles()[2])) < 10.0
    assert np.ptp(made.angles()[2]) > 60.0


def test_mountings_cover_all_axis_permutations() -> None:
    matrices = quaternion.to_matrix(synthesis.axis_permutations())
    assert len({tuple(np.rint(m).astype(int).ravel().tolist()) for m in matrices}) == 24
    np.testing.assert_allclose(np.linalg.det(matrices), 1.0)


def test_severity_and_botulinum_cycle() -> None:
    days = (-5, 0, 14, 28, 56, 84, 112, 200)
    left = [synthesis.botulinum_factor(day, 0.5) for day in days]
    np.testing.assert_allclose(left, [1, 1, 0.5, 0.5, 0.605, 0.88, 1, 1])
    half = synthesis.scaled(PatientSpec(), 0.5)
    assert half.posture_offset_deg == (2.5, 5.0, 12.5)
    assert half.jerks_per_min == 3.0


def test_chosen_poses_follow_the_calibration() -> None:
    spec = replace(PatientSpec(rate_hz=50.0), learn_poses=3, reset_pose="midline_pose")
    made = synthesis.simulate(spec, 12, 800.0)
    kinds = [span.kind for span in made.spans]
    assert kinds[4:] == ["midline_pose"] * 3 + ["dystonic_pose"] * 3 + ["midline_pose"]
    rotation = made.angles()[2]
    for span in made.spans[4:]:
        held = rotation[(made.t_ns >= span.start_ns) & (made.t_ns < span.end_ns)]
        want = 15.0 if span.kind == "midline_pose" else 40.0
        assert held.mean() == pytest.approx(want, abs=7.0)
        assert np.ptp(held) < 2.5
