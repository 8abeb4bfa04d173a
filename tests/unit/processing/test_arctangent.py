"""The arc tangent of our own against numpy's."""

import numpy as np
import pytest

from processing.arctangent import arctan2_deg


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_numpy_to_the_last_digits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, x = rng.normal(size=(2, 20_000)) * 10.0 ** rng.uniform(-12, 2, (2, 20_000))
    got = y.copy()
    arctan2_deg(got, x, 1.0)
    assert got == pytest.approx(np.degrees(np.arctan2(y, x)), rel=1e-15, abs=0.0)


def test_edges_and_sign() -> None:
    half = np.sqrt(0.5)
    y = np.array([0.0, 0.0, 0.0, 1.0, -1.0, half, np.nan, 1.0])
    x = np.array([0.0, 2.0, -2.0, 0.0, 0.0, -half, 1.0, np.nan])
    arctan2_deg(y, x, -1.0)
    np.testing.assert_array_equal(y, [0, 0, -180, -90, 90, -135, np.nan, np.nan])


def test_every_cut_gives_the_same_bits() -> None:
    rng = np.random.default_rng(7)
    y, x = rng.normal(size=(2, 1001))
    whole, cut = y.copy(), y.copy()
    arctan2_deg(whole, x, 1.0)
    for k in range(0, 1001, 7):
        arctan2_deg(cut[k : k + 7], x[k : k + 7], 1.0)
    assert whole.tobytes() == cut.tobytes()
