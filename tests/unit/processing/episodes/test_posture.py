"""Sustained postures: hysteresis, duration, merging, labels, and when nothing can be said."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from processing.episodes import posture
from processing.types import BoolArray, CervicalAngles, Episode, FloatArray
from tests.oracles import postures as oracle
from tests.support.detection import final, run
from tests.support.motion import add_tremor, angles, quiet

N = 6000


def ramp(*knots: tuple[float, float]) -> FloatArray:
    """Return a signal over 60 s that is linear between (time s, value)."""
    return np.interp(np.arange(N) / 100.0, [k[0] for k in knots], [k[1] for k in knots])


def held(begin_s: float, end_s: float, value: float) -> FloatArray:
    return ramp(
        (begin_s - 0.5, 0.0), (begin_s + 0.5, value), (end_s - 0.5, value), (end_s + 0.5, 0)
    )


def turned(rotation: FloatArray, flexion: FloatArray | None = None) -> CervicalAngles:
    zero = np.zeros(N)
    return angles(zero if flexion is None else flexion, zero, rotation)


def postures(
    block: CervicalAngles,
    *,
    gated: BoolArray | None = None,
    direction: FloatArray | None = None,
    w: FloatArray | None = None,
) -> list[Episode]:
    rates = quiet(60.0, sd_dps=1.0) if w is None else w
    return final(run(rates, block, gated=gated, direction=direction), "posture")


def test_bounds_lie_where_the_smoothed_deviation_crosses_the_thresholds() -> None:
    (episode,) = postures(turned(ramp((10.0, 0.0), (20.0, 20.0), (40.0, 20.0), (50.0, 0.0))))
    # a Gaussian leaves straight lines alone: 15° on the way up, 10° on the way down
    assert episode.start_ns * 1e-9 == pytest.approx(17.5, abs=0.15)
    assert episode.end_ns * 1e-9 == pytest.approx(45.0, abs=0.15)
    assert episode.features["deviation_max_deg"] == pytest.approx(20.0, abs=0.1)
    assert episode.features["deviation_p95_deg"] == pytest.approx(20.0, abs=0.5)
    assert episode.features["rotation_right_median_deg"] == pytest.approx(20.0, abs=0.5)
    mean = episode.features["deviation_mean_deg"]
    assert episode.features["dose_deg_min"] == pytest.approx(mean * 27.5 / 60.0, rel=0.01)
    assert episode.amplitude_deg == mean


def test_between_the_thresholds_nothing_begins() -> None:
    assert postures(turned(held(10.0, 40.0, 13.0))) == []


def test_five_seconds_are_needed() -> None:
    assert postures(turned(held(10.0, 14.5, 20.0))) == []
    assert len(postures(turned(held(10.0, 16.5, 20.0)))) == 1


def looked(hold_s: float) -> tuple[CervicalAngles, FloatArray]:
    """A stiff neck's look over the shoulder: 55° in 2 s, a hold, and back; with its rates."""
    rotation = ramp((10.0, 0.0), (12.0, 55.0), (12.0 + hold_s, 55.0), (14.0 + hold_s, 0.0))
    w = quiet(60.0, sd_dps=1.0)
    w[:, 1] -= np.gradient(rotation, 0.01)
    return turned(rotation), w


def test_turning_away_and_back_is_no_holding() -> None:
    block, w = looked(3.5)
    assert postures(block, w=w) == []
    block, w = looked(5.5)
    (episode,) = postures(block, w=w)
    assert episode.features["held_still_s"] == pytest.approx(5.5, abs=0.4)
    assert (episode.end_ns - episode.start_ns) * 1e-9 > 8.0, "bounds stay where they were"


def test_a_jerk_does_not_begin_the_hold_anew_and_a_turn_does() -> None:
    for way_s, way_deg, found in ((0.4, 8.0, 1), (2.0, 40.0, 0)):
        then_s, then = 14.5 + way_s, 30.0 + way_deg
        rotation = ramp(
            (10.0, 0.0), (11.0, 30.0), (14.5, 30.0), (then_s, then), (then_s + 3.5, then),
            (then_s + 4.5, 0.0),
        )  # fmt: skip
        w = quiet(60.0, sd_dps=1.0)
        w[:, 1] -= np.gradient(rotation, 0.01)
        assert len(postures(turned(rotation), w=w)) == found


def test_short_returns_are_bridged_and_long_ones_are_not() -> None:
    def with_break(seconds: float) -> FloatArray:
        return np.maximum(held(5.0, 20.0, 20.0), held(20.0 + seconds, 40.0, 20.0))

    assert len(postures(turned(with_break(1.5)))) == 1
    assert len(postures(turned(with_break(4.0)))) == 2


def test_labels_follow_the_direction_of_dystonia() -> None:
    block = turned(held(10.0, 40.0, 25.0))
    assert postures(block)[0].label == "unspecified"
    right, left = np.array([0.0, 5.0, 20.0]), np.array([0.0, 5.0, -20.0])
    assert postures(block, direction=right)[0].label == "dystonic"
    (away,) = postures(block, direction=left)
    assert away.label == "off_neutral"
    assert away.features["direction_cos"] == pytest.approx(-0.97, abs=0.02)
    assert away.features["direction_estimated"] == 0.0


def test_reading_needs_more_and_stays_unspecified() -> None:
    d = np.array([0.0, 0.0, 25.0])
    assert postures(turned(np.zeros(N), held(10.0, 40.0, 22.0)), direction=d) == []
    (episode,) = postures(turned(np.zeros(N), held(10.0, 40.0, 30.0)), direction=d)
    assert episode.label == "unspecified"
    anterocollis = np.array([20.0, 2.0, 0.0])
    bent = turned(np.zeros(N), held(10.0, 40.0, 30.0))
    assert postures(bent, direction=anterocollis)[0].label == "dystonic"
    assert len(postures(turned(np.zeros(N), held(10.0, 40.0, -20.0)))) == 1, "retrocollis is not"


def test_a_head_that_keeps_moving_is_no_posture_but_a_trembling_one_is() -> None:
    block = turned(held(10.0, 40.0, 25.0))
    moving = quiet(60.0, sd_dps=1.0)
    moving[:, 1] += 15.0
    assert postures(block, w=moving) == []
    trembling = quiet(60.0, sd_dps=1.0)
    add_tremor(trembling, 0.0, 60.0, 4.0, 5.0)
    assert len(postures(block, w=trembling)) == 1


def gate(begin_s: float, end_s: float) -> BoolArray:
    t = np.arange(N) / 100.0
    return (t >= begin_s) & (t < end_s)


def test_a_lean_does_not_cut_a_posture_in_two_and_nothing_counts_in_its_gate() -> None:
    block = turned(held(5.0, 55.0, 25.0))
    whole, leant = postures(block), postures(block, gated=gate(20.0, 25.0))
    assert [e.start_ns for e in leant] == [e.start_ns for e in whole]
    assert [e.end_ns for e in leant] == [e.end_ns for e in whole]
    lost = whole[0].features["held_still_s"] - leant[0].features["held_still_s"]
    assert lost == pytest.approx(5.0, abs=0.2)
    dose = [e.features["dose_deg_min"] for e in (*whole, *leant)]
    assert dose[0] - dose[1] == pytest.approx(25.0 * 5.0 / 60.0, rel=0.02)


def test_a_hold_goes_on_through_a_gate_and_does_not_begin_in_one() -> None:
    (episode,) = postures(turned(held(10.0, 21.0, 25.0)), gated=gate(13.5, 17.5))
    assert episode.features["held_still_s"] < 8.0
    assert postures(turned(held(10.0, 18.0, 25.0)), gated=gate(13.5, 18.5)) == []
    moving = quiet(60.0, sd_dps=1.0)
    moving[1350:1750, 1] += 20.0
    block = turned(held(10.0, 21.0, 25.0))
    assert postures(block, gated=gate(13.5, 17.5), w=moving) == [], "it moved meanwhile"


def test_coming_back_to_neutral_inside_a_gate_ends_it() -> None:
    away = np.maximum(held(5.0, 20.0, 25.0), held(23.5, 40.0, 25.0))
    assert len(postures(turned(away), gated=gate(19.0, 24.5))) == 2
    short = np.maximum(held(5.0, 20.0, 25.0), held(20.8, 40.0, 25.0))
    assert len(postures(turned(short), gated=gate(19.0, 23.0))) == 1


def drawn(seed: int) -> tuple[FloatArray, BoolArray, BoolArray]:
    """Points of a wandering head, with holes and gates of all lengths."""
    rng = np.random.default_rng(seed)
    m = 3000
    points = np.zeros((m, posture.COLUMNS))
    for j, scale in ((0, 12.0), (1, 8.0), (2, 18.0)):
        knots = scale * rng.standard_normal(m // 15 + 2)
        points[:, j] = np.interp(np.arange(m), 15.0 * np.arange(knots.size), knots)
    points[:, 3] = np.linalg.norm(points[:, :3], axis=1)
    points[:, 4] = 3.0
    points[:, 5:] = rng.choice([1.0, 12.0], (m // 10, 1), p=[0.8, 0.2]).repeat(10, axis=0)
    known, gated = np.ones(m, dtype=np.bool_), np.zeros(m, dtype=np.bool_)
    for mask, value, longest in ((known, False, 40), (gated, True, 90)):
        for begin in rng.integers(0, m, 30):
            mask[begin : begin + rng.integers(1, longest)] = value
    points[~known] = 0.0
    return points, known, known & ~gated


@pytest.mark.parametrize("seed", range(6))
def test_the_kernel_equals_the_plain_words(seed: int) -> None:
    points, known, judged = drawn(seed)
    wanted = oracle.postures(points, known, judged)
    assert len(wanted) > 15
    nothing = np.zeros(posture.HALF_TAPS, dtype=np.bool_)
    padded = np.concatenate((points, np.zeros((posture.HALF_TAPS, posture.COLUMNS))))
    there, counting = np.concatenate((known, nothing)), np.concatenate((judged, nothing))
    rng = np.random.default_rng(seed)
    for edges in ([], sorted(rng.integers(0, len(padded), 40).tolist())):
        state, found = posture.start(), []
        for begin, end in pairwise([0, *edges, len(padded)]):
            part = slice(begin, end)
            state, ended = posture.advance(
                posture.PostureParams(), state, padded[part], there[part], counting[part], 100.0
            )
            found += [oracle.Posture(*(int(c[i]) for i in (1, 2, 3, 4, 7))) for _, c, _, _ in ended]
        assert found == wanted


def test_poor_heading_a_gate_and_missing_samples_end_an_episode() -> None:
    block = turned(held(5.0, 55.0, 25.0))
    sigma = block.heading_sigma_deg.copy()
    sigma[2000:3000] = 12.0
    first, second = postures(replace(block, heading_sigma_deg=sigma))
    assert first.end_ns * 1e-9 == pytest.approx(20.0, abs=0.2)
    assert second.start_ns * 1e-9 == pytest.approx(30.0, abs=0.2)
    assert len(postures(block, gated=gate(20.0, 30.0))) == 2
    valid = block.valid.copy()
    valid[2000:2300] = False
    rotation = block.rotation_right_deg.copy()
    rotation[2000:2300] = np.nan
    holed = replace(block, valid=valid, rotation_right_deg=rotation)
    assert len(postures(holed)) == 2
    valid[2100:2300] = True
    assert len(postures(replace(block, valid=valid))) == 1, "a hole of 1 s is bridged"


def test_the_end_of_a_recording_ends_the_episode() -> None:
    (episode,) = postures(turned(ramp((10.0, 0.0), (11.0, 30.0))))
    assert episode.end_ns * 1e-9 == pytest.approx(60.0, abs=0.2)
