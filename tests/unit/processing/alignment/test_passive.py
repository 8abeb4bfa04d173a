"""Which way a sensor faces, from walking, else from posture."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from processing import orientation, quaternion
from processing.alignment.axes import angle_deg, unit
from processing.alignment.neutral import up_in_sensor
from processing.alignment.passive import (
    carried,
    forward_from_leaning,
    forward_from_walking,
    shared_turn,
)
from processing.synthesis import SimulatedRecording
from processing.types import FloatArray, PairBlock
from tests.support.aligned_recording import pair_block, recording, true_orientation

REAL = (
    Path(__file__).parents[5]
    / "shared/data/head_trunk/sub-01/motion/sub-01_task-freeliving_tracksys-imu_motion.tsv"
)


def truth(made: SimulatedRecording) -> tuple[FloatArray, FloatArray]:
    """Return true up and forward of the trunk sensor."""
    to_sensor = quaternion.conjugate(made.trunk.q_segment_sensor)
    return quaternion.rotate(to_sensor, [0.0, 1, 0]), quaternion.rotate(to_sensor, [1.0, 0, 0])


@pytest.mark.parametrize("seed", range(4))
def test_walking_says_where_forward_is(seed: int) -> None:
    made = recording(
        seed, 150.0, calibration=False, reset_every_s=0.0, walk_every_s=100.0, rate_hz=52.0
    )
    up, forward = truth(made)
    block = made.blocks()[1]
    found = forward_from_walking(block.acc, made.q_es_trunk, block.valid, up, made.rate_hz)
    assert found is not None
    assert angle_deg(found, forward) < 20.0


def test_sitting_is_not_walking() -> None:
    made = recording(1, 200.0, calibration=False, rate_hz=52.0)
    block = made.blocks()[1]
    assert (
        forward_from_walking(block.acc, made.q_es_trunk, block.valid, truth(made)[0], 52.0) is None
    )


def test_missing_rows_are_not_walking() -> None:
    made = recording(0, 150.0, calibration=False, reset_every_s=0.0, walk_every_s=100.0)
    block = made.blocks()[1]
    nothing = np.zeros_like(block.valid)
    up = truth(made)[0]
    assert forward_from_walking(block.acc, made.q_es_trunk, nothing, up, made.rate_hz) is None


def leaning(forward_deg: FloatArray, right_deg: FloatArray) -> FloatArray:
    """Return orientations of a segment (its axes the sensor's) that leans about upright."""
    tilt = np.radians(np.column_stack((right_deg, np.zeros_like(right_deg), -forward_deg)))
    return quaternion.multiply(
        quaternion.from_rotation_vector([np.pi / 2, 0.0, 0.0]),
        quaternion.from_rotation_vector(tilt),
    )


def test_posture_says_where_somebody_leans() -> None:
    rng = np.random.default_rng(3)
    forward, up = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
    q_es = leaning(np.abs(rng.normal(0.0, 15.0, 500)), rng.normal(0.0, 4.0, 500))
    q_es[7] = np.nan
    found = forward_from_leaning(q_es, up)
    assert angle_deg(found.forward, forward) < 5.0
    assert found.is_clear


def test_who_leans_aside_more_often_than_forward_still_leans_forward() -> None:
    upright, aside, bowed = np.zeros(600), np.full(100, 18.0), np.full(60, 20.0)
    q_es = leaning(
        np.concatenate((upright, 0.0 * aside, 0.0 * aside, bowed)),
        np.concatenate((upright, aside, -aside, 0.0 * bowed)),
    )
    found = forward_from_leaning(q_es, np.array([0.0, 1.0, 0.0]))
    assert angle_deg(found.forward, np.array([1.0, 0.0, 0.0])) < 5.0


def test_who_never_leans_shows_nothing() -> None:
    found = forward_from_leaning(leaning(np.zeros(9), np.zeros(9)), np.array([0.0, 1.0, 0.0]))
    assert not found.is_clear
    small = forward_from_leaning(leaning(np.arange(9.0), np.zeros(9)), np.array([0.0, 1.0, 0.0]))
    assert not small.is_clear


@pytest.mark.parametrize("seed", range(3))
def test_the_motion_that_head_and_trunk_share_says_how_they_are_turned(seed: int) -> None:
    made = recording(seed, 300.0, calibration=False, reset_every_s=0.0, rate_hz=52.0)
    turn = shared_turn(pair_block(made), true_orientation(made, heading_deg=77.0))
    assert turn is not None
    assert np.degrees(2.0 * np.arctan2(turn[3], turn[0])) == pytest.approx(77.0, abs=8.0)


def test_who_is_not_pushed_about_shares_nothing() -> None:
    made = recording(0, 100.0, calibration=False, reset_every_s=0.0, rate_hz=52.0)
    pair, oriented = pair_block(made), true_orientation(made)
    rng = np.random.default_rng(1)
    noise = rng.normal(0.0, 0.05, pair.head_acc.shape)
    assert shared_turn(replace(pair, head_acc=noise), oriented) is None
    nothing = np.zeros_like(pair.head_valid)
    assert shared_turn(replace(pair, head_valid=nothing), oriented) is None


@pytest.mark.data
@pytest.mark.skipif(not REAL.exists(), reason="the real recording is not beside the checkout")
def test_a_real_walk_agrees_with_how_the_sensors_were_mounted() -> None:
    columns = np.loadtxt(REAL)
    n = columns.shape[0]
    ok = np.ones(n, dtype=np.bool_)
    parts = [np.ascontiguousarray(columns[:, i : i + 3]) for i in range(0, 12, 3)]
    pair = PairBlock(0, 0, 100.0, parts[1], parts[0], ok, parts[3], parts[2], ok)
    params = orientation.PairParams()
    _, oriented = orientation.step(params, orientation.start(params, 100.0), pair)
    rows = slice(1700, 2200)
    fronts = []
    for q_es, acc in (
        (oriented.q_es_head, pair.head_acc),
        (oriented.q_es_trunk, pair.trunk_acc),
    ):
        up = up_in_sensor(q_es[rows])
        mounted = np.array([0.0, 0.0, -1.0])
        front = unit(mounted - (mounted @ up) * up)
        fronts.append(front)
        found = forward_from_walking(acc, q_es, ok, up, 100.0)
        assert found is not None
        assert angle_deg(found, front) < 15.0
        # standing up, walking, sitting down; then without any walking
        for seen in (slice(0, n), slice(0, 5500)):
            assert angle_deg(forward_from_leaning(q_es[seen], up).forward, front) < 20.0
    turn = shared_turn(pair, oriented)
    assert turn is not None
    head = carried(fronts[1], oriented.q_es_trunk[rows], turn, oriented.q_es_head[rows])
    assert angle_deg(head, fronts[0]) < 25.0
