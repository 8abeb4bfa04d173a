"""A Movella DOT as it behaves: one padded sample per notification, 60 Hz, a clock about to wrap."""

import struct

import numpy as np

from firmware_protocol.devices import movella_dot as dot
from tests.support.bluez.motion import CLOCK, Motion
from tests.support.bluez.peripheral import Advert, AttError, Char, Notifications, Service

_MODE = dot.Mode.RATE_QUANTITIES


class Dot:
    """Acceleration (0, 0, 9.81); the x rate counts samples."""

    battery_percent: int | None = None

    def __init__(self, name: str = "Movella DOT", clock_us: int = 2**32 - 500_000) -> None:
        self.advert = Advert(name, (dot.CONFIGURATION_SERVICE_UUID,))
        self.services = (
            Service(
                dot.MEASUREMENT_SERVICE_UUID,
                (
                    Char(dot.CONTROL_UUID, ("read", "write")),
                    Char(dot.LONG_UUID, ("notify",)),
                    Char(dot.MEDIUM_UUID, ("notify",)),
                    Char(dot.SHORT_UUID, ("notify",)),
                ),
            ),
            Service(
                "15173000-4947-11e9-8646-d663bd873d93",
                (Char(dot.BATTERY_UUID, ("read", "notify")),),
            ),
        )
        self._clock_us = clock_us
        self._since: float | None = None
        self._sent = 0
        self._on: set[str] = set()
        self.motion: Motion | None = None

    def connected(self, mtu: int) -> None:
        del mtu

    def disconnected(self) -> None:
        self._since = None

    def read(self, uuid: str) -> bytes:
        return bytes((88, 0)) if uuid == dot.BATTERY_UUID else b"\1\0\0"

    def write(self, uuid: str, data: bytes) -> Notifications:
        del uuid
        if data[0] != 1 or len(data) != 3:
            raise AttError(0x80)
        self._since = CLOCK.now() if data[1] else None
        self._sent = 0
        return []

    def subscribed(self, uuid: str, *, on: bool) -> Notifications:
        (self._on.add if on else self._on.discard)(uuid)
        return [(uuid, bytes((87, 1)))] if on and uuid == dot.BATTERY_UUID else []

    def poll(self) -> Notifications:
        out: Notifications = []
        if self._since is None or dot.characteristic_of(_MODE) not in self._on:
            return out
        due = int((CLOCK.now() - self._since) * 60)
        while self._sent < due:
            stamp = (self._clock_us + int(self._sent * 1e6 / 60)) % 2**32
            values = (0.0, 0.0, 9.81, float(self._sent), -2.0, 0.5)
            if self.motion is not None:
                acc, gyr = self.motion.at(np.array([self._since + self._sent / 60]))
                values = (*acc[0], *np.degrees(gyr[0]))
            payload = struct.pack("<I6f", stamp, *values)
            out.append((dot.characteristic_of(_MODE), payload.ljust(40, b"\0")))
            self._sent += 1
        return out

    def command(self, name: str, **arguments: object) -> object:
        del arguments
        return self._since is not None if name == "measuring" else None


def make(**arguments: object) -> Dot:
    return Dot(**arguments)  # type: ignore[arg-type]  # JSON by name
