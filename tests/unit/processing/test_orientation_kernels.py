"""The kernels against plain numpy: filter, smoother, strapdown."""

import numpy as np
import pytest

from processing import quaternion
from processing.orientation import FilterParams, SensorParams
from processing.orientation.layout import N_ERROR, TH
from processing.orientation.params import constants, initial_state, initial_variances
from processing.orientation.recording import Recording, swept
from processing.orientation.single import Mode, filtered
from processing.orientation.strapdown import PART_ROWS, PART_WIDTH, integrate
from processing.orientation.window import run
from processing.types import FloatArray
from tests.oracles import orientation as oracle

RATE = 100.0


def moving(seed: int, seconds: float) -> tuple[FloatArray, FloatArray]:
    """Still for 6 s, then turning and shaken; 0.3 °/s of bias, noise of a consumer sensor."""
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE)
    t = np.arange(n) / RATE
    active = np.clip(t - 6.0, 0.0, 1.0)[:, None]
    phase = rng.uniform(0.0, 6.0, (2, 3))
    w = active * 1.5 * np.sin(np.outer(t, [0.7, 1.1, 0.4]) + phase[0])
    q = quaternion.from_rotation_vector(np.array([0.3, -0.2, 0.1]))
    acc = np.empty((n, 3))
    for i in range(n):
        q = quaternion.multiply(q, quaternion.from_rotation_vector(w[i] / RATE))
        up = quaternion.rotate(quaternion.conjugate(q), np.array([0.0, 0.0, 9.81]))
        acc[i] = up + active[i] * 2.0 * np.sin(t[i] * np.array([5.0, 7.0, 6.0]) + phase[1])
    gyr = w + np.radians([0.3, -0.2, 0.1]) + np.radians(0.05) * rng.standard_normal((n, 3))
    return gyr, acc + 0.02 * rng.standard_normal((n, 3))


@pytest.mark.parametrize("window_s", [0.25, 0.5])
def test_filter_equals_dense_oracle(window_s: float) -> None:
    gyr, acc = moving(1, 24.0)
    sensor, shared = SensorParams(acc_lead_s=0.002), FilterParams(window_s=window_s)
    expected, _, _ = oracle.single(gyr, acc, RATE, sensor, shared)
    q = filtered(gyr, acc, None, sensor, shared, rate_hz=RATE, mode="online")
    assert np.degrees(quaternion.angle_between(q, expected)).max() < 1e-6


def test_filter_that_learns_a_higher_floor_equals_dense_oracle() -> None:
    gyr, acc = moving(1, 14.0)
    gyr += np.radians(0.09) * np.random.default_rng(8).standard_normal(gyr.shape)
    sensor, shared = SensorParams(), FilterParams(window_s=0.25, floor_most_dps=0.03)
    expected, _, _ = oracle.single(gyr, acc, RATE, sensor, shared)
    q = filtered(gyr, acc, None, sensor, shared, rate_hz=RATE, mode="online")
    assert np.degrees(quaternion.angle_between(q, expected)).max() < 1e-6
    never = filtered(
        gyr, acc, None, sensor, FilterParams(window_s=0.25), rate_hz=RATE, mode="online"
    )
    assert np.degrees(quaternion.angle_between(q, never)).max() > 0.01


def test_smoother_equals_rauch_tung_striebel() -> None:
    gyr, acc = moving(2, 20.0)
    sensor, shared = SensorParams(gyro_noise_dps=0.05), FilterParams()
    _, P_end, passed = oracle.single(gyr, acc, RATE, sensor, shared)
    errors, _ = oracle.smoothed_after(passed)
    record = Recording.of(len(passed), 1)
    x = initial_state(sensor, RATE)[None]
    P = np.diag(initial_variances(sensor, shared))
    n = gyr.shape[0]
    run(
        (gyr,),
        (acc,),
        (np.empty((0, 3)),),
        (np.ones(n, dtype=np.bool_),),
        0,
        n,
        0,
        x,
        P,
        np.empty(0),
        constants(sensor, shared)[None],
        1.0 / RATE,
        round(shared.window_s * RATE),
        np.empty((1, n, 4)),
        np.empty(0),
        *record.arrays,
    )
    np.testing.assert_allclose(P, P_end, rtol=1e-6, atol=1e-12)
    found, _ = swept(record, np.zeros((1, N_ERROR)), np.empty((0, N_ERROR)))
    wanted = np.array([e[TH : TH + 3] for e in errors])
    assert np.abs(wanted).max() > np.radians(0.05)
    np.testing.assert_allclose(found[:, 0], wanted, atol=np.radians(1e-5))


def test_offline_is_closer_to_the_truth_than_online() -> None:
    rng = np.random.default_rng(5)
    n = 6000
    t = np.arange(n) / RATE
    w = 1.2 * np.sin(np.outer(t, [0.5, 0.9, 0.3]))
    q = np.empty((n, 4))
    now = quaternion.IDENTITY
    for i in range(n):
        now = quaternion.multiply(now, quaternion.from_rotation_vector(w[i] / RATE))
        q[i] = now
    up = quaternion.rotate(quaternion.conjugate(q), np.array([0.0, 0.0, 9.81]))
    acc = up + 1.0 * np.sin(np.outer(t, [6.0, 8.0, 7.0])) + 0.02 * rng.standard_normal((n, 3))
    gyr = w + np.radians([0.4, -0.3, 0.2]) + np.radians(0.05) * rng.standard_normal((n, 3))

    def tilt_rms(mode: Mode) -> float:
        estimate = filtered(gyr, acc, None, SensorParams(), FilterParams(), rate_hz=RATE, mode=mode)
        e = quaternion.multiply(estimate, quaternion.conjugate(q))
        return float(np.degrees(2.0 * np.sqrt(np.mean(e[:, 1] ** 2 + e[:, 2] ** 2))))

    assert tilt_rms("offline") < 0.6 * tilt_rms("online") < 0.6


def test_strapdown_is_exact_for_rates_that_change_linearly() -> None:
    # coning: a rate vector that turns is integrated wrongly by one-step methods
    def attitude(rate_hz: float) -> FloatArray:
        n = round(2.0 * rate_hz)
        edges = np.arange(n + 1) / rate_hz
        # mean of (3 cos 4t, 3 sin 4t, 0.5) over each interval
        angle = np.stack((0.75 * np.sin(4 * edges), -0.75 * np.cos(4 * edges), 0.5 * edges), axis=1)
        gyr = np.diff(angle, axis=0) * rate_hz
        s = initial_state(SensorParams(), rate_hz)
        out = np.empty((n, 4))
        up = np.tile([0.0, 0.0, 9.81], (n, 1))
        part = np.empty((PART_ROWS, PART_WIDTH))
        integrate(s, gyr, up, np.ones(n, dtype=np.bool_), 0, n, 1.0 / rate_hz, out, part)
        last: FloatArray = out[-1]
        return last

    truth = attitude(4000.0)
    coarse = np.degrees(quaternion.angle_between(attitude(50.0), truth))
    assert coarse < 0.05
    edges = np.arange(101) / 50.0
    angle = np.stack((0.75 * np.sin(4 * edges), -0.75 * np.cos(4 * edges), 0.5 * edges), axis=1)
    q = quaternion.IDENTITY
    for step in np.diff(angle, axis=0):
        q = quaternion.multiply(q, quaternion.from_rotation_vector(step))
    assert np.degrees(quaternion.angle_between(q, truth)) > 5.0 * coarse
