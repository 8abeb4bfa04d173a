"""The line under a fit's points: the lower hull, and how far a prior holds it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from processing import clock
from processing.clock_line import (
    N_SCALARS,
    P_DRIFT,
    P_WINDOW,
    S_BUCKETS,
    S_LINE,
    S_PRIOR,
    S_SLOPE,
    _refit,
    store,
)
from processing.types import FloatArray
from tests.oracles.clock_line import likeliest_line

PARAMS = clock.ClockParams()
NO_PRIOR = replace(PARAMS, drift_sd=np.inf)


def fitted(params: clock.ClockParams, points: FloatArray, prior: float = 0.0) -> FloatArray:
    buckets = np.zeros((points.shape[0], 4))
    buckets[:, :2] = points
    s = np.zeros(N_SCALARS)
    s[S_BUCKETS], s[S_PRIOR] = points.shape[0], prior
    _refit(clock.vector(params), s, buckets)
    return s


def hull_line(points: FloatArray) -> tuple[float, float]:
    """Height at x = 0 and slope of the lower hull's edge under the centroid, searched anew."""
    centre = points[:, 0].mean()
    at_centre, slope = min(
        (float(-eq[2] - eq[0] * centre) / float(eq[1]), float(-eq[0] / eq[1]))
        for eq in ConvexHull(points).equations
        if eq[1] < 0.0 and _spans(points, eq, centre)
    )
    return at_centre - slope * centre, slope


def _spans(points: FloatArray, equation: FloatArray, centre: float) -> bool:
    """Whether the facet's end points lie on both sides of the centre."""
    on = points[np.abs(points @ equation[:2] + equation[2]) < 1e-10]
    return bool(on[:, 0].min() <= centre <= on[:, 0].max())


@settings(max_examples=30, deadline=None)
@given(st.integers(3, 60), st.integers(0, 10_000))
def test_without_a_prior_the_line_is_the_hull_edge_under_the_centroid(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0.0, 600.0, n))
    points = np.column_stack((x, rng.exponential(0.02, n) - 2e-5 * x))
    s = fitted(NO_PRIOR, points)
    assert (points[:, 1] - s[S_LINE] - s[S_SLOPE] * points[:, 0]).min() > -1e-12
    assert (s[S_LINE], s[S_SLOPE]) == pytest.approx(hull_line(points), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 60),
    st.integers(0, 10_000),
    st.sampled_from([-3e-3, 0.0, 2e-5]),
    st.sampled_from([1e-6, 50e-6, 1e-3, 0.02]),
    st.sampled_from([0.0, 40e-6]),
)
def test_the_line_is_the_likeliest_one(
    n: int, seed: int, drift: float, drift_sd: float, prior: float
) -> None:
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0.0, 2.0 * n, n))
    points = np.column_stack((x, rng.exponential(0.02, n) + drift * x))
    s = fitted(replace(PARAMS, drift_sd=drift_sd), points, prior)
    wanted = likeliest_line(
        points[:, 0], points[:, 1], prior=prior, drift_sd=drift_sd, delay_s=PARAMS.delay_s
    )
    assert (s[S_LINE], s[S_SLOPE]) == pytest.approx(wanted, abs=1e-9)


def test_late_points_at_first_are_no_drift() -> None:
    """A queue that is worked off for twelve seconds has a slope of -8 % by itself."""
    x = np.arange(15.0) + 0.5
    points = np.column_stack((x, np.clip(1.0 - x / 12.0, 0.0, None) + 0.001))
    assert fitted(NO_PRIOR, points)[S_SLOPE] == pytest.approx(-1 / 12, abs=1e-3)
    assert abs(fitted(PARAMS, points)[S_SLOPE]) < 20e-6


def test_what_an_earlier_fit_found_is_expected_of_the_next() -> None:
    x = np.arange(4.0)
    points = np.column_stack((x, 80e-6 * x + np.array([0.003, 0.001, 0.004, 0.002])))
    assert fitted(PARAMS, points, 80e-6)[S_SLOPE] == pytest.approx(80e-6, abs=2e-6)
    assert abs(fitted(PARAMS, points)[S_SLOPE]) < 2e-6


@pytest.mark.parametrize("drift_sd", [np.inf, 50e-6])
@pytest.mark.parametrize("seed", range(4))
def test_the_edge_in_use_is_the_one_a_new_search_finds(seed: int, drift_sd: float) -> None:
    """Points come one a second and leave after 20; every line is compared with a new search."""
    rng = np.random.default_rng(seed)
    p = clock.vector(PARAMS).copy()
    p[P_WINDOW], p[P_DRIFT] = 20.0, drift_sd
    s, buckets = np.zeros(N_SCALARS), np.zeros((22, 4))
    kept: list[list[float]] = []
    for k in range(300):
        x, d = k + rng.uniform(0.1, 0.9), rng.exponential(0.02) - 2e-5 * k
        store(p, s, buckets, x, d, float(k))
        n = int(s[S_BUCKETS])
        if n > 4:
            # the line rests on the points before the new one, old ones not yet gone
            points = np.array(kept)
            expected = (
                hull_line(points)
                if np.isinf(drift_sd)
                else likeliest_line(
                    points[:, 0], points[:, 1], prior=0.0, drift_sd=drift_sd, delay_s=PARAMS.delay_s
                )
            )
            assert (s[S_LINE], s[S_SLOPE]) == pytest.approx(expected, abs=1e-9), k
        kept = buckets[:n, :2].tolist()
