"""The collector, through bleak and D-Bus, against the C library as the sensor's firmware."""

import shutil
from pathlib import Path

import pytest

from ingest.candidates import SensorWish
from ingest.drivers import BackfillReport, PacketKind, StatusReport, StreamStarted, TimeSyncReport
from tests.integration.ble.conftest import HEAD, Bluez, Rig, assert_recorded, v1
from tests.unit.firmware_protocol.reference.twin import REFERENCE, SANITIZERS, compile_c

WISH = SensorWish(rate_hz=100.0, device_id="v1-0000000000000001", address=HEAD)


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed: apt-get install gcc")
    host = REFERENCE / "host" / "nt_host.c"
    target: Path = tmp_path_factory.mktemp("firmware") / "nt_host"
    return str(compile_c([host], target, *SANITIZERS, "-D_POSIX_C_SOURCE=200809L"))


async def test_the_c_sensor_streams_and_stops(bluez: Bluez, rig: Rig, program: str) -> None:
    daemon = bluez(v1(HEAD, boot=7) | {"kind": "v1_c", "program": program})
    rig.link("head", WISH)
    await rig.streaming(packets=8)
    await rig.stop()
    (started,) = rig.listener.of(StreamStarted)
    assert (started.boot, started.streams[0].rate_hz) == (7, 100.0)
    packets = rig.listener.packets()
    end = packets[-1].first_index + packets[-1].n
    assert_recorded(packets, 7, started.next_index, end)
    assert rig.listener.of(TimeSyncReport)
    assert all(s.mtu == 247 for s in rig.listener.of(StatusReport))
    assert not daemon.command("connected", address=HEAD)


async def test_the_c_sensor_fills_the_gap_of_a_lost_link(
    bluez: Bluez, rig: Rig, program: str
) -> None:
    device = v1(HEAD, backfill_frames_per_s=3000)
    daemon = bluez(device | {"kind": "v1_c", "program": program})
    rig.link("head", WISH, backfill=True)
    await rig.streaming(packets=2)
    daemon.faults(HEAD, hidden=True)
    daemon.command("lose_link", address=HEAD)
    daemon.command("pass_time", address=HEAD, seconds=300)
    daemon.faults(HEAD, hidden=False)
    device_id = WISH.device_id

    def caught_up() -> bool:
        starts = rig.listener.of(StreamStarted)
        held = rig.ledger.held(device_id, 1)
        return len(starts) > 1 and not rig.ledger.missing(
            device_id, 1, starts[0].next_index or 0, held.end
        )

    await rig.listener.until(
        lambda: caught_up() and bool(rig.listener.of(BackfillReport)), within_s=20
    )
    await rig.stop()
    first, second = rig.listener.of(StreamStarted)
    assert second.next_index - first.next_index > 30_000
    packets = rig.listener.packets()
    assert_recorded(packets, 1, first.next_index, second.next_index)
    assert any(p.kind is PacketKind.BACKFILL for p in packets)
    assert {r.outcome for r in rig.listener.of(BackfillReport)} == {"complete"}
