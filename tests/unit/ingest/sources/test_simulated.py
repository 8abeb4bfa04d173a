"""The simulated radio: the transport contract, losses, and bytes of protocol v1."""

import asyncio

import pytest

from firmware_protocol.definition import DeviceState
from firmware_protocol.gatt import (
    BACKFILL_UUID,
    CONTROL_UUID,
    INFO_UUID,
    SERVICE_UUID,
    STATUS_UUID,
    STREAM_UUID,
)
from firmware_protocol.info import ProtocolInfo
from firmware_protocol.status import Status
from ingest.errors import ConnectFailedError, GattError, LinkLostError
from ingest.sources.simulated import RadioSpec, SimulatedConnection, SimulatedTransport
from ingest.sources.virtual_body import BodySpec, VirtualBody
from ingest.transport import Transport

pytestmark = pytest.mark.slow


def transport_of(radio: RadioSpec | None = None) -> SimulatedTransport:
    return SimulatedTransport(VirtualBody(BodySpec()), radio)


async def connected(
    transport: SimulatedTransport, lost: list[str] | None = None
) -> SimulatedConnection:
    (head, *_) = await transport.scan({SERVICE_UUID}, duration_s=1.0)
    return await transport.connect(
        head, timeout_s=1.0, on_disconnect=lambda: lost.append("lost") if lost is not None else None
    )


def test_it_is_a_transport() -> None:
    transport: Transport = transport_of()
    assert transport is not None


async def test_scan_hears_both_until_connected() -> None:
    transport = transport_of()
    heard = await transport.scan({SERVICE_UUID}, duration_s=1.0)
    assert [a.name for a in heard] == ["VIRTUAL-HEAD-1", "VIRTUAL-TRUNK-1"]
    assert len(await transport.scan({SERVICE_UUID}, duration_s=1.0, until=lambda _: True)) == 1
    assert await transport.scan({"0000180d-0000-1000-8000-00805f9b34fb"}, duration_s=1.0) == []
    connection = await connected(transport)
    heard = await transport.scan((), duration_s=1.0)
    assert [a.name for a in heard] == ["VIRTUAL-TRUNK-1"]
    await connection.disconnect()


async def test_reads_are_protocol_v1() -> None:
    connection = await connected(transport_of())
    info = ProtocolInfo.from_bytes(await connection.read(INFO_UUID))
    assert info.device_id_hex.startswith("5653")
    assert Status.from_bytes(await connection.read(STATUS_UUID)).boot_counter == 1
    assert await connection.battery_percent() == 100
    with pytest.raises(GattError) as caught:
        await connection.read(STREAM_UUID)
    assert caught.value.att_code == 0x02
    await connection.disconnect()


async def test_request_without_subscription_is_an_att_error() -> None:
    connection = await connected(transport_of())
    with pytest.raises(GattError) as caught:
        await connection.write(CONTROL_UUID, bytes([1, 1]), response=True)
    assert caught.value.att_code == 0xFD
    await connection.disconnect()


async def test_lost_link_is_told_once_and_further_use_fails() -> None:
    lost: list[str] = []
    transport = transport_of()
    connection = await connected(transport, lost)
    transport.drop_link("head")
    transport.drop_link("head")
    assert lost == ["lost"]
    with pytest.raises(LinkLostError):
        await connection.read(STATUS_UUID)
    await connection.disconnect()
    again = await connected(transport)
    assert Status.from_bytes(await again.read(STATUS_UUID)).boot_counter == 1
    await again.disconnect()


async def test_disconnecting_on_purpose_is_silent() -> None:
    lost: list[str] = []
    connection = await connected(transport_of(), lost)
    await connection.disconnect()
    await connection.disconnect()
    assert lost == []


async def test_a_sensor_can_be_connected_once() -> None:
    transport = transport_of()
    (head, *_) = await transport.scan((), duration_s=1.0)
    first = await transport.connect(head, timeout_s=1.0, on_disconnect=lambda: None)
    with pytest.raises(ConnectFailedError):
        await transport.connect(head, timeout_s=1.0, on_disconnect=lambda: None)
    await first.disconnect()


async def test_reboot_ends_the_link_and_counts() -> None:
    lost: list[str] = []
    transport = transport_of()
    await connected(transport, lost)
    transport.reboot("head")
    assert lost == ["lost"]
    again = await connected(transport)
    assert Status.from_bytes(await again.read(STATUS_UUID)).boot_counter == 2
    await again.disconnect()


async def test_characteristics_and_sizes() -> None:
    connection = await connected(transport_of())
    assert connection.has_characteristic(BACKFILL_UUID)
    assert not connection.has_characteristic("0000ffe4-0000-1000-8000-00805f9a34fb")
    assert connection.max_write_size(CONTROL_UUID) == 244
    assert SERVICE_UUID in connection.service_uuids
    assert connection.name == "VIRTUAL-HEAD-1"
    await connection.disconnect()


async def test_status_is_notified_by_itself() -> None:
    connection = await connected(transport_of())
    seen: list[bytes] = []
    await connection.subscribe(STATUS_UUID, seen.append)
    connection._worn.sensor.fault = True
    await asyncio.sleep(0.1)
    assert Status.from_bytes(seen[0]).state == DeviceState.FAULT
    await connection.unsubscribe(STATUS_UUID)
    seen.clear()
    connection._worn.sensor.fault = False
    await asyncio.sleep(0.05)
    assert seen == []
    await connection.disconnect()
