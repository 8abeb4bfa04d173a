"""Gate of walking and trunk motion: equal to the oracle, to itself in any cut, and true to life."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processing import gates
from processing.errors import InputError
from processing.gates import GateParams
from processing.state import decode, encode
from processing.types import PairBlock
from tests.oracles import gates as oracle

PARAMS = GateParams()


def pair(n: int = 1500, seed: int = 0) -> PairBlock:
    rng = np.random.default_rng(seed)
    loud = np.zeros(n)
    loud[500:620] = 1.0
    gyr = rng.standard_normal((n, 3)) * (0.02 + 0.3 * loud[:, None])
    acc = rng.standard_normal((n, 3)) * 0.05 + [0.0, 9.81, 0.0]
    acc[1000:1150, 1] += 1.5 * np.sin(2 * np.pi * 2.0 * np.arange(150) / 100.0)
    valid = np.ones(n, dtype=np.bool_)
    valid[700:760] = False
    valid[30] = False
    return PairBlock(0, 0, 100.0, gyr, acc, valid, gyr.copy(), acc.copy(), valid.copy())


def cut(block: PairBlock, begin: int, end: int) -> PairBlock:
    part = slice(begin, end)
    return PairBlock(
        begin,
        block.t0_ns,
        block.rate_hz,
        block.head_gyr[part],
        block.head_acc[part],
        block.head_valid[part],
        block.trunk_gyr[part],
        block.trunk_acc[part],
        block.trunk_valid[part],
    )


@pytest.mark.parametrize("head_only", [False, True])
def test_equals_the_oracle(head_only: bool) -> None:
    block = pair()
    _, found = gates.step(PARAMS, gates.start(PARAMS), block, head_only=head_only, final=True)
    gated, rms = oracle.gate(
        block.trunk_gyr,
        block.trunk_acc,
        block.trunk_valid,
        rate_limit_dps=1e9 if head_only else 10.0,
        acc_limit_ms2=1.0 if head_only else 0.3,
    )
    np.testing.assert_array_equal(found.gated, gated)
    np.testing.assert_allclose(found.trunk_rms_dps, rms, atol=2e-3)
    assert found.gated[1075]
    assert not found.gated[250]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 1500), max_size=8))
def test_any_cut_gives_the_same_bits(cuts: list[int]) -> None:
    block = pair()
    _, whole = gates.step(PARAMS, gates.start(PARAMS), block, final=True)
    state = gates.start(PARAMS)
    pieces: list[gates.GateBlock] = []
    edges = [0, *sorted(cuts), 1500]
    for i, (begin, end) in enumerate(pairwise(edges)):
        last = i == len(edges) - 2
        state, found = gates.step(PARAMS, state, cut(block, begin, end), final=last)
        state = decode(json.loads(json.dumps(encode(state))))
        assert found.k0 == sum(p.gated.shape[0] for p in pieces)
        if not last:
            assert found.k0 + found.gated.shape[0] == max(0, end - PARAMS.lag_rows)
        pieces.append(found)
    assert np.concatenate([p.gated for p in pieces]).tobytes() == whole.gated.tobytes()
    joined = np.concatenate([p.trunk_rms_dps for p in pieces])
    assert joined.tobytes() == whole.trunk_rms_dps.tobytes()


def test_the_lag_is_two_seconds_and_no_more() -> None:
    assert PARAMS.lag_rows == 200
    with pytest.raises(InputError, match="at most 2 s"):
        gates.start(GateParams(window_s=1.2))


def test_a_hole_alone_is_not_motion_and_fillers_do_no_harm() -> None:
    block = pair()
    quiet = cut(block, 0, 450)
    quiet.trunk_valid[100:400] = False
    quiet.trunk_gyr[100:400] = np.nan
    quiet.trunk_acc[100:400] = np.inf
    _, found = gates.step(PARAMS, gates.start(PARAMS), quiet, final=True)
    assert not found.gated.any()
    assert np.isnan(found.trunk_rms_dps[250])


def test_shorter_than_the_lag() -> None:
    _, found = gates.step(PARAMS, gates.start(PARAMS), cut(pair(), 0, 7), final=True)
    assert found.gated.shape == (7,)
    _, none = gates.step(PARAMS, gates.start(PARAMS), cut(pair(), 0, 7))
    assert none.gated.shape == (0,)


def test_guided_movements_are_closed_in_any_cut() -> None:
    rows = gates.GateBlock(100, np.zeros(50, dtype=np.bool_), np.zeros(50))
    ranges = [(0, 110), (120, 125), (145, 400), (500, 600)]
    closed = gates.excluding(rows, ranges)
    expected = [k for k in range(100, 150) if k < 110 or 120 <= k < 125 or k >= 145]
    assert (100 + np.flatnonzero(closed.gated)).tolist() == expected
    assert not rows.gated.any()
    assert gates.excluding(rows, []) is rows
    assert not gates.excluding(rows, [(0, 100), (150, 200)]).gated.any()
