"""Device time to UTC: the reference's simulation, chunking, stalls, jumps, backfill."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processing import clock
from processing.clock_line import S_BEST, S_LINE, S_SLOPE
from processing.errors import InputError
from processing.types import BoolArray, FloatArray, IntArray

PARAMS = clock.ClockParams()
T0_NS = 1_700_000_000_000_000_000
BOOT_US = 5_000_000


@dataclass(frozen=True)
class Link:
    """A simulated link: what was sampled when, and what the host saw."""

    true_s: FloatArray
    """Host time of each packet's first sample."""
    anchors: clock.Anchors


def device_us(true_s: FloatArray, ppm: float | FloatArray) -> IntArray:
    """Clock that runs fast by ppm; an array is integrated."""
    if isinstance(ppm, float):
        dev = true_s * (1.0 + ppm * 1e-6)
    else:
        dev = true_s + np.concatenate([[0.0], np.cumsum(ppm[1:] * 1e-6 * np.diff(true_s))])
    return BOOT_US + np.round(dev * 1e6).astype(np.int64)


def simulate(
    seed: int,
    span_s: float,
    *,
    ppm: float | FloatArray = 25.0,
    n: int = 18,
    rate_hz: float = 100.7,
    stalls: bool = True,
) -> Link:
    """Interval 30 ms, 10 % retransmissions, 0.8 s stall each minute, as in the reference.

    The rate is not in step with the interval, as no real sensor's is.
    """
    rng = np.random.default_rng(seed)
    period = n / rate_hz
    packets = int(span_s / period)
    true = np.asarray(np.arange(packets) * period, dtype=np.float64)
    created = true + (n - 1) / rate_hz
    phase = rng.uniform(0.0, 0.030)
    sent = np.ceil((created - phase) / 0.030) * 0.030 + phase
    sent += 0.030 * (rng.random(packets) < 0.1)
    if stalls:
        within = (sent - 20.0) % 60.0
        sent = np.where(within < 0.8, sent - within + 0.8, sent)
    arrival = np.maximum.accumulate(sent) + 0.001
    if not isinstance(ppm, float):
        ppm = np.interp(true, np.linspace(0.0, span_s, ppm.size), ppm).astype(np.float64)
    return Link(true, anchors(device_us(true, ppm), arrival, n))


def anchors(dev_us: IntArray, arrival_s: FloatArray, n: int) -> clock.Anchors:
    packets = dev_us.shape[0]
    return clock.Anchors(
        first_index=np.arange(packets, dtype=np.int64) * n,
        n_samples=np.full(packets, n, dtype=np.int64),
        device_us=dev_us,
        host_ns=T0_NS + np.round(arrival_s * 1e6).astype(np.int64) * 1000,
        live=np.ones(packets, dtype=np.bool_),
        stepped=np.zeros(packets, dtype=np.bool_),
    )


def part(a: clock.Anchors, rows: slice | IntArray | BoolArray, **changes: object) -> clock.Anchors:
    fields = {
        name: getattr(a, name)[rows]
        for name in ("first_index", "n_samples", "device_us", "host_ns", "live", "stepped")
    }
    return clock.Anchors(**(fields | changes))


def fresh(a: clock.Anchors, after_ns: int | None = None) -> clock.ClockState:
    return clock.start(
        PARAMS, device_us=int(a.device_us[0]), host_ns=int(a.host_ns[0]), after_ns=after_ns
    )


def run(a: clock.Anchors) -> tuple[clock.ClockState, clock.Timed]:
    return clock.step(PARAMS, fresh(a), a, nominal_period_s=0.01)


def error_ms(link: Link, timed: clock.Timed) -> FloatArray:
    """Error of the first sample of each packet."""
    first = np.concatenate([[0], np.cumsum(link.anchors.n_samples)[:-1]])
    return np.asarray((timed.t_ns[first] - T0_NS) * 1e-6 - link.true_s * 1e3)


def pace(timed: clock.Timed) -> FloatArray:
    """How much faster than true time the axis goes, from packet to packet."""
    return np.asarray(np.diff(timed.t_ns[::18]) * 1e-9 * (100.7 / 18.0) - 1.0)


def report_of(state: clock.ClockState) -> clock.ClockReport:
    report = clock.report(state)
    assert report is not None
    return report


@pytest.mark.parametrize(
    ("span_s", "mean_ppm", "sd_ppm"),
    [(35.0, 2.0, 6.0), (120.0, 0.1, 0.3), (600.0, 0.02, 0.06), (1800.0, 0.02, 0.06)],
)
def test_drift_is_found_as_well_as_the_reference_says(
    span_s: float, mean_ppm: float, sd_ppm: float
) -> None:
    links = [simulate(seed, span_s, n=10, rate_hz=100.0) for seed in range(20)]
    found = np.array([report_of(run(link.anchors)[0]).ppm for link in links]) - 25.0
    assert abs(found.mean()) < mean_ppm
    assert found.std() < sd_ppm
    ends = np.array([error_ms(link, run(link.anchors)[1])[-1] for link in links])
    assert 4.0 < ends.mean() < 9.0, "the smallest delay of a frame period in step with the link"


def test_least_squares_would_be_wrong_where_the_hull_is_not() -> None:
    link = simulate(3, 120.0, n=10, rate_hz=100.0)
    x = (link.anchors.device_us - BOOT_US) * 1e-6
    d = (link.anchors.host_ns - T0_NS) * 1e-9 - x
    slope = np.polyfit(x, d, 1)[0]
    by_least_squares = (1.0 / (1.0 + slope) - 1.0) * 1e6 - 25.0
    by_hull = report_of(run(link.anchors)[0]).ppm - 25.0
    assert abs(by_least_squares) > 10 * abs(by_hull)


def test_round_trips_take_the_smallest_delay_out_of_the_offset() -> None:
    link = simulate(5, 300.0)
    a = link.anchors
    state = fresh(a)
    rng = np.random.default_rng(0)
    errors = []
    for lo in range(0, a.first_index.size, 56):
        host_s = link.true_s[lo]
        out, back = rng.uniform(0.001, 0.03), rng.uniform(0.001, 0.03)
        dev = device_us(np.array([host_s + out, host_s + out + 2e-4]), 25.0)
        trip = clock.RoundTrip(
            T0_NS + int(host_s * 1e9),
            int(dev[0]),
            int(dev[1]),
            T0_NS + int((host_s + out + 2e-4 + back) * 1e9),
        )
        state = clock.observe(PARAMS, state, trip)
        state, timed = clock.step(PARAMS, state, part(a, slice(lo, lo + 56)), nominal_period_s=0.01)
        errors.append((timed.t_ns[0] - T0_NS) * 1e-6 - link.true_s[lo] * 1e3)
    with_sync = abs(errors[-1])
    without = abs(error_ms(link, run(a)[1])[-1])
    assert abs(errors[0]) < 10.0, "good from the first packet on"
    assert with_sync < 1.5
    assert with_sync < without
    report = report_of(state)
    assert report.min_rtt_ms is not None
    assert 2.0 < report.min_rtt_ms < 30.0
    assert report.offset_bound_ms is not None
    assert with_sync <= report.offset_bound_ms + 0.5


def test_warm_up_drift_is_followed_within_two_milliseconds() -> None:
    span = 4 * 3600.0
    ppm = 10.0 + 20.0 * np.exp(-np.linspace(0.0, span, 2000) / 1200.0)
    link = simulate(1, span, ppm=ppm)
    error = error_ms(link, run(link.anchors)[1])
    settled = error[int(600 * 100.7 / 18) :]
    assert settled.min() > -1.0
    assert settled.max() < 4.0


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=8), st.integers(0, 3), st.booleans())
def test_any_chunking_gives_the_same_bits(cuts: list[int], seed: int, consume: bool) -> None:
    link = simulate(seed, 90.0)
    a = link.anchors
    whole_state, whole = run(a)
    state = fresh(a)
    times = []
    at = 0
    for cut in [*cuts, a.first_index.size]:
        state, timed = clock.step(
            PARAMS, state, part(a, slice(at, at + cut)), nominal_period_s=0.01, consume=consume
        )
        times.append(timed.t_ns)
        at += cut
    assert np.array_equal(np.concatenate(times), whole.t_ns)
    assert state.last_t_ns == whole_state.last_t_ns
    assert np.array_equal(state.scalars, whole_state.scalars, equal_nan=True)
    assert np.array_equal(state.buckets, whole_state.buckets)


def test_a_state_that_is_not_consumed_stays_as_it_was() -> None:
    a = simulate(0, 60.0).anchors
    state, _ = run(part(a, slice(0, 200)))
    before = [array.copy() for array in (state.scalars, state.buckets, state.syncs)]
    clock.step(PARAMS, state, part(a, slice(200, 300)), nominal_period_s=0.01)
    for one, other in zip(before, (state.scalars, state.buckets, state.syncs), strict=True):
        assert np.array_equal(one, other, equal_nan=True)


def test_batch_over_the_record_equals_live_with_backfill_arriving_later() -> None:
    link = simulate(2, 120.0)
    a = link.anchors
    lost = np.zeros(a.first_index.size, dtype=np.bool_)
    lost[200:260] = True
    lost[400] = True
    live = part(a, ~lost)
    _, timed_live = clock.step(PARAMS, fresh(live), live, nominal_period_s=0.01)

    host = a.host_ns.copy()
    host[lost] = host[-1] + np.arange(lost.sum()) * 1_000_000
    in_order = clock.in_order(host)
    assert np.array_equal(in_order, ~lost)
    stored = part(a, slice(None), host_ns=host, live=in_order)
    _, timed = clock.step(PARAMS, fresh(stored), stored, nominal_period_s=0.01)
    assert np.array_equal(timed.t_ns[np.repeat(~lost, 18)], timed_live.t_ns)
    assert (np.diff(timed.t_ns) > 0).all()
    error = (timed.t_ns[np.repeat(lost, 18)][::18] - T0_NS) * 1e-6 - link.true_s[lost] * 1e3
    assert np.abs(error).max() < 10.0


@pytest.mark.parametrize("late_s", [0.5, 3.0])
def test_a_late_first_packet_that_nobody_waited_for_is_put_right_at_once(late_s: float) -> None:
    link = simulate(4, 120.0, stalls=False)
    host = link.anchors.host_ns.copy()
    host[0] += round(late_s * 1e9)
    late = part(link.anchors, slice(None), host_ns=np.maximum.accumulate(host))
    _, timed = run(late)
    error = error_ms(link, timed)
    assert error[0] > late_s * 1e3 - 40.0
    in_time = link.true_s > late_s + 0.2
    assert np.abs(error[in_time]).max() < 100.0
    assert np.abs(error[link.true_s > 30.0]).max() < 5.0
    assert timed.breaks.any()
    assert np.abs(pace(timed)[~timed.breaks[1:]]).max() < 0.02
    for begin, end in pairwise([0, *np.flatnonzero(timed.breaks), timed.breaks.size]):
        assert (np.diff(timed.t_ns[18 * begin : 18 * end]) > 0).all()


@pytest.mark.parametrize("late_s", [0.09, 1.0, 5.0])
@pytest.mark.parametrize("ppm", [-200.0, 200.0])
def test_late_packets_never_bend_a_young_axis(late_s: float, ppm: float) -> None:
    """The first second is in time; then the link holds packets back, again and again."""
    link = simulate(16, 60.0, ppm=ppm, stalls=False)
    host = link.anchors.host_ns.copy()
    for begin_s in (1.0, 8.0, 20.0):
        held = (link.true_s > begin_s) & (link.true_s < begin_s + late_s)
        host[held] = host[held].max(initial=0)
    a = part(link.anchors, slice(None), host_ns=np.maximum.accumulate(host))
    _, timed = run(a)
    assert not timed.breaks.any()
    assert np.abs(pace(timed)).max() < 0.0055
    assert np.abs(error_ms(link, timed)[20:]).max() < 25.0


def test_a_long_stall_and_its_backlog_leave_the_fit_alone() -> None:
    link = simulate(6, 200.0, stalls=False)
    host = link.anchors.host_ns.copy()
    host[(link.true_s > 60.0) & (link.true_s < 90.0)] = T0_NS + 90_200_000_000
    stalled = part(link.anchors, slice(None), host_ns=np.maximum.accumulate(host))
    state, timed = run(stalled)
    assert report_of(state).fit == 0
    assert np.abs(error_ms(link, timed)[200:]).max() < 4.0


def test_true_sample_rate_is_used_between_packets() -> None:
    link = simulate(7, 60.0, rate_hz=102.5)
    _, timed = clock.step(PARAMS, fresh(link.anchors), link.anchors, nominal_period_s=0.01)
    assert timed.period_s[0] == 0.01
    assert timed.period_s[-1] == pytest.approx(1 / 102.5, rel=1e-4)
    inner = np.diff(timed.t_ns[-180:]) * 1e-9
    assert np.allclose(inner, 1 / 102.5, rtol=2e-3)


def test_host_suspend_begins_a_new_fit_and_time_goes_on() -> None:
    link = simulate(8, 240.0)
    host = link.anchors.host_ns.copy()
    host[link.true_s > 120.0] -= 20_000_000_000
    state, timed = run(part(link.anchors, slice(None), host_ns=host))
    assert report_of(state).fit == 1
    assert timed.breaks.sum() == 1, "the host says that it is earlier: a new time axis"
    at = int(np.flatnonzero(timed.breaks)[0]) * 18
    assert (np.diff(timed.t_ns[:at]) > 0).all()
    assert (np.diff(timed.t_ns[at:]) > 0).all()


def test_device_clock_stepped_ahead_gives_a_new_fit_without_going_back() -> None:
    link = simulate(9, 240.0)
    a = link.anchors
    stepped = np.zeros(a.first_index.size, dtype=np.bool_)
    stepped[600] = True
    dev = a.device_us.copy()
    dev[600:] += 50_000
    state, timed = run(part(a, slice(None), device_us=dev, stepped=stepped))
    assert report_of(state).fit == 1
    assert not timed.breaks.any()
    assert (np.diff(timed.t_ns) > 0).all()
    assert np.abs(error_ms(link, timed)[-100:]).max() < 4.0


def test_an_unannounced_rise_of_the_offset_is_believed_after_two_minutes() -> None:
    link = simulate(10, 500.0, stalls=False)
    host = link.anchors.host_ns.copy()
    host[link.true_s > 60.0] += 5_000_000_000
    state, timed = run(part(link.anchors, slice(None), host_ns=host))
    assert report_of(state).fit == 1
    assert error_ms(link, timed)[-1] == pytest.approx(5000.0, abs=5.0)
    assert (np.diff(timed.t_ns) > 0).all()


def test_a_new_boot_is_later_than_the_one_before() -> None:
    link = simulate(11, 20.0)
    end = int(run(link.anchors)[1].t_ns[-1])
    again = part(link.anchors, slice(100, None))
    state = fresh(again, after_ns=end)
    _, timed = clock.step(PARAMS, state, again, nominal_period_s=0.01)
    assert not timed.breaks.any() or timed.t_ns[0] < end
    close = fresh(again, after_ns=int(again.host_ns[0]) - 120_000_000)
    _, nearly = clock.step(PARAMS, close, again, nominal_period_s=0.01)
    assert not nearly.breaks.any()
    assert nearly.t_ns[0] > int(again.host_ns[0]) - 120_000_000
    assert (np.diff(nearly.t_ns) > 0).all()


def test_backfill_before_any_live_packet_is_refused_and_possible_after_one() -> None:
    a = simulate(12, 30.0).anchors
    early = part(a, slice(0, 50), live=np.zeros(50, dtype=np.bool_))
    with pytest.raises(InputError, match="first packet of a boot"):
        clock.step(PARAMS, fresh(a), early, nominal_period_s=0.01)
    state, live = clock.step(PARAMS, fresh(a), part(a, slice(50, 51)), nominal_period_s=0.01)
    after, timed = clock.step(PARAMS, state, early, nominal_period_s=0.01)
    assert timed.t_ns[-1] < live.t_ns[0]
    assert after.last_t_ns == state.last_t_ns
    assert np.array_equal(after.scalars, state.scalars, equal_nan=True)


def test_a_backlog_right_after_the_first_round_trip_lies_on_its_line() -> None:
    """Reconnected to a sensor that reset meanwhile: its stored frames come before live ones."""
    link = simulate(15, 30.0)
    a = link.anchors
    host = a.host_ns.copy()
    host[:100] = a.host_ns[100] + np.arange(100) * 1_000_000
    backlog = part(a, slice(None), host_ns=np.maximum.accumulate(host))
    sent_ns = int(a.host_ns[100]) - 60_000_000
    seen_us = int(device_us(np.array([(sent_ns - T0_NS) * 1e-9 + 0.02]), 25.0)[0])
    trip = clock.RoundTrip(sent_ns, seen_us, seen_us + 100, sent_ns + 40_000_000)
    state = clock.start(PARAMS, device_us=seen_us, host_ns=sent_ns)
    state = clock.observe(PARAMS, state, trip)
    _, timed = clock.step(PARAMS, state, backlog, nominal_period_s=0.01)
    assert np.abs(error_ms(link, timed)).max() < 20.0
    assert (np.diff(timed.t_ns) > 0).all()


def test_of_a_slow_round_trip_little_is_believed() -> None:
    link = simulate(17, 40.0, stalls=False)
    a = link.anchors
    state, _ = clock.step(PARAMS, fresh(a), part(a, slice(0, 100)), nominal_period_s=0.01)
    sent_s = link.true_s[98]
    seen_us = int(device_us(np.array([sent_s + 3.0]), 25.0)[0])
    trip = clock.RoundTrip(
        T0_NS + round(sent_s * 1e9), seen_us, seen_us, T0_NS + round((sent_s + 3.0) * 1e9) + 10**7
    )
    state = clock.observe(PARAMS, state, trip)
    _, timed = clock.step(PARAMS, state, part(a, slice(100, None)), nominal_period_s=0.01)
    assert not timed.breaks.any()
    assert np.abs((timed.t_ns[::18] - T0_NS) * 1e-6 - link.true_s[100:] * 1e3).max() < 60.0


def test_an_impossible_round_trip_is_ignored() -> None:
    a = simulate(13, 40.0).anchors
    state, _ = run(a)
    trip = clock.RoundTrip(T0_NS + 40_000_000_000, 45_000_000, 46_000_000, T0_NS + 40_100_000_000)
    assert clock.observe(PARAMS, state, trip) is state


@pytest.mark.parametrize("period", [0.0, -1.0, np.nan, np.inf])
def test_a_bad_period_is_named(period: float) -> None:
    a = simulate(0, 2.0).anchors
    with pytest.raises(InputError, match="nominal_period_s"):
        clock.step(PARAMS, fresh(a), a, nominal_period_s=period)


def test_report_is_none_before_data_and_slew_is_checked() -> None:
    a = simulate(0, 2.0).anchors
    assert clock.report(fresh(a)) is None
    with pytest.raises(InputError, match="max_slew"):
        clock.start(clock.ClockParams(max_slew=1.0), device_us=0, host_ns=0)


def test_a_clock_without_a_quartz_is_followed_after_two_minutes() -> None:
    link = simulate(3, 400.0, ppm=600.0, stalls=False)
    state, timed = run(link.anchors)
    assert report_of(state).ppm == pytest.approx(600.0, abs=3.0)
    error = error_ms(link, timed)
    first = link.true_s < 150.0
    assert np.abs(error[first]).max() < 600e-6 * 150.0 * 1e3
    assert np.abs(error[link.true_s > 300.0]).max() < 10.0


def test_state_uses_the_line_it_reports() -> None:
    state, _ = run(simulate(14, 60.0).anchors)
    s = state.scalars
    assert s[S_BEST] == s[S_LINE], "no round trips: the upper bound itself"
    assert report_of(state).ppm == pytest.approx((1 / (1 + s[S_SLOPE]) - 1) * 1e6)
    assert report_of(state).min_rtt_ms is None


def test_a_step_leaves_the_state_before_it_as_it_was() -> None:
    link = simulate(12, 60.0)
    a = link.anchors
    stepped = np.zeros(a.first_index.size, dtype=np.bool_)
    stepped[300] = True
    trip = clock.RoundTrip(
        host_sent_ns=int(a.host_ns[0]),
        device_received_us=int(a.device_us[0]) + 1000,
        device_sent_us=int(a.device_us[0]) + 1000,
        host_received_ns=int(a.host_ns[0]) + 2_000_000,
    )
    before = clock.observe(PARAMS, fresh(a), trip)
    kept = [column.copy() for column in (before.scalars, before.buckets, before.syncs)]
    after, _ = clock.step(
        PARAMS, before, part(a, slice(None), stepped=stepped), nominal_period_s=0.01
    )
    assert report_of(after).fit == 1
    for now, then in zip((before.scalars, before.buckets, before.syncs), kept, strict=True):
        np.testing.assert_array_equal(now, then)
