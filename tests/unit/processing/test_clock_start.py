"""How long the first packets of a boot wait, and that all that waited know of each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processing import clock, clock_start
from processing.types import FloatArray

PARAMS = clock.ClockParams()
T0_NS = 1_700_000_000_000_000_000
PERIOD_S = 0.01
N = 10


def anchors(arrival_s: FloatArray, live: list[bool] | None = None) -> clock.Anchors:
    """Packets of ten samples at 100 Hz, the first from device time 5 s."""
    count = arrival_s.size
    return clock.Anchors(
        first_index=np.arange(count, dtype=np.int64) * N,
        n_samples=np.full(count, N, dtype=np.int64),
        device_us=5_000_000 + np.arange(count, dtype=np.int64) * round(N * PERIOD_S * 1e6),
        host_ns=T0_NS + np.round(arrival_s * 1e6).astype(np.int64) * 1000,
        live=np.array([True] * count if live is None else live),
        stepped=np.zeros(count, dtype=np.bool_),
    )


def ready_s(count: int) -> FloatArray:
    """When packets that begin at 0 are complete, on the host's clock."""
    return np.asarray((np.arange(count) * N + N - 1) * PERIOD_S)


def rows(a: clock.Anchors, end: int) -> clock.Anchors:
    return clock.Anchors(
        a.first_index[:end],
        a.n_samples[:end],
        a.device_us[:end],
        a.host_ns[:end],
        a.live[:end],
        a.stepped[:end],
    )


def begun(a: clock.Anchors) -> clock.ClockState:
    return clock.start(PARAMS, device_us=int(a.device_us[0]), host_ns=int(a.host_ns[0]))


def enough(a: clock.Anchors, known: int = 0, state: clock.ClockState | None = None) -> int | None:
    return clock_start.tied_after(
        PARAMS, state or begun(a), a, known=known, nominal_period_s=PERIOD_S
    )


def told_one_by_one(arrival_s: FloatArray, live: list[bool]) -> int | None:
    """Return what `tied_after` has to: packets gone through one by one."""
    came: list[tuple[float, float]] = []
    for k, at_s in enumerate(arrival_s):
        if not live[k]:
            continue
        came.append((at_s, at_s - ready_s(k + 1)[-1]))
        least = min(delay for _, delay in came)
        earlier = [delay for then, delay in came[: -PARAMS.tie_calm_packets] if at_s - then >= 1.0]
        if earlier and least >= min(earlier) - PARAMS.tie_within_s:
            return k + 1
        if at_s - came[0][0] >= 15.0 or ready_s(k + 1)[-1] >= 15.0:
            return k + 1
    return None


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 60),
    st.integers(0, 10_000),
    st.integers(0, 40),
    st.integers(0, 10),
    st.floats(0.0, 1.0),
)
def test_it_decides_as_going_through_the_packets_one_by_one_does(
    count: int, seed: int, behind: int, stored: int, share: float
) -> None:
    backlog = np.clip(behind - np.arange(count), 0, None) * 0.05
    late_s = np.random.default_rng(seed).uniform(0.0, 0.4, count)
    arrival_s = np.maximum.accumulate(ready_s(count) + late_s + backlog)
    live = [k == 0 or k % 7 != stored for k in range(count)]
    a = anchors(arrival_s, live)
    wanted = told_one_by_one(arrival_s, live)
    assert enough(a) == wanted
    # shown bit by bit it decides at the same packet
    cut = 1 + int(share * (count - 1))
    first = enough(rows(a, cut))
    if first is None:
        assert enough(a, known=cut) == wanted
    else:
        assert first == wanted


def test_packets_in_time_wait_for_one_second() -> None:
    assert enough(anchors(ready_s(30) + 0.004)) == 11


def test_a_first_packet_that_is_late_makes_the_others_wait_until_it_is_known() -> None:
    arrival_s = np.maximum(ready_s(80) + 0.004, 3.0)
    found = enough(anchors(arrival_s))
    assert found is not None
    assert arrival_s[found - 1] == pytest.approx(4.0, abs=0.1)


def test_a_round_trip_makes_nothing_wait_and_a_slow_one_tells_too_little() -> None:
    a = anchors(ready_s(30) + 0.004)
    for round_s, wanted in ((0.04, 1), (0.4, 11)):
        trip = clock.RoundTrip(T0_NS, 5_010_000, 5_010_000, T0_NS + round(round_s * 1e9))
        assert enough(a, state=clock.observe(PARAMS, begun(a), trip)) == wanted


def test_one_long_packet_of_a_file_does_not_wait() -> None:
    one = anchors(np.array([20.0]))
    long = clock.Anchors(
        one.first_index, np.array([2000]), one.device_us, one.host_ns, one.live, one.stepped
    )
    assert enough(long) == 1


def test_what_waited_lies_where_all_of_it_says() -> None:
    arrival_s = np.maximum(ready_s(80) + 0.004, 3.0)
    a = anchors(arrival_s)
    found = enough(a)
    assert found is not None
    state = clock_start.tied(PARAMS, begun(a), rows(a, found), nominal_period_s=PERIOD_S)
    _, timed = clock.step(PARAMS, state, a, nominal_period_s=PERIOD_S)
    error_ms = (timed.t_ns - T0_NS) * 1e-6 - np.arange(timed.t_ns.size) * PERIOD_S * 1e3
    assert np.abs(error_ms - 4.0).max() < 0.1
    assert not timed.breaks.any()


def test_stored_packets_alone_tie_nothing() -> None:
    a = anchors(ready_s(3), [False, False, False])
    assert enough(a) is None
    state = begun(a)
    assert clock_start.tied(PARAMS, state, a, nominal_period_s=PERIOD_S) is state
