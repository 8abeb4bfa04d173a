"""Which way a sensor faces, from walking, else from posture."""

from pathlib import Path

import numpy as np
import pytest

from processing import orientation, quaternion
from processing.alignment.axes import angle_deg, unit
from processing.alignment.neutral import up_in_sensor
from processing.alignment.passive import forward_from_posture, forward_from_walking
from processing.synthesis import SimulatedRecording
from processing.types import FloatArray, PairBlock
from tests.support.aligned_recording import recording

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


def test_posture_says_where_somebody_leans() -> None:
    rng = np.random.default_rng(3)
    forward, up = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
    lean = np.abs(rng.normal(0.0, 15.0, 500))
    aside = rng.normal(0.0, 4.0, 500)
    tilt = np.radians(np.column_stack((aside, np.zeros(500), -lean)))
    segment = quaternion.multiply(
        quaternion.from_rotation_vector([np.pi / 2, 0.0, 0.0]),
        quaternion.from_rotation_vector(tilt),
    )
    segment[7] = np.nan
    assert angle_deg(forward_from_posture(segment, up), forward) < 5.0


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
    for q_es, acc in (
        (oriented.q_es_head, pair.head_acc),
        (oriented.q_es_trunk, pair.trunk_acc),
    ):
        up = up_in_sensor(q_es[1500:2000])
        mounted = np.array([0.0, 0.0, -1.0])
        front = unit(mounted - (mounted @ up) * up)
        found = forward_from_walking(acc, q_es, ok, up, 100.0)
        assert found is not None
        assert angle_deg(found, front) < 15.0
        assert angle_deg(forward_from_posture(q_es, up), front) < 30.0
