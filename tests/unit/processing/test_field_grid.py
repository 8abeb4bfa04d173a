"""A magnetic field on the grid: the newest value that had come, whatever the chunks."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from processing import grid
from processing.field_grid import MAX_AGE_NS
from processing.grid import GridParams
from processing.types import BoolArray, FloatArray, ImuBlock, PairBlock

PERIOD_NS = 10_000_000


def block(n: int, *, period_ns: int, first_ns: int, every: int, seed: int) -> ImuBlock:
    """Samples of which one in `every` has a magnetic field."""
    rng = np.random.default_rng(seed)
    t_ns = first_ns + period_ns * np.arange(n)
    mag = rng.standard_normal((n, 3))
    mag[np.arange(n) % every != 0] = np.nan
    return ImuBlock.checked(
        t_ns, rng.standard_normal((n, 3)), rng.standard_normal((n, 3)), rate_hz=104.0, mag=mag
    )


def whole(head: ImuBlock, trunk: ImuBlock) -> PairBlock:
    return grid.step(GridParams(), grid.start(GridParams()), head, trunk, final=True)[1]


def expected(sensor: ImuBlock, pair: PairBlock, valid: BoolArray) -> FloatArray:
    """Row by row, in plain Python."""
    assert sensor.mag is not None
    rows = np.full((valid.shape[0], 3), np.nan)
    known = np.flatnonzero(np.isfinite(sensor.mag).all(axis=1) & sensor.valid)
    for k in range(valid.shape[0]):
        t = pair.t0_ns + k * PERIOD_NS
        before = [i for i in known if sensor.t_ns[i] <= t]
        if valid[k] and before and t - sensor.t_ns[before[-1]] <= MAX_AGE_NS:
            rows[k] = sensor.mag[before[-1]]
    return rows


@pytest.fixture
def sensors() -> tuple[ImuBlock, ImuBlock]:
    """A head with a slow magnetometer, and a trunk that begins later and is away for a second."""
    head = block(500, period_ns=9_615_385, first_ns=1_000, every=9, seed=1)
    trunk = block(500, period_ns=9_700_000, first_ns=400_000_000, every=1, seed=2)
    away = (trunk.t_ns > 2_000_000_000) & (trunk.t_ns < 3_000_000_000)
    return head, replace(trunk, valid=trunk.valid & ~away)


def test_every_row_has_the_newest_value(sensors: tuple[ImuBlock, ImuBlock]) -> None:
    pair = whole(*sensors)
    assert pair.head_mag is not None and pair.trunk_mag is not None
    head, trunk = sensors
    np.testing.assert_array_equal(pair.head_mag, expected(head, pair, pair.head_valid))
    np.testing.assert_array_equal(pair.trunk_mag, expected(trunk, pair, pair.trunk_valid))
    assert np.isfinite(pair.head_mag).all(axis=1).mean() > 0.9
    assert np.isnan(pair.trunk_mag[:30]).all()


def test_any_chunking_gives_the_same(sensors: tuple[ImuBlock, ImuBlock]) -> None:
    head, trunk = sensors
    at_once = whole(head, trunk)
    rng = np.random.default_rng(3)
    state, parts = grid.start(GridParams()), []
    ends = [0, *sorted(rng.choice(np.arange(1, 500), 20, replace=False).tolist()), 500]
    for a, b in pairwise(ends):
        state, pair = grid.step(
            GridParams(), state, head.rows(a, b), trunk.rows(a, b), final=b == 500
        )
        parts.append(pair)
    for name in ("head_mag", "trunk_mag"):
        unknown = [np.full((p.head_gyr.shape[0], 3), np.nan) for p in parts]
        rows = [
            u if getattr(p, name) is None else getattr(p, name)
            for u, p in zip(unknown, parts, strict=True)
        ]
        np.testing.assert_array_equal(np.concatenate(rows), getattr(at_once, name))
    assert state.head.field is not None
    assert state.head.field.t_ns.size < 20  # what was given out is gone


def test_one_magnetometer_alone_is_none(sensors: tuple[ImuBlock, ImuBlock]) -> None:
    head, trunk = sensors
    pair = whole(head, replace(trunk, mag=None))
    assert pair.head_mag is None and pair.trunk_mag is None
    np.testing.assert_array_equal(pair.head_gyr, whole(head, trunk).head_gyr)
