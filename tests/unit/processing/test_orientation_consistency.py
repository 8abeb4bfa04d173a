"""The filter's own innovations say how far its variances may be believed."""

import numpy as np
import pytest

from processing.orientation.consistency import (
    BLOCK_WINDOWS,
    N_EVIDENCE,
    PRIOR,
    close_block,
    factor,
    gather,
)
from processing.orientation.grade import LEAST, MOST, walk_factor
from processing.orientation.layout import BI, BIAS, N_ERROR, N_PAIR, N_STATE, VE
from processing.orientation.smoother import symmetrise
from processing.types import FloatArray


def tape(rng: np.random.Generator, windows: int, truth: float) -> FloatArray:
    """Return measurements whose true variance is `truth` times the one that was expected."""
    rows = np.zeros((6 * windows, 2 * N_PAIR + 2))
    for row in range(rows.shape[0]):
        sensor, axis = divmod(row % 6, 3)
        variance = rng.uniform(0.5, 2.0)
        rows[row, sensor * N_ERROR + VE + axis] = 3.0
        innovation = np.sqrt(truth * variance) * rng.standard_normal()
        rows[row, 2 * N_PAIR] = innovation / variance
        rows[row, 2 * N_PAIR + 1] = 1.0 / variance
    return rows


@pytest.mark.parametrize("truth", [0.05, 0.3, 2.0])
def test_the_factor_is_that_of_the_innovations(truth: float) -> None:
    rng = np.random.default_rng(1)
    evidence = np.zeros(N_EVIDENCE)
    for block in range(200):
        rows = tape(rng, BLOCK_WINDOWS, truth)
        gather(rows, 0, rows.shape[0], evidence)
        close_block(evidence, block)
    assert factor(evidence, whole=True) == pytest.approx(truth, rel=0.15)
    assert factor(evidence) == pytest.approx(truth, rel=0.35)


def test_without_evidence_the_prior_holds_and_vertical_motion_is_none() -> None:
    evidence = np.zeros(N_EVIDENCE)
    assert factor(evidence) == pytest.approx(PRIOR)
    rows = tape(np.random.default_rng(2), BLOCK_WINDOWS, 1.0)[2::3]
    gather(rows, 0, rows.shape[0], evidence)
    close_block(evidence, 10)
    assert factor(evidence) == pytest.approx(PRIOR)


def test_half_a_block_of_samples_is_no_evidence() -> None:
    evidence = np.zeros(N_EVIDENCE)
    rows = tape(np.random.default_rng(3), BLOCK_WINDOWS // 2 - 1, 5.0)
    gather(rows, 0, rows.shape[0], evidence)
    close_block(evidence, 10)
    assert factor(evidence) == pytest.approx(PRIOR)


@pytest.mark.parametrize(("bias_dps", "low", "high"), [(0.03, 0.49, 0.7), (0.7, 2.99, 3.01)])
def test_a_large_bias_says_that_it_wanders(bias_dps: float, low: float, high: float) -> None:
    x, P = np.zeros((2, N_STATE)), np.eye(N_PAIR)
    variances = np.full((2, 3), np.radians(0.5) ** 2)
    for i in range(2):
        x[i, BIAS : BIAS + 3] = np.radians(bias_dps)
        for j in range(3):
            P[i * N_ERROR + BI + j, i * N_ERROR + BI + j] = 0.01 * variances[i, j]
    assert low <= walk_factor(x, P, np.zeros((2, 3)), variances) <= high
    # what a calibration took out of the samples counts as if it were there
    taken_out = x[:, BIAS : BIAS + 3].copy()
    x[:, BIAS : BIAS + 3] = 0.0
    assert low <= walk_factor(x, P, -taken_out, variances) <= high
    # a bias of which nothing is known yet says nothing
    for i in range(2):
        for j in range(3):
            P[i * N_ERROR + BI + j, i * N_ERROR + BI + j] = variances[i, j]
    assert walk_factor(x, P, np.zeros((2, 3)), variances) == pytest.approx(1.0)
    assert LEAST < 1.0 < MOST


def test_what_rounding_left_of_antisymmetry_is_removed() -> None:
    L = np.random.default_rng(5).standard_normal((6, 6))
    expected = 0.5 * (L + L.T)
    symmetrise(L)
    assert np.array_equal(L, expected)
