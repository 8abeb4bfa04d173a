import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.angle_grid import (
    SecondsState,
    coarser,
    pack_minute,
    seconds_step,
    step_for,
    unpack_minutes,
)
from storage.result_rows import ANGLE_FIELDS, SECOND_NS, AngleSeries, FullRate
from tests.support.results import T0_NS, coarse_oracle, seconds

RATE_HZ = 100.0


def full_rate(n: int, seed: int = 0, *, head: bool = False) -> FullRate:
    rng = np.random.default_rng(seed)
    q = rng.normal(size=(n, 4))
    angles = np.cumsum(rng.normal(0, 1, (n, 4)), axis=0)
    angles[rng.random(n) < 0.05, 2] = np.nan
    return FullRate(
        t_ns=T0_NS + 370_000_000 + np.arange(n) * 10_000_000,
        angles_deg=angles,
        heading_sigma_deg=rng.uniform(1, 5, n),
        q_rel=q / np.linalg.norm(q, axis=1)[:, None],
        valid=rng.random(n) < 0.9,
        head_deg=rng.normal(0, 20, (n, 2)) if head else None,
    )


def cut(rows: FullRate, a: int, b: int) -> FullRate:
    return FullRate(
        rows.t_ns[a:b],
        rows.angles_deg[a:b],
        rows.heading_sigma_deg[a:b],
        rows.q_rel[a:b],
        rows.valid[a:b],
        None if rows.head_deg is None else rows.head_deg[a:b],
    )


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 700), max_size=8), st.booleans())
def test_any_chunking_is_one_batch(cuts: list[int], head: bool) -> None:
    rows = full_rate(700, head=head)
    _, batch, _ = seconds_step(SecondsState(), rows, rate_hz=RATE_HZ, final=True)
    bounds = [0, *sorted(cuts), 700]
    state = SecondsState()
    parts = []
    times: list[int] = []
    for k, (a, b) in enumerate(itertools.pairwise(bounds)):
        final = k == len(bounds) - 2
        state, part, complete = seconds_step(state, cut(rows, a, b), rate_hz=RATE_HZ, final=final)
        parts.append(part)
        if complete is not None:
            assert set(complete.t_ns // SECOND_NS * SECOND_NS) == set(part.t_ns)
            times += complete.t_ns.tolist()
    np.testing.assert_array_equal(np.concatenate([p.t_ns for p in parts]), batch.t_ns)
    np.testing.assert_array_equal(np.concatenate([p.values for p in parts]), batch.values)
    assert times == rows.t_ns.tolist()


def test_seconds_are_means_and_extremes_of_valid_rows() -> None:
    rows = full_rate(350, head=True)
    _, found, _ = seconds_step(SecondsState(), rows, rate_hz=RATE_HZ, final=True)
    second = rows.t_ns // SECOND_NS
    assert found.t_ns.tolist() == sorted({t * SECOND_NS for t in second.tolist()})
    for k, t in enumerate(found.t_ns.tolist()):
        inside = (second == t // SECOND_NS) & rows.valid
        for axis, name in enumerate(("flexion", "lateral_right", "rotation_right", "deviation")):
            column = rows.angles_deg[inside, axis]
            column = column[np.isfinite(column)]
            np.testing.assert_allclose(found.column(f"{name}_deg")[k], column.mean(), rtol=1e-12)
            assert found.column(f"{name}_min_deg")[k] == column.min()
            assert found.column(f"{name}_max_deg")[k] == column.max()
        np.testing.assert_allclose(
            found.column("heading_sigma_deg")[k], rows.heading_sigma_deg[inside].mean()
        )
        assert rows.head_deg is not None
        np.testing.assert_allclose(
            found.column("head_roll_deg")[k], rows.head_deg[inside, 1].mean()
        )
        assert found.column("valid")[k] == inside.sum() / RATE_HZ


def test_a_second_without_a_valid_row_is_empty_not_zero() -> None:
    rows = full_rate(200)
    dead = FullRate(
        rows.t_ns, rows.angles_deg, rows.heading_sigma_deg, rows.q_rel, np.zeros(200, np.bool_)
    )
    _, found, _ = seconds_step(SecondsState(), dead, rate_hz=RATE_HZ, final=True)
    assert (found.column("valid") == 0.0).all()
    assert np.isnan(found.values[:, :-1]).all()


@settings(deadline=None)
@given(st.sets(st.integers(0, 59), min_size=1), st.integers(0, 2**31))
def test_a_packed_minute_comes_back_to_a_centidegree(used: set[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    second = np.array(sorted(used))
    values = rng.uniform(-180, 180, (len(second), len(ANGLE_FIELDS)))
    values[rng.random(values.shape) < 0.2] = np.nan
    values[:, -1] = rng.uniform(0, 1, len(second))
    found = unpack_minutes([(10, pack_minute(second, values))])
    assert found.t_ns.tolist() == [(600 + s) * SECOND_NS for s in second.tolist()]
    np.testing.assert_allclose(found.values, values, atol=0.00501, rtol=0, equal_nan=True)


def test_angles_beyond_the_range_are_clipped_not_wrapped() -> None:
    values = np.full((1, len(ANGLE_FIELDS)), 5000.0)
    values[0, -1] = 1.0
    found = unpack_minutes([(0, pack_minute(np.array([0]), values))])
    assert found.values[0, 0] == 327.67


@settings(deadline=None)
@given(st.integers(1, 4000), st.integers(1, 3000), st.integers(0, 100))
def test_slots_never_exceed_the_points_asked_for(n: int, points: int, offset: int) -> None:
    t0 = T0_NS + offset * SECOND_NS
    step = step_for(t0, t0 + n * SECOND_NS, points)
    series = AngleSeries(t0 + np.arange(n) * SECOND_NS, 1, np.ones((n, len(ANGLE_FIELDS))))
    assert len(coarser(series, step).t_ns) <= points
    assert step == 1 or n > points / 2 - 1


def test_coarser_slots_match_the_slow_way() -> None:
    series = seconds(7, 500)
    series.values[100:130, -1] = 0.0
    hidden = series.values.copy()
    hidden[100:130, :-1] = np.nan
    oracle = coarse_oracle(AngleSeries(series.t_ns, 1, hidden), 30)
    found = coarser(series, 30)
    assert found.t_ns.tolist() == sorted(oracle)
    np.testing.assert_allclose(found.values, [oracle[t] for t in sorted(oracle)], rtol=1e-12)
