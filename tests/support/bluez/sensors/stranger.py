"""Somebody else's device: advertises, but is no sensor."""

from tests.support.bluez.motion import Motion
from tests.support.bluez.peripheral import Advert, AttError, Notifications, Service


class Stranger:
    """A lamp."""

    services: tuple[Service, ...] = ()
    battery_percent: int | None = None
    motion: Motion | None = None

    def __init__(self, name: str) -> None:
        self.advert = Advert(name, ("0000fe95-0000-1000-8000-00805f9b34fb",))

    def connected(self, mtu: int) -> None:
        del mtu

    def disconnected(self) -> None:
        return

    def read(self, uuid: str) -> bytes:
        del uuid
        raise AttError(0x02)

    def write(self, uuid: str, data: bytes) -> Notifications:
        del uuid, data
        raise AttError(0x03)

    def subscribed(self, uuid: str, *, on: bool) -> Notifications:
        del uuid, on
        return []

    def poll(self) -> Notifications:
        return []

    def command(self, name: str, **arguments: object) -> object:
        raise ValueError(f"no command {name} {arguments}")


def make(name: str) -> Stranger:
    return Stranger(name)
