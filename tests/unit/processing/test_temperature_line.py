"""A gyroscope's bias over temperature: what counts as rest, and the line through it."""

import numpy as np
import pytest

from processing.temperature_line import (
    LEAST_MINUTES,
    TOGETHER,
    BiasPairs,
    fit_line,
    still_minutes,
)
from processing.types import FloatArray

RATE = 50.0
MINUTE = 3000


def lying(minutes: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """A sensor on a table: noise of a consumer sensor and a bias of 0.4 °/s."""
    rng = np.random.default_rng(seed)
    n = minutes * MINUTE
    acc = np.array([0.0, 0.0, 9.8]) + 0.01 * rng.standard_normal((n, 3))
    gyr = np.radians(0.4 + 0.05 * rng.standard_normal((n, 3)))
    return acc, gyr


def test_a_table_is_rest_without_its_first_and_last_minute() -> None:
    acc, gyr = lying(8, 1)
    assert still_minutes(acc, gyr, RATE) == [(k * MINUTE, (k + 1) * MINUTE) for k in range(1, 7)]
    assert still_minutes(acc[: 4 * MINUTE], gyr[: 4 * MINUTE], RATE) == []
    assert still_minutes(acc[:100], gyr[:100], RATE) == []


def test_a_chest_that_breathes_is_no_table() -> None:
    """0.8° at 15 breaths a minute: quiet in any second, not in a minute."""
    acc, gyr = lying(10, 2)
    t = np.arange(acc.shape[0]) / RATE
    rate = np.radians(0.8) * 2 * np.pi * 0.25 * np.cos(2 * np.pi * 0.25 * t)
    gyr[:, 0] += rate
    assert still_minutes(acc, gyr, RATE) == []


def test_what_turns_over_meanwhile_is_two_rests() -> None:
    acc, gyr = lying(14, 3)
    acc[7 * MINUTE :] = acc[7 * MINUTE :][:, [1, 2, 0]]
    minutes = [a // MINUTE for a, _ in still_minutes(acc, gyr, RATE)]
    assert minutes == [1, 2, 3, 4, 5, 8, 9, 10, 11, 12]
    assert len(minutes) > LEAST_MINUTES


def test_a_turntable_is_no_rest() -> None:
    acc, gyr = lying(8, 4)
    assert still_minutes(acc, gyr + np.radians(20.0), RATE) == []


def pairs(seed: int, slope_dps_k: FloatArray, *, span_k: float = 8.0, n: int = 30) -> BiasPairs:
    """Cooling down; errors of five neighbouring minutes are the same."""
    rng = np.random.default_rng(seed)
    degc = 24.0 + span_k * np.exp(-np.arange(n) / 10.0)
    wander = np.repeat(0.01 * rng.standard_normal((-(-n // int(TOGETHER)), 3)), int(TOGETHER), 0)[
        :n
    ]
    bias = 0.3 + (degc - 25.0)[:, None] * slope_dps_k + wander
    return BiasPairs(np.round(2.0 * degc) / 2.0, np.radians(bias))


def test_the_line_is_found_and_its_sigma_is_honest() -> None:
    off = []
    for seed in range(200):
        slope = 0.03 * np.random.default_rng(1000 + seed).standard_normal(3)
        line = fit_line(pairs(seed, slope))
        assert line is not None and line.worth_using
        off.append((np.degrees(line.slope_rads_k) - slope) / np.degrees(line.slope_sigma_rads_k))
    assert 0.5 < np.mean(np.abs(off) < 1.0) < 0.9
    assert np.mean(np.abs(off) < 2.0) > 0.9


def test_it_passes_through_what_was_seen() -> None:
    line = fit_line(pairs(1, np.array([0.02, -0.01, 0.0])))
    assert line is not None
    at_25 = np.degrees(line.bias_rads + line.slope_rads_k * (25.0 - line.at_degc))
    assert at_25 == pytest.approx(np.full(3, 0.3), abs=0.02)
    assert line.minutes == 30 and 7.0 < line.span_k < 8.1


def test_too_little_is_no_line() -> None:
    assert fit_line(pairs(1, np.zeros(3), span_k=2.0)) is None
    assert fit_line(pairs(1, np.zeros(3), n=9)) is None
    assert fit_line(BiasPairs(np.empty(0), np.empty((0, 3)))) is None
