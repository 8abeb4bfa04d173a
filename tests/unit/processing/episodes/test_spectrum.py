"""Windows against scipy's Welch, and figures against the specification's formulas."""

import numpy as np
import pytest

from processing.episodes import spectrum
from processing.filters import fir, lowpass_taps
from processing.types import FloatArray
from tests.oracles import spectrum as oracle
from tests.support.motion import add_pulse, add_tremor, quiet


def filtered(w_dps: FloatArray) -> FloatArray:
    out = np.empty_like(w_dps)
    fir(np.pad(w_dps, ((8, 8), (0, 0))), lowpass_taps(20.0, 100.0, 8), out)
    return out


def motion(seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    w = quiet(12.0, seed=seed, sd_dps=3.0)
    add_tremor(w, 0.0, 12.0, rng.uniform(2.8, 6.5), rng.uniform(0.5, 4.0), (0.3, 0.9, 0.1))
    add_pulse(w, 3.0, 0.2, (3.0, 8.0, 1.0))
    return w


@pytest.mark.parametrize("seed", range(4))
def test_density_equals_welch_at_the_full_rate(seed: int) -> None:
    w = motion(seed)
    starts = np.array([0, 100, 137, 400, 800], dtype=np.int64)
    psd, _ = spectrum.transform(filtered(w), starts, 100.0)
    for row, start in zip(psd, starts, strict=True):
        f, expected = oracle.density(w[start : start + 400])
        assert f[0] == 1.0
        assert f[-1] == 12.0
        # the low-pass and the halved rate change the density by less than 2 % of its peak
        np.testing.assert_allclose(row, expected, atol=0.02 * expected.max(), rtol=0.05)


def test_density_of_a_half_rate_signal_is_exact() -> None:
    w = filtered(motion(5))
    psd, _ = spectrum.transform(w, np.array([200], dtype=np.int64), 100.0)
    from scipy import signal

    f, expected = signal.welch(
        w[200:600:2], fs=50.0, nperseg=150, noverlap=120, nfft=200, detrend="linear", axis=0
    )
    keep = (f >= 1.0) & (f <= 12.0)
    np.testing.assert_allclose(psd[0], expected[keep].sum(axis=1), rtol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_figures_equal_the_oracle(seed: int) -> None:
    w = motion(seed)
    psd, _ = spectrum.transform(filtered(w), np.array([600], dtype=np.int64), 100.0)
    figures = np.empty((1, 4))
    spectrum.find_peaks(psd, 6, 36, 3, False, figures)
    f, ratio, pp = oracle.peak(w[600:1000], 2.5, 10.0)
    assert figures[0, 0] == pytest.approx(f, abs=0.125)
    assert figures[0, 1] == pytest.approx(ratio, rel=0.02)
    assert figures[0, 2] == pytest.approx(pp, rel=0.02)


def test_a_peak_on_the_lowest_bin_is_rejected() -> None:
    psd = np.ones((1, 45))
    psd[0, :7] = [9, 8, 7, 6, 5, 4, 3]
    figures = np.empty((1, 4))
    spectrum.find_peaks(psd, 6, 36, 3, False, figures)
    assert figures[0, 0] == 0.0


@pytest.mark.parametrize("axis", [(0.0, 1.0, 0.0), (0.6, 0.0, 0.8), (-0.36, 0.48, -0.8)])
def test_axis_of_the_oscillation(axis: tuple[float, float, float]) -> None:
    w = quiet(5.0, sd_dps=0.5)
    add_tremor(w, 0.0, 5.0, 4.25, 3.0, axis)
    _, f = spectrum.transform(filtered(w), np.array([50], dtype=np.int64), 100.0)
    found = np.empty(3)
    share = spectrum.oscillation_axis(f[0], 17, 3, found)
    assert abs(float(np.dot(found, axis))) > 0.999
    assert found[np.argmax(np.abs(found))] > 0.0
    assert share > 0.98


def test_a_sinusoid_is_regular_and_a_sawtooth_is_skewed() -> None:
    axis = np.array([0.0, 1.0, 0.0])
    w = quiet(5.0, sd_dps=0.3)
    add_tremor(w, 0.0, 5.0, 4.0, 2.0)
    cv, skew = spectrum.regularity(w, 0, 400, axis, 25.0)
    assert cv < 0.05
    assert abs(skew) < 0.1
    saw = quiet(5.0, sd_dps=0.3)
    for start in np.arange(0.0, 5.0, 0.5):
        add_pulse(saw, start, 0.1, (0.0, 3.0, 0.0))
        add_pulse(saw, start + 0.1, 0.4, (0.0, -3.0, 0.0))
    cv, skew = spectrum.regularity(saw, 0, 400, axis, 50.0)
    assert cv < 0.1
    assert abs(skew) > 1.0


def test_too_few_cycles_say_nothing() -> None:
    w = quiet(5.0, sd_dps=0.0)
    add_pulse(w, 2.0, 0.5, (0.0, 20.0, 0.0))
    cv, _ = spectrum.regularity(w, 0, 400, np.array([0.0, 1.0, 0.0]), 80.0)
    assert np.isnan(cv)
