"""The account of samples: new, repeated, late, missing, over boots."""

import numpy as np

from ingest.account import SampleAccount
from ingest.drivers.driver import PacketKind, SensorPacket


def packet(first: int, n: int = 10, boot: int = 1) -> SensorPacket:
    return SensorPacket(
        device_id="d",
        boot=boot,
        stream="imu",
        kind=PacketKind.LIVE,
        first_index=first,
        device_us=first * 10_000,
        host_mono_ns=0,
        samples=np.zeros((n, 6), dtype=np.int16),
    )


def test_consecutive_packets_are_all_ahead() -> None:
    account = SampleAccount()
    assert [account.enter(packet(i)) for i in (50, 60, 70)] == [0, 0, 0]
    counts = account.counts
    assert (counts.samples, counts.missing, counts.duplicates, counts.backfilled) == (30, 0, 0, 0)


def test_a_gap_is_missing_until_it_is_backfilled() -> None:
    account = SampleAccount()
    account.enter(packet(0))
    account.enter(packet(40))
    assert account.counts.missing == 30
    assert account.enter(packet(10, 20)) is None
    counts = account.counts
    assert (counts.missing, counts.backfilled, counts.samples) == (10, 20, 40)


def test_repeats_count_and_give_nothing() -> None:
    account = SampleAccount()
    account.enter(packet(0))
    assert account.enter(packet(0)) is None
    assert account.counts.duplicates == 10
    assert account.counts.samples == 10


def test_an_overlap_gives_what_is_ahead() -> None:
    account = SampleAccount()
    account.enter(packet(0))
    assert account.enter(packet(5)) == 5
    assert account.counts.samples == 15
    assert account.counts.duplicates == 5


def test_a_reboot_begins_a_new_axis_and_old_boots_can_still_be_completed() -> None:
    account = SampleAccount()
    account.enter(packet(0))
    account.enter(packet(20))
    assert account.enter(packet(0, boot=2)) == 0
    assert account.enter(packet(10, boot=1)) is None
    counts = account.counts
    assert (counts.reboots, counts.samples, counts.missing, counts.backfilled) == (1, 40, 0, 10)


def test_the_end_of_the_last_boot_is_late_once_the_next_has_begun() -> None:
    account = SampleAccount()
    account.enter(packet(0))
    account.begin(2)
    assert account.enter(packet(10)) is None
    assert account.enter(packet(0, boot=2)) == 0
    assert account.counts.reboots == 1


def test_what_an_earlier_start_got_is_known_and_not_counted() -> None:
    account = SampleAccount()
    account.know({1: [(0, 40), (60, 100)]})
    assert account.enter(packet(90, 10)) is None, "it came before"
    assert account.enter(packet(98, 4)) == 2
    counts = account.counts
    assert (counts.samples, counts.duplicates, counts.missing) == (2, 12, 20)
