"""What an emulated sensor is to the emulated daemon: a GATT table that talks back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tests.support.bluez.motion import Motion

Notifications = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Char:
    """One characteristic."""

    uuid: str
    flags: tuple[str, ...]
    """As BlueZ names them: read, write, write-without-response, notify, indicate."""
    encrypted: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """One primary service."""

    uuid: str
    chars: tuple[Char, ...]


@dataclass(frozen=True, slots=True)
class Advert:
    """What a scan sees."""

    name: str
    service_uuids: tuple[str, ...]
    manufacturer_data: Mapping[int, bytes] = field(default_factory=dict)
    rssi: int = -55


class AttError(Exception):
    """The peripheral answers with an ATT error code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"ATT error 0x{code:02x}")
        self.code = code


class Peripheral(Protocol):
    """A sensor; every method is called in the daemon's event loop and must not block."""

    advert: Advert
    services: tuple[Service, ...]
    battery_percent: int | None
    motion: Motion | None
    """What it is put through; None while its samples count."""

    def connected(self, mtu: int) -> None: ...

    def disconnected(self) -> None: ...

    def read(self, uuid: str) -> bytes: ...

    def write(self, uuid: str, data: bytes) -> Notifications:
        """Take a written value; return what is notified at once."""
        ...

    def subscribed(self, uuid: str, *, on: bool) -> Notifications: ...

    def poll(self) -> Notifications:
        """Return what is due; called every few milliseconds while connected."""
        ...

    def command(self, name: str, **arguments: object) -> object:
        """Do what a test asks of this kind of sensor (reboot, clear flash, ...)."""
        ...
