"""Two of our sensors through bleak, D-Bus and the real collector code, when nothing goes wrong."""

from ingest.candidates import SensorWish
from ingest.drivers import PacketKind, StatusReport, StreamStarted, TimeSyncReport
from tests.integration.ble.conftest import HEAD, TRUNK, Bluez, Rig, assert_recorded, v1


async def test_two_sensors_stream_and_stop(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez(v1(HEAD), v1(TRUNK, boot=4, index=1000))
    rig.link("head", SensorWish(rate_hz=100.0, device_id="v1-0000000000000001", address=HEAD))
    rig.link("trunk", SensorWish(rate_hz=52.0, device_id="v1-0000000000000002", address=TRUNK))
    await rig.streaming("head", packets=4)
    await rig.streaming("trunk", packets=4)
    await rig.stop()

    for role in ("head", "trunk"):
        assert [s for s, _ in rig.listener.states(role)] == [
            "scanning",
            "connecting",
            "identifying",
            "subscribing",
            "streaming",
            "stopping",
            "ended",
        ]
    started = {s.device_id: s for s in rig.listener.of(StreamStarted)}
    assert started["v1-0000000000000001"].streams[0].rate_hz == 100.0
    assert started["v1-0000000000000002"].streams[0].rate_hz == 52.0
    assert started["v1-0000000000000002"].boot == 4
    for device_id, begun in started.items():
        packets = rig.listener.packets(device_id)
        assert all(p.kind is PacketKind.LIVE for p in packets)
        assert packets[0].first_index == begun.next_index
        end = packets[-1].first_index + packets[-1].n
        assert_recorded(packets, begun.boot, packets[0].first_index, end)
        assert begun.identity.battery_percent == 77
        assert begun.identity.serial
    for address in (HEAD, TRUNK):
        state = daemon.command("state", address=address)
        assert not state["streaming"]
        assert state["recording"]
        assert not daemon.command("connected", address=address)
    calls = daemon.command("calls")
    assert "GattCharacteristic1.AcquireNotify" not in calls
    ours = {"80ff0000-90be-4183-8550-b1597675f2d6"}
    filters = daemon.command("filters")
    assert filters
    assert all(set(each) == ours for each in filters), "scans hear only our service"
    assert rig.listener.of(TimeSyncReport)
    assert all(0 <= s.rtt_us < 1_000_000 for s in rig.listener.of(TimeSyncReport))
    assert all(s.mtu == 247 for s in rig.listener.of(StatusReport))
