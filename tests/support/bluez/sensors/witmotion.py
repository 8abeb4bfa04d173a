"""A WitMotion as it behaves: streams once notifications are on, frames cut anywhere, no stop."""

import struct

import numpy as np

from firmware_protocol.devices import witmotion
from tests.support.bluez.motion import CLOCK, Motion
from tests.support.bluez.peripheral import Advert, Char, Notifications, Service

_RATES = {number: rate for rate, number in witmotion.RATE_NUMBERS.items()}


class WitMotion:
    """Acceleration 1 g on z; the x rate counts samples."""

    battery_percent: int | None = None

    def __init__(self, name: str = "WT901BLE68") -> None:
        self.advert = Advert(name, (witmotion.SERVICE_UUID,))
        self.services = (
            Service(
                witmotion.SERVICE_UUID,
                (
                    Char(witmotion.NOTIFY_UUID, ("notify",)),
                    Char(witmotion.WRITE_UUID, ("write", "write-without-response")),
                ),
            ),
        )
        self._rate = 10.0
        self._unlocked = False
        self._since: float | None = None
        self._sent = 0
        self._rest = b""
        self.motion: Motion | None = None

    def connected(self, mtu: int) -> None:
        del mtu

    def disconnected(self) -> None:
        self._since = None

    def read(self, uuid: str) -> bytes:
        del uuid
        return b""

    def write(self, uuid: str, data: bytes) -> Notifications:
        del uuid
        if data == witmotion.unlock():
            self._unlocked = True
        elif data[:3] == bytes((0xFF, 0xAA, 0x03)) and self._unlocked:
            self._rate = _RATES[data[3]]
        return []

    def subscribed(self, uuid: str, *, on: bool) -> Notifications:
        del uuid
        self._since = CLOCK.now() if on else None
        self._sent = 0
        # what was left in its buffer from before: half a frame
        self._rest = bytes.fromhex("0000000000081000") if on else b""
        return []

    def poll(self) -> Notifications:
        if self._since is None:
            return []
        due = int((CLOCK.now() - self._since) * self._rate)
        stream = self._rest
        while self._sent < due:
            counts = (0, 0, 2048, self._sent, -16, 0)
            if self.motion is not None:
                acc, gyr = self.motion.at(np.array([self._since + self._sent / self._rate]))
                counts = (
                    *np.rint(acc[0] / 9.80665 * 2048).astype(int),
                    *np.rint(np.degrees(gyr[0]) * 16.384).astype(int),
                )
            stream += struct.pack("<2B9h", 0x55, 0x61, *counts, 0, 0, 0)
            self._sent += 1
        # notifications of 33 bytes cut frames wherever they end
        whole = len(stream) - len(stream) % 33
        self._rest = stream[whole:]
        return [(witmotion.NOTIFY_UUID, stream[at : at + 33]) for at in range(0, whole, 33)]

    def command(self, name: str, **arguments: object) -> object:
        del arguments
        return self._rate if name == "rate" else None


def make(**arguments: object) -> WitMotion:
    return WitMotion(**arguments)  # type: ignore[arg-type]  # JSON by name
