"""Six faces and the turns between them give a unit's errors back."""

import numpy as np
import pytest

from processing.errors import InputError
from processing.intrinsic import FACE_NAMES, calibrate_unit, still_stretches
from tests.support.six_faces import (
    ACC_OFFSET,
    ACC_SCALE,
    GYR_ERROR,
    GYR_OFFSET,
    RATE_HZ,
    G,
    recording,
)


def test_errors_come_back() -> None:
    acc, gyr = recording()
    found = calibrate_unit(acc, gyr, rate_hz=RATE_HZ)
    np.testing.assert_allclose(found.acc_offset_ms2, ACC_OFFSET, atol=0.01)
    np.testing.assert_allclose(np.diag(found.acc_matrix), ACC_SCALE, atol=0.001)
    np.testing.assert_allclose(found.gyr_offset_rads, GYR_OFFSET, atol=np.radians(0.01))
    np.testing.assert_allclose(found.gyr_matrix, np.eye(3) + GYR_ERROR, atol=0.0015)
    assert found.faces == FACE_NAMES
    assert found.gyro_noise_dps == pytest.approx(0.05, rel=0.1)
    assert found.residual_mg < 1.0
    assert found.closure_deg < 0.2


def test_six_faces_alone_are_enough() -> None:
    acc, gyr = recording(extra_tilts=0)
    found = calibrate_unit(acc, gyr, rate_hz=RATE_HZ)
    np.testing.assert_allclose(found.acc_offset_ms2, ACC_OFFSET, atol=0.02)
    uncalibrated = np.abs(GYR_ERROR).max()
    assert np.abs(np.diag(found.gyr_matrix - np.eye(3) - GYR_ERROR)).max() < 0.6 * uncalibrated


def test_the_calibrated_unit_reads_one_g_everywhere() -> None:
    acc, gyr = recording()
    found = calibrate_unit(acc, gyr, rate_hz=RATE_HZ)
    rows = np.concatenate([np.arange(a, b) for a, b in still_stretches(gyr, rate_hz=RATE_HZ)])
    force = (acc[rows] - found.acc_offset_ms2) @ found.acc_matrix.T
    assert abs(np.linalg.norm(force, axis=1).mean() - G) < 0.005
    assert np.abs(np.linalg.norm(acc[rows], axis=1) - G).max() > 0.15


def test_missing_faces_are_named() -> None:
    acc, gyr = recording(faces=4)
    with pytest.raises(InputError, match=r"2 of its six faces \(\+y up, -y up\)"):
        calibrate_unit(acc, gyr, rate_hz=RATE_HZ)


def test_a_sensor_in_the_hand_is_not_still() -> None:
    rng = np.random.default_rng(1)
    t = np.arange(2000) / RATE_HZ
    hand = np.radians(2.0) * np.sin(2 * np.pi * t)[:, None] + rng.normal(0, 0.001, (2000, 3))
    assert still_stretches(hand, rate_hz=RATE_HZ) == []
    with pytest.raises(InputError, match="6 of its six faces"):
        calibrate_unit(np.tile([0, 0, G], (2000, 1)), hand, rate_hz=RATE_HZ)


@pytest.mark.parametrize("seed", range(3))
def test_the_truth_lies_within_the_uncertainty(seed: int) -> None:
    unit = calibrate_unit(*recording(seed=seed), rate_hz=RATE_HZ)
    assert (np.abs(unit.acc_offset_ms2 - ACC_OFFSET) < 4 * unit.acc_offset_sigma_ms2).all()
    assert (np.abs(unit.gyr_offset_rads - GYR_OFFSET) < 5 * unit.gyr_offset_sigma_rads).all()
    miss = np.abs(unit.gyr_matrix - np.eye(3) - GYR_ERROR)
    assert miss.max() < 4 * unit.gyr_gain_sigma
