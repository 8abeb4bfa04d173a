"""Pairing with and without our agent, and what a scan tells about who is around."""

import time

import pytest

from ingest.candidates import SensorWish
from ingest.discovery import scan_sensors
from ingest.drivers.catalogue import SUPPORTED
from ingest.errors import PairingRequiredError, SensorNotFoundError
from ingest.link_state import LinkEvent, LinkReason
from ingest.pairing import pair_sensor
from ingest.sources.ble import BleTransport, adapter_state
from ingest.sources.ble import pairing_window as ble_window
from ingest.sources.bluez_agent import is_bonded, pairing_window
from ingest.transport import AdapterState
from tests.integration.ble.conftest import HEAD, TRUNK, Bluez, Rig, v1
from tests.support.bluez.bus import PrivateBus

WISH = SensorWish(device_id="v1-0000000000000001", address=HEAD)


async def test_unpaired_sensor_says_what_to_do_and_streams_once_paired(
    bluez: Bluez, rig: Rig
) -> None:
    bluez(v1(HEAD, faults={"needs_pairing": True}))
    link = rig.link("head", WISH)
    await rig.listener.until(lambda: ("backoff", "pairing_required") in rig.listener.states())
    event = next(e for e in rig.listener.of(LinkEvent) if e.reason is LinkReason.PAIRING_REQUIRED)
    assert "button" in event.remedy
    async with pairing_window(HEAD):
        link.retry()
        await rig.streaming()
    heard = await _heard(rig.transport, duration_s=0.3)
    assert heard is None, "a connected sensor does not advertise"


async def _heard(transport: BleTransport, *, duration_s: float) -> object:
    heard = await transport.scan((), duration_s=duration_s)
    return heard[0] if heard else None


async def test_agent_confirms_only_the_sensor_being_paired(bluez: Bluez, rig: Rig) -> None:
    bluez(v1(HEAD, faults={"needs_pairing": True}))
    async with pairing_window(TRUNK):
        rig.link("head", WISH)
        await rig.listener.until(lambda: ("backoff", "pairing_required") in rig.listener.states())


async def test_pairing_by_connecting_leaves_a_bond(bluez: Bluez, rig: Rig) -> None:
    bluez(v1(HEAD, faults={"needs_pairing": True}))
    (found,) = await rig.transport.scan((), duration_s=1, until=lambda _: True)
    assert not await is_bonded(found)
    async with pairing_window(HEAD):
        connection = await rig.transport.connect(
            found, timeout_s=2, on_disconnect=lambda: None, pair=True
        )
    assert await is_bonded(found)
    await connection.disconnect()


async def test_refused_pairing_waits_for_a_person(bluez: Bluez, rig: Rig) -> None:
    bluez(v1(HEAD, faults={"needs_pairing": True, "refuses_pairing": True}))
    (found,) = await rig.transport.scan((), duration_s=1, until=lambda _: True)
    with pytest.raises(Exception, match="pairing was refused") as caught:
        await rig.transport.connect(found, timeout_s=2, on_disconnect=lambda: None, pair=True)
    assert type(caught.value).__name__ == "PairingRefusedError"


async def test_scan_names_what_it_hears(bluez: Bluez) -> None:
    stranger = {"kind": "stranger", "address": "C0:00:00:00:00:09", "name": "Lamp"}
    bluez(v1(HEAD), stranger)
    found = await scan_sensors(BleTransport(), SUPPORTED, 0.5)
    assert [f.name for f in found] == ["necktrace 0001", "Lamp"]
    ours, lamp = found
    assert (ours.driver, ours.model, ours.reason) == ("v1", "necktrace sensor", "")
    assert ours.rssi_dbm is not None
    assert not lamp.recognised
    assert "belongs to a supported sensor" in lamp.reason


async def test_adapter_state_names_what_is_missing(bus: PrivateBus, bluez: Bluez) -> None:
    bluez().kill()
    assert (await adapter_state()).state is AdapterState.NO_SERVICE
    daemon = bluez(v1(HEAD))
    status = await adapter_state()
    assert (status.state, status.name) == (AdapterState.READY, "hci0")
    assert (await adapter_state("hci7")).state is AdapterState.NO_ADAPTER
    daemon.command("power", on=False)
    off = await adapter_state()
    assert off.state is AdapterState.POWERED_OFF
    assert "bluetoothctl power on" in off.remedy
    daemon.kill()
    bus.kill()
    gone = await adapter_state()
    assert gone.state is AdapterState.NO_BUS
    assert "dbus" in gone.remedy


async def test_adapter_is_power_cycled_and_devices_forgotten(
    bluez: Bluez, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.sources.ble._OFF_S", 0.05)
    daemon = bluez(v1(HEAD))
    transport = BleTransport()
    assert await transport.reset_adapter()
    assert (await adapter_state()).ready
    assert daemon.command("calls").count("Properties.Set") == 2
    await transport.scan((), duration_s=1, until=lambda _: True)
    await transport.forget(HEAD)
    assert "Adapter1.RemoveDevice" in daemon.command("calls")


async def test_pair_sensor_bonds_identifies_and_lets_go(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez(v1(HEAD, faults={"needs_pairing": True}), v1(TRUNK))
    paired = await pair_sensor(
        rig.transport,
        SUPPORTED,
        HEAD,
        monotonic_ns=time.monotonic_ns,
        window=ble_window,
        scan_s=1.0,
    )
    assert paired.identity.device_id == "v1-0000000000000001"
    assert not daemon.command("connected", address=HEAD)
    assert "Device1.Connect" in daemon.command("calls")
    rig.link("head", paired.wish(100.0))
    await rig.streaming()
    assert {p.device_id for p in rig.listener.packets()} == {"v1-0000000000000001"}


async def test_pair_sensor_gives_the_person_time_and_then_up(bluez: Bluez, rig: Rig) -> None:
    bluez(v1(HEAD, faults={"needs_pairing": True}))
    with pytest.raises(PairingRequiredError):
        await pair_sensor(
            rig.transport, SUPPORTED, HEAD, monotonic_ns=time.monotonic_ns, scan_s=1.0, window_s=0.5
        )
    with pytest.raises(SensorNotFoundError):
        await pair_sensor(
            rig.transport, SUPPORTED, TRUNK, monotonic_ns=time.monotonic_ns, scan_s=0.3
        )
