"""A Capture2Go as it behaves: found streaming, frames cut at notification ends, a gap flag."""

import struct

import numpy as np

from firmware_protocol.devices import capture2go as c2g
from firmware_protocol.devices import capture2go_layouts as wire
from firmware_protocol.devices.capture2go_frames import FrameStream, encode_message
from tests.support.bluez.motion import CLOCK, Motion
from tests.support.bluez.peripheral import Advert, Char, Notifications, Service


class Capture2Go:
    """Acceleration 1 g on z; the x rate counts samples."""

    battery_percent: int | None = None

    def __init__(self, serial: str = "a1b2c3", *, left_streaming: bool = False) -> None:
        self.advert = Advert(f"IMU_{serial}", (c2g.SERVICE_UUID,))
        self.services = (
            Service(
                c2g.SERVICE_UUID,
                (
                    Char(c2g.WRITE_UUID, ("write", "write-without-response")),
                    Char(c2g.NOTIFY_UUID, ("notify",)),
                ),
            ),
        )
        self._serial = serial
        self._rate = 100.0
        self._since: float | None = CLOCK.now() if left_streaming else None
        self._packets = 0
        self._out = b""
        self._began = CLOCK.now() - 50.0
        self._lose = 0
        self._gap = False
        self.motion: Motion | None = None

    def _now_ns(self) -> int:
        return int((CLOCK.now() - self._began) * 1e9)

    def connected(self, mtu: int) -> None:
        del mtu

    def disconnected(self) -> None:
        self._out = b""

    def read(self, uuid: str) -> bytes:
        del uuid
        return b""

    def subscribed(self, uuid: str, *, on: bool) -> Notifications:
        del uuid, on
        return []

    def write(self, uuid: str, data: bytes) -> Notifications:
        del uuid
        # host to sensor there is no leading byte; the stream parser wants one
        for message in FrameStream().feed(b"\xff" + data):
            self._act(message.id, message.payload)
        return []

    def _act(self, kind: int, payload: bytes) -> None:
        if kind == wire.ID_GET_INFO:
            texts = (self._serial.encode(), b"C2G r1", b"1.4", b"1.4.2", b"2026-04-01")
            self._out += encode_message(wire.ID_INFO, wire.INFO.pack(3, *_padded(texts)))
        elif kind == wire.ID_SET_MODE:
            number = wire.MODE.unpack(payload)[3]
            self._rate = wire.RATES_HZ[number - 1]
        elif kind == wire.ID_START:
            self._since, self._packets = CLOCK.now(), 0
            self._out += encode_message(wire.ID_STARTED)
        elif kind == wire.ID_STOP:
            self._since = None
            self._out += encode_message(wire.ID_STOPPED)
        elif kind == wire.ID_STOP_AND_CLEAR:
            self._since = None
            self._out = encode_message(wire.ID_STOPPED_AND_CLEARED)
        elif kind == wire.ID_ROUND_TRIP:
            host = int.from_bytes(payload[:8], "little", signed=True)
            now = self._now_ns()
            self._out += encode_message(wire.ID_ROUND_TRIP, wire.ROUND_TRIP.pack(host, now, now, 0))

    def poll(self) -> Notifications:
        if self._since is not None:
            due = int((CLOCK.now() - self._since) * self._rate / wire.PACKED_N)
            while self._packets < due:
                self._sample()
                self._packets += 1
        sent: Notifications = []
        while self._out:
            # 100 bytes at a time: frames of 123 bytes go over two notifications
            sent.append((c2g.NOTIFY_UUID, b"\xff" + self._out[:100]))
            self._out = self._out[100:]
        return sent

    def _sample(self) -> None:
        if self._lose > 0:
            self._lose -= 1
            self._gap = True
            return
        assert self._since is not None
        first = self._packets * wire.PACKED_N
        t_ns = int((self._since - self._began + first / self._rate) * 1e9)
        gyr = np.zeros((wire.PACKED_N, 3), np.int16)
        gyr[:, 0] = np.arange(first, first + wire.PACKED_N)
        acc = np.tile(np.array([0, 0, 2048], np.int16), (wire.PACKED_N, 1))
        if self.motion is not None:
            moved = self.motion.at(self._since + (first + np.arange(wire.PACKED_N)) / self._rate)
            acc = np.rint(moved[0] / wire.ACC_SCALE_MS2).astype(np.int16)
            gyr = np.rint(moved[1] / wire.GYR_SCALE_RADS).astype(np.int16)
        payload = struct.pack("<q", t_ns) + gyr.tobytes() + acc.tobytes()
        payload += struct.pack("<QhB", 0, 0, wire.FLAG_GAP if self._gap else 0)
        self._gap = False
        rate_number = wire.RATES_HZ.index(self._rate)
        self._out += encode_message(wire.ID_FULL_6D_PACKED + rate_number, payload)

    def command(self, name: str, **arguments: object) -> object:
        if name == "lose":
            self._lose = int(str(arguments["packets"]))
        elif name == "streaming":
            return self._since is not None
        return None


def _padded(texts: tuple[bytes, ...]) -> list[bytes]:
    return [text.ljust(size, b"\0") for text, size in zip(texts, (6, 8, 8, 12, 11), strict=True)]


def make(**arguments: object) -> Capture2Go:
    return Capture2Go(**arguments)  # type: ignore[arg-type]  # JSON by name
