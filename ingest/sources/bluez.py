"""What bleak does not offer on Linux, asked of BlueZ over D-Bus: adapter, battery, stale links.

Each call uses a short connection of its own, so that a dead daemon or bus leaves nothing behind.
Linux only; imported by `ingest.sources.ble` where the platform has it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from dbus_fast import BusType, Message, MessageType, Variant, unpack_variants
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError

from ingest.errors import BluetoothError
from ingest.sources.bluez_errors import explain
from ingest.transport import AdapterState, AdapterStatus

SERVICE = "org.bluez"
ADAPTER = "org.bluez.Adapter1"
DEVICE = "org.bluez.Device1"
BATTERY = "org.bluez.Battery1"
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"
PROPERTIES = "org.freedesktop.DBus.Properties"
CALL_S = 5.0
"""Longest wait for one D-Bus call."""

Objects = Mapping[str, Mapping[str, Mapping[str, Any]]]


@contextlib.asynccontextmanager
async def system_bus() -> AsyncIterator[MessageBus]:
    """Connect to the system bus for the length of a block."""
    bus = MessageBus(bus_type=BusType.SYSTEM)
    try:
        await bus.connect()
        yield bus
    finally:
        bus.disconnect()


async def call(
    bus: MessageBus,
    path: str,
    interface: str,
    member: str,
    signature: str = "",
    body: list[Any] | None = None,
) -> list[Any]:
    """Call a method of BlueZ and return the body of its reply.

    Raises
    ------
    BluetoothError
        BlueZ answered with an error, or not within `CALL_S`.
    """
    message = Message(
        destination=SERVICE,
        path=path,
        interface=interface,
        member=member,
        signature=signature,
        body=body or [],
    )
    try:
        async with asyncio.timeout(CALL_S):
            reply = await bus.call(message)
    except TimeoutError as error:
        raise BluetoothError(
            f"The Bluetooth service did not answer {member} within {CALL_S:.0f} s.",
            remedy="Restart the Bluetooth service.",
        ) from error
    if reply.message_type is MessageType.ERROR:
        text = str(reply.body[0]) if reply.body else ""
        raise explain(reply.error_name or "", text, doing=member)
    return list(reply.body)


async def objects(bus: MessageBus) -> Objects:
    """Return everything that BlueZ knows: path, interface, property, value."""
    (found,) = await call(bus, "/", OBJECT_MANAGER, "GetManagedObjects")
    return {path: unpack_variants(interfaces) for path, interfaces in found.items()}


async def adapter_status(wanted: str = "") -> AdapterStatus:
    """Return the state of the adapter bleak would choose: the first that is powered.

    Parameters
    ----------
    wanted
        System name such as `hci1`; empty for any.
    """
    try:
        async with system_bus() as bus:
            tree = await objects(bus)
    except AuthError as error:
        return AdapterStatus(
            AdapterState.DENIED,
            f"The system bus refuses this program: {error}",
            "Run it as a user who may use Bluetooth (group `bluetooth` on Debian).",
        )
    except (OSError, ValueError) as error:
        return AdapterStatus(
            AdapterState.NO_BUS,
            f"There is no system message bus (D-Bus): {error}",
            "Install and start `dbus`; in a container, pass the host's bus socket in.",
        )
    except BluetoothError as error:
        return _without_service(error)
    adapters = {
        path: interfaces[ADAPTER]
        for path, interfaces in tree.items()
        if ADAPTER in interfaces and (not wanted or path.endswith(f"/{wanted}"))
    }
    if not adapters:
        return AdapterStatus(
            AdapterState.NO_ADAPTER,
            f"The adapter {wanted} is not there." if wanted else "No Bluetooth adapter was found.",
            "Plug in a Bluetooth adapter, or load its driver and firmware.",
        )
    powered = {path: each for path, each in adapters.items() if each.get("Powered")}
    path, adapter = next(iter((powered or adapters).items()))
    name, address = path.rsplit("/", 1)[-1], str(adapter.get("Address", ""))
    if not powered:
        return AdapterStatus(
            AdapterState.POWERED_OFF,
            "Bluetooth is off on this computer.",
            "Switch Bluetooth on (`bluetoothctl power on`; `rfkill unblock bluetooth` if it is "
            "blocked).",
            name,
            address,
        )
    return AdapterStatus(AdapterState.READY, f"Adapter {name} is ready.", "", name, address)


def _without_service(error: BluetoothError) -> AdapterStatus:
    denied = "AccessDenied" in error.raw
    return AdapterStatus(
        AdapterState.DENIED if denied else AdapterState.NO_SERVICE,
        str(error) if denied else "The Bluetooth service (bluetoothd) is not running.",
        error.remedy
        if denied
        else "Install `bluez` and start it: `systemctl enable --now bluetooth`.",
    )


def _device_path(tree: Objects, address: str) -> str | None:
    for path, interfaces in tree.items():
        if str(interfaces.get(DEVICE, {}).get("Address", "")).upper() == address.upper():
            return path
    return None


async def battery_percent(address: str) -> int | None:
    """Return the battery level that BlueZ read from a connected sensor, None without one."""
    async with system_bus() as bus:
        tree = await objects(bus)
    path = _device_path(tree, address)
    level = None if path is None else tree[path].get(BATTERY, {}).get("Percentage")
    return None if level is None else int(level)


async def disconnect_devices(addresses: frozenset[str]) -> list[str]:
    """End existing links to the given addresses and return those that were there."""
    ended = []
    async with system_bus() as bus:
        tree = await objects(bus)
        for address in sorted(addresses):
            path = _device_path(tree, address)
            if path is not None and tree[path][DEVICE].get("Connected"):
                await call(bus, path, DEVICE, "Disconnect")
                ended.append(address)
    return ended


async def remove_unbonded(address: str) -> bool:
    """Let BlueZ forget a device unless it is bonded; return whether it did."""
    async with system_bus() as bus:
        tree = await objects(bus)
        path = _device_path(tree, address)
        if path is None:
            return False
        device = tree[path][DEVICE]
        if device.get("Bonded") or device.get("Paired"):
            return False
        await call(bus, str(device["Adapter"]), ADAPTER, "RemoveDevice", "o", [path])
    return True


async def power_cycle(name: str, *, off_s: float) -> None:
    """Switch an adapter off and on; both need rights that a normal user may lack."""
    path = f"/org/bluez/{name}"
    async with system_bus() as bus:
        for on in (False, True):
            body = [ADAPTER, "Powered", Variant("b", on)]
            await call(bus, path, PROPERTIES, "Set", "ssv", body)
            if not on:
                await asyncio.sleep(off_s)
