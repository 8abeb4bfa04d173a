"""`estimate`, and its accuracy on real recordings beside VQF in the same run."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processing import orientation, quaternion
from processing.errors import InputError
from processing.orientation import FilterParams, SensorParams, estimate, evaluation
from processing.orientation.evaluation import Trial
from processing.orientation.single import Mode, filtered
from processing.types import FloatArray

vqf = pytest.importorskip("vqf")

TRIALS = (
    "04_undisturbed_slow_rotation_with_breaks_A",
    "21_undisturbed_fast_combined",
    "33_disturbed_attached_magnet_2cm",
)


def load(folder: Path, name: str) -> Trial:
    with np.load(folder / f"{name}.npz") as z:
        gyr, acc, mag, q = (
            np.ascontiguousarray(z[key], dtype=np.float64)
            for key in ("imu_gyr", "imu_acc", "imu_mag", "opt_quat")
        )
        return Trial(name, gyr, acc, mag, q, z["movement"] > 0, float(z["sampling_rate_hz"]))


def vqf_online(
    gyr: FloatArray, acc: FloatArray, mag: FloatArray | None, rate_hz: float
) -> FloatArray:
    out = vqf.VQF(1.0 / rate_hz).updateBatch(gyr, acc, mag)
    q: FloatArray = out["quat6D" if mag is None else "quat9D"]
    return q


def ours(gyr: FloatArray, acc: FloatArray, mag: FloatArray | None, rate_hz: float) -> FloatArray:
    return estimate(gyr, acc, mag, rate_hz=rate_hz)


@pytest.fixture(scope="module")
def trials(broad_dir: Path) -> list[Trial]:
    return [load(broad_dir, name) for name in TRIALS]


@pytest.mark.data
@pytest.mark.parametrize(
    ("decimate", "starts_moving", "bias_dps", "most"),
    [(1, False, 0.0, 0.75), (3, False, 0.0, 0.70), (6, False, 0.0, 0.60), (3, True, 0.5, 0.75)],
)
def test_tilt_is_more_accurate_than_vqf(
    trials: list[Trial], decimate: int, starts_moving: bool, bias_dps: float, most: float
) -> None:
    harder = [
        evaluation.stressed(t, decimate=decimate, starts_moving=starts_moving, bias_dps=bias_dps)
        for t in trials
    ]
    means = []
    for method in (ours, vqf_online):
        scored = evaluation.aligned(evaluation.run(method, harder, with_mag=False), harder)
        means.append(np.mean([e.inclination for e in scored.errors]))
    assert means[0] < most * means[1]


@pytest.mark.data
def test_heading_with_magnetometer_is_more_accurate_than_vqf(trials: list[Trial]) -> None:
    means = []
    for method in (ours, vqf_online):
        scored = evaluation.aligned(evaluation.run(method, trials, with_mag=True), trials)
        means.append(np.mean([e.total for e in scored.errors]))
    assert means[0] < 0.9 * means[1]


@pytest.mark.data
def test_offline_is_more_accurate_than_online(trials: list[Trial]) -> None:
    t = trials[1]
    online, offline = (
        evaluation.trial_errors(
            estimate(t.gyr, t.acc, rate_hz=t.rate_hz, mode=mode), t, delay_ms=2.5
        ).inclination
        for mode in ("online", "offline")
    )
    assert offline < 0.85 * online


def lying(n: int = 400) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(0)
    up = np.array([0.0, 6.0, 7.76])
    return 0.001 * rng.standard_normal((n, 3)), up + 0.02 * rng.standard_normal((n, 3))


def test_specific_force_points_up_and_field_north() -> None:
    gyr, acc = lying()
    mag = np.tile([20.0, 5.0, -30.0], (gyr.shape[0], 1))
    q = estimate(gyr, acc, mag, rate_hz=100.0)
    assert np.abs(np.linalg.norm(q, axis=1) - 1.0).max() < 1e-9
    up = quaternion.rotate(q[-1], np.array([0.0, 6.0, 7.76]))
    assert np.degrees(np.hypot(up[0], up[1]) / up[2]) < 0.2
    field = quaternion.rotate(q[-1], mag[-1])
    assert abs(np.degrees(np.arctan2(field[0], field[1]))) < 0.5


def test_online_is_causal() -> None:
    gyr, acc = lying()
    whole = estimate(gyr, acc, rate_hz=100.0)
    assert np.array_equal(estimate(gyr[:333], acc[:333], rate_hz=100.0), whole[:333])


def test_too_short_for_a_window_still_answers() -> None:
    gyr, acc = lying(3)
    assert estimate(gyr, acc, rate_hz=100.0, mode="online").shape == (3, 4)
    assert estimate(gyr, acc, rate_hz=100.0, mode="offline").shape == (3, 4)
    assert estimate(gyr[:0], acc[:0], rate_hz=100.0).shape == (0, 4)


def test_bad_input_says_what_is_wrong() -> None:
    gyr, acc = lying(50)
    broken = acc.copy()
    broken[7, 1] = np.nan
    with pytest.raises(InputError, match="acc is not finite at sample 7"):
        estimate(gyr, broken, rate_hz=100.0)
    with pytest.raises(InputError, match="shape"):
        estimate(gyr[:, :2], acc, rate_hz=100.0)
    with pytest.raises(InputError, match="acc has shape"):
        estimate(gyr, acc[:10], rate_hz=100.0)
    with pytest.raises(InputError, match="mag has shape"):
        estimate(gyr, acc, acc[:10], rate_hz=100.0)
    with pytest.raises(InputError, match="rate_hz"):
        estimate(gyr, acc, rate_hz=0.0)
    with pytest.raises(InputError, match="mode"):
        estimate(gyr, acc, rate_hz=100.0, mode="live")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="gyro_noise_dps"):
        estimate(gyr, acc, rate_hz=100.0, gyro_noise_dps=-1.0)


def test_a_sample_that_no_sensor_measures_is_named() -> None:
    gyr, acc = lying(50)
    for array, name, value in ((gyr, "gyr", -200.0), (acc, "acc", 1e5)):
        kept = array[9, 1]
        array[9, 1] = value
        with pytest.raises(InputError, match=re.escape(f"{name} is {abs(value):.4g} at sample 9")):
            estimate(gyr, acc, rate_hz=25.0)
        array[9, 1] = kept
    with pytest.raises(InputError, match="check the unit"):
        estimate(gyr + np.radians(30.0) * 1000.0, acc, rate_hz=25.0)
    with pytest.raises(InputError, match="mag is 1e"):
        estimate(gyr, acc, np.full_like(acc, 1e300), rate_hz=25.0)


@pytest.mark.parametrize("mode", ["online", "offline"])
@pytest.mark.parametrize("rate_hz", [1.0, 25.0, 50.0, 100.0, 1000.0])
def test_quaternions_are_of_unit_length_whatever_is_accepted(rate_hz: float, mode: Mode) -> None:
    rng = np.random.default_rng(3)
    gyr, acc = lying(600)
    gyr[200:300] = rng.choice([-100.0, 100.0], (100, 3))
    acc[250:350] = rng.choice([-2000.0, 2000.0], (100, 3))
    gyr[450], acc[500] = 99.0, 1999.0
    q = estimate(gyr, acc, rate_hz=rate_hz, mode=mode)
    assert np.abs(np.linalg.norm(q, axis=1) - 1.0).max() < 1e-6


def test_turns_of_more_than_a_radian_per_sample_are_exact() -> None:
    n, rate_hz = 100, 25.0
    gyr = np.zeros((n, 3))
    gyr[:, 2] = 60.0
    acc = np.tile([0.0, 0.0, 9.80665], (n, 1))
    sensor = SensorParams(bias_sigma_dps=1e-6, gain_sigma=1e-9)
    q = filtered(gyr, acc, None, sensor, FilterParams(), rate_hz=rate_hz, mode="online")
    step = quaternion.multiply(quaternion.conjugate(q[50]), q[51])
    assert quaternion.angle_between(step, quaternion.from_rotation_vector([0.0, 0.0, 2.4])) < 1e-6


@pytest.mark.parametrize("rate_hz", ["100", None, 100j, [100.0], np.nan, -1])
def test_a_rate_that_is_no_number_is_refused(rate_hz: Any) -> None:
    gyr, acc = lying(50)
    with pytest.raises(InputError, match="rate_hz is"):
        estimate(gyr, acc, rate_hz=rate_hz)
    if rate_hz is not None:
        with pytest.raises(InputError, match="gyro_noise_dps is"):
            estimate(gyr, acc, rate_hz=100.0, gyro_noise_dps=rate_hz)


def test_arrays_that_are_not_real_numbers_are_refused() -> None:
    gyr, acc = lying(50)
    wrongs: tuple[Any, ...] = (gyr + 1j, gyr.astype(str), np.full((50, 3), None))
    for wrong in wrongs:
        with pytest.raises(InputError, match=r"gyr is of type .*; give real numbers"):
            estimate(wrong, acc, rate_hz=100.0)
    uneven: Any = [[0.0, 1.0], [2.0]]
    with pytest.raises(InputError, match="gyr is no array"):
        estimate(uneven, acc, rate_hz=100.0)


def test_public_names() -> None:
    assert orientation.__all__ == [
        "FilterParams",
        "PairParams",
        "PairState",
        "SensorParams",
        "estimate",
        "smooth",
        "start",
        "state_from_dict",
        "state_to_dict",
        "step",
        "told_from",
    ]
