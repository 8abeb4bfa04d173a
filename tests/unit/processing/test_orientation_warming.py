"""Warming up as a state: against dense matrices, and what it is worth on simulated patients."""

from dataclasses import replace

import numpy as np
import pytest

from api.validation.simulated import calibration_end_s, on_grid
from processing import session
from processing.orientation.layout import BI, BIAS, N_ERROR, N_PAIR, N_STATE, WARM, WARMING
from processing.orientation.warming import share_of_window, warm_back, warm_up
from processing.pipeline import PipelineParams
from processing.synthesis import SENSOR_B, PatientSpec, simulate
from processing.types import FloatArray

SHARE = 0.3


def dense() -> FloatArray:
    F = np.eye(N_PAIR)
    for i in range(2):
        for j in range(3):
            F[i * N_ERROR + BI + j, WARM + 3 * i + j] = SHARE
    return F


def symmetric(seed: int) -> FloatArray:
    root = np.random.default_rng(seed).standard_normal((N_PAIR, N_PAIR))
    return root @ root.T


def test_biases_move_by_their_share_and_the_covariance_with_them() -> None:
    P, x = symmetric(1), np.random.default_rng(2).standard_normal((2, N_STATE))
    expected, before = dense() @ P @ dense().T, x.copy()
    warm_up(x, P, SHARE)
    np.testing.assert_allclose(P, expected, rtol=1e-12, atol=1e-12)
    assert np.array_equal(P, P.T)
    moved = x[:, BIAS : BIAS + 3] - before[:, BIAS : BIAS + 3]
    np.testing.assert_allclose(moved, SHARE * before[:, WARMING : WARMING + 3], rtol=1e-12)


def test_the_smoother_goes_back_over_it_with_the_transpose() -> None:
    L, adjoint = symmetric(3), np.random.default_rng(4).standard_normal((1, N_PAIR))
    expected, row = dense().T @ L @ dense(), adjoint @ dense()
    warm_back(adjoint, L, SHARE)
    np.testing.assert_allclose(L, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(adjoint, row, rtol=1e-12)


def test_all_windows_together_warm_up_once() -> None:
    total = sum(share_of_window(k, k + 100, 0.01, 690.0) for k in range(0, 1_500_000, 100))
    assert total == pytest.approx(1.0, abs=1e-6)


@pytest.mark.slow
def test_a_poor_sensor_that_warms_up_turns_less() -> None:
    spec = PatientSpec(reset_every_s=0.0, head_sensor=SENSOR_B, trunk_sensor=SENSOR_B)
    params = PipelineParams()
    without = replace(params, orientation=replace(params.orientation, warm_sigma_dps=1e-6))
    errors: dict[str, list[float]] = {"with": [], "without": []}
    for seed in range(500, 505):
        recording = simulate(spec, seed, 1500.0)
        pair = on_grid(recording, params.grid)
        settled = session.plan(params, pair, recording.spans)
        t_s = np.arange(pair.head_gyr.shape[0]) / pair.rate_hz
        truth = np.interp(t_s, recording.t_ns * 1e-9, recording.angles()[2])
        after = t_s > calibration_end_s(recording.spans)
        for name, used in (("with", params), ("without", without)):
            outputs = session.run(used, settled, pair, mode="offline")
            shown = np.concatenate([out.angles.rotation_right_deg for out in outputs])
            errors[name].append(float(np.sqrt(np.mean((shown - truth)[after] ** 2))))
    assert np.mean(errors["with"]) < 0.85 * np.mean(errors["without"])
