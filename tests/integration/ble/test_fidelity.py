"""The emulated daemon behaves as real bluetoothd 5.66 was traced to: one assertion per rule.

Every difference listed in the Bluetooth reference was found by running the same scenario on both;
a harness that drifts from these would prove nothing about the client.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from dbus_fast import BusType, Message, MessageType, Variant, unpack_variants
from dbus_fast.aio import MessageBus

from firmware_protocol.gatt import CONTROL_UUID, INFO_UUID, STATUS_UUID, STREAM_UUID
from tests.integration.ble.conftest import HEAD, Bluez, v1
from tests.support.bluez.bus import EmulatedBluez
from tests.support.bluez.world import ADAPTER, BATTERY, CHAR, DESCRIPTOR, DEVICE, HCI

PATH = f"{HCI}/dev_{HEAD.replace(':', '_')}"


class Client:
    """A bare D-Bus client that keeps every signal of the daemon, in order."""

    def __init__(self, bus: MessageBus, daemon: EmulatedBluez) -> None:
        self.bus = bus
        self.daemon = daemon
        self.signals: list[tuple[str, str, Any]] = []
        self.changed = asyncio.Event()
        bus.add_message_handler(self._keep)

    def _keep(self, message: Message) -> None:
        if message.message_type is MessageType.SIGNAL and message.member in {
            "PropertiesChanged",
            "InterfacesAdded",
            "InterfacesRemoved",
        }:
            self.signals.append((message.path or "", message.member, unpack_variants(message.body)))
            self.changed.set()

    async def call(
        self, path: str, interface: str, member: str, signature: str = "", body: Any = ()
    ) -> Message:
        async with asyncio.timeout(5):
            return await self.bus.call(
                Message(
                    destination="org.bluez",
                    path=path,
                    interface=interface,
                    member=member,
                    signature=signature,
                    body=list(body),
                )
            )

    async def objects(self) -> dict[str, Any]:
        reply = await self.call("/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        found: dict[str, Any] = unpack_variants(reply.body[0])
        return found

    def changes(self, path: str) -> list[tuple[dict[str, Any], list[str]]]:
        return [(b[1], b[2]) for p, m, b in self.signals if p == path and m == "PropertiesChanged"]

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def discover(self) -> None:
        await self.call(HCI, ADAPTER, "StartDiscovery")
        await self.until(
            lambda: any(b[0] == PATH for _, m, b in self.signals if m == "InterfacesAdded")
        )

    async def connect(self) -> None:
        reply = await self.call(PATH, DEVICE, "Connect")
        assert reply.message_type is MessageType.METHOD_RETURN
        await self.until(lambda: ({"ServicesResolved": True}, []) in self.changes(PATH))

    def char(self, tree: dict[str, Any], uuid: str) -> tuple[str, dict[str, Any]]:
        return next((p, i[CHAR]) for p, i in tree.items() if i.get(CHAR, {}).get("UUID") == uuid)


@pytest.fixture
async def client(bluez: Bluez) -> AsyncIterator[Client]:
    daemon = bluez(v1(HEAD))
    bus = MessageBus(bus_type=BusType.SYSTEM, negotiate_unix_fd=True)
    await bus.connect()
    await bus.call(
        Message(
            destination="org.freedesktop.DBus",
            path="/org/freedesktop/DBus",
            interface="org.freedesktop.DBus",
            member="AddMatch",
            signature="s",
            body=["type='signal',sender='org.bluez'"],
        )
    )
    made = Client(bus, daemon)
    yield made
    bus.disconnect()
    assert os.environ["DBUS_SYSTEM_BUS_ADDRESS"].startswith("unix:path=")


async def test_rules_1_to_3_of_the_gatt_objects(client: Client) -> None:
    await client.discover()
    await client.connect()
    tree = await client.objects()
    _, control = client.char(tree, CONTROL_UUID)
    _, stream = client.char(tree, STREAM_UUID)
    # 1: an indicate-only characteristic has no NotifyAcquired
    assert "indicate" in control["Flags"]
    assert "notify" not in control["Flags"]
    assert "NotifyAcquired" not in control
    assert "Notifying" in control
    assert stream["NotifyAcquired"] is False
    # 2: plain read, never encrypt-read
    _, status = client.char(tree, STATUS_UUID)
    assert sorted(status["Flags"]) == ["notify", "read"]
    # 3: remote descriptors have no Flags
    descriptors = [i[DESCRIPTOR] for i in tree.values() if DESCRIPTOR in i]
    assert descriptors
    assert all("Flags" not in each for each in descriptors)


async def test_rule_4_gatt_objects_survive_a_disconnect(client: Client) -> None:
    await client.discover()
    await client.connect()
    before = {p for p in await client.objects() if p.startswith(f"{PATH}/")}
    await client.call(PATH, DEVICE, "Disconnect")
    assert {p for p in await client.objects() if p.startswith(f"{PATH}/")} == before
    client.signals.clear()
    await client.connect()
    assert [m for p, m, b in client.signals if m == "InterfacesAdded" and b[0] != PATH] == []
    flips = [list(changed) for changed, _ in client.changes(PATH) if "RSSI" not in changed]
    assert flips == [["Connected"], ["ServicesResolved"]]


async def test_rule_5_loss_is_one_signal_and_disconnect_two(client: Client) -> None:
    await client.discover()
    await client.connect()
    client.signals.clear()
    client.daemon.command("lose_link", address=HEAD)
    await client.until(lambda: bool(client.changes(PATH)))
    assert client.changes(PATH)[0] == ({"Connected": False, "ServicesResolved": False}, [])
    await client.connect()
    client.signals.clear()
    await client.call(PATH, DEVICE, "Disconnect")
    downs = [changed for changed, _ in client.changes(PATH) if "RSSI" not in changed]
    assert downs == [{"ServicesResolved": False}, {"Connected": False}]


async def test_rule_6_rssi_goes_before_discovering_ends(client: Client) -> None:
    await client.discover()
    client.signals.clear()
    await client.call(HCI, ADAPTER, "StopDiscovery")
    ends = [
        (path, body[1], body[2])
        for path, member, body in client.signals
        if member == "PropertiesChanged" and (body[2] == ["RSSI"] or "Discovering" in body[1])
    ]
    assert ends == [(PATH, {}, ["RSSI"]), (HCI, {"Discovering": False}, [])]


async def test_rule_7_battery_comes_and_goes_with_the_link(client: Client) -> None:
    await client.discover()
    assert BATTERY not in (await client.objects())[PATH]
    await client.connect()
    assert (await client.objects())[PATH][BATTERY] == {"Percentage": 77}
    client.signals.clear()
    await client.call(PATH, DEVICE, "Disconnect")
    assert ("/", "InterfacesRemoved", [PATH, [BATTERY]]) in client.signals


async def test_scan_filter_and_second_start(client: Client) -> None:
    asked = {"UUIDs": Variant("as", ["0000feed-0000-1000-8000-00805f9b34fb"])}
    await client.call(HCI, ADAPTER, "SetDiscoveryFilter", "a{sv}", [asked])
    await client.call(HCI, ADAPTER, "StartDiscovery")
    await asyncio.sleep(0.3)
    assert PATH not in await client.objects()
    again = await client.call(HCI, ADAPTER, "StartDiscovery")
    assert again.error_name == "org.bluez.Error.InProgress"


async def test_write_honours_its_type(client: Client) -> None:
    await client.discover()
    await client.connect()
    path, _ = client.char(await client.objects(), CONTROL_UUID)
    body = [b"\x01\x01", {"type": Variant("s", "command")}]
    reply = await client.call(path, CHAR, "WriteValue", "aya{sv}", body)
    assert reply.error_name == "org.bluez.Error.NotSupported"
    path, _ = client.char(await client.objects(), INFO_UUID)
    reply = await client.call(path, CHAR, "StartNotify")
    assert reply.error_name == "org.bluez.Error.NotSupported"


async def test_start_notify_is_refused_while_acquired(client: Client) -> None:
    await client.discover()
    await client.connect()
    path, _ = client.char(await client.objects(), STREAM_UUID)
    taken = await client.call(path, CHAR, "AcquireNotify", "a{sv}", [{}])
    assert taken.body[1] == 247
    os.close(taken.unix_fds[0])
    reply = await client.call(path, CHAR, "StartNotify")
    assert reply.error_name == "org.bluez.Error.NotPermitted"


async def test_a_client_that_leaves_takes_its_notifications_along(client: Client) -> None:
    await client.discover()
    await client.connect()
    path, _ = client.char(await client.objects(), STREAM_UUID)
    other = MessageBus(bus_type=BusType.SYSTEM)
    await other.connect()
    await other.call(
        Message(destination="org.bluez", path=path, interface=CHAR, member="StartNotify")
    )
    assert (await client.objects())[path][CHAR]["Notifying"] is True
    other.disconnect()
    await client.until(lambda: ({"Notifying": False}, []) in client.changes(path))


async def test_unseen_devices_are_forgotten(client: Client) -> None:
    client.daemon.command("temporary", seconds=0.2)
    await client.discover()
    await client.call(HCI, ADAPTER, "StopDiscovery")
    await client.until(lambda: any(m == "InterfacesRemoved" for _, m, _ in client.signals))
    assert PATH not in await client.objects()
