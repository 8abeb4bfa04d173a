"""A Movesense as it behaves: forgets subscriptions, 507 in big endian, loses answers."""

import struct

import numpy as np

from firmware_protocol.devices import movesense as gsp
from tests.support.bluez.motion import CLOCK, Motion
from tests.support.bluez.peripheral import Advert, Char, Notifications, Service

_TRUE_RATE = 1.012
"""Nominal rates are not exact: this one runs 1.2 % fast."""


class Movesense:
    """Acceleration (0, 0, 9.8125) and an angular rate that counts samples, in packets of 4 or 8."""

    battery_percent: int | None = 61

    def __init__(
        self, serial: str = "174030000001", *, lose_answers: int = 0, busy: bool = False
    ) -> None:
        self.advert = Advert(f"Movesense {serial}", (gsp.ADVERTISED_UUID,))
        self.services = (
            Service(
                gsp.SERVICE_UUID,
                (
                    Char(gsp.WRITE_UUID, ("write", "write-without-response")),
                    Char(gsp.NOTIFY_UUID, ("notify",)),
                ),
            ),
        )
        self._serial = serial
        self._lose_answers = lose_answers
        self._busy = busy
        self._subscribed: dict[int, tuple[str, float]] = {}
        self._sampled = 0
        self._began = CLOCK.now() - 100.0
        self._lose_parts = 0
        self.motion: Motion | None = None

    def connected(self, mtu: int) -> None:
        del mtu

    def disconnected(self) -> None:
        self._subscribed.clear()

    def read(self, uuid: str) -> bytes:
        del uuid
        return b""

    def subscribed(self, uuid: str, *, on: bool) -> Notifications:
        del uuid, on
        return []

    def write(self, uuid: str, data: bytes) -> Notifications:
        del uuid
        op, reference, body = data[0], data[1], data[2:]
        if op == gsp.Command.HELLO:
            answer = (
                b"\x01"
                + b"\0".join(
                    (
                        self._serial.encode(),
                        b"Movesense MD",
                        b"0C:8C:DC:00:00:01",
                        b"Movesense default",
                        b"2.2",
                    )
                )
                + b"\0"
            )
        elif op == gsp.Command.SUBSCRIBE and self._busy:
            answer = b"\x01\xfb"
        elif op == gsp.Command.SUBSCRIBE:
            self._subscribed[reference] = (body.decode(), CLOCK.now())
            self._sampled = 0
            answer = struct.pack("<H", 200)
        else:
            self._subscribed.pop(reference, None)
            answer = struct.pack("<H", 200)
        if self._lose_answers > 0:
            self._lose_answers -= 1
            return []
        return [(gsp.NOTIFY_UUID, bytes((1, reference)) + answer)]

    def poll(self) -> Notifications:
        out: Notifications = []
        for reference, (path, since) in self._subscribed.items():
            rate = float(path.rsplit("/", 1)[1])
            n = 4 if rate <= 52 else 8
            due = int((CLOCK.now() - since) * rate * _TRUE_RATE / n)
            while self._sampled < due:
                out += self._packet(reference, since, rate, n)
                self._sampled += 1
        return out

    def _packet(self, reference: int, since: float, rate: float, n: int) -> Notifications:
        first = self._sampled * n
        stamp_ms = int((since - self._began + first / (rate * _TRUE_RATE)) * 1e3)
        acc = [v for _ in range(n) for v in (0.0, 0.0, 9.8125)]
        gyr = [v for i in range(n) for v in (float(first + i), -2.0, 0.5)]
        if self.motion is not None:
            moved = self.motion.at(since + (first + np.arange(n)) / (rate * _TRUE_RATE))
            acc, gyr = moved[0].ravel().tolist(), np.degrees(moved[1]).ravel().tolist()
        payload = struct.pack(f"<I{6 * n}f", stamp_ms % 2**32, *acc, *gyr)
        out = [(gsp.NOTIFY_UUID, bytes((2, reference)) + payload[:150])]
        if len(payload) > 150 and self._lose_parts > 0:
            self._lose_parts -= 1
        elif len(payload) > 150:
            out.append((gsp.NOTIFY_UUID, bytes((3, reference)) + payload[150:]))
        return out

    def command(self, name: str, **arguments: object) -> object:
        if name == "lose_parts":
            self._lose_parts = int(str(arguments["count"]))
        elif name == "busy":
            self._busy = bool(arguments["on"])
        elif name == "subscriptions":
            return [path for path, _ in self._subscribed.values()]
        return None


def make(**arguments: object) -> Movesense:
    return Movesense(**arguments)  # type: ignore[arg-type]  # JSON by name
