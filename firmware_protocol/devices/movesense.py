"""Movesense, GATT SensorData Protocol: commands, responses, measurements.

Source: Movesense document GD-77 (public), resource paths of the Movesense API. The stamp is the
time of the first sample in ms since boot; there is no counter, and delivery is not acknowledged.
"""

from collections import Counter
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import numpy as np

from firmware_protocol.devices.samples import DEG, Column, SampleBlock, axes
from firmware_protocol.errors import FieldError

SERVICE_UUID = "34802252-7185-4d5d-b431-630e7050e8f0"
WRITE_UUID = "34800001-7185-4d5d-b431-630e7050e8f0"
NOTIFY_UUID = "34800002-7185-4d5d-b431-630e7050e8f0"
NAME_PREFIX = "Movesense "
ADVERTISED_UUID = "0000fe06-0000-1000-8000-00805f9b34fb"

RATES_HZ = (13.0, 26.0, 52.0, 104.0, 208.0)
"""Rates that every model offers; /Meas/IMU/Info tells them all."""
CLOCK_MODULUS_NS = 2**32 * 1_000_000
"""The stamp wraps after 49.7 days."""
MAX_SUBSCRIPTIONS = 4
FIRST_PART_SIZE = 150
"""A DATA payload of this size continues in DATA_PART2."""

OK = 200
_BIG_ENDIAN_STATUS = {0x01FB: 507}
_MAX_PATH = 100


class Command(IntEnum):
    """Operations of the write characteristic."""

    HELLO = 0
    SUBSCRIBE = 1
    UNSUBSCRIBE = 2
    GET = 4
    PUT_UTC_TIME = 8


def hello(reference: int) -> bytes:
    """Ask who the sensor is; the response reads by `Response.hello`."""
    return _command(Command.HELLO, reference)


def subscribe(path: str, reference: int) -> bytes:
    """Subscribe a resource such as `imu6_path`; `reference` tags everything that belongs to it."""
    return _command(Command.SUBSCRIBE, reference, _ascii(path))


def unsubscribe(reference: int) -> bytes:
    """End a subscription."""
    return _command(Command.UNSUBSCRIBE, reference)


def get(path: str, reference: int) -> bytes:
    """Read a resource once."""
    return _command(Command.GET, reference, _ascii(path))


def put_utc_time(reference: int, utc_us: int) -> bytes:
    """Set the wall clock (int64 µs since 1970, as the /Time resource); stamps do not follow it."""
    return _command(Command.PUT_UTC_TIME, reference, utc_us.to_bytes(8, "little", signed=True))


def imu6_path(rate_hz: float) -> str:
    """Return the path of acceleration and angular rate."""
    return f"/Meas/IMU6/{rate_hz:g}"


def imu9_path(rate_hz: float) -> str:
    """Return the path of acceleration, angular rate and magnetic field."""
    return f"/Meas/IMU9/{rate_hz:g}"


def _command(op: Command, reference: int, data: bytes = b"") -> bytes:
    if not 1 <= reference <= 255:
        raise FieldError("reference", reference, "an integer from 1 to 255")
    return bytes((op, reference)) + data


def _ascii(path: str) -> bytes:
    if not path.startswith("/") or not path.isascii() or len(path) > _MAX_PATH:
        raise FieldError("path", path, "an ASCII resource path such as /Meas/IMU6/52")
    return path.encode("ascii")


@dataclass(frozen=True, slots=True)
class Hello:
    """What HELLO answers."""

    protocol: int
    serial: str
    product: str
    dfu_mac: str
    app_name: str
    app_version: str


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a command."""

    reference: int
    body: bytes
    """Status and data; of HELLO data only."""

    @property
    def status(self) -> int | None:
        """Return the HTTP-like status, either byte order; None where there is none."""
        if len(self.body) < 2:
            return None
        big = int.from_bytes(self.body[:2], "big")
        return _BIG_ENDIAN_STATUS.get(big, int.from_bytes(self.body[:2], "little"))

    @property
    def ok(self) -> bool:
        """Return whether the status says done (any 2xx)."""
        return self.status is not None and self.status // 100 == OK // 100

    @property
    def data(self) -> bytes:
        """Return what follows the status."""
        return self.body[2:]

    @property
    def hello(self) -> Hello | None:
        """Return the body read as the answer to HELLO, None where it does not fit."""
        parts = self.body[1:].split(b"\0")
        texts = [part.decode("ascii", errors="replace") for part in parts]
        if len(self.body) < 2 or len(texts) < 5:
            return None
        return Hello(self.body[0], texts[0], texts[1], texts[2], texts[3], texts[4])


Message: TypeAlias = SampleBlock | Response

_RESPONSE, _DATA, _DATA_PART2 = 1, 2, 3
_STAMP_SIZE = 4
_QUANTITIES: dict[str, tuple[str, tuple[Column, ...]]] = {
    "Acc": ("acc", axes("acc", 1.0)),
    "Gyro": ("gyr", axes("gyr", DEG)),
    "Magn": ("mag", axes("mag", 1.0)),
    "IMU6": ("imu", (*axes("acc", 1.0), *axes("gyr", DEG))),
    "IMU9": ("imu", (*axes("acc", 1.0), *axes("gyr", DEG), *axes("mag", 1.0))),
}
"""Stream and columns of each measurement; quantities come in blocks, not interleaved."""


class MovesenseDecoder:
    """Turns notifications into samples and responses; needs to know what was subscribed."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """`unknown_type`, `unknown_reference`, `malformed`, `part_lost`, `part_stray`."""
        self._paths: dict[int, str] = {}
        self._first_parts: dict[int, bytes] = {}

    def expect(self, path: str, reference: int) -> None:
        """Say that notifications with `reference` belong to `path`.

        Raises
        ------
        FieldError
            The path is none of the measurements that this program decodes.
        """
        if _measurement(path) is None:
            raise FieldError("path", path, "/Meas/ followed by Acc, Gyro, Magn, IMU6 or IMU9")
        self._paths[reference] = path
        self._first_parts.pop(reference, None)

    def forget(self, reference: int) -> None:
        """Say that a subscription ended."""
        self._paths.pop(reference, None)
        self._first_parts.pop(reference, None)

    def feed(self, notification: bytes) -> list[Message]:
        """Return what this notification completes, at most one message."""
        if len(notification) < 2:
            self.counts["malformed"] += 1
            return []
        kind, reference, body = notification[0], notification[1], bytes(notification[2:])
        if kind == _RESPONSE:
            return [Response(reference, body)]
        if kind == _DATA:
            return self._data(reference, body)
        if kind == _DATA_PART2:
            return self._second_part(reference, body)
        self.counts["unknown_type"] += 1
        return []

    def _data(self, reference: int, body: bytes) -> list[Message]:
        if reference not in self._paths:
            self.counts["unknown_reference"] += 1
            return []
        if self._first_parts.pop(reference, None) is not None:
            self.counts["part_lost"] += 1
        if len(body) == FIRST_PART_SIZE:
            self._first_parts[reference] = body
            return []
        return self._samples(reference, body)

    def _second_part(self, reference: int, body: bytes) -> list[Message]:
        first = self._first_parts.pop(reference, None)
        if first is None:
            self.counts["part_stray"] += 1
            return []
        return self._samples(reference, first + body)

    def _samples(self, reference: int, body: bytes) -> list[Message]:
        path = self._paths[reference]
        measurement = _measurement(path)
        if measurement is None:
            self.counts["malformed"] += 1
            return []
        stream, columns = measurement
        n, rest = divmod(len(body) - _STAMP_SIZE, 4 * len(columns))
        if rest or n < 1:
            self.counts["malformed"] += 1
            return []
        blocks = np.frombuffer(body, "<f4", offset=_STAMP_SIZE).reshape(-1, n, 3)
        samples = np.ascontiguousarray(blocks.transpose(1, 0, 2).reshape(n, len(columns)))
        return [
            SampleBlock(
                stream,
                columns,
                samples.astype(np.float32, copy=False),
                first_ns=int.from_bytes(body[:_STAMP_SIZE], "little") * 1_000_000,
                rate_hz=_rate_of(path),
            )
        ]


def _measurement(path: str) -> tuple[str, tuple[Column, ...]] | None:
    parts = path.split("/")
    if len(parts) < 3 or parts[1] != "Meas":
        return None
    return _QUANTITIES.get(parts[2])


def _rate_of(path: str) -> float | None:
    tail = path.rsplit("/", 1)[-1]
    return float(tail) if tail.isdigit() else None
