"""The D-Bus side of the emulator: one table of objects answers everything."""

from collections.abc import Awaitable, Callable
from typing import Any

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"
PROPERTIES = "org.freedesktop.DBus.Properties"

Properties = dict[str, Variant]
Method = Callable[[Message], Awaitable[Message]]


class BluezError(Exception):
    """An error reply, by its D-Bus name and text."""

    def __init__(self, name: str, text: str = "") -> None:
        super().__init__(f"{name}: {text}")
        self.name = name if "." in name else f"org.bluez.Error.{name}"
        self.text = text


class ObjectTable:
    """Path -> interface -> property, with the signals that changes cause."""

    def __init__(self, bus: MessageBus) -> None:
        self.bus = bus
        self.objects: dict[str, dict[str, Properties]] = {}

    def add(self, path: str, interfaces: dict[str, Properties]) -> None:
        self.objects.setdefault(path, {}).update(interfaces)
        self._signal("/", OBJECT_MANAGER, "InterfacesAdded", "oa{sa{sv}}", [path, interfaces])

    def remove(self, path: str, interfaces: list[str] | None = None) -> None:
        here = self.objects[path]
        gone = list(here) if interfaces is None else interfaces
        for name in gone:
            del here[name]
        if not here:
            del self.objects[path]
        self._signal("/", OBJECT_MANAGER, "InterfacesRemoved", "oas", [path, gone])

    def change(
        self, path: str, interface: str, changed: Properties, invalidated: tuple[str, ...] = ()
    ) -> None:
        properties = self.objects[path][interface]
        properties.update(changed)
        for name in invalidated:
            properties.pop(name, None)
        self._signal(
            path,
            PROPERTIES,
            "PropertiesChanged",
            "sa{sv}as",
            [interface, changed, list(invalidated)],
        )

    def value(self, path: str, interface: str, name: str) -> Any:
        return self.objects[path][interface][name].value

    def has(self, path: str, interface: str) -> bool:
        return interface in self.objects.get(path, {})

    def _signal(
        self, path: str, interface: str, member: str, signature: str, body: list[Any]
    ) -> None:
        self.bus.send(Message.new_signal(path, interface, member, signature, body))

    def answer_standard(self, message: Message) -> Message | None:
        """Answer ObjectManager and Properties reads; None for everything else."""
        if message.interface == OBJECT_MANAGER and message.member == "GetManagedObjects":
            return Message.new_method_return(message, "a{oa{sa{sv}}}", [self.objects])
        if message.interface == PROPERTIES and message.member in {"Get", "GetAll"}:
            properties = self._properties(message)
            if message.member == "GetAll":
                return Message.new_method_return(message, "a{sv}", [properties])
            if message.body[1] not in properties:
                raise BluezError("org.freedesktop.DBus.Error.InvalidArgs", "No such property")
            return Message.new_method_return(message, "v", [properties[message.body[1]]])
        return None

    def _properties(self, message: Message) -> Properties:
        try:
            return self.objects[message.path or ""][message.body[0]]
        except KeyError as error:
            raise unknown_object(message) from error


def unknown_object(message: Message) -> BluezError:
    return BluezError(
        "org.freedesktop.DBus.Error.UnknownObject",
        f'Method "{message.member}" with signature "{message.signature}" on interface '
        f'"{message.interface}" doesn\'t exist',
    )


def is_call(message: Message) -> bool:
    return message.message_type is MessageType.METHOD_CALL
