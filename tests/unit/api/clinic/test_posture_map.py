"""Posture maps: shares, differences, uncertainty over days."""

import numpy as np
import pytest
from scipy import stats

from api.clinic.posture_map import day_shares, map_pair
from processing.summary.types import PostureCell


def days(rows: list[tuple[float, float]]) -> list[tuple[dict[tuple[float, float], float], float]]:
    """Per day the seconds in the cell at 0° and at 10° to the right."""
    made = []
    for a, b in rows:
        cells = [PostureCell(0, 0.0, 0.0, a), PostureCell(0, 10.0, 5.0, b)]
        shares, whole = day_shares(cells)
        made.append((dict(shares), whole))
    return made


def test_the_interval_is_welchs() -> None:
    before = days([(90, 10), (80, 20), (70, 30), (85, 15)])
    after = days([(20, 80), (30, 70), (25, 75)])
    found = map_pair(before, after)
    assert found is not None
    cell = next(c for c in found.change.cells if c.rotation_deg == 10.0)
    a, b = np.array([10.0, 20.0, 30.0, 15.0]), np.array([80.0, 70.0, 75.0])
    wanted = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    assert cell.value == pytest.approx(b.mean() - a.mean())
    assert (cell.low, cell.high) == pytest.approx((wanted.low, wanted.high))
    assert cell.established


def test_one_day_gives_no_interval_and_no_day_no_map() -> None:
    found = map_pair(days([(1, 1)]), days([(1, 3)]))
    assert found is not None
    assert all(c.low is None and not c.established for c in found.change.cells)
    assert map_pair([], days([(1, 3)])) is None


def test_shares_are_of_each_days_own_time() -> None:
    shares, whole = day_shares([PostureCell(0, 0.0, 0.0, 30.0), PostureCell(0, 5.0, 0.0, 10.0)])
    assert (shares, whole) == ({(0.0, 0.0): 75.0, (5.0, 0.0): 25.0}, 40.0)


def test_marks_are_rare_where_nothing_differs() -> None:
    rng = np.random.default_rng(8)
    marked = whole = 0
    for _ in range(40):
        before, after = (
            [
                day_shares(
                    [PostureCell(0, 5.0 * i, 0.0, s) for i, s in enumerate(rng.gamma(4.0, 9.0, 30))]
                )
                for _ in range(10)
            ]
            for _ in range(2)
        )
        found = map_pair(before, after)
        assert found is not None
        marked += any(cell.established for cell in found.change.cells)
        whole += 1
    # by their single intervals nearly every such map would have a marked cell
    assert marked / whole <= 0.15
