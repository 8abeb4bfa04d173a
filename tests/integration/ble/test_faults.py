"""What real radios, daemons and sensors do wrong, through bleak's own BlueZ backend."""

import asyncio
import time

import pytest

from ingest.candidates import SensorWish
from ingest.drivers import PacketKind, StreamStarted
from ingest.link_state import LinkEvent, LinkReason, LinkState
from ingest.sources.ble import BleTransport
from tests.integration.ble.conftest import HEAD, TRUNK, Bluez, Rig, assert_recorded, v1
from tests.support.bluez.bus import PrivateBus

WISH = SensorWish(rate_hz=200.0, device_id="v1-0000000000000001", address=HEAD)
DEVICE = WISH.device_id


async def test_link_loss_reconnects_and_backfills(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez(v1(HEAD))
    rig.link("head", WISH, backfill=True)
    await rig.streaming(packets=3)
    daemon.command("lose_link", address=HEAD)
    await rig.listener.until(lambda: ("backoff", "link_lost") in rig.listener.states())
    await rig.streaming()
    await rig.listener.until(lambda: bool(rig.listener.packets(kind=PacketKind.BACKFILL)))
    await rig.stop()
    started = rig.listener.of(StreamStarted)
    assert len(started) == 2
    packets = rig.listener.packets()
    end = max(p.first_index + p.n for p in packets)
    assert_recorded(packets, 1, started[0].next_index, end)


async def test_daemon_killed_is_noticed_only_by_the_watchdog(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez(v1(HEAD))
    rig.link("head", WISH)
    await rig.streaming(packets=2)
    daemon.kill()
    await rig.listener.until(lambda: ("stalled", "no_data") in rig.listener.states())
    await rig.listener.until(lambda: ("no_adapter", "service_missing") in rig.listener.states())
    daemon.start()
    before = len(rig.listener.packets())
    await rig.streaming(packets=before + 2)
    assert ("scanning", "adapter_ready") in rig.listener.states()


async def test_bus_killed_and_back(bluez: Bluez, bus: PrivateBus, rig: Rig) -> None:
    daemon = bluez(v1(HEAD))
    rig.link("head", WISH)
    await rig.streaming(packets=2)
    bus.kill()
    await rig.listener.until(lambda: ("no_adapter", "service_missing") in rig.listener.states())
    message = next(e for e in rig.listener.of(LinkEvent) if e.state is LinkState.NO_ADAPTER)
    assert "D-Bus" in message.message
    daemon.kill()
    bus.start()
    daemon.start()
    before = len(rig.listener.packets())
    await rig.streaming(packets=before + 2)


async def test_zombie_link_is_dropped_while_the_other_streams(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez(v1(HEAD), v1(TRUNK))
    rig.link("head", WISH)
    rig.link("trunk", SensorWish(rate_hz=200.0, device_id="v1-0000000000000002"))
    await rig.streaming("head", packets=2)
    await rig.streaming("trunk", packets=2)
    daemon.faults(HEAD, silent=True)
    assert daemon.command("connected", address=HEAD)
    await rig.listener.until(lambda: ("stalled", "no_data") in rig.listener.states())
    daemon.faults(HEAD, silent=False)
    before = len(rig.listener.packets(DEVICE))
    await rig.streaming("head", packets=before + 2)
    assert [s for s, _ in rig.listener.states("trunk")][-1] == "streaming"
    assert rig.tasks["head"][0].counters.stalls == 1


@pytest.mark.parametrize("stall_s", [1.0, 2.0])
async def test_stalled_event_loop_loses_nothing(bluez: Bluez, rig: Rig, stall_s: float) -> None:
    daemon = bluez(v1(HEAD, n_per_frame=2))
    rig.link("head", WISH)
    await rig.streaming(packets=20)
    time.sleep(stall_s)  # noqa: ASYNC251 - the stall is the test
    before = len(rig.listener.packets())
    await rig.listener.until(lambda: len(rig.listener.packets()) > before + 20)
    await rig.stop()
    packets = rig.listener.packets()
    end = packets[-1].first_index + packets[-1].n
    assert_recorded(packets, 1, packets[0].first_index, end)
    assert rig.tasks["head"][0].counters.stalls == 0
    assert "stalled" not in [s for s, _ in rig.listener.states()]
    assert daemon.command("calls").count("Device1.Connect") == 1


async def test_lost_notifications_are_counted_and_fetched(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez(v1(HEAD))
    link = rig.link("head", WISH, backfill=True)
    await rig.streaming(packets=3)
    daemon.faults(HEAD, drop_next=3)
    await rig.streaming(packets=12)
    assert link.counters.missing_by_index > 0
    await rig.listener.until(lambda: bool(rig.listener.packets(kind=PacketKind.BACKFILL)))
    await rig.stop()
    packets = rig.listener.packets()
    live = rig.listener.packets(kind=PacketKind.LIVE)
    assert_recorded(packets, 1, live[0].first_index, live[-1].first_index)


async def test_duplicate_notifications_are_counted_once(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez(v1(HEAD))
    link = rig.link("head", WISH)
    await rig.streaming(packets=3)
    daemon.faults(HEAD, duplicate_next=2)
    await rig.streaming(packets=10)
    await rig.stop()
    packets = rig.listener.packets()
    firsts = [p.first_index for p in packets]
    assert len(firsts) - len(set(firsts)) == 2
    assert link.counters.duplicates == 2 * packets[0].n


async def test_bursts_arrive_whole(bluez: Bluez, rig: Rig) -> None:
    bluez(v1(HEAD, n_per_frame=1, faults={"burst_s": 0.1}))
    rig.link("head", WISH)
    await rig.streaming(packets=30)  # what arrives together is one packet
    await rig.stop()
    packets = rig.listener.packets()
    assert_recorded(packets, 1, packets[0].first_index, packets[-1].first_index)


async def test_sensor_reboot_restarts_index_and_clock(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez(v1(HEAD, boot=6, index=5000))
    rig.link("head", WISH)
    await rig.streaming(packets=2)
    daemon.command("reboot", address=HEAD)
    daemon.command("lose_link", address=HEAD)
    await rig.listener.until(lambda: len(rig.listener.of(StreamStarted)) == 2)
    await rig.listener.until(lambda: any(p.boot == 7 for p in rig.listener.packets()))
    first, second = rig.listener.of(StreamStarted)
    assert (first.boot, second.boot) == (6, 7)
    assert second.next_index < first.next_index
    again = [p for p in rig.listener.packets() if p.boot == 7]
    assert again[0].first_index == second.next_index
    assert again[0].device_us is not None
    assert again[0].device_us < 5_000_000


async def test_sequence_and_index_wrap(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez(v1(HEAD, index=2**32 - 60))
    link = rig.link("head", WISH)
    await rig.streaming(packets=1)
    daemon.command("sequence", address=HEAD, value=65534)
    await rig.streaming(packets=10)
    firsts = [p.first_index for p in rig.listener.packets()]
    assert firsts == sorted(firsts)
    assert firsts[-1] > 2**32 > firsts[0]
    assert {p.sequence for p in rig.listener.packets()} >= {65534, 65535, 0, 1}
    assert link.counters.missing_by_index == 0


async def test_connection_fails_at_first(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez(v1(HEAD, faults={"connect_failures": 3}))
    rig.link("head", WISH)
    await rig.streaming()
    calls = daemon.command("calls")
    assert calls.count("Device1.Connect") == 4
    await asyncio.sleep(0.3)
    assert rig.listener.states()[-1] == ("streaming", "started")


async def test_unreachable_sensor_backs_off_and_comes_back(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez(v1(HEAD, faults={"unreachable": True}))
    rig.link("head", WISH)
    await rig.listener.until(lambda: ("backoff", "connect_failed") in rig.listener.states())
    event = next(e for e in rig.listener.of(LinkEvent) if e.reason is LinkReason.CONNECT_FAILED)
    assert "Page Timeout" in event.raw
    assert event.remedy
    daemon.faults(HEAD, unreachable=False)
    await rig.streaming()


async def test_absent_sensor_is_named(bluez: Bluez, rig: Rig) -> None:
    bluez(v1(TRUNK, faults={"hidden": True}))
    rig.link("head", WISH)
    await rig.listener.until(lambda: ("backoff", "not_found") in rig.listener.states())
    event = next(e for e in rig.listener.of(LinkEvent) if e.reason is LinkReason.NOT_FOUND)
    assert "head" in event.message


async def test_wrong_major_is_refused_until_a_person_acts(bluez: Bluez, rig: Rig) -> None:
    bluez(v1(HEAD, major=2))
    link = rig.link("head", WISH)
    await rig.listener.until(lambda: ("refused", "protocol_major") in rig.listener.states())
    event = rig.listener.of(LinkEvent)[-1]
    assert "protocol 2" in event.message
    assert "Update the program" in event.remedy
    await asyncio.sleep(0.6)
    assert link.state is LinkState.REFUSED
    link.retry()
    await rig.listener.until(
        lambda: rig.listener.states().count(("refused", "protocol_major")) == 2
    )


async def test_mtu_23_says_so_and_goes_on_trying(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez(v1(HEAD, mtu=23))
    rig.link("head", WISH)
    await rig.listener.until(lambda: ("backoff", "mtu_too_small") in rig.listener.states())
    event = next(e for e in rig.listener.of(LinkEvent) if e.reason is LinkReason.MTU_TOO_SMALL)
    assert "adapter" in event.remedy
    daemon.command("mtu", address=HEAD, mtu=185)
    await rig.streaming()
    assert rig.listener.packets()[0].n == 13


async def test_adapter_switched_off_and_on(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez(v1(HEAD))
    rig.link("head", WISH)
    await rig.streaming()
    daemon.command("power", on=False)
    await rig.listener.until(lambda: ("no_adapter", "adapter_off") in rig.listener.states())
    daemon.command("power", on=True)
    before = len(rig.listener.packets())
    await rig.streaming(packets=before + 1)


async def test_neighbours_sensor_never_slips_in(bluez: Bluez, rig: Rig) -> None:
    bluez(v1(TRUNK, device_id="ffffffffffffffff"))
    rig.link("head", WISH)
    await rig.listener.until(lambda: ("backoff", "wrong_sensor") in rig.listener.states())
    await rig.listener.until(lambda: ("backoff", "not_found") in rig.listener.states())
    assert rig.listener.packets() == []


async def test_stale_link_of_a_killed_program_is_ended_first(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez(v1(HEAD))
    other = BleTransport()
    seen = await other.scan([], duration_s=2, until=lambda _: True)
    left = await other.connect(seen[0], timeout_s=2, on_disconnect=lambda: None)
    assert daemon.command("connected", address=HEAD)
    rig.link("head", WISH)
    await rig.streaming()
    assert "Device1.Disconnect" in daemon.command("calls")
    await left.disconnect()


async def test_att_error_is_typed_and_tried_again(bluez: Bluez, rig: Rig) -> None:
    status = "80ff0003-90be-4183-8550-b1597675f2d6"
    daemon = bluez(v1(HEAD, faults={"att_errors": {status: 0x80}}))
    rig.link("head", WISH)
    await rig.listener.until(lambda: ("backoff", "command_refused") in rig.listener.states())
    event = next(e for e in rig.listener.of(LinkEvent) if e.reason is LinkReason.COMMAND_REFUSED)
    assert "0x80" in event.message
    daemon.faults(HEAD, att_errors={})
    await rig.streaming()


async def test_lost_answers_are_asked_for_again(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez(v1(HEAD, faults={"drop_next": 1}))
    rig.link("head", WISH)
    await rig.streaming()
    assert daemon.command("state", address=HEAD)["streaming"]
