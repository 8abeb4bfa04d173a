"""One time axis through all boots of a sensor, live and from the record alike."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.assemble import Layout, layout_of
from ingest.timeline import ARRIVAL_CLOCK, Piece, Run, Timeline
from processing.clock import RoundTrip
from processing.types import FloatArray, IntArray

OFFSET_NS = 1_700_000_000_000_000_000
BOOT_US = 3_000_000


@dataclass(frozen=True)
class Named:
    name: str
    scale: float


def layout() -> Layout:
    axes = [Named(f"{kind}_{a}", 1e-3) for kind in ("acc", "gyr") for a in "xyz"]
    found = layout_of(axes, "int16", 100.0)
    assert found is not None
    return found


def run_of(first: int, n: int = 10, *, boot_us: int = BOOT_US, late_ns: int = 0) -> Run:
    end_s = (first + n - 1) * 0.01
    samples = np.zeros((n, 6), dtype=np.int16)
    samples[:, 3] = np.arange(first, first + n) % 30_000
    return Run(
        first_index=first,
        device_us=boot_us + first * 10_000,
        host_ns=OFFSET_NS + round(end_s * 1e6) * 1000 + 5_000_000 + late_ns,
        samples=samples,
        live=True,
    )


def held_until(first: int, end_s: float) -> Run:
    """A packet that the link brought no earlier."""
    run = run_of(first)
    late_ns = OFFSET_NS + round(end_s * 1e9) + first - run.host_ns
    return run_of(first, late_ns=max(0, late_ns // 1000 * 1000))


def times(pieces: list[Piece]) -> IntArray:
    return np.concatenate([np.empty(0, np.int64), *(piece.block.t_ns for piece in pieces)])


def error_ms(pieces: list[Piece]) -> FloatArray:
    """Of samples 0, 1, 2 .., against the moment of sampling."""
    t_ns = times(pieces)
    return np.asarray((t_ns - OFFSET_NS) * 1e-6 - np.arange(t_ns.size) * 10.0)


def test_blocks_join_without_gap_or_overlap() -> None:
    timeline = Timeline(layout())
    pieces = [p for first in range(0, 2000, 10) for p in timeline.place(1, [run_of(first)])]
    assert [Timeline(layout()).begun, timeline.begun] == [False, True]
    t = np.concatenate([piece.block.t_ns for piece in pieces])
    assert np.allclose(np.diff(t) * 1e-9, 0.01, atol=2e-4)
    assert not any(piece.new_axis for piece in pieces)
    assert timeline.last_t_ns == t[-1]
    assert timeline.report is not None
    assert timeline.report.rate_hz == pytest.approx(100.0, rel=1e-3)


def test_one_call_equals_many() -> None:
    runs = [run_of(first, late_ns=(first % 70) * 100_000) for first in range(0, 3000, 10)]
    whole = Timeline(layout()).place(1, runs)
    timeline = Timeline(layout())
    parts = [p.block.t_ns for run in runs for p in timeline.place(1, [run])]
    assert len(whole) == 1
    assert np.array_equal(whole[0].block.t_ns, np.concatenate(parts))


def test_a_gap_in_the_index_is_a_gap_in_time() -> None:
    timeline = Timeline(layout())
    timeline.place(1, [run_of(first) for first in range(0, 200, 10)])
    (piece,) = timeline.place(1, [run_of(200), run_of(230)])
    steps = np.diff(piece.block.t_ns) * 1e-9
    assert steps[9] == pytest.approx(0.21, abs=2e-3)


def test_a_reboot_goes_on_later_than_before() -> None:
    timeline = Timeline(layout())
    (old,) = timeline.place(1, [run_of(first) for first in range(0, 200, 10)])
    again = [run_of(first, boot_us=0, late_ns=2_000_000_000) for first in range(0, 200, 10)]
    (new,) = timeline.place(2, again)
    assert new.block.t_ns[0] > old.block.t_ns[-1]
    assert not new.new_axis


def test_a_clock_that_goes_back_begins_a_new_axis() -> None:
    timeline = Timeline(layout())
    runs = [run_of(first) for first in range(0, 6000, 10)]
    timeline.place(1, runs)
    earlier = [run_of(first, late_ns=-20_000_000_000) for first in range(6000, 6100, 10)]
    (piece,) = timeline.place(1, earlier)
    assert piece.new_axis
    before_and_after = Timeline(layout()).place(1, runs + earlier)
    assert [p.new_axis for p in before_and_after] == [False, True]
    assert before_and_after[1].block.t_ns[0] < before_and_after[0].block.t_ns[-1]


def test_samples_before_the_first_live_packet_lie_before_it() -> None:
    timeline = Timeline(layout())
    runs = [run_of(first) for first in range(500, 700, 10)]
    timeline.place_before(1, [run_of(first) for first in range(0, 500, 10)], runs[0])
    stored, live = timeline.place(1, runs)
    assert stored.block.t_ns.size == 500
    assert (np.diff(stored.block.t_ns) > 0).all()
    assert (live.block.t_ns[0] - stored.block.t_ns[-1]) * 1e-9 == pytest.approx(0.01, abs=1e-3)
    alone = Timeline(layout()).place(1, runs)[0]
    assert np.array_equal(alone.block.t_ns, live.block.t_ns), "the clock did not move"


@pytest.mark.parametrize("late_s", [1.0, 3.0, 5.0])
@pytest.mark.parametrize("arrival", [False, True])
def test_first_packets_that_are_late_are_placed_as_if_they_were_not(
    late_s: float, arrival: bool
) -> None:
    timeline = Timeline(layout(), ARRIVAL_CLOCK if arrival else None)
    runs = [held_until(first, late_s) for first in range(0, 3000, 10)]
    given = [timeline.place(1, [run]) for run in runs]
    waited = next(k for k, pieces in enumerate(given) if pieces)
    assert (runs[waited].host_ns - OFFSET_NS) * 1e-9 == pytest.approx(late_s + 1.0, abs=0.15)
    pieces = [piece for each in given for piece in each]
    # a rate that may be some percent off has to be found first
    assert np.abs(error_ms(pieces) - 5.0).max() < (12.0 if arrival else 0.5)
    assert not any(piece.new_axis for piece in pieces)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=20),
    st.floats(0.0, 4.0),
    st.integers(0, 60),
    st.booleans(),
)
def test_any_split_into_calls_gives_the_same_bits(
    cuts: list[int], late_s: float, asked: int, arrival: bool
) -> None:
    """Late at first, then stalled, then a new boot; a round trip comes at any time."""
    first_boot = [held_until(first, late_s) for first in range(0, 600, 10)]
    first_boot += [held_until(first, 9.0) for first in range(600, 1000, 10)]
    second = [run_of(first, boot_us=0, late_ns=12_000_000_000) for first in range(0, 50, 10)]
    sent_ns = first_boot[asked].host_ns - 40_000_000
    seen_us = BOOT_US + (sent_ns - OFFSET_NS) // 1000 + 20_000

    def placed(sizes: list[int]) -> list[Piece]:
        timeline = Timeline(layout(), ARRIVAL_CLOCK if arrival else None)
        pieces, at = [], 0
        while at < len(first_boot):
            end = min(at + (sizes.pop(0) if sizes else 10), len(first_boot))
            end = asked if at < asked < end else end
            if at == asked:
                trip = RoundTrip(sent_ns, seen_us, seen_us, sent_ns + 40_000_000)
                timeline.observe(1, trip)
            pieces += timeline.place(1, first_boot[at:end])
            at = end
        return [*pieces, *timeline.place(2, second), *timeline.rest()]

    whole, split = placed([1000]), placed(list(cuts))
    assert np.array_equal(times(whole), times(split))
    assert times(whole).size == 1050
    assert (np.diff(times(whole)) > 0).all()


def test_a_boot_too_short_to_know_its_clock_is_given_out_with_the_next() -> None:
    timeline = Timeline(layout())
    assert timeline.place(1, [run_of(0), run_of(10)]) == []
    assert timeline.newest_t_ns is None
    again = [run_of(first, boot_us=0, late_ns=10_000_000_000) for first in range(0, 200, 10)]
    old, new = timeline.place(2, again)
    assert old.block.t_ns.size == 20
    assert new.block.t_ns[0] - old.block.t_ns[-1] > 9_000_000_000
    assert timeline.rest() == []


def test_what_a_sensor_without_a_clock_lost_is_a_gap_within_seconds() -> None:
    """A second of samples is lost unseen: those after it come at the pace of sampling, but late."""
    timeline = Timeline(layout(), ARRIVAL_CLOCK)
    runs = [run_of(first) for first in range(0, 2000, 10)]
    runs += [run_of(first, late_ns=1_000_000_000) for first in range(2000, 4000, 10)]
    pieces = [piece for run in runs for piece in timeline.place(1, [run])]
    error = error_ms(pieces)
    assert np.abs(error[:2000] - 5.0).max() < 0.5
    assert np.abs(error[2600:] - 1005.0).max() < 10.0
    assert (np.diff(times(pieces)) > 0).all()


def test_a_sensor_without_a_clock_finds_its_true_rate() -> None:
    timeline = Timeline(layout(), ARRIVAL_CLOCK)
    rng = np.random.default_rng(1)
    true_period = 1 / 97.8
    last = []
    for first in range(0, 12_000, 10):
        arrival = (first + 9) * true_period + rng.exponential(0.005)
        run = Run(
            first_index=first,
            device_us=first * 10_000,
            host_ns=OFFSET_NS + round(arrival * 1e6) * 1000,
            samples=np.zeros((10, 6), dtype=np.int16),
            live=True,
        )
        last = [p.block.t_ns for p in timeline.place(1, [run])]
    assert timeline.report is not None
    assert timeline.report.rate_hz == pytest.approx(97.8, rel=1e-3)
    assert (last[0][0] - OFFSET_NS) * 1e-9 == pytest.approx(11_990 * true_period, abs=0.02)
