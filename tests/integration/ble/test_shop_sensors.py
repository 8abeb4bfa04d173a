"""Other makers' sensors, with their habits, through bleak and the collector's drivers."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from ingest.candidates import SensorWish
from ingest.discovery import scan_sensors
from ingest.drivers import SensorPacket, StatusReport, StreamStarted, TimeSyncReport
from ingest.drivers.catalogue import SUPPORTED
from ingest.link_state import LinkEvent, LinkReason
from ingest.sources.ble import BleTransport
from tests.integration.ble.conftest import HEAD, TRUNK, Bluez, Rig, v1

THIRD, FOURTH, FIFTH, SIXTH = (f"C0:00:00:00:00:{n:02X}" for n in (3, 4, 5, 6))


def channel(packets: list[SensorPacket], started: StreamStarted, name: str) -> np.ndarray[Any, Any]:
    """Return one channel in its unit, in order of arrival."""
    info = next(s for s in started.streams if s.stream == packets[0].stream)
    column = [c.name for c in info.channels].index(name)
    return np.concatenate([p.samples[:, column] * info.channels[column].scale for p in packets])


def assert_counting(packets: list[SensorPacket], started: StreamStarted, step: float) -> None:
    """The x rate rises by `step` per sample: nothing lost, nothing twice, right scale."""
    x = channel(packets, started, "gyr_x")
    np.testing.assert_allclose(x, np.arange(len(x)) * step + x[0], rtol=1e-5, atol=1e-9)
    for one, two in pairwise(packets):
        assert two.first_index == one.first_index + one.n


async def test_movesense_in_two_parts_with_lost_answers(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez({"kind": "movesense", "address": HEAD, "lose_answers": 2})
    link = rig.link("head", SensorWish(rate_hz=104.0, device_id="movesense-174030000001"))
    await rig.streaming(packets=12)
    (started,) = rig.listener.of(StreamStarted)
    packets = rig.listener.packets()
    assert started.streams[0].rate_hz == 104.0
    assert started.streams[0].index_source == "host"
    assert packets[0].n == 8
    assert_counting(packets, started, np.pi / 180)
    assert np.all(channel(packets, started, "acc_z") == 9.8125)
    spacing_us = np.diff([p.device_us for p in packets]) / packets[0].n
    assert abs(1e6 / spacing_us.mean() / (104.0 * 1.012) - 1) < 0.01
    assert started.identity.battery_percent == 61

    daemon.command("lose_parts", address=HEAD, count=2)
    before = len(packets)
    await rig.streaming(packets=before + 6)
    lost = [p for p in rig.listener.packets() if p.lost_before]
    assert len(lost) == 1
    assert link.counters.missing_by_index == 16

    daemon.command("lose_link", address=HEAD)
    await rig.listener.until(lambda: len(rig.listener.of(StreamStarted)) == 2)
    again = rig.listener.of(StreamStarted)[1]
    await rig.listener.until(lambda: any(p.boot == again.boot for p in rig.listener.packets()))
    assert again.boot > started.boot
    assert daemon.command("subscriptions", address=HEAD) == ["/Meas/IMU6/104"]
    await rig.stop()
    assert daemon.command("subscriptions", address=HEAD) == []


async def test_movesense_busy_with_a_phone_says_507(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez({"kind": "movesense", "address": HEAD, "busy": True})
    rig.link("head", SensorWish(rate_hz=52.0, driver="movesense"))
    await rig.listener.until(lambda: ("backoff", "command_refused") in rig.listener.states())
    event = next(e for e in rig.listener.of(LinkEvent) if e.reason is LinkReason.COMMAND_REFUSED)
    assert "507" in event.message
    assert "phone" in event.remedy
    daemon.command("busy", address=HEAD, on=False)
    await rig.streaming()
    assert rig.listener.packets()[0].n == 4


async def test_witmotion_frames_cut_anywhere_without_time(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez({"kind": "witmotion", "address": HEAD})
    link = rig.link("head", SensorWish(rate_hz=104.0, driver="witmotion"))
    await rig.streaming(packets=60)
    (started,) = rig.listener.of(StreamStarted)
    packets = rig.listener.packets()
    assert daemon.command("rate", address=HEAD) == 100.0
    assert started.streams[0].time_source == "arrival"
    assert all(p.device_us is None for p in packets)
    assert_counting(packets, started, 2000 / 32768 * np.pi / 180)
    assert channel(packets, started, "acc_z")[0] == pytest.approx(9.80665)
    assert link.wish.device_id == "witmotion-c00000000001"


async def test_dot_clock_wraps_unnoticed(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez({"kind": "movella_dot", "address": HEAD})
    rig.link("head", SensorWish(driver="dot"))
    await rig.streaming(packets=60)
    (started,) = rig.listener.of(StreamStarted)
    packets = rig.listener.packets()
    stamps = [p.device_us for p in packets if p.device_us is not None]
    assert stamps[0] < 2**32 < stamps[-1]
    assert np.all(np.diff(stamps) > 0)
    assert_counting(packets, started, np.pi / 180)
    assert [s.battery_percent for s in rig.listener.of(StatusReport)] == [87]
    assert started.identity.battery_percent == 88
    await rig.stop()
    assert daemon.command("measuring", address=HEAD) is False


async def test_capture2go_found_streaming_and_losing_packets(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez(
        {"kind": "capture2go", "address": HEAD, "left_streaming": True, "memory_bytes": 0}
    )
    rig.link("head", SensorWish(rate_hz=100.0, device_id="capture2go-a1b2c3"))
    await rig.streaming(packets=10)
    (started,) = rig.listener.of(StreamStarted)
    assert_counting(rig.listener.packets(), started, 2000 / 32768 * np.pi / 180)
    daemon.command("lose", address=HEAD, packets=3)
    await rig.streaming(packets=20)
    packets = rig.listener.packets()
    (after,) = [p for p in packets if p.lost_before]
    before = packets[packets.index(after) - 1]
    assert after.first_index - before.first_index == 4 * 8
    await rig.listener.until(lambda: bool(rig.listener.of(TimeSyncReport)))
    trip = rig.listener.of(TimeSyncReport)[0]
    assert 0 <= trip.rtt_us < 1_000_000
    await rig.stop()
    assert daemon.command("streaming", address=HEAD) is False


async def test_polar_streams_are_joined_and_start_again_after_the_charger(
    bluez: Bluez, rig: Rig
) -> None:
    daemon = bluez({"kind": "polar", "address": HEAD})
    rig.link("head", SensorWish(rate_hz=52.0, device_id="polar-0A1B2C3D"))
    await rig.streaming(packets=8)
    (started,) = rig.listener.of(StreamStarted)
    assert {s.stream: s.rate_hz for s in started.streams} == {"imu": 52.0}
    imu = rig.listener.packets()
    assert_counting([p for p in imu if np.isfinite(p.samples).all()], started, 0.0625 * np.pi / 180)
    assert np.nanmax(channel(imu, started, "acc_z")) == pytest.approx(9.80665)
    daemon.command("charger", address=HEAD)
    before = len(rig.listener.packets())
    await rig.streaming(packets=before + 4)
    assert daemon.command("running", address=HEAD) == [2, 5]
    assert len(rig.listener.of(StreamStarted)) == 1
    await rig.stop()
    assert daemon.command("running", address=HEAD) == []


async def test_h10_is_accepted_as_what_it_is(bluez: Bluez, rig: Rig) -> None:
    bluez({"kind": "polar", "address": HEAD, "name": "Polar H10 12345678", "gyroscope": False})
    rig.link("head", SensorWish(rate_hz=100.0, driver="polar"))
    await rig.streaming(packets=3)
    (started,) = rig.listener.of(StreamStarted)
    assert [s.stream for s in started.streams] == ["acc"]
    assert started.streams[0].rate_hz == 100.0
    assert started.identity.details["has_gyroscope"] is False


async def test_polar_left_running_is_stopped_first(bluez: Bluez, rig: Rig) -> None:
    bluez({"kind": "polar", "address": HEAD, "running": True})
    rig.link("head", SensorWish(rate_hz=104.0, driver="polar"))
    await rig.streaming(packets=2)
    (started,) = rig.listener.of(StreamStarted)
    assert {s.rate_hz for s in started.streams} == {104.0}
    x = channel(rig.listener.packets(), started, "acc_x")
    x = x[np.isfinite(x)][:13]
    np.testing.assert_allclose(x, np.arange(13) * 9.80665e-3, rtol=1e-5, atol=1e-9)


async def test_mixed_pair_and_scan(bluez: Bluez, rig: Rig) -> None:
    bluez(
        v1(HEAD),
        {"kind": "movesense", "address": TRUNK},
        {"kind": "polar", "address": THIRD},
        {"kind": "witmotion", "address": FOURTH},
        {"kind": "movella_dot", "address": FIFTH},
        {"kind": "capture2go", "address": SIXTH},
    )
    found = await scan_sensors(BleTransport(), SUPPORTED, 0.6)
    assert {f.address: f.driver for f in found} == {
        HEAD: "v1",
        TRUNK: "movesense",
        THIRD: "polar",
        FOURTH: "witmotion",
        FIFTH: "dot",
        SIXTH: "capture2go",
    }
    assert all(f.model for f in found)
    rig.link("head", SensorWish(rate_hz=104.0, device_id="v1-0000000000000001", driver="v1"))
    rig.link("trunk", SensorWish(rate_hz=52.0, driver="movesense"))
    await rig.streaming("head", packets=3)
    await rig.streaming("trunk", packets=3)
    rates = {s.device_id: s.streams[0].rate_hz for s in rig.listener.of(StreamStarted)}
    assert rates == {"v1-0000000000000001": 104.0, "movesense-174030000001": 52.0}
