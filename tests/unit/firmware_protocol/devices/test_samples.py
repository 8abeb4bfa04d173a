"""Scale and clock unwrapping."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.devices.samples import SampleBlock, axes, unwrap


def test_physical_units() -> None:
    block = SampleBlock("acc", axes("acc", 0.5), np.array([[2, -4, 6]], dtype=np.int16))
    assert block.physical().tolist() == [[1.0, -2.0, 3.0]]
    assert [c.unit for c in (*axes("gyr", 1.0), *axes("mag", 1.0))] == ["rad/s"] * 3 + ["uT"] * 3
    assert block.n == 1


@given(st.integers(0, 2**50), st.integers(-(2**31) + 1, 2**31 - 1))
def test_unwrap_finds_the_true_value_near_a_guess(true: int, error: int) -> None:
    assert unwrap(true % 2**32, 2**32, true + error) == true


@pytest.mark.parametrize(
    ("raw", "near", "value"), [(5, 2**32 - 3, 2**32 + 5), (2**32 - 1, 2**32, 2**32 - 1)]
)
def test_unwrap_over_the_edge(raw: int, near: int, value: int) -> None:
    assert unwrap(raw, 2**32, near) == value
