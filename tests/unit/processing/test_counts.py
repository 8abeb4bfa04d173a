import numpy as np
import pytest

from processing.counts import block_of_counts, to_si
from processing.errors import InputError
from processing.types import ImuBlock


def test_is_counts_times_scale_and_knows_saturation() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(-32000, 32000, (50, 9)).astype(np.int16)
    columns = np.array([4, 5, 6, 0, 1, 2])
    scales = np.array([1e-3, 2e-3, 3e-3, 1e-4, 2e-4, 3e-4])
    counts[3, 5] = 32767
    counts[7, 0] = -32768
    counts[9, 3] = 32767  # a column that is not the sensor's

    acc, gyr, valid = to_si(counts, columns, scales, 32767)

    np.testing.assert_array_equal(acc, counts[:, columns[:3]] * scales[:3])
    np.testing.assert_array_equal(gyr, counts[:, columns[3:]] * scales[3:])
    assert np.flatnonzero(~valid).tolist() == [3, 7]


def test_one_below_full_scale_is_a_measurement() -> None:
    counts = np.array([[32766, -32766, 0, 0, 0, 0]], dtype=np.int16)
    assert to_si(counts, np.arange(6), np.full(6, 1e-3), 32767)[2].tolist() == [True]


def test_what_no_sensor_measures_is_no_measurement() -> None:
    counts = np.zeros((5, 6), dtype=np.int32)
    counts[:, 2] = 9_807
    counts[1, 4], counts[2, 4], counts[3, 0], counts[4, 0] = 99_000, -101_000, 1_999_000, 2_001_000
    acc, gyr, valid = to_si(counts, np.arange(6), np.full(6, 1e-3), 2**31 - 1)
    assert valid.tolist() == [True, True, False, True, False]
    block = ImuBlock.checked(np.arange(5), acc, gyr, rate_hz=100.0)
    assert block.valid.tolist() == valid.tolist()


def test_a_block_of_counts_is_what_the_checked_block_would_be() -> None:
    counts = np.random.default_rng(1).integers(-100, 100, (4, 6)).astype(np.int16)
    t_ns, scales = np.array([5, 6, 9, 10]), np.full(6, 0.5)

    block = block_of_counts(t_ns, counts, np.arange(6), scales, 99, rate_hz=104.0)

    acc, gyr, valid = to_si(counts, np.arange(6), scales, 99)
    checked = ImuBlock.checked(t_ns, acc, gyr, rate_hz=104.0, valid=valid)
    for name in ("t_ns", "acc", "gyr", "valid"):
        np.testing.assert_array_equal(getattr(block, name), getattr(checked, name))
    assert (block.rate_hz, block.mag) == (104.0, None)
    with pytest.raises(InputError, match="does not increase at sample 2"):
        block_of_counts(np.array([5, 6, 6, 7]), counts, np.arange(6), scales, 99, rate_hz=104.0)
