"""The metric on errors that are known by construction."""

import numpy as np
import pytest

from processing import quaternion
from processing.errors import InputError
from processing.orientation import evaluation
from processing.orientation.evaluation import Trial
from processing.types import FloatArray

RATE = 200.0


def trial(n: int = 4000) -> Trial:
    t = np.arange(n) / RATE
    q = quaternion.from_rotation_vector(np.stack((0.5 * np.sin(t), 0.3 * np.cos(t), t), axis=1))
    movement = np.zeros(n, dtype=np.bool_)
    movement[600:] = True
    q_true = q.copy()
    q_true[1000:1050] = np.nan
    zero = np.zeros((n, 3))
    return Trial("t", zero, zero, zero, q_true, movement, RATE)


def off(t: Trial, tilt_deg: float, heading_deg: float | FloatArray) -> FloatArray:
    """The truth, first tilted about north, then turned about the vertical."""
    filled = t.q_true.copy()
    bad = np.isnan(filled[:, 0])
    filled[bad] = [1.0, 0.0, 0.0, 0.0]
    half = np.radians(np.broadcast_to(heading_deg, (filled.shape[0],))) / 2.0
    turn = np.stack((np.cos(half), 0 * half, 0 * half, np.sin(half)), axis=1)
    tilt = quaternion.from_rotation_vector(np.radians([0.0, tilt_deg, 0.0]))
    return quaternion.multiply(turn, quaternion.multiply(tilt, filled))


def test_known_errors_are_measured() -> None:
    t = trial()
    e = evaluation.trial_errors(off(t, 3.0, 20.0), t)
    assert e.inclination == pytest.approx(3.0, abs=1e-6)
    assert e.heading == pytest.approx(20.0, abs=1e-6)
    assert e.total_best == pytest.approx(3.0, abs=1e-6)
    assert e.total_start == pytest.approx(3.0, abs=1e-6)
    assert e.drift_deg_min == pytest.approx(0.0, abs=1e-6)


def test_drift_is_the_slope_of_heading() -> None:
    t = trial()
    seconds = np.arange(t.movement.shape[0]) / RATE
    e = evaluation.trial_errors(off(t, 0.0, 12.0 * seconds / 60.0), t)
    assert e.drift_deg_min == pytest.approx(12.0, rel=1e-6)
    # offset fixed before movement starts: the error at 20 s is what drifted since 3 s
    assert 1.5 < e.total_start < 2.5


def test_one_delay_is_found_for_all_trials() -> None:
    t = trial()
    late = evaluation.delayed(off(t, 0.0, 0.0), 5.0, RATE)
    late[:2] = late[2]
    scored = evaluation.aligned([late, late], [t, t])
    assert scored.delay_ms == 5.0
    assert scored.errors[0].inclination < 1e-3
    assert evaluation.trial_errors(late, t).inclination > 0.05


def test_wrong_estimates_are_refused() -> None:
    t = trial()
    q = off(t, 0.0, 0.0)
    with pytest.raises(InputError, match="shape"):
        evaluation.trial_errors(q[:-1], t)
    for value in (np.nan, 2.0):
        broken = q.copy()
        broken[77, 0] = value
        with pytest.raises(InputError, match="unit norm"):
            evaluation.trial_errors(broken, t)


def test_stress_cuts_averages_and_adds_bias() -> None:
    t = trial()
    s = evaluation.stressed(t, decimate=3, starts_moving=True, bias_dps=0.5)
    assert s.rate_hz == pytest.approx(RATE / 3)
    assert s.movement.all()
    assert s.gyr.shape == (1133, 3)
    np.testing.assert_allclose(np.degrees(s.gyr[0]), [0.5, -0.35, 0.25])
    np.testing.assert_array_equal(s.q_true[0], t.q_true[602])
