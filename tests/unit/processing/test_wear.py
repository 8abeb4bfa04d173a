"""Worn or not, at once."""

import json
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from processing import wear
from processing.state import decode, encode
from processing.types import PairBlock
from processing.wear import WearParams

PARAMS = WearParams(still_s=30.0)


def pair(seconds: int = 120) -> PairBlock:
    """Worn 20 s, on the table 60 s, worn again; the trunk is worn throughout."""
    rng = np.random.default_rng(1)
    n = 100 * seconds
    t_s = np.arange(n) / 100.0
    table = (t_s >= 20.0) & (t_s < 80.0)
    quiet = np.where(table, 0.05, 1.0)[:, None]
    head_gyr = np.radians(rng.standard_normal((n, 3))) * quiet
    head_acc = rng.standard_normal((n, 3)) * 0.3 * quiet + [0.0, 9.81, 0.0]
    trunk_gyr = np.radians(rng.standard_normal((n, 3)))
    trunk_acc = rng.standard_normal((n, 3)) * 0.1 + [0.0, 9.81, 0.0]
    ones = np.ones(n, dtype=np.bool_)
    return PairBlock(0, 0, 100.0, head_gyr, head_acc, ones, trunk_gyr, trunk_acc, ones.copy())


def cut(block: PairBlock, begin: int, end: int) -> PairBlock:
    part = slice(begin, end)
    return PairBlock(
        begin,
        0,
        100.0,
        block.head_gyr[part],
        block.head_acc[part],
        block.head_valid[part],
        block.trunk_gyr[part],
        block.trunk_acc[part],
        block.trunk_valid[part],
    )


def test_a_sensor_on_the_table_is_off_after_its_time_and_back_within_a_window() -> None:
    _, found = wear.step(PARAMS, wear.start(PARAMS), pair())
    assert found.head_worn[:5000].all()
    assert not found.head_worn[5000:9000].any()
    assert found.head_worn[9000:].all()
    assert found.trunk_worn.all()


def test_quiet_sitting_is_worn() -> None:
    block = pair()
    _, found = wear.step(WearParams(still_s=10.0), wear.start(PARAMS), cut(block, 0, 2000))
    assert found.head_worn.all()


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 12000), max_size=6))
def test_any_cut_gives_the_same(cuts: list[int]) -> None:
    block = pair()
    _, whole = wear.step(PARAMS, wear.start(PARAMS), block)
    state = wear.start(PARAMS)
    pieces = []
    edges = [0, *sorted(cuts), 12000]
    for begin, end in pairwise(edges):
        state, found = wear.step(PARAMS, state, cut(block, begin, end))
        state = decode(json.loads(json.dumps(encode(state))))
        pieces.append(found)
    np.testing.assert_array_equal(np.concatenate([p.head_worn for p in pieces]), whole.head_worn)


def test_missing_samples_prove_nothing() -> None:
    block = pair()
    block.head_valid[2000:8000] = False
    _, found = wear.step(PARAMS, wear.start(PARAMS), block)
    assert found.head_worn.all()
