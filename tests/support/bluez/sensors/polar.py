"""A Polar as it behaves: stamps the last sample, compresses, stops by itself; H10: no gyroscope."""

import struct

import numpy as np

from firmware_protocol.devices import polar as pmd
from firmware_protocol.gatt import SERIAL_UUID
from tests.support.bluez.motion import CLOCK, Motion
from tests.support.bluez.peripheral import Advert, Char, Notifications, Service

_N = 13
_FACTOR = {pmd.Measurement.ACC: 1.0, pmd.Measurement.GYRO: 0.0625}
_FRAME = {pmd.Measurement.ACC: 0x81, pmd.Measurement.GYRO: 0x80}


class Polar:
    """x of both counts samples; ACC in milli-g, GYRO in counts of 0.0625 deg/s."""

    battery_percent: int | None = 93

    def __init__(
        self, name: str = "Polar Sense 0A1B2C3D", *, gyroscope: bool = True, running: bool = False
    ) -> None:
        self.advert = Advert(name, ("0000180d-0000-1000-8000-00805f9b34fb", pmd.SERVICE_UUID))
        self.services = (
            Service(
                pmd.SERVICE_UUID,
                (
                    Char(pmd.CONTROL_UUID, ("read", "write", "indicate")),
                    Char(pmd.DATA_UUID, ("notify",)),
                ),
            ),
            Service("0000180a-0000-1000-8000-00805f9b34fb", (Char(SERIAL_UUID, ("read",)),)),
        )
        self._gyroscope = gyroscope
        self._serial = name.rsplit(" ", 1)[1]
        self._rate = 52 if gyroscope else 50
        self._since: dict[pmd.Measurement, float] = {}
        if running:
            self._since[pmd.Measurement.ACC] = CLOCK.now()
        self._sent: dict[pmd.Measurement, int] = {}
        self._pending: Notifications = []
        self.motion: Motion | None = None

    def connected(self, mtu: int) -> None:
        del mtu

    def disconnected(self) -> None:
        self._since.clear()

    def read(self, uuid: str) -> bytes:
        if uuid == SERIAL_UUID:
            return self._serial.encode()
        return bytes((0x0F, 0x24 if self._gyroscope else 0x05, 0x02))

    def subscribed(self, uuid: str, *, on: bool) -> Notifications:
        del uuid, on
        return []

    def write(self, uuid: str, data: bytes) -> Notifications:
        del uuid
        op, kind = data[0], pmd.Measurement(data[1] & 0x3F)
        status, more = 0, b""
        if op == 1:
            rates = (26, self._rate, 104) if self._gyroscope else (25, self._rate, 100, 200)
            ranges = (2, 4, 8) if kind is pmd.Measurement.ACC else (250, 2000)
            more = bytes((0, len(rates))) + struct.pack(f"<{len(rates)}H", *rates)
            more += bytes((1, 1, 16, 0, 2, len(ranges))) + struct.pack(f"<{len(ranges)}H", *ranges)
            more += bytes((4, 1, 3))
        elif op == 2 and kind in self._since:
            status = 6
        elif op == 2:
            self._rate = int.from_bytes(data[4:6], "little")
            self._since[kind], self._sent[kind] = CLOCK.now(), 0
            more = bytes((5, 1)) + struct.pack("<f", _FACTOR[kind])
        else:
            self._since.pop(kind, None)
        return [(pmd.CONTROL_UUID, bytes((0xF0, op, kind, status, 0)) + more)]

    def poll(self) -> Notifications:
        out, self._pending = self._pending, []
        now = CLOCK.now()
        while True:
            # in the order in which they became full, however late this is asked
            full = {
                kind: since + (self._sent.get(kind, 0) + 1) * _N / self._rate
                for kind, since in self._since.items()
            }
            kind = min(full, key=lambda each: full[each], default=None)
            if kind is None or full[kind] > now:
                return out
            out.append((pmd.DATA_UUID, self._frame(kind, self._since[kind])))
            self._sent[kind] = self._sent.get(kind, 0) + 1

    def _frame(self, kind: pmd.Measurement, since: float) -> bytes:
        first = self._sent.get(kind, 0) * _N
        last_ns = int((since + 800_000_000 + (first + _N - 1) / self._rate) * 1e9)
        reference = struct.pack("<3h", first % 32768, -5, 1000)
        # one block of 8-bit deltas: x rises by one, y and z stay
        deltas = struct.pack("<3b", 1, 0, 0) * (_N - 1)
        head = bytes((kind,)) + struct.pack("<Q", last_ns) + bytes((_FRAME[kind],))
        if self.motion is not None:
            acc, gyr = self.motion.at(since + (first + np.arange(_N)) / self._rate)
            values = acc / 9.80665e-3 if kind is pmd.Measurement.ACC else np.degrees(gyr) / 0.0625
            counts = np.rint(values).astype(np.int16)
            reference = struct.pack("<3h", *counts[0])
            moves = struct.pack(f"<{3 * (_N - 1)}h", *np.diff(counts, axis=0).ravel())
            return head + reference + bytes((16, _N - 1)) + moves
        return head + reference + bytes((8, _N - 1)) + deltas

    def command(self, name: str, **arguments: object) -> object:
        del arguments
        if name == "running":
            return sorted(int(kind) for kind in self._since)
        if name == "charger":
            # put into the charger and out again: the device ends all streams by itself
            kinds = bytes(self._since)
            self._since.clear()
            self._pending = [(pmd.CONTROL_UUID, b"\x01" + kinds)]
        return None


def make(**arguments: object) -> Polar:
    return Polar(**arguments)  # type: ignore[arg-type]  # JSON by name
