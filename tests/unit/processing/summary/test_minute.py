"""Minutes and posture cells against masks in plain numpy; any cut; finality."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processing.errors import InputError
from processing.summary import MinuteSummary
from processing.summary.types import PLANES
from processing.types import BoolArray
from tests.support import days
from tests.support.days import T0_NS, minutes_of, run, scene
from tests.support.motion import cut

SECONDS = 150


def rows_of(minute: MinuteSummary, n: int) -> BoolArray:
    t_ns = T0_NS + 10_000_000 * np.arange(n)
    return (t_ns >= minute.t_ns) & (t_ns < minute.t_ns + 60_000_000_000)


def test_minutes_lie_on_the_utc_minute_grid_and_cover_every_row() -> None:
    minutes = minutes_of(run(scene(SECONDS)))
    assert [m.t_ns % 60_000_000_000 for m in minutes] == [0, 0, 0]
    assert [m.n for m in minutes] == [4000, 6000, 5000]
    assert sum(m.recorded_s for m in minutes) == pytest.approx(SECONDS)


def test_every_figure_equals_plain_numpy() -> None:
    rows = scene(SECONDS)
    n = 100 * SECONDS
    a, p = rows.angles, rows.pair
    received = p.head_valid & p.trunk_valid
    evaluable = a.valid & ~rows.gated
    good, poor = a.heading_sigma_deg <= 5.0, a.heading_sigma_deg > 10.0
    known = evaluable & ~poor
    unsure = ~good & (np.abs(a.deviation_deg - 10.0) <= a.heading_sigma_deg)
    decidable = known & ~unsure
    speed = np.linalg.norm(rows.rates, axis=1)
    for m in minutes_of(run(rows)):
        inside = rows_of(m, n)

        def seconds(mask: BoolArray, inside: BoolArray = inside) -> float:
            return float((mask & inside).sum()) / 100.0

        assert m.received_s == seconds(received)
        assert m.completeness == pytest.approx(seconds(received) / m.recorded_s)
        assert m.worn_s == seconds(a.valid)
        assert m.gated_s == seconds(a.valid & rows.gated)
        assert m.evaluable_s == seconds(evaluable)
        assert m.still_s == seconds(evaluable & (speed < 10.0))
        assert m.heading_good_s == seconds(a.valid & good)
        assert m.heading_poor_s == seconds(a.valid & poor)
        assert m.heading_fair_s == seconds(a.valid & ~good & ~poor)
        assert m.decidable_s == seconds(decidable)
        near_s = seconds(decidable & (a.deviation_deg <= 10.0))
        assert m.near_neutral_s == (near_s if m.decidable_s else None)
        rms = np.sqrt(np.mean(speed[evaluable & inside] ** 2))
        assert m.relative_rate_rms_dps == pytest.approx(rms)
        for axis, values, mask in (
            ("flexion", a.flexion_deg, evaluable),
            ("lateral", a.lateral_right_deg, evaluable),
            ("rotation", a.rotation_right_deg, known),
            ("deviation", a.deviation_deg, known),
        ):
            x = values[mask & inside]
            assert getattr(m, f"{axis}_mean_deg") == pytest.approx(x.mean())
            assert getattr(m, f"{axis}_sd_deg") == pytest.approx(x.std(), abs=1e-6)
            for name, q in (("p05", 5), ("p50", 50), ("p95", 95)):
                found = getattr(m, f"{axis}_{name}_deg")
                assert found == pytest.approx(np.percentile(x, q), abs=0.5)
        head = p.head_acc[p.head_valid & inside]
        assert m.head_acc_mean_ms2 == ",".join(f"{v:.4f}" for v in head.mean(axis=0))
        assert m.head_acc_max_ms2 == ",".join(f"{v:.4f}" for v in head.max(axis=0))
        gyr = np.degrees(p.trunk_gyr[p.trunk_valid & inside]).std(axis=0).max()
        assert m.trunk_gyr_sd_dps == pytest.approx(gyr)


def test_the_posture_map_holds_the_evaluable_seconds_of_each_cell() -> None:
    rows = scene(SECONDS)
    a = rows.angles
    cells = [c for out in run(rows) for c in out.cells]
    known = a.valid & ~rows.gated & (a.heading_sigma_deg <= 10.0)
    for plane in PLANES:
        seconds = sum(c.seconds for c in cells if c.plane == plane)
        assert seconds == pytest.approx(known.sum() / 100.0)
    for c in cells:
        other = a.lateral_right_deg if c.plane == "rl" else a.flexion_deg
        t_ns = T0_NS + 10_000_000 * np.arange(a.valid.shape[0])
        inside = (
            known
            & (t_ns // 900_000_000_000 == c.t_ns // 900_000_000_000)
            & (np.floor(a.rotation_right_deg / 5.0) * 5.0 == c.rotation_deg)
            & (np.floor(other / 5.0) * 5.0 == c.other_deg)
        )
        assert c.seconds == pytest.approx(inside.sum() / 100.0)
    assert len({c.t_ns for c in cells}) == 2, "the scene crosses a quarter of an hour"


def test_episodes_belong_to_the_minute_in_which_they_end() -> None:
    first, second, third = minutes_of(run(scene(SECONDS)))
    assert (first.jerk_n, second.jerk_n, third.jerk_n) == (1, 2, 0)
    assert second.jerk_s == pytest.approx(0.3)
    assert (first.tremor_n, second.tremor_n, third.tremor_n) == (0, 1, 0)
    assert second.posture_s == pytest.approx(70.0)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 100 * SECONDS), max_size=8))
def test_any_cut_gives_the_same_minutes(edges: list[int]) -> None:
    whole, pieces = run(scene(SECONDS)), run(scene(SECONDS), edges, restore=True)
    assert minutes_of(pieces) == minutes_of(whole)
    assert [c for o in pieces for c in o.cells] == [c for o in whole for c in o.cells]


def test_a_minute_is_final_once_its_episodes_are_and_shows_meanwhile() -> None:
    edges = list(range(10, 100 * SECONDS, 10))
    outs = run(scene(SECONDS), edges)
    first = next(i for i, out in enumerate(outs) if out.minutes)
    decided = days.GATE_LAG_ROWS + days.DECISION_ROWS
    assert edges[first] == 4000 + decided
    current = outs[100].current
    assert current is not None
    assert current.t_ns == T0_NS - 20_000_000_000
    assert current.n == edges[100] - days.GATE_LAG_ROWS
    for k in range(100):  # also while rows wait to be counted together
        seen = outs[k].current
        assert (0 if seen is None else seen.n) == max(0, edges[k] - days.GATE_LAG_ROWS)


def test_missing_is_none_never_zero() -> None:
    (low, *_) = minutes_of(run(scene(100), low_rate=True))
    assert low.jerk_n is None
    assert low.tremor_s is None
    assert low.posture_n == 0
    rows = scene(100)
    rows.angles.flexion_deg[:] = np.nan
    rows.angles.heading_sigma_deg[:] = np.nan
    rows.pair.trunk_valid[:] = False
    (alone, *_) = minutes_of(run(rows, head_only=True))
    assert alone.posture_n is None
    assert alone.rotation_mean_deg is None
    assert alone.flexion_p50_deg is None
    assert alone.near_neutral_s is None
    assert alone.trunk_acc_mean_ms2 == ""
    assert alone.trunk_gyr_sd_dps is None
    assert not alone.trunk_compensated
    assert alone.jerk_n == 1


def test_rotation_is_none_where_heading_is_poor_but_tilt_is_not() -> None:
    rows = scene(100)
    rows.angles.heading_sigma_deg[:] = 11.0
    (m, *_) = minutes_of(run(rows))
    assert m.rotation_mean_deg is None
    assert m.deviation_p95_deg is None
    assert m.near_neutral_s is None
    assert m.flexion_mean_deg is not None
    assert m.heading_poor_s == m.worn_s


def test_a_gate_ahead_of_the_rows_is_refused() -> None:
    rows = scene(10)
    rows = days.Scene(rows.pair, cut(rows.angles, 0, 900), rows.rates[:900], rows.gated)
    with pytest.raises(InputError, match="ahead"):
        run(rows)
