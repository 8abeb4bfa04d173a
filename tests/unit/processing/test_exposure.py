"""Histograms add up and come back from their text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processing.errors import InputError
from processing.exposure import histogram_quantile, pack, unpack_into


@settings(deadline=None)  # the first example loads or compiles the kernel
@given(
    values=st.lists(st.floats(-170.0, 170.0), min_size=1, max_size=200),
    q=st.sampled_from([0.05, 0.5, 0.95]),
)
def test_quantiles_are_within_a_bin_of_the_sorted_samples(values: list[float], q: float) -> None:
    counts = np.zeros(720, dtype=np.int64)
    np.add.at(counts, ((np.array(values) + 180.0) / 0.5).astype(np.int64), 1)
    found = histogram_quantile(counts, q, -180.0, 0.5)
    assert found is not None
    ordered = np.sort(values)
    at_rank = ordered[max(0, int(np.ceil(q * len(values))) - 1)]
    assert abs(found - at_rank) <= 0.5


def test_no_samples_no_quantile() -> None:
    assert histogram_quantile(np.zeros(10, dtype=np.int64), 0.5, 0.0, 1.0) is None


def test_samples_are_spread_inside_their_bin() -> None:
    counts = np.array([0, 4, 0, 4], dtype=np.int64)
    assert histogram_quantile(counts, 0.25, 0.0, 2.0) == pytest.approx(3.0)
    assert histogram_quantile(counts, 0.5, 0.0, 2.0) == pytest.approx(4.0)
    assert histogram_quantile(counts, 0.0, 0.0, 2.0) == pytest.approx(2.0)
    assert histogram_quantile(counts, 1.0, 0.0, 2.0) == pytest.approx(8.0)


@settings(deadline=None)  # the first example loads or compiles the kernel
@given(st.lists(st.integers(0, 6000), max_size=40), st.integers(-400, 300))
def test_text_brings_the_counts_back(values: list[int], first: int) -> None:
    counts = np.array(values, dtype=np.int64)
    back = np.zeros(1000, dtype=np.int64)
    unpack_into(pack(counts, first), back, -500)
    expected = np.zeros(1000, dtype=np.int64)
    expected[first + 500 : first + 500 + len(values)] = counts
    np.testing.assert_array_equal(back, expected)
    unpack_into(pack(counts, first), back, -500)
    np.testing.assert_array_equal(back, 2 * expected)


@pytest.mark.parametrize("text", ["5", "x;1", "1;a", "900;1,2", "-600;1"])
def test_a_foreign_text_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="histogram"):
        unpack_into(text, np.zeros(720, dtype=np.int64), -360)


def test_packed_counts_are_the_decimal_numbers_joined() -> None:
    counts = np.array([0, 0, 7, 0, 10, 99, 100, 12_345, 2**62, 3, 0], dtype=np.int64)
    joined = ",".join(str(n) for n in counts[2:-1].tolist())
    assert pack(counts, -360) == f"-358;{joined}"
