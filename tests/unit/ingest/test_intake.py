"""From events to blocks: order, repeats, reconnection, another sensor, the last minutes."""

from typing import Any

import numpy as np
import pytest

from ingest.drivers.driver import (
    Channel,
    PacketKind,
    SensorEvent,
    SensorIdentity,
    SensorPacket,
    StreamInfo,
    StreamStarted,
    TimeSyncReport,
)
from ingest.intake import Intake
from ingest.units_in_force import UnitsInForce

OFFSET_NS = 1_700_000_000_000_000_000
CHANNELS = tuple(Channel(f"acc_{a}", "m/s^2", 0.001) for a in "xyz") + tuple(
    Channel(f"gyr_{a}", "rad/s", 0.0001) for a in "xyz"
)
IMU = StreamInfo("imu", CHANNELS, "int16", 100.0, "device", "device")


def intake() -> Intake:
    return Intake("head", OFFSET_NS, UnitsInForce())


UNIT = {"acc_offset_ms2": [1.0, 0.0, 0.0], "gyr_offset_rads": [0.0, 0.5, 0.0]}


def test_a_new_calibration_of_the_unit_waits_until_it_is_adopted() -> None:
    newest: dict[str, Any] = {}
    units = UnitsInForce(lambda _: newest)
    taking = Intake("head", OFFSET_NS, units)
    before, *_ = taking.take([started(), *first_two_seconds()])
    newest = UNIT
    (same,) = taking.take([started(), packet(200)])
    np.testing.assert_array_equal(same.block.gyr[:, 1], 200 * 1e-4)
    tried = taking.since(0, taking.newest_calibration())
    np.testing.assert_array_equal(tried[0].block.acc, before.block.acc - [1.0, 0.0, 0.0])
    np.testing.assert_array_equal(taking.since(0)[0].block.acc, before.block.acc)
    assert units.of("v1-aa") == {}
    taking.adopt(UNIT)
    assert units.of("v1-aa") == UNIT
    np.testing.assert_array_equal(taking.since(0)[0].block.acc, tried[0].block.acc)
    (after,) = taking.take([packet(210)])
    np.testing.assert_allclose(after.block.gyr[:, 1], 210 * 1e-4 - 0.5)


def started(
    device: str = "v1-aa", boot: int = 1, streams: tuple[StreamInfo, ...] = (IMU,)
) -> StreamStarted:
    return StreamStarted(device, boot, 0, streams, 0, SensorIdentity(device, "m", "v1"))


def packet(first: int, *, device: str = "v1-aa", boot: int = 1, at_s: float = 0.0) -> SensorPacket:
    arrival_s = at_s or (first + 9) * 0.01 + 0.005
    return SensorPacket(
        device_id=device,
        boot=boot,
        stream="imu",
        kind=PacketKind.LIVE,
        first_index=first,
        device_us=1_000_000 + first * 10_000,
        host_mono_ns=round(arrival_s * 1e9),
        samples=np.full((10, 6), first % 1000, dtype=np.int16),
    )


def first_two_seconds() -> list[SensorPacket]:
    """Enough for times to be given out."""
    return [packet(first) for first in range(0, 200, 10)]


def test_packets_become_blocks_once() -> None:
    taking = intake()
    pieces = taking.take([started(), *first_two_seconds(), packet(0), packet(10)])
    assert sum(piece.block.t_ns.size for piece in pieces) == 200
    facts = taking.facts
    assert (facts.counts.samples, facts.counts.duplicates) == (200, 20)
    assert facts.last_sample_ns == pieces[-1].block.t_ns[-1]


def test_first_samples_wait_until_their_times_are_known_and_are_counted_meanwhile() -> None:
    taking = intake()
    assert taking.take([started(), packet(0), packet(10)]) == []
    assert (taking.facts.counts.samples, taking.facts.last_sample_ns) == (20, None)
    other = StreamInfo("imu", CHANNELS, "int16", 104.0, "device", "device")
    (waited,) = taking.take([started(boot=2, streams=(other,))])
    assert waited.block.t_ns.size == 20


def test_late_samples_are_counted_and_not_given() -> None:
    taking = intake()
    taking.take([started(), packet(0), packet(20)])
    assert taking.facts.counts.missing == 10
    assert taking.take([packet(10, at_s=1.0)]) == []
    assert taking.facts.counts.missing == 0
    assert taking.facts.counts.backfilled == 10


def test_a_batch_is_taken_in_order_of_arrival() -> None:
    sync = TimeSyncReport("v1-aa", 1, 0, t1_us=-20_000, t2_us=985_000, t3_us=985_000, t4_us=-10_000)
    one, other = intake(), intake()
    one.take([started(), packet(0), sync])
    other.take([started(), sync, packet(0)])
    assert one.facts.last_sample_ns == other.facts.last_sample_ns
    assert one.facts.clock is not None
    assert one.facts.clock.min_rtt_ms == pytest.approx(10.0)


def test_a_reconnection_goes_on_and_another_device_begins_anew() -> None:
    taking = intake()
    taking.take([started(), *first_two_seconds()])
    (piece,) = taking.take([started(), packet(200)])
    assert piece.block.t_ns.size == 10
    assert taking.facts.counts.samples == 210
    swapped: list[SensorEvent] = [started(device="v1-bb")]
    swapped += [packet(10 * k, device="v1-bb", at_s=9.0 + 0.1 * k) for k in range(20)]
    first, *_ = taking.take(swapped)
    assert taking.facts.counts.samples == 200
    assert first.block.t_ns[0] > piece.block.t_ns[-1]


def test_samples_without_a_known_stream_give_nothing() -> None:
    taking = intake()
    assert taking.take([packet(0)]) == []
    apart = StreamInfo("acc", CHANNELS[:3], "int16", 52.0, "device", "device")
    assert taking.take([started(streams=(apart,)), packet(0)]) == []
    assert taking.facts.last_sample_ns is None


def test_the_last_minutes_can_be_had_from_any_time_on() -> None:
    taking = intake()
    taking.take([started(), *first_two_seconds()])
    everything = np.concatenate([p.block.t_ns for p in taking.since(0)])
    assert everything.size == 200
    cut = np.concatenate([p.block.t_ns for p in taking.since(int(everything[37]))])
    assert np.array_equal(cut, everything[37:])
    assert taking.since(int(everything[-1]) + 1) == []
