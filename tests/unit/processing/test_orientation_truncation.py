"""Counts cut off towards zero: found from the samples alone, early, and nowhere else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from processing.orientation import estimate
from processing.orientation.truncation import first_known, restored
from processing.types import FloatArray

RATE_HZ = 100.0
COUNT = float(np.radians(2000.0 / 32767.0))
BIAS = np.array([3.3, 1.9, -3.7])
"""Counts; noise is 1.6."""


def resting(seconds: float, seed: int = 0) -> FloatArray:
    """Return the rate of a sensor on a table in counts, before it is made whole."""
    rng = np.random.default_rng(seed)
    return np.asarray(BIAS + 1.6 * rng.standard_normal((round(seconds * RATE_HZ), 3)))


def picked_up(turning_s: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return rates in counts, specific force and true heading, rad: 20 s at rest, then turning."""
    rest = round(20.0 * RATE_HZ)
    n = rest + round(turning_s * RATE_HZ)
    t = np.maximum(np.arange(n + 1) - rest, 0) / RATE_HZ
    heading = np.radians(30.0) * (1.0 - np.cos(2.0 * np.pi * 0.25 * t))
    rate = resting(n / RATE_HZ, seed=1)
    rate[:, 2] += np.diff(heading) * RATE_HZ / COUNT
    rng = np.random.default_rng(2)
    acc = np.array([0.0, 0.0, 9.81]) + 0.04 * rng.standard_normal((n, 3))
    return rate, acc, heading[1:]


def heading_error_deg(gyr: FloatArray, acc: FloatArray, heading: FloatArray) -> float:
    """Return how far the estimate has turned from the truth after the rest, degrees."""
    q = estimate(gyr, acc, rate_hz=RATE_HZ, gyro_noise_dps=0.1)
    error = 2.0 * np.arctan2(q[:, 3], q[:, 0]) - heading
    change = error[-1] - error[round(19.0 * RATE_HZ)]
    return float(np.degrees(abs(np.arctan2(np.sin(change), np.cos(change)))))


def test_truncated_counts_are_found_and_their_size() -> None:
    known, count = first_known(np.trunc(resting(60.0)) * COUNT, RATE_HZ)
    assert known <= 15.0 * RATE_HZ
    assert abs(count - COUNT) < 1e-6 * COUNT


@pytest.mark.parametrize("whole", [np.rint, np.floor, np.ceil, np.asarray])
@pytest.mark.parametrize("bias", [0.0, 1.0])
def test_other_samples_are_left_alone(
    whole: Callable[[FloatArray], FloatArray], bias: float
) -> None:
    samples = whole(resting(60.0) + (bias - 1.0) * BIAS) * COUNT
    assert first_known(samples, RATE_HZ) == (samples.shape[0], 0.0)


def test_values_of_too_few_kinds_say_nothing() -> None:
    assert first_known(np.zeros((500, 3)), RATE_HZ) == (500, 0.0)
    assert first_known(np.full((500, 3), COUNT), RATE_HZ) == (500, 0.0)
    quiet = np.trunc(0.1 * resting(60.0)) * COUNT
    assert first_known(quiet, RATE_HZ) == (quiet.shape[0], 0.0)


def test_motion_says_nothing() -> None:
    t = np.arange(6000) / RATE_HZ
    swing = 300.0 * np.sin(2.0 * np.pi * np.outer(t, [0.7, 1.1, 1.3]))
    moving = np.trunc(resting(60.0) + swing) * COUNT
    assert first_known(moving, RATE_HZ) == (6000, 0.0)


def test_what_comes_later_does_not_change_when_it_was_known() -> None:
    gyr = np.trunc(resting(60.0)) * COUNT
    known, count = first_known(gyr, RATE_HZ)
    assert first_known(gyr[: known - 1], RATE_HZ) == (known - 1, 0.0)
    assert first_known(gyr[:known], RATE_HZ) == (known, count)
    assert first_known(np.concatenate((gyr[:known], -gyr)), RATE_HZ) == (known, count)


def test_half_a_count_restores_the_mean() -> None:
    true = resting(600.0)
    cut = np.trunc(true)
    assert np.abs(cut.mean(axis=0) - true.mean(axis=0)).min() > 0.35
    assert np.abs(restored(cut * COUNT, COUNT) / COUNT - cut)[cut == 0.0].max() == 0.0
    whole = restored(cut * COUNT, COUNT).mean(axis=0) / COUNT
    assert np.abs(whole - true.mean(axis=0)).max() < 0.06


def test_bias_of_rest_is_that_of_motion_again() -> None:
    rate, acc, heading = picked_up(60.0)
    cut = np.trunc(rate) * COUNT
    # a constant more is only another bias, but the values are no multiples of a count any more
    unseen = heading_error_deg(cut + 0.3 * COUNT, acc, heading)
    assert unseen > 1.0
    assert heading_error_deg(cut, acc, heading) < 0.3 * unseen
    assert heading_error_deg(rate * COUNT, acc, heading) < 0.3 * unseen


def test_online_is_causal_with_truncated_counts() -> None:
    rate, acc, _ = picked_up(5.0)
    gyr = np.trunc(rate) * COUNT
    known, _ = first_known(gyr, RATE_HZ)
    whole = estimate(gyr, acc, rate_hz=RATE_HZ)
    for n in (known - 1, known, known + 150):
        assert np.array_equal(estimate(gyr[:n], acc[:n], rate_hz=RATE_HZ), whole[:n])


@pytest.mark.data
@pytest.mark.parametrize("number", ["04", "18", "24"])
def test_sensors_of_broad_truncate(broad_dir: Path, number: str) -> None:
    with np.load(next(broad_dir.glob(f"{number}_*.npz"))) as file:
        gyr, rate_hz = file["imu_gyr"].astype(np.float64), float(file["sampling_rate_hz"])
    known, count = first_known(gyr, rate_hz)
    assert known <= 10.0 * rate_hz
    assert abs(np.degrees(count) - 2000.0 / 32767.0) < 1e-5
    moved = gyr + 0.3 * count
    assert first_known(moved, rate_hz) == (gyr.shape[0], 0.0)
