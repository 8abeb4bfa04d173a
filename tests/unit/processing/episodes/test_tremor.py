"""Tremor episodes: frequency, size, class, bounds, merging, and what is none."""

import numpy as np
import pytest

from processing.episodes.tremor import TremorEpisode, TremorParams, bounds, counts_as_episode
from processing.types import Episode, FloatArray
from tests.support.detection import final, run
from tests.support.motion import add_pulse, add_tremor, neutral, quiet


def tremor_of(w: FloatArray, gated: slice | None = None) -> list[Episode]:
    flags = np.zeros(w.shape[0], dtype=np.bool_)
    if gated is not None:
        flags[gated] = True
    return final(run(w, neutral(w.shape[0]), gated=flags), "tremor")


@pytest.mark.parametrize("pp_deg", [0.5, 1.0, 2.5, 8.0])
@pytest.mark.parametrize("frequency_hz", [2.9, 4.2, 5.13, 6.5])
def test_frequency_and_size_over_the_clinical_range(pp_deg: float, frequency_hz: float) -> None:
    w = quiet(30.0, sd_dps=1.0)
    add_tremor(w, 5.0, 25.0, frequency_hz, pp_deg, (0.6, 0.8, 0.0))
    (episode,) = tremor_of(w)
    assert episode.features["peak_frequency_hz"] == pytest.approx(frequency_hz, abs=0.25)
    assert episode.amplitude_deg == pytest.approx(pp_deg, rel=0.1)
    assert episode.label == "regular"
    assert episode.features["axis_lateral"] == pytest.approx(0.6, abs=0.05)
    assert episode.features["axis_rotation"] == pytest.approx(0.8, abs=0.05)
    assert episode.start_ns * 1e-9 == pytest.approx(5.0, abs=2.5)
    assert episode.end_ns * 1e-9 == pytest.approx(25.0, abs=2.5)
    assert 0.5 < episode.confidence <= 1.0


def test_tremor_scale_equivalent_is_elbles() -> None:
    w = quiet(20.0, sd_dps=0.2)
    add_tremor(w, 0.0, 20.0, 4.0, 3.3)
    (episode,) = tremor_of(w)
    assert episode.features["trs_equivalent"] == pytest.approx(3.0, abs=0.1)


def test_below_the_least_size_and_without_a_peak_is_none() -> None:
    small = quiet(20.0, sd_dps=0.2)
    add_tremor(small, 0.0, 20.0, 4.0, 0.2)
    assert tremor_of(small) == []
    assert tremor_of(quiet(60.0, sd_dps=5.0)) == []


def test_voluntary_turns_and_single_jerks_are_none() -> None:
    w = quiet(60.0, sd_dps=1.0)
    for i, start in enumerate(np.arange(2.0, 55.0, 5.5)):
        add_pulse(w, start, 1.05, (0.0, 58.0 * (-1) ** i, 0.0))
        add_pulse(w, start + 2.5, 0.15, (0.0, 8.0, 0.0))
        add_pulse(w, start + 2.65, 1.5, (0.0, -8.0, 0.0))
    assert tremor_of(w) == []


def test_a_slow_sawtooth_is_slow_and_jerky_but_never_while_gated() -> None:
    w = quiet(30.0, sd_dps=0.5)
    for start in np.arange(5.0, 24.0, 1.0 / 1.6):
        add_pulse(w, start, 0.15, (0.0, 4.0, 0.0))
        add_pulse(w, start + 0.15, 0.475, (0.0, -4.0, 0.0))
    (episode,) = tremor_of(w)
    assert episode.label == "slow_jerky"
    assert episode.features["peak_frequency_hz"] == pytest.approx(1.6, abs=0.25)
    outside = tremor_of(w, gated=slice(1000, 1800))
    assert all(e.end_ns <= 10_000_000_000 or e.start_ns >= 18_000_000_000 for e in outside)


def test_a_short_break_is_bridged_and_a_long_one_is_not() -> None:
    w = quiet(60.0, sd_dps=0.5)
    add_tremor(w, 5.0, 20.0, 4.0, 3.0)
    add_tremor(w, 21.0, 30.0, 4.0, 3.0)
    add_tremor(w, 42.0, 55.0, 4.0, 3.0)
    first, second = tremor_of(w)
    assert first.end_ns * 1e-9 == pytest.approx(30.0, abs=2.5)
    assert second.start_ns * 1e-9 == pytest.approx(42.0, abs=2.5)


def test_two_windows_are_needed() -> None:
    empty = np.zeros((5, 400), dtype=np.int64)
    one = TremorEpisode(300, 300, 1, 0, empty, np.eye(3), 0.6, 300, 1.0)
    two = TremorEpisode(300, 400, 2, 0, empty, np.eye(3), 1.2, 300, 1.0)
    assert not counts_as_episode(TremorParams(), one, 100.0)
    assert counts_as_episode(TremorParams(), two, 100.0)
    assert bounds(TremorParams(), two, 100.0) == (375, 725)


def test_mostly_gated_windows_are_skipped() -> None:
    w = quiet(40.0, sd_dps=0.5)
    add_tremor(w, 0.0, 40.0, 4.0, 3.0)
    before, after = tremor_of(w, gated=slice(1500, 2500))
    assert before.end_ns * 1e-9 <= 16.0
    assert after.start_ns * 1e-9 >= 24.0
