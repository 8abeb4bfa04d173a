"""Symmetric filters: gain, no overshoot, equality with plain convolution."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processing.filters import fir, gain, gaussian_taps, lowpass_taps, near_bad


@pytest.mark.parametrize("half", [8, 10, 15])
def test_lowpass_has_half_power_at_the_cutoff(half: int) -> None:
    taps = lowpass_taps(20.0, 100.0, half)
    assert taps.shape == (2 * half + 1,)
    np.testing.assert_array_equal(taps, taps[::-1])
    assert gain(taps, 0.0, 100.0) == pytest.approx(1.0)
    assert gain(taps, 20.0, 100.0) == pytest.approx(np.sqrt(0.5), abs=1e-6)
    assert abs(gain(taps, 10.0, 100.0) - 1.0) < 0.04
    assert abs(gain(taps, 40.0, 100.0)) < 0.01


def test_gaussian_has_half_power_at_the_cutoff_and_never_overshoots() -> None:
    taps = gaussian_taps(0.5, 10.0, 10)
    assert gain(taps, 0.5, 10.0) == pytest.approx(np.sqrt(0.5), abs=2e-3)
    step = np.convolve(np.repeat([0.0, 20.0], 40), taps, mode="valid")
    assert np.all(np.diff(step) >= -1e-12)


@settings(deadline=None, max_examples=25)
@given(n=st.integers(0, 900), half=st.integers(1, 11), width=st.sampled_from([1, 3]))
def test_fir_is_convolution(n: int, half: int, width: int) -> None:
    rng = np.random.default_rng(n + half)
    x = rng.standard_normal((n + 2 * half, width))
    taps = lowpass_taps(20.0, 100.0, half)
    out = np.empty((n, width))
    fir(x, taps, out)
    for j in range(width):
        expected = np.convolve(x[:, j], taps, mode="valid") if n else np.empty(0)
        np.testing.assert_allclose(out[:, j], expected, atol=1e-12)


@settings(deadline=None, max_examples=20)
@given(cuts=st.lists(st.integers(0, 2000), max_size=6))
def test_fir_gives_the_same_bits_in_any_cut(cuts: list[int]) -> None:
    half = 8
    x = np.random.default_rng(3).standard_normal((2000 + 2 * half, 3))
    taps = lowpass_taps(20.0, 100.0, half)
    whole = np.empty((2000, 3))
    fir(x, taps, whole)
    edges = [0, *sorted(cuts), 2000]
    for begin, end in pairwise(edges):
        out = np.empty((end - begin, 3))
        fir(np.ascontiguousarray(x[begin : end + 2 * half]), taps, out)
        assert out.tobytes() == whole[begin:end].tobytes()


def test_near_bad_reaches_half_rows_on_both_sides() -> None:
    rng = np.random.default_rng(0)
    bad = rng.random(200) < 0.03
    out = np.empty(184, dtype=np.bool_)
    near_bad(bad, 8, out)
    expected = [bool(bad[i : i + 17].any()) for i in range(184)]
    assert out.tolist() == expected
