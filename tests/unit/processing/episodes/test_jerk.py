"""The jerk kernel against scipy's peak finder, and what separates a jerk from a turn."""

import numpy as np
import pytest

from processing.episodes import jerk
from processing.episodes.jerk import JerkCandidate, JerkParams
from processing.filters import fir, lowpass_taps
from processing.types import FloatArray
from tests.oracles import jerks as oracle
from tests.support.motion import add_pulse, add_tremor, quiet

PARAMS = JerkParams()


def filtered(w_dps: FloatArray) -> FloatArray:
    out = np.empty_like(w_dps)
    fir(np.pad(w_dps, ((8, 8), (0, 0))), lowpass_taps(20.0, 100.0, 8), out)
    return out


def found(w_dps: FloatArray, *, bad: slice | None = None) -> list[JerkCandidate]:
    flags = np.zeros(w_dps.shape[0], dtype=np.bool_)
    if bad is not None:
        flags[bad] = True
    return jerk.candidates(PARAMS, w_dps, flags, 0, 50, w_dps.shape[0] - 50, 100.0)


@pytest.mark.parametrize("seed", range(6))
def test_equals_the_oracle(seed: int) -> None:
    rng = np.random.default_rng(seed)
    w = quiet(60.0, seed=seed, sd_dps=2.0)
    for start in np.arange(2.0, 57.0, 1.1):
        size, length = rng.uniform(1.0, 25.0), rng.uniform(0.08, 0.6)
        axis = rng.standard_normal(3)
        excursion = size * axis / np.linalg.norm(axis)
        add_pulse(w, start, length, (excursion[0], excursion[1], excursion[2]))
    add_tremor(w, 30.0, 36.0, 4.0, 6.0)
    w = filtered(w)
    expected = [row for row in oracle.jerks(w) if 50 <= row[0] < w.shape[0] - 50]
    assert [(c.k_peak, c.k_onset, c.k_offset) for c in found(w)] == expected
    assert len(expected) > 8


def test_a_jerk_has_the_attributes_of_a_minimum_jerk_pulse() -> None:
    w = quiet(10.0, sd_dps=0.0)
    add_pulse(w, 5.0, 0.15, (0.0, -5.0, 0.0))
    (c,) = found(filtered(w))
    assert c.k_peak in (507, 508)
    assert c.rotation_right_deg == pytest.approx(4.9, abs=0.15)
    assert c.flexion_deg == pytest.approx(0.0)
    # specification: 5° in 0.15 s peaks at 62 °/s and 1280 °/s² and is 0.08 s wide
    assert c.peak_velocity_dps == pytest.approx(62.0, rel=0.05)
    assert c.peak_accel_dps2 == pytest.approx(1280.0, rel=0.2)
    assert c.fwhm_s == pytest.approx(0.081, abs=0.004)


def test_signs_are_those_of_the_angles() -> None:
    w = quiet(10.0, sd_dps=0.0)
    add_pulse(w, 5.0, 0.15, (6.0, 0.0, -8.0))
    (c,) = found(filtered(w))
    assert c.lateral_right_deg > 5.5
    assert c.flexion_deg > 7.5
    assert c.amplitude_deg == pytest.approx(10.0, abs=0.3)


@pytest.mark.parametrize(
    ("length_s", "excursion_deg", "why"),
    [
        (1.05, 58.0, "a daily turn: too wide"),
        (0.45, 30.0, "a fast turn: too wide"),
        (0.15, 2.0, "too small"),
        (0.28, 60.0, "too large"),
        (0.29, 3.5, "too slow to accelerate"),
    ],
)
def test_what_is_no_jerk(length_s: float, excursion_deg: float, why: str) -> None:
    w = quiet(10.0, sd_dps=0.0)
    add_pulse(w, 5.0, length_s, (0.0, excursion_deg, 0.0))
    assert found(filtered(w)) == [], why


def test_half_cycles_of_a_tremor_are_no_jerks() -> None:
    w = quiet(10.0, sd_dps=0.5)
    add_tremor(w, 2.0, 9.0, 4.0, 8.0)
    inside = [c for c in found(filtered(w)) if 250 < c.k_peak < 850]
    assert inside == []


def test_a_flagged_row_inside_forbids_it() -> None:
    w = quiet(10.0, sd_dps=0.0)
    add_pulse(w, 5.0, 0.15, (0.0, 5.0, 0.0))
    assert found(filtered(w), bad=slice(507, 508)) == []
    assert len(found(filtered(w), bad=slice(540, 560))) == 1


def candidate(k: int, amplitude: float) -> JerkCandidate:
    return JerkCandidate(k, k - 5, k + 5, 60.0, 1000.0, 0.08, 0.0, 0.0, amplitude, amplitude)


def test_out_and_back_count_once_the_larger() -> None:
    out, back, later = candidate(100, 5.0), candidate(115, 6.0), candidate(140, 4.0)
    assert jerk.keep_larger([], [out, back, later], 20) == [back, later]
    assert jerk.keep_larger([out], [back], 20) == [back]
    assert jerk.keep_larger([back], [candidate(120, 5.9)], 20) == [back]


def test_three_within_five_seconds_are_a_burst() -> None:
    peaks = [100, 300, 599, 1300, 1500, 1801]
    assert jerk.burst_size(300, peaks, 3, 500) == 3
    assert jerk.burst_size(100, peaks, 3, 500) == 3
    assert jerk.burst_size(1500, peaks, 3, 500) == 0
    assert jerk.burst_size(1500, [*peaks[:5], 1800], 3, 500) == 3
