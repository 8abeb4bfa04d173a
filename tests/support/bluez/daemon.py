"""The emulated daemon as a process: owns org.bluez, takes fault commands on stdin.

Started by `tests.support.bluez.bus`; `python -m tests.support.bluez.daemon WORLD`, where WORLD is
JSON: a list of {"kind", "address", "mtu", "faults", ...arguments of the kind}. Each line on stdin
is a JSON command, answered by one JSON line.
"""

import asyncio
import importlib
import json
import os
import socket
import sys
from typing import Any

from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus

from tests.support.bluez.motion import CLOCK, Motion
from tests.support.bluez.peripheral import Peripheral
from tests.support.bluez.person import Person, Worn
from tests.support.bluez.table import BluezError, is_call
from tests.support.bluez.world import DEVICE, World


def make_peripheral(kind: str, arguments: dict[str, Any]) -> Peripheral:
    """Return a peripheral of a kind: the module of that name in tests.support.bluez.sensors."""
    module = importlib.import_module(f"tests.support.bluez.sensors.{kind}")
    made: Peripheral = module.make(**arguments)
    return made


class Daemon:
    """Plumbing between the bus, the world and stdin."""

    def __init__(self, bus: MessageBus) -> None:
        self.bus = bus
        self.world = World(bus)
        self._person: Person | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        bus.add_message_handler(self._on_message)

    def _on_message(self, message: Message) -> bool | None:
        if message.message_type is MessageType.SIGNAL and message.member == "NameOwnerChanged":
            name, _, owner = message.body
            if not owner:
                self.world.client_left(name)
            return None
        if not is_call(message) or message.interface in {
            "org.freedesktop.DBus.Peer",
            "org.freedesktop.DBus.Introspectable",
        }:
            return None
        task = asyncio.create_task(self._answer(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _answer(self, message: Message) -> None:
        try:
            reply = await self.world.handle(message)
        except BluezError as error:
            reply = Message.new_error(message, error.name, error.text)
        await self.bus.send(reply)

    def populate(self, devices: list[dict[str, Any]]) -> None:
        """Begin a new world with these devices; the old one is gone without a word."""
        self.world.end()
        CLOCK.run(1.0)
        self._person = None
        self.world = World(self.bus)
        for device in devices:
            spec = dict(device)
            kind, address, mtu = spec.pop("kind"), spec.pop("address"), spec.pop("mtu", 247)
            faults = spec.pop("faults", {})
            self.world.add_device(address, make_peripheral(kind, spec), mtu=mtu)
            for key, value in faults.items():
                setattr(self.world.devices[address].faults, key, value)
        self.world.start()

    def command(self, name: str, **arguments: Any) -> Any:
        """Do what a test asks."""
        world = self.world
        if name == "world":
            self.populate(arguments["devices"])
            return None
        if name == "calls":
            return world.calls
        if name == "filters":
            return world.filters_seen
        if name == "power":
            world.power(on=arguments["on"])
            return None
        if name == "temporary":
            world.temporary_s = arguments["seconds"]
            return None
        if name == "speed":
            CLOCK.run(arguments["factor"])
            return None
        if name == "wear":
            self._person = Person()
            for role in ("head", "trunk"):
                worn = world.devices[arguments[role]]
                worn.peripheral.motion = Worn(self._person, role)
            return self._person.worn()
        if name == "ask":
            assert self._person is not None, "nobody wears the sensors"
            self._person.ask(**arguments)
            return None
        device = world.devices[arguments.pop("address")]
        if name == "move":
            device.peripheral.motion = Motion(**arguments)
            return device.peripheral.motion.seconds
        if name == "faults":
            for key, value in arguments.items():
                setattr(device.faults, key, value)
            return None
        if name == "lose_link":
            world.lose_link(device)
            return None
        if name == "mtu":
            device.mtu = arguments["mtu"]
            return None
        if name == "connected":
            return world.table.has(device.path, DEVICE) and world.table.value(
                device.path, DEVICE, "Connected"
            )
        if name == "sent":
            return device.sent
        return device.peripheral.command(name, **arguments)


class PatientSocket:
    """The bus's socket, full or not: dbus-fast takes a full one for a broken one and hangs up."""

    def __init__(self, real: socket.socket) -> None:
        self._real = real

    def send(self, data: memoryview) -> int:
        try:
            return self._real.send(data)
        except BlockingIOError:
            return 0

    def sendmsg(self, buffers: list[memoryview], ancillary: Any) -> int:
        return self._real.sendmsg(buffers, ancillary)


async def _exit_with(bus: MessageBus) -> None:
    """End as bluetoothd does when the bus goes; the next test starts a new process."""
    try:
        await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # dbus-fast has no types here
    except Exception as error:
        print(f"the emulated daemon lost its bus: {error!r}", file=sys.stderr, flush=True)
    os._exit(1)


async def main() -> None:
    bus = MessageBus(bus_type=BusType.SYSTEM, negotiate_unix_fd=True)
    await bus.connect()
    await bus.call(
        Message(
            destination="org.freedesktop.DBus",
            path="/org/freedesktop/DBus",
            interface="org.freedesktop.DBus",
            member="AddMatch",
            signature="s",
            body=["type='signal',member='NameOwnerChanged'"],
        )
    )
    assert bus._writer is not None
    assert bus._sock is not None
    bus._writer.sock = PatientSocket(bus._sock)  # type: ignore[assignment]  # what it uses of one
    daemon = Daemon(bus)
    daemon.populate(json.loads(sys.argv[1]))
    await bus.request_name("org.bluez")
    asyncio.create_task(_exit_with(bus))  # noqa: RUF006 - it ends the process
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    print("ready", flush=True)
    while line := await reader.readline():
        request = json.loads(line)
        try:
            answer = {"ok": daemon.command(**request)}
        except Exception as error:
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
