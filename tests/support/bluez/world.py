"""Adapter, devices and GATT of the emulated daemon, in the order real bluetoothd 5.66 does it.

The seven fidelity rules that were traced on the real daemon are marked `rule n`; each has its own
assertion in tests/integration/ble/test_fidelity.py.
"""

import asyncio
import contextlib
import os
import random
import socket
from dataclasses import dataclass, field
from typing import Any

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from tests.support.bluez.peripheral import AttError, Char, Notifications, Peripheral
from tests.support.bluez.table import BluezError, ObjectTable, Properties, unknown_object

ADAPTER, DEVICE, BATTERY = "org.bluez.Adapter1", "org.bluez.Device1", "org.bluez.Battery1"
SERVICE, CHAR, DESCRIPTOR = (
    "org.bluez.GattService1",
    "org.bluez.GattCharacteristic1",
    "org.bluez.GattDescriptor1",
)
AGENT_MANAGER, AGENT = "org.bluez.AgentManager1", "org.bluez.Agent1"
HCI = "/org/bluez/hci0"
CCCD = "00002902-0000-1000-8000-00805f9b34fb"
ADVERT_S, POLL_S = 0.1, 0.01


@dataclass
class Faults:
    """What goes wrong with one device; set by tests while the daemon runs."""

    connect_failures: int = 0
    unreachable: bool = False
    silent: bool = False
    hidden: bool = False
    drop_probability: float = 0.0
    drop_next: int = 0
    duplicate_next: int = 0
    burst_s: float = 0.0
    att_errors: dict[str, int] = field(default_factory=dict)
    early_notification: bool = False
    needs_pairing: bool = False
    refuses_pairing: bool = False


@dataclass
class Device:
    """One peripheral as the daemon knows it."""

    address: str
    peripheral: Peripheral
    mtu: int = 247
    faults: Faults = field(default_factory=Faults)
    char_of_path: dict[str, Char] = field(default_factory=dict)
    path_of_uuid: dict[str, str] = field(default_factory=dict)
    notifying: dict[str, set[str]] = field(default_factory=dict)
    """Characteristic path to the D-Bus clients that asked for notifications."""
    acquired: dict[str, socket.socket] = field(default_factory=dict)
    held_back: Notifications = field(default_factory=list)
    released_at: float = 0.0
    sent: int = 0

    @property
    def path(self) -> str:
        return f"{HCI}/dev_{self.address.replace(':', '_')}"


class World:
    """Everything the emulated daemon owns."""

    def __init__(self, bus: MessageBus, *, seed: int = 1) -> None:
        self.bus = bus
        self.table = ObjectTable(bus)
        self.devices: dict[str, Device] = {}
        self.scanners: dict[str, frozenset[str]] = {}
        self.filters: dict[str, frozenset[str]] = {}
        self.agent: tuple[str, str] | None = None
        self.calls: list[str] = []
        self.filters_seen: list[list[str]] = []
        self.temporary_s = 30.0
        self._rng = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()
        self._seen_at: dict[str, float] = {}
        self.table.objects["/org/bluez"] = {AGENT_MANAGER: {}}
        self.table.objects[HCI] = {ADAPTER: _adapter_properties()}

    def add_device(self, address: str, peripheral: Peripheral, *, mtu: int = 247) -> None:
        self.devices[address] = Device(address, peripheral, mtu)

    def start(self) -> None:
        self._spawn(self._advertise())
        self._spawn(self._poll())

    def end(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- requests -------------------------------------------------------------------------

    def client_left(self, sender: str) -> None:
        """Do what bluetoothd does when a client leaves the bus: drop its scans and sessions."""
        self.filters.pop(sender, None)
        if self.scanners.pop(sender, None) is not None and not self.scanners:
            self._end_discovery()
        for device in self.devices.values():
            for path in list(device.notifying):
                if sender in device.notifying[path]:
                    self._stop_notify(device, path, sender)

    async def handle(self, message: Message) -> Message:
        """Answer one method call."""
        path, interface, member = message.path or "", message.interface or "", message.member or ""
        self.calls.append(f"{interface.rsplit('.', 1)[-1]}.{member}")
        standard = self.table.answer_standard(message)
        if standard is not None:
            return standard
        if interface == "org.freedesktop.DBus.Properties" and member == "Set":
            return self._set(message)
        if not self.table.has(path, interface):
            raise unknown_object(message)
        method = getattr(self, f"_{interface.rsplit('.', 1)[-1].lower()}_{member.lower()}", None)
        if method is None:
            raise BluezError("org.freedesktop.DBus.Error.UnknownMethod", member)
        reply: Message = await method(message)
        return reply

    def _set(self, message: Message) -> Message:
        interface, name, value = message.body
        path = message.path or ""
        if interface == ADAPTER and name == "Powered":
            self.power(on=bool(value.value))
        else:
            self.table.change(path, interface, {name: value})
        return Message.new_method_return(message)

    def power(self, *, on: bool) -> None:
        if not on:
            for device in self.devices.values():
                self.lose_link(device)
            self.scanners.clear()
            self._end_discovery()
        self.table.change(HCI, ADAPTER, {"Powered": Variant("b", on)})

    def _require_power(self) -> None:
        if not self.table.value(HCI, ADAPTER, "Powered"):
            raise BluezError("NotReady", "Resource Not Ready")

    # --- Adapter1 -------------------------------------------------------------------------

    async def _adapter1_setdiscoveryfilter(self, message: Message) -> Message:
        self._require_power()
        asked = message.body[0].get("UUIDs")
        self.filters[message.sender or ""] = frozenset(asked.value if asked else ())
        return Message.new_method_return(message)

    async def _adapter1_startdiscovery(self, message: Message) -> Message:
        self._require_power()
        sender = message.sender or ""
        if sender in self.scanners:
            raise BluezError("InProgress", "Operation already in progress")
        first = not self.scanners
        self.scanners[sender] = self.filters.get(sender, frozenset())
        self.filters_seen.append(sorted(self.scanners[sender]))
        if first:
            self.table.change(HCI, ADAPTER, {"Discovering": Variant("b", True)})
        return Message.new_method_return(message)

    async def _adapter1_stopdiscovery(self, message: Message) -> Message:
        self._require_power()
        if self.scanners.pop(message.sender or "", None) is None:
            raise BluezError("Failed", "No discovery started")
        if not self.scanners:
            self._end_discovery()
        return Message.new_method_return(message)

    def _end_discovery(self) -> None:
        for device in self.devices.values():
            if (
                self.table.has(device.path, DEVICE)
                and "RSSI" in self.table.objects[device.path][DEVICE]
            ):
                self.table.change(device.path, DEVICE, {}, ("RSSI",))  # rule 6
        if self.table.value(HCI, ADAPTER, "Discovering"):
            self.table.change(HCI, ADAPTER, {"Discovering": Variant("b", False)})

    async def _adapter1_removedevice(self, message: Message) -> Message:
        for device in self.devices.values():
            if device.path == message.body[0] and self.table.has(device.path, DEVICE):
                self.lose_link(device)
                self._forget(device)
                return Message.new_method_return(message)
        raise BluezError("DoesNotExist", "Does Not Exist")

    def _forget(self, device: Device) -> None:
        for path in sorted(device.char_of_path) + sorted(
            {p.rsplit("/", 1)[0] for p in device.char_of_path}
        ):
            for below in [p for p in self.table.objects if p.startswith(f"{path}/desc")]:
                self.table.remove(below)
            self.table.remove(path)
        device.char_of_path.clear()
        device.path_of_uuid.clear()
        self.table.remove(device.path)

    async def _advertise(self) -> None:
        while True:
            await asyncio.sleep(ADVERT_S)
            now = asyncio.get_running_loop().time()
            for device in self.devices.values():
                known = self.table.has(device.path, DEVICE)
                connected = known and self.table.value(device.path, DEVICE, "Connected")
                if self.scanners and not connected and not device.faults.hidden:
                    self._hear(device, now)
                elif known and not connected and not self._bonded(device):
                    unheard_s = now - self._seen_at.get(device.address, now)
                    if unheard_s > self.temporary_s:
                        self._forget(device)

    def _hear(self, device: Device, now: float) -> None:
        advert = device.peripheral.advert
        wanted = any(
            not uuids or uuids & set(advert.service_uuids) for uuids in self.scanners.values()
        )
        if not wanted:
            return
        self._seen_at[device.address] = now
        rssi = {"RSSI": Variant("n", advert.rssi + self._rng.randint(-2, 2))}
        if self.table.has(device.path, DEVICE):
            self.table.change(device.path, DEVICE, rssi)
        else:
            self.table.add(device.path, {DEVICE: _device_properties(device) | rssi})

    # --- Device1 --------------------------------------------------------------------------

    def device_at(self, path: str) -> Device:
        return next(
            d for d in self.devices.values() if path == d.path or path.startswith(d.path + "/")
        )

    async def _device1_connect(self, message: Message) -> Message:
        device = self.device_at(message.path or "")
        self._require_power()
        if self.table.value(device.path, DEVICE, "Connected"):
            return Message.new_method_return(message)
        await asyncio.sleep(0.02)
        if device.faults.unreachable or device.faults.hidden:
            await asyncio.sleep(0.3)
            raise BluezError("Failed", "Page Timeout")
        if device.faults.connect_failures > 0:
            device.faults.connect_failures -= 1
            self.table.change(device.path, DEVICE, {"Connected": Variant("b", True)})
            await asyncio.sleep(0.02)
            self.table.change(device.path, DEVICE, {"Connected": Variant("b", False)})
            raise BluezError("Failed", "le-connection-abort-by-local")
        self.table.change(device.path, DEVICE, {"Connected": Variant("b", True)})
        device.peripheral.connected(device.mtu)
        self._spawn(self._resolve(device))
        return Message.new_method_return(message)

    async def _resolve(self, device: Device) -> None:
        await asyncio.sleep(0.02)
        if not self.table.value(device.path, DEVICE, "Connected"):
            return
        if not device.char_of_path:
            self._expose_gatt(device)  # rule 4: once; they survive a disconnect
        for path in device.char_of_path:
            self.table.objects[path][CHAR]["MTU"] = Variant("q", device.mtu)
        if device.peripheral.battery_percent is not None:  # rule 7
            level = {"Percentage": Variant("y", device.peripheral.battery_percent)}
            self.table.add(device.path, {BATTERY: level})
        self.table.change(device.path, DEVICE, {"ServicesResolved": Variant("b", True)})

    def _expose_gatt(self, device: Device) -> None:
        handle = 0x0010
        for service in device.peripheral.services:
            service_path = f"{device.path}/service{handle:04x}"
            handle += 1
            self.table.add(
                service_path,
                {
                    SERVICE: {
                        "UUID": Variant("s", service.uuid),
                        "Device": Variant("o", device.path),
                        "Primary": Variant("b", True),
                        "Includes": Variant("ao", []),
                    }
                },
            )
            for char in service.chars:
                path = f"{service_path}/char{handle:04x}"
                device.char_of_path[path] = char
                device.path_of_uuid[char.uuid] = path
                self.table.add(path, {CHAR: _char_properties(char, service_path, device.mtu)})
                if {"notify", "indicate"} & set(char.flags):
                    # rule 3: no Flags on remote descriptors
                    self.table.add(
                        f"{path}/desc{handle + 2:04x}",
                        {
                            DESCRIPTOR: {
                                "UUID": Variant("s", CCCD),
                                "Characteristic": Variant("o", path),
                                "Value": Variant("ay", b""),
                            }
                        },
                    )
                handle += 3

    async def _device1_disconnect(self, message: Message) -> Message:
        device = self.device_at(message.path or "")
        if self.table.value(device.path, DEVICE, "Connected"):
            # rule 5: a disconnect the host asked for comes in two signals
            self.table.change(device.path, DEVICE, {"ServicesResolved": Variant("b", False)})
            self._link_ended(device)
            self.table.change(device.path, DEVICE, {"Connected": Variant("b", False)})
        return Message.new_method_return(message)

    def lose_link(self, device: Device) -> None:
        """End the link as radio loss does."""
        if not self.table.has(device.path, DEVICE) or not self.table.value(
            device.path, DEVICE, "Connected"
        ):
            return
        self._link_ended(device)
        # rule 5: loss comes in one signal
        self.table.change(
            device.path,
            DEVICE,
            {
                "Connected": Variant("b", False),
                "ServicesResolved": Variant("b", False),
            },
        )

    def _link_ended(self, device: Device) -> None:
        device.peripheral.disconnected()
        device.notifying.clear()
        device.held_back.clear()
        for end in device.acquired.values():
            end.close()
        device.acquired.clear()
        for path in device.char_of_path:
            if self.table.objects[path][CHAR].get("Notifying", Variant("b", False)).value:
                self.table.change(path, CHAR, {"Notifying": Variant("b", False)})
        self._seen_at[device.address] = asyncio.get_running_loop().time()
        if self.table.has(device.path, BATTERY):
            self.table.remove(device.path, [BATTERY])  # rule 7

    async def _device1_pair(self, message: Message) -> Message:
        device = self.device_at(message.path or "")
        await self._pair(device)
        if not self.table.value(device.path, DEVICE, "Connected"):
            return await self._device1_connect(message)
        return Message.new_method_return(message)

    def _bonded(self, device: Device) -> bool:
        return bool(
            self.table.has(device.path, DEVICE) and self.table.value(device.path, DEVICE, "Bonded")
        )

    async def _pair(self, device: Device) -> None:
        if device.faults.refuses_pairing:
            raise BluezError("AuthenticationRejected", "Authentication Rejected")
        if self.agent is None:
            raise BluezError("AuthenticationFailed", "Authentication Failed")
        sender, path = self.agent
        reply = await self.bus.call(
            Message(
                destination=sender,
                path=path,
                interface=AGENT,
                member="RequestAuthorization",
                signature="o",
                body=[device.path],
            )
        )
        if reply.message_type is MessageType.ERROR:
            raise BluezError("AuthenticationRejected", "Authentication Rejected")
        self.table.change(
            device.path, DEVICE, {"Bonded": Variant("b", True), "Paired": Variant("b", True)}
        )

    # --- AgentManager1 --------------------------------------------------------------------

    async def _agentmanager1_registeragent(self, message: Message) -> Message:
        self.agent = (message.sender or "", message.body[0])
        return Message.new_method_return(message)

    async def _agentmanager1_requestdefaultagent(self, message: Message) -> Message:
        return Message.new_method_return(message)

    async def _agentmanager1_unregisteragent(self, message: Message) -> Message:
        self.agent = None
        return Message.new_method_return(message)

    # --- GattCharacteristic1 --------------------------------------------------------------

    async def _ready_char(self, message: Message) -> tuple[Device, Char, str]:
        path = message.path or ""
        device = self.device_at(path)
        if not self.table.value(device.path, DEVICE, "Connected"):
            raise BluezError("Failed", "Not connected")
        char = device.char_of_path[path]
        code = device.faults.att_errors.get(char.uuid)
        if code is not None:
            raise BluezError("Failed", f"Operation failed with ATT error: 0x{code:02x}")
        if char.encrypted and device.faults.needs_pairing and not self._bonded(device):
            try:
                await self._pair(device)
            except BluezError as error:
                raise BluezError("NotPermitted", "Not paired") from error
        return device, char, path

    async def _gattcharacteristic1_readvalue(self, message: Message) -> Message:
        device, char, path = await self._ready_char(message)
        if "read" not in char.flags:
            raise BluezError("NotPermitted", "Read not permitted")
        value = self._att(device.peripheral.read, char.uuid)
        if device.notifying.get(path):
            # with StartNotify BlueZ delivers a read value as a notification too
            self.table.change(path, CHAR, {"Value": Variant("ay", value)})
        return Message.new_method_return(message, "ay", [value])

    async def _gattcharacteristic1_writevalue(self, message: Message) -> Message:
        device, char, _ = await self._ready_char(message)
        value, options = bytes(message.body[0]), message.body[1]
        kind = options["type"].value if "type" in options else "request"
        flag = "write" if kind == "request" else "write-without-response"
        if flag not in char.flags:
            raise BluezError("NotSupported", "Operation is not supported")
        if len(value) > 512 or (kind == "command" and len(value) > device.mtu - 3):
            raise BluezError("InvalidArguments", "Invalid Length")
        at_once = self._att(device.peripheral.write, char.uuid, value)
        waiting, device.held_back = device.held_back, []
        self._notify(device, waiting + at_once)
        return Message.new_method_return(message)

    def _att(self, function: Any, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except AttError as error:
            raise BluezError(
                "Failed", f"Operation failed with ATT error: 0x{error.code:02x}"
            ) from error

    async def _gattcharacteristic1_startnotify(self, message: Message) -> Message:
        device, char, path = await self._ready_char(message)
        if not {"notify", "indicate"} & set(char.flags):
            raise BluezError("NotSupported", "Operation is not supported")
        if path in device.acquired:
            raise BluezError("NotPermitted", "Notify acquired")
        first = not device.notifying.get(path)
        device.notifying.setdefault(path, set()).add(message.sender or "")
        if first:
            at_once = device.peripheral.subscribed(char.uuid, on=True)
            if not device.faults.early_notification:
                self.table.change(path, CHAR, {"Notifying": Variant("b", True)})
                self._spawn(self._soon(device, at_once))
            else:
                self._notify(device, at_once)
                self.table.change(path, CHAR, {"Notifying": Variant("b", True)})
        return Message.new_method_return(message)

    async def _soon(self, device: Device, notifications: Notifications) -> None:
        await asyncio.sleep(POLL_S)
        self._notify(device, notifications)

    async def _gattcharacteristic1_stopnotify(self, message: Message) -> Message:
        device, _, path = await self._ready_char(message)
        if message.sender not in device.notifying.get(path, set()):
            raise BluezError("Failed", "No notify session started")
        self._stop_notify(device, path, message.sender or "")
        return Message.new_method_return(message)

    def _stop_notify(self, device: Device, path: str, sender: str) -> None:
        device.notifying[path].discard(sender)
        if not device.notifying[path]:
            del device.notifying[path]
            device.peripheral.subscribed(device.char_of_path[path].uuid, on=False)
            self.table.change(path, CHAR, {"Notifying": Variant("b", False)})

    async def _gattcharacteristic1_acquirenotify(self, message: Message) -> Message:
        device, char, path = await self._ready_char(message)
        if "notify" not in char.flags:
            raise BluezError("NotSupported", "Operation is not supported")
        if device.notifying.get(path) or path in device.acquired:
            raise BluezError("NotPermitted", "Notify acquired")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        device.acquired[path] = ours
        self._notify(device, device.peripheral.subscribed(char.uuid, on=True))
        self.table.change(path, CHAR, {"NotifyAcquired": Variant("b", True)})
        fd = os.dup(theirs.fileno())
        theirs.close()
        # our copy must go after the reply, else the client's close gives no hang-up
        asyncio.get_running_loop().call_later(0.05, os.close, fd)
        return Message(
            message_type=MessageType.METHOD_RETURN,
            reply_serial=message.serial,
            destination=message.sender,
            signature="hq",
            body=[0, device.mtu],
            unix_fds=[fd],
        )

    # --- notifications --------------------------------------------------------------------

    async def _poll(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(POLL_S)
            for device in self.devices.values():
                if not self.table.has(device.path, DEVICE):
                    continue
                if not self.table.value(device.path, DEVICE, "ServicesResolved"):
                    continue
                due = device.peripheral.poll()
                if device.faults.burst_s:
                    device.held_back += due
                    if loop.time() < device.released_at:
                        continue
                    device.released_at = loop.time() + device.faults.burst_s
                    due, device.held_back = device.held_back, []
                self._notify(device, due)

    def _notify(self, device: Device, notifications: Notifications) -> None:
        faults = device.faults
        for uuid, value in notifications:
            path = device.path_of_uuid.get(uuid, "")
            if faults.silent:
                continue
            if faults.drop_next > 0 or self._rng.random() < faults.drop_probability:
                faults.drop_next = max(0, faults.drop_next - 1)
                continue
            copies = 2 if faults.duplicate_next > 0 else 1
            faults.duplicate_next = max(0, faults.duplicate_next - 1)
            for _ in range(copies):
                self._deliver(device, path, value[: device.mtu - 3])

    def _deliver(self, device: Device, path: str, value: bytes) -> None:
        if path in device.acquired:
            # a full socket drops, as in BlueZ
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                device.acquired[path].send(value)
                device.sent += 1
        elif device.notifying.get(path):
            self.table.change(path, CHAR, {"Value": Variant("ay", value)})
            device.sent += 1


def _adapter_properties() -> Properties:
    return {
        "Address": Variant("s", "00:1A:7D:DA:71:13"),
        "AddressType": Variant("s", "public"),
        "Name": Variant("s", "emulated"),
        "Alias": Variant("s", "emulated"),
        "Class": Variant("u", 0),
        "Powered": Variant("b", True),
        "Discoverable": Variant("b", False),
        "Pairable": Variant("b", True),
        "Discovering": Variant("b", False),
        "UUIDs": Variant("as", []),
        "Modalias": Variant("s", "usb:v1D6Bp0246d0542"),
        "Roles": Variant("as", ["central", "peripheral"]),
    }


def _device_properties(device: Device) -> Properties:
    advert = device.peripheral.advert
    found: Properties = {
        "Address": Variant("s", device.address),
        "AddressType": Variant("s", "random"),
        "Name": Variant("s", advert.name),
        "Alias": Variant("s", advert.name),
        "Paired": Variant("b", False),
        "Bonded": Variant("b", False),
        "Trusted": Variant("b", False),
        "Blocked": Variant("b", False),
        "LegacyPairing": Variant("b", False),
        "Connected": Variant("b", False),
        "UUIDs": Variant("as", list(advert.service_uuids)),
        "Adapter": Variant("o", HCI),
        "ServicesResolved": Variant("b", False),
    }
    if advert.manufacturer_data:
        found["ManufacturerData"] = Variant(
            "a{qv}", {key: Variant("ay", value) for key, value in advert.manufacturer_data.items()}
        )
    return found


def _char_properties(char: Char, service_path: str, mtu: int) -> Properties:
    # rule 2: BlueZ shows plain properties of remote characteristics, never encrypt-read
    found = {
        "UUID": Variant("s", char.uuid),
        "Service": Variant("o", service_path),
        "Value": Variant("ay", b""),
        "Flags": Variant("as", list(char.flags)),
        "MTU": Variant("q", mtu),
    }
    if {"notify", "indicate"} & set(char.flags):
        found["Notifying"] = Variant("b", False)
    if "notify" in char.flags:  # rule 1
        found["NotifyAcquired"] = Variant("b", False)
    return found
