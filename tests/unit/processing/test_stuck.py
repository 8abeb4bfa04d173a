"""A sensor that holds its last value has stopped; coarse counts of a quiet one have not."""

import numpy as np
import pytest

from processing import stuck
from processing.counts import block_of_counts
from processing.types import BoolArray, FloatArray, ImuBlock

RATE_HZ = 104.0


def block(acc: FloatArray, gyr: FloatArray) -> ImuBlock:
    t_ns = np.round(np.arange(len(acc)) * (1e9 / RATE_HZ)).astype(np.int64)
    return ImuBlock.checked(t_ns, acc, gyr, rate_hz=RATE_HZ)


def noisy(n: int, acc_ms2: float = 0.01, gyr_rads: float = 5e-4) -> tuple[FloatArray, FloatArray]:
    noise = np.random.default_rng(3).standard_normal((2, n, 3))
    return np.array([0.0, 9.81, 0.0]) + acc_ms2 * noise[0], gyr_rads * noise[1]


def through(whole: ImuBlock, *cuts: int) -> BoolArray:
    state = stuck.start()
    valid = []
    for begin, end in zip((0, *cuts), (*cuts, len(whole.t_ns)), strict=True):
        state, part = stuck.step(state, whole.rows(begin, end))
        valid.append(part.valid)
    return np.concatenate(valid)


def frozen() -> ImuBlock:
    acc, gyr = noisy(2000)
    acc[500:1200], gyr[500:1200] = acc[499], gyr[499]
    return block(acc, gyr)


def test_held_values_are_missing_after_two_seconds() -> None:
    valid = through(frozen())
    assert valid[: 499 + 208].all()
    assert not valid[499 + 209 : 1200].any()
    assert valid[1200:].all()


@pytest.mark.parametrize("cuts", [(1,), (499, 500, 501), (707, 708), (1199, 1200), (600, 600, 900)])
def test_any_cut_gives_the_same(cuts: tuple[int, ...]) -> None:
    np.testing.assert_array_equal(through(frozen(), *cuts), through(frozen()))


def test_a_quiet_sensor_with_coarse_counts_goes_on() -> None:
    acc, gyr = noisy(20_000, acc_ms2=0.003, gyr_rads=3e-4)
    # ±16 g and ±2000 °/s in 16 bits: noise of 0.6 and 0.3 counts
    coarse = block(np.round(acc / 0.0048) * 0.0048, np.round(gyr / 0.00107) * 0.00107)
    assert through(coarse).all()


def test_one_number_that_changes_is_enough() -> None:
    acc, gyr = np.tile([0.0, 9.81, 0.0], (1000, 1)), np.zeros((1000, 3))
    gyr[::150, 1] = 1e-3
    assert through(block(acc, gyr)).all()


def test_a_force_of_exactly_zero_is_missing() -> None:
    acc, gyr = noisy(100)
    acc[40:60] = 0.0
    acc[70, :2] = 0.0
    expected = np.ones(100, dtype=np.bool_)
    expected[40:60] = False
    np.testing.assert_array_equal(block(acc, gyr).valid, expected)
    counts = np.round(np.hstack((acc * 1000, gyr * 1000))).astype(np.int16)
    made = block_of_counts(
        np.arange(100, dtype=np.int64),
        counts,
        np.arange(6, dtype=np.int64),
        np.full(6, 1e-3),
        32767,
        rate_hz=RATE_HZ,
    )
    np.testing.assert_array_equal(made.valid, expected)
