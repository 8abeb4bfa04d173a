"""Held index ranges against a plain set of integers."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.ledger import IndexRanges, SampleLedger, Wanted

RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=25)


@given(RANGES, st.integers(0, 70), st.integers(0, 70))
def test_ranges_behave_like_a_set(added: list[tuple[int, int]], start: int, stop: int) -> None:
    ranges, oracle = IndexRanges(), set[int]()
    for first, n in added:
        new = set(range(first, first + n)) - oracle
        assert ranges.add(first, first + n) == len(new)
        oracle |= new
        assert len(ranges) == len(oracle)
    assert ranges.end == max(oracle, default=-1) + 1
    assert ranges.first == min(oracle, default=None)
    missing = [i for lo, hi in ranges.missing(start, stop) for i in range(lo, hi)]
    assert missing == [i for i in range(start, stop) if i not in oracle]


def test_nothing_from_before_the_first_use_is_asked_for() -> None:
    ledger = SampleLedger()
    assert list(ledger.to_fetch("d", 3, 500)) == []
    ledger.add("d", 3, 500, 18)
    assert list(ledger.to_fetch("d", 3, 518)) == []


def test_a_gap_is_asked_for_and_then_settled() -> None:
    ledger = SampleLedger()
    ledger.add("d", 3, 0, 18)
    ledger.add("d", 3, 54, 18)
    assert list(ledger.to_fetch("d", 3, 72)) == [Wanted(3, 18, 53)]
    ledger.add("d", 3, 18, 18)
    assert list(ledger.to_fetch("d", 3, 72)) == [Wanted(3, 36, 53)]
    assert ledger.give_up("d", 3, 18, 54) == 18
    assert list(ledger.to_fetch("d", 3, 72)) == []


def test_earlier_boots_are_asked_to_their_end_until_closed() -> None:
    ledger = SampleLedger()
    ledger.add("d", 3, 100, 10)
    ledger.add("d", 6, 40, 10)
    assert list(ledger.to_fetch("d", 6, 50)) == [
        Wanted(3, 110, None),
        Wanted(4, 0, None),
        Wanted(5, 0, None),
        Wanted(6, 0, 39),
    ]
    for boot in (3, 4, 5):
        ledger.close("d", boot)
    assert list(ledger.to_fetch("d", 6, 50)) == [Wanted(6, 0, 39)]


def test_only_boots_that_the_sensor_lists_are_asked_for() -> None:
    ledger = SampleLedger()
    ledger.add("d", 1_795_000_000_000, 80, 8)
    ledger.add("d", 1_795_000_900_000, 0, 8)
    listed = (1_794_000_000_000, 1_795_000_000_000, 1_795_000_500_000)
    assert list(ledger.to_fetch("d", 1_795_000_900_000, 16, listed)) == [
        Wanted(1_795_000_000_000, 88, None),
        Wanted(1_795_000_500_000, 0, None),
        Wanted(1_795_000_900_000, 8, 15),
    ], "one from before the sensor was first used here is not ours"
    assert ledger.waiting("d", 1_795_000_900_000, 16, ()) == 8


def test_devices_do_not_mix() -> None:
    ledger = SampleLedger()
    ledger.add("d", 1, 0, 10)
    assert not ledger.knows("e")
    assert list(ledger.to_fetch("e", 2, 100)) == []
