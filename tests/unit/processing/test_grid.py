"""Two sensors on one grid: nothing invented, nothing lost, whatever the cut."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processing import grid
from processing.errors import InputError
from processing.grid import GridParams, GridState
from processing.state import decode, encode
from processing.types import FloatArray, ImuBlock, PairBlock
from tests.oracles import grid as oracle

T0 = 1_700_000_000_123_456_789
PARAMS = GridParams()


def sensor(
    rate_hz: float, seconds: float, *, phase_s: float = 0.0, seed: int = 0, jitter_s: float = 0.0
) -> ImuBlock:
    rng = np.random.default_rng(seed)
    n = round(seconds * rate_hz)
    t_s = phase_s + np.arange(n) / rate_hz
    t_ns = T0 + np.round(1e9 * (t_s + jitter_s * rng.uniform(-0.5, 0.5, n))).astype(np.int64)
    f = np.array([0.7, 1.3, 2.1])
    gyr = np.sin(2 * np.pi * f * t_s[:, None]) * [1.0, 2.0, 0.5]
    acc = np.array([0.0, 0.0, 9.81]) + np.cos(2 * np.pi * f * t_s[:, None])
    return ImuBlock.checked(t_ns, acc, gyr, rate_hz=rate_hz)


def cut(block: ImuBlock, begin: int, end: int) -> ImuBlock:
    return ImuBlock(
        block.t_ns[begin:end],
        block.acc[begin:end],
        block.gyr[begin:end],
        block.valid[begin:end],
        block.rate_hz,
    )


def batch(head: ImuBlock, trunk: ImuBlock | None) -> PairBlock:
    state = grid.start(PARAMS, has_trunk=trunk is not None)
    return grid.step(PARAMS, state, head, trunk, final=True)[1]


def joined(blocks: list[PairBlock]) -> dict[str, FloatArray]:
    names = ("head_gyr", "head_acc", "head_valid", "trunk_gyr", "trunk_acc", "trunk_valid")
    return {name: np.concatenate([getattr(b, name) for b in blocks]) for name in names}


def without(block: ImuBlock, begin_s: float, end_s: float) -> ImuBlock:
    t_s = (block.t_ns - T0) * 1e-9
    kept = (t_s < begin_s) | (t_s >= end_s)
    return ImuBlock(
        block.t_ns[kept], block.acc[kept], block.gyr[kept], block.valid[kept], block.rate_hz
    )


@pytest.mark.parametrize(
    ("rate_hz", "jitter_s"), [(25.0, 0.0), (52.0, 0.004), (100.0, 0.0), (104.0, 0.002), (800.0, 0)]
)
def test_rows_match_the_oracle_at_any_rate_and_phase(rate_hz: float, jitter_s: float) -> None:
    head = sensor(rate_hz, 1.5, jitter_s=jitter_s)
    trunk = sensor(rate_hz * 0.97, 1.5, phase_s=0.0037, seed=1, jitter_s=jitter_s)
    pair = batch(head, trunk)
    t0 = int(head.t_ns[0])
    assert pair.t0_ns == t0
    assert pair.k0 == 0
    for name, block in (("head", head), ("trunk", trunk)):
        ok = getattr(pair, f"{name}_valid")
        t_s = np.asarray((block.t_ns - t0) * 1e-9, dtype=np.float64)
        expected = oracle.rates(t_s, block.gyr, ok.shape[0], 0.01)
        np.testing.assert_allclose(getattr(pair, f"{name}_gyr")[ok], expected[ok], atol=2e-4)
        force = oracle.centred_forces if rate_hz > 150.0 else oracle.forces
        expected = force(t_s, block.acc, ok.shape[0], 0.01)
        np.testing.assert_allclose(getattr(pair, f"{name}_acc")[ok], expected[ok], atol=5e-4)
    assert pair.head_valid.all()
    assert pair.trunk_valid[2:-4].all()
    assert pair.head_valid.shape[0] == int(head.t_ns[-1] - t0) // 10_000_000 + 1


@pytest.mark.parametrize("rate_hz", [25.0, 104.0, 800.0])
def test_the_integral_of_the_rate_is_kept_exactly(rate_hz: float) -> None:
    head = sensor(rate_hz, 4.0, jitter_s=0.3 / rate_hz)
    pair = batch(head, None)
    t_s = (head.t_ns - head.t_ns[0]) * 1e-9
    rows = pair.head_gyr.shape[0]
    end_s = (rows - 1) * 0.01
    inner = t_s < end_s
    knots = np.append(t_s[inner], end_s)
    values = np.stack([np.interp(knots, t_s, head.gyr[:, j]) for j in range(3)], axis=1)
    np.testing.assert_allclose(
        pair.head_gyr[1:].sum(axis=0) * 0.01, np.trapezoid(values, knots, axis=0), atol=1e-12
    )


def test_a_sensor_already_on_the_grid_keeps_its_forces() -> None:
    head = sensor(100.0, 2.0)
    pair = batch(head, None)
    np.testing.assert_allclose(pair.head_acc, head.acc, rtol=0, atol=1e-14)
    np.testing.assert_allclose(
        pair.head_gyr[1:], 0.5 * (head.gyr[1:] + head.gyr[:-1]), rtol=0, atol=1e-15
    )
    np.testing.assert_array_equal(pair.head_gyr[0], head.gyr[0])


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 300), max_size=12),
    trunk_cuts=st.lists(st.integers(0, 600), max_size=12),
    fast=st.booleans(),
)
def test_any_cut_gives_the_same_bits(cuts: list[int], trunk_cuts: list[int], fast: bool) -> None:
    head = without(sensor(104.0, 2.8, jitter_s=0.003), 1.0, 1.25)
    trunk = without(sensor(208.0 if fast else 99.0, 2.8, phase_s=-0.004, seed=3), 1.6, 1.9)
    whole = joined([batch(head, trunk)])
    pieces = []
    state = grid.start(PARAMS)
    edges = [0, *sorted(cuts), 10_000]
    trunk_edges = [0, *sorted(trunk_cuts), 10_000]
    longest = max(len(edges), len(trunk_edges))
    edges += [10_000] * (longest - len(edges))
    trunk_edges += [10_000] * (longest - len(trunk_edges))
    for i in range(longest - 1):
        state, pair = grid.step(
            PARAMS,
            state,
            cut(head, edges[i], edges[i + 1]),
            cut(trunk, trunk_edges[i], trunk_edges[i + 1]),
        )
        state = decode(json.loads(json.dumps(encode(state))))
        pieces.append(pair)
    pieces.append(grid.step(PARAMS, state, None, None, final=True)[1])
    assert [p.k0 for p in pieces] == np.cumsum(
        [0, *(p.head_gyr.shape[0] for p in pieces[:-1])]
    ).tolist()
    for name, values in joined(pieces).items():
        assert values.tobytes() == whole[name].tobytes(), name


def test_short_gaps_are_bridged_and_long_ones_invalid_and_finite() -> None:
    head = without(without(sensor(100.0, 6.0), 1.0, 1.08), 2.0, 5.0)
    pair = batch(head, None)
    assert pair.head_valid[:200].all()
    assert not pair.head_valid[200:500].any()
    assert pair.head_valid[500:].all()
    assert np.isfinite(pair.head_gyr).all()
    assert np.isfinite(pair.head_acc).all()
    np.testing.assert_array_equal(pair.head_gyr[201:499], 0.0)
    np.testing.assert_array_equal(pair.head_acc[201:499], np.broadcast_to(head.acc[191], (298, 3)))


def test_non_finite_samples_are_gaps() -> None:
    head = sensor(100.0, 3.0)
    gyr = head.gyr.copy()
    gyr[50] = np.nan
    gyr[100:150] = np.inf
    pair = batch(ImuBlock.checked(head.t_ns, head.acc, gyr, rate_hz=100.0), None)
    assert pair.head_valid[40:100].all()
    assert not pair.head_valid[100:150].any()
    assert np.isfinite(pair.head_gyr).all()


def test_a_silent_trunk_is_waited_for_until_declared_missing() -> None:
    head, trunk = sensor(100.0, 3.0), sensor(100.0, 1.0, phase_s=0.0025)
    state = grid.start(PARAMS)
    state, pair = grid.step(PARAMS, state, head, trunk)
    assert pair.head_gyr.shape[0] == 100
    t0 = int(head.t_ns[0])
    state, pair = grid.step(
        PARAMS, state, None, None, complete_until_ns=int(trunk.t_ns[-1]) + 50_000_000
    )
    assert pair.head_gyr.shape[0] == 0, "a trunk sample could still bridge these rows"
    state, pair = grid.step(PARAMS, state, None, None, complete_until_ns=t0 + 2_000_000_000)
    assert pair.head_gyr.shape[0] == 101
    assert pair.head_valid.all()
    assert not pair.trunk_valid.any()
    late = sensor(100.0, 0.5, phase_s=2.2)
    state, pair = grid.step(PARAMS, state, None, late)
    k = pair.k0 + np.arange(pair.trunk_valid.shape[0])
    assert not pair.trunk_valid[k < 220].any()
    assert pair.trunk_valid[k >= 221].all()


def test_declaring_early_or_late_gives_the_same_rows() -> None:
    head, trunk = sensor(100.0, 3.0), without(sensor(99.0, 3.0, phase_s=0.002), 1.0, 1.7)
    whole = joined([batch(head, trunk)])
    state = grid.start(PARAMS)
    pieces = []
    for i in range(0, 300, 7):
        until = int(head.t_ns[min(i + 7, 300) - 1]) + (5_000_000 if i + 7 >= 300 else 0)
        part = (trunk.t_ns <= until) & (trunk.t_ns > (int(head.t_ns[i - 1]) if i else 0))
        block = ImuBlock(
            trunk.t_ns[part], trunk.acc[part], trunk.gyr[part], trunk.valid[part], 99.0
        )
        state, pair = grid.step(PARAMS, state, cut(head, i, i + 7), block, complete_until_ns=until)
        pieces.append(pair)
    pieces.append(grid.step(PARAMS, state, None, None, final=True)[1])
    for name, values in joined(pieces).items():
        assert values.tobytes() == whole[name].tobytes(), name


def test_a_long_silence_is_given_out_in_bounded_pieces() -> None:
    head = sensor(100.0, 1.0)
    state = grid.start(PARAMS, has_trunk=False)
    state, first = grid.step(PARAMS, state, head, None)
    until = int(head.t_ns[0]) + 5000 * 1_000_000_000
    rows = [first.head_valid.shape[0]]
    for _ in range(3):
        state, pair = grid.step(PARAMS, state, None, None, complete_until_ns=until)
        assert not pair.head_valid.any()
        rows.append(pair.head_valid.shape[0])
    assert rows == [100, 360_000, 500_001 - 360_100, 0]


def test_the_head_decides_where_the_grid_begins() -> None:
    head, trunk = sensor(100.0, 1.0, phase_s=1.0), sensor(104.0, 2.0)
    state = grid.start(PARAMS)
    state, pair = grid.step(PARAMS, state, None, trunk, complete_until_ns=T0 + 500_000_000)
    assert pair.head_gyr.shape[0] == 0
    state, pair = grid.step(PARAMS, state, head, None, final=True)
    assert pair.t0_ns == int(head.t_ns[0])
    assert pair.head_gyr.shape[0] == 100
    assert pair.trunk_valid[1:-1].all()


def test_only_a_trunk_gives_no_rows() -> None:
    state = grid.start(PARAMS)
    state, pair = grid.step(PARAMS, state, None, sensor(100.0, 1.0), final=True)
    assert pair.trunk_gyr.shape == (0, 3)
    assert state.t0_ns is None


def test_repeated_samples_are_dropped_and_counted() -> None:
    head = sensor(100.0, 1.0)
    state = grid.start(PARAMS, has_trunk=False)
    state, _ = grid.step(PARAMS, state, head, None)
    state, second = grid.step(PARAMS, state, cut(head, 50, 100), None)
    assert state.head.dropped == 50
    assert second.head_gyr.shape[0] == 0


def test_a_wrong_clock_cannot_claim_all_memory() -> None:
    head = sensor(100.0, 1.0)
    t_ns = head.t_ns.copy()
    t_ns[50:] += 10 * 365 * 86_400 * 1_000_000_000
    with pytest.raises(InputError, match="start a new wear session"):
        batch(ImuBlock.checked(t_ns, head.acc, head.gyr, rate_hz=100.0), None)


def test_a_grid_that_would_drift_is_refused() -> None:
    with pytest.raises(InputError, match="whole number of nanoseconds"):
        grid.start(GridParams(rate_hz=104.0 / 1.1))


def test_state_is_typed() -> None:
    assert isinstance(grid.start(PARAMS), GridState)
