"""What the repetitions of a pose share: learnt where it was made, against least squares."""

from dataclasses import replace

import numpy as np
import pytest

from processing import quaternion
from processing.orientation import PairParams, smooth, start, state_from_dict, state_to_dict, step
from processing.orientation.heading import heading_sigma, reset_heading
from processing.orientation.layout import COMMON, N_PAIR, N_STATE, TH, Q
from processing.orientation.repetition import own_error, shared_error, with_own_error
from processing.types import HeadingReset
from tests.unit.processing.test_orientation_pair import RATE, heading_error_deg, held, part, person


def test_there_is_such_a_state_only_where_a_pose_has_a_value_of_its_own() -> None:
    P = np.diag(np.arange(1.0, N_PAIR + 1.0))
    assert own_error(N_PAIR) == -1
    wider = with_own_error(P)
    assert np.array_equal(wider[:-1, :-1], P) and not wider[-1].any()
    assert with_own_error(wider) is wider
    assert own_error(N_PAIR + 1) == N_PAIR
    assert shared_error(N_PAIR + 1, own_value=True) == N_PAIR
    assert shared_error(N_PAIR + 1, own_value=False) != N_PAIR


def test_what_a_pose_stands_for_is_learnt_with_the_heading_of_its_time() -> None:
    """Three repetitions of M, drift, M again: heading as least squares over everything say."""
    then, drift, repetition, later, unknown = 0.02, 0.05, 0.03, 0.06, 10.0
    n = N_PAIR + 1
    P = np.zeros((n, n))
    P[TH + 2, TH + 2], P[-1, -1] = then, unknown
    x = np.zeros((2, N_STATE))
    x[:, Q] = 1.0
    seen = [0.05, -0.02, 0.03, 0.12]
    turned_by, turns = 0.0, np.empty(2)
    for i, off in enumerate(seen):
        if i == 3:
            P[TH + 2, TH + 2] += drift
        reset_heading(
            x, P, turned_by - off, repetition if i < 3 else later, 0.0, n - 1,
            turns, np.empty((0, 2 * n + 2)), np.zeros(2, dtype=np.int64),
        )  # fmt: skip
        turned_by += turns[0]
    # unknowns: heading then, drift, value of M; z = heading (+ drift) + value
    A = np.array([[1.0, 0.0, 1.0]] * 3 + [[1.0, 1.0, 1.0]])
    W = np.diag(1.0 / np.array([repetition] * 3 + [later]))
    information = A.T @ W @ A + np.diag(1.0 / np.array([then, drift, unknown]))
    best = np.linalg.solve(information, A.T @ W @ np.array(seen))
    variance = np.array([1.0, 1.0, 0.0]) @ np.linalg.inv(information) @ [1.0, 1.0, 0.0]
    assert turned_by == pytest.approx(best[0] + best[1], rel=1e-9)
    assert x[1, COMMON] == pytest.approx(best[2], rel=1e-9)
    assert x[0, COMMON] == 0.0
    assert heading_sigma(P) ** 2 == pytest.approx(variance, rel=1e-9)


def test_a_wrong_value_of_m_is_found_out_by_its_repetitions() -> None:
    """M is told 6° wrong, three times and again: heading follows N, and no bit the chunking."""
    poses = ((500, 1000), (1500, 1700), (1900, 2100), (2300, 2500), (5000, 5500))
    pair, hq, tq = person(70.0, 2, poses)
    wrong = np.radians([0.0, 0.0, 6.0])

    def m(a: int, b: int, sigma_deg: float, shared_sigma_deg: float | None) -> HeadingReset:
        true = held(hq, tq, a, b, sigma_deg)
        # the same turn about the vertical whatever the trunk's attitude
        turn = quaternion.from_rotation_vector(
            quaternion.rotate(quaternion.conjugate(tq[(a + b) // 2]), wrong)
        )
        q = quaternion.multiply(turn, true.q_th_ref)
        return replace(true, q_th_ref=q, own_value=True, shared_sigma_deg=shared_sigma_deg)

    n = held(hq, tq, 500, 1000, 0.5)
    learnt = [m(a, b, 2.0, 20.0) for a, b in poses[1:4]]
    resets = [n, *learnt, m(5000, 5500, 3.0, None)]
    params = PairParams()
    end, whole = step(params, start(params, RATE), pair, resets)
    believed = replace(resets[-1], sigma_deg=0.5, shared_sigma_deg=0.0)
    told = step(params, start(params, RATE), pair, [n, believed])[1]
    after = slice(5600, 7000)
    off = np.abs(heading_error_deg(whole, hq, tq)[after]).mean()
    assert off < 1.0
    assert off < 0.5 * np.abs(heading_error_deg(told, hq, tq)[after]).mean()
    assert np.degrees(end.x[1, COMMON]) == pytest.approx(6.0, abs=1.0)
    smoothed = smooth(params, pair, resets)
    assert np.abs(heading_error_deg(smoothed, hq, tq)[1100:]).mean() < 1.0

    rng = np.random.default_rng(5)
    state, k, sigmas = start(params, RATE), 0, []
    while k < 7000:
        rows = min(7000 - k, int(rng.integers(1, 400)))
        state = state_from_dict(state_to_dict(state))
        state, out = step(params, state, part(pair, k, k + rows), resets)
        sigmas.append(out.heading_sigma_deg)
        k += rows
    assert np.array_equal(np.concatenate(sigmas), whole.heading_sigma_deg)
    assert np.array_equal(state.P, end.P)
