"""A Capture2Go as it behaves: found streaming, frames cut at notification ends, a gap flag, files.

Its file grows by whole pages while it records, begins with a frame that holds no samples, and goes
on growing when the link is lost; full memory ends the recording.
"""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.devices import capture2go as c2g
from firmware_protocol.devices import capture2go_files as files
from firmware_protocol.devices import capture2go_layouts as wire
from firmware_protocol.devices.capture2go_frames import FrameStream, encode_message
from tests.support.bluez.motion import CLOCK, Motion
from tests.support.bluez.peripheral import Advert, Char, Notifications, Service

_IDLE, _STREAMING, _RECORDING = 1, 2, 3
_UNKNOWN_COMMAND, _WRONG_STATE = 0xFD, 0xFB
_PAGE = 512
_FRAME = len(encode_message(wire.ID_FULL_6D_PACKED, bytes(wire.FULL_6D_PACKED.size)))
_HEADER = encode_message(0x0122, bytes(30))
"""In front of a recording: the measurement mode."""
_PIECE = 232


def counts_of(ordinal: int, first: int, n: int) -> NDArray[np.int16]:
    """Return what is measured: acceleration, then angular rate; it tells recording and index."""
    index = np.arange(first, first + n)
    columns = (index // 30000, np.full(n, ordinal), np.full(n, 2048), index % 30000)
    return np.stack((*columns, 0 * index, 0 * index), axis=1).astype(np.int16)


@dataclass
class _File:
    ordinal: int
    since: float
    rate_hz: float
    clock_began: float
    end_bytes: int | None = None
    """Size where the recording has ended."""


class Capture2Go:
    """Acceleration 1 g on z; the x rate counts samples."""

    battery_percent: int | None = None

    def __init__(
        self,
        serial: str = "a1b2c3",
        *,
        left_streaming: bool = False,
        memory_bytes: int = 1 << 30,
        foreign: str = "",
    ) -> None:
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
        self._memory_bytes = memory_bytes
        self._files: dict[str, _File] = {}
        self._made = 0
        self._name = foreign
        self._recording = ""
        self._sending: tuple[str, int, int] | None = None
        if foreign:
            self._start_recording()

    def _now_ns(self) -> int:
        return int((CLOCK.now() - self._began) * 1e9)

    def connected(self, mtu: int) -> None:
        del mtu

    def disconnected(self) -> None:
        self._out = b""
        self._sending = None

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
            if not self._act(message.id, message.payload):
                self._act_on_files(message.id, message.payload)
        return []

    def _act(self, kind: int, payload: bytes) -> bool:
        if kind == wire.ID_GET_INFO:
            texts = (self._serial.encode(), b"C2G r1", b"1.4", b"1.4.2", b"2026-04-01")
            self._out += encode_message(wire.ID_INFO, wire.INFO.pack(3, *_padded(texts)))
        elif kind == wire.ID_GET_STATUS:
            state = _RECORDING if self._recording else _STREAMING if self._since else _IDLE
            free = round(100 * (1 - self._used() / max(1, self._memory_bytes)))
            values = (self._now_ns(), state, 2, (0, 0, 0), 0, 81, max(0, free))
            self._out += encode_message(wire.ID_STATUS, wire.STATUS.pack(*values))
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
        else:
            return False
        return True

    # --- memory ---------------------------------------------------------------------------

    def _act_on_files(self, kind: int, payload: bytes) -> None:
        if self._memory_bytes == 0:
            self._refuse(_UNKNOWN_COMMAND, kind)
        elif kind == files.ID_SET_RECORDING:
            self._name = _text(files.RECORDING.unpack(payload)[2])
            self._out += encode_message(files.ID_RECORDING, payload)
        elif kind == files.ID_GET_RECORDING:
            named = files.RECORDING.pack(0, 0, _name(self._name))
            self._out += encode_message(files.ID_RECORDING, named)
        elif kind == files.ID_START_RECORDING:
            self._settle()
            if self._since is not None or self._recording or self._name in self._files:
                self._refuse(_WRONG_STATE, kind)
            elif self._used() + _PAGE > self._memory_bytes:
                self._refuse(files.ERROR_FILE_SYSTEM_FULL, kind)
            else:
                self._start_recording()
                self._out += encode_message(files.ID_RECORDING_STARTED)
        elif kind == files.ID_STOP_RECORDING:
            self._stop_recording()
            self._out += encode_message(files.ID_RECORDING_STOPPED)
        elif kind == files.ID_LIST_FILES:
            self._out += encode_message(
                files.ID_FILE_COUNT, files.FILE_COUNT.pack(len(self._files))
            )
            for i, name in enumerate(self._files):
                row = files.FILE.pack(i, _name(name), self._size(name))
                self._out += encode_message(files.ID_FILE, row)
        elif kind == files.ID_STOP_GET_BYTES:
            self._sending = None
            self._out += encode_message(files.ID_STOPPED_GET_BYTES)
        else:
            self._act_on_file(kind, payload)

    def _act_on_file(self, kind: int, payload: bytes) -> None:
        name = _text(payload[: files.NAME_SIZE])
        if name not in self._files:
            self._refuse(files.ERROR_FILE_NOT_FOUND, kind)
        elif kind == files.ID_GET_SIZE:
            row = files.SIZE.pack(_name(name), self._size(name))
            self._out += encode_message(files.ID_SIZE, row)
        elif kind == files.ID_DELETE_FILE and name == self._recording:
            self._refuse(_WRONG_STATE, kind)
        elif kind == files.ID_DELETE_FILE:
            del self._files[name]
            self._out += encode_message(files.ID_FILE_DELETED, payload)
        elif kind == files.ID_GET_BYTES:
            _, start, end = files.GET_BYTES.unpack(payload)
            self._sending = (name, start, min(end or 1 << 31, self._size(name)))

    def _refuse(self, code: int, kind: int) -> None:
        self._out += encode_message(wire.ID_ERROR, bytes((code,)) + kind.to_bytes(2, "little"))

    def _start_recording(self) -> None:
        self._made += 1
        self._recording = self._name
        self._files[self._name] = _File(self._made, CLOCK.now(), self._rate, self._began)

    def _stop_recording(self) -> None:
        self._settle()
        if self._recording:
            self._files[self._recording].end_bytes = self._grown(self._files[self._recording])
            self._recording = ""

    def _settle(self) -> None:
        """End the recording where the memory is full."""
        if not self._recording:
            return
        others = sum(f.end_bytes or 0 for f in self._files.values())
        if others + self._grown(self._files[self._recording]) >= self._memory_bytes:
            self._files[self._recording].end_bytes = self._memory_bytes - others
            self._recording = ""

    def _grown(self, file: _File) -> int:
        frames = int((CLOCK.now() - file.since) * file.rate_hz / wire.PACKED_N)
        return len(_HEADER) + frames * _FRAME

    def _size(self, name: str) -> int:
        self._settle()
        file = self._files[name]
        if file.end_bytes is not None:
            return file.end_bytes
        # what is not a whole page yet is not in the file system
        return self._grown(file) // _PAGE * _PAGE

    def _used(self) -> int:
        return sum(self._size(name) for name in self._files)

    def _content(self, file: _File, start: int, end: int) -> bytes:
        first = max(0, (start - len(_HEADER)) // _FRAME)
        last = max(first, -(-(end - len(_HEADER)) // _FRAME))
        frames = [self._frame(file, k * wire.PACKED_N) for k in range(first, last)]
        begin = 0 if start < len(_HEADER) else len(_HEADER) + first * _FRAME
        content = (_HEADER if begin == 0 else b"") + b"".join(frames)
        return content[start - begin : end - begin]

    def _frame(self, file: _File, first: int) -> bytes:
        t_ns = int((file.since - file.clock_began + first / file.rate_hz) * 1e9)
        counts = counts_of(file.ordinal, first, wire.PACKED_N)
        acc, gyr = counts[:, :3], counts[:, 3:]
        if self.motion is not None:
            at = file.since + (first + np.arange(wire.PACKED_N)) / file.rate_hz
            acc, gyr = _counted(*self.motion.at(at))
        payload = struct.pack("<q", t_ns) + gyr.tobytes() + acc.tobytes() + bytes(11)
        number = wire.RATES_HZ.index(file.rate_hz)
        return encode_message(wire.ID_FULL_6D_PACKED + number, payload)

    # --- stream ---------------------------------------------------------------------------

    def poll(self) -> Notifications:
        if self._since is not None:
            due = int((CLOCK.now() - self._since) * self._rate / wire.PACKED_N)
            while self._packets < due:
                self._sample()
                self._packets += 1
        cut = 100
        if self._sending is not None:
            cut = 243
            name, start, end = self._sending
            upto = min(end, start + 40 * _PIECE)
            content = self._content(self._files[name], start, upto)
            for at in range(0, len(content), _PIECE):
                piece = (start + at).to_bytes(4, "little") + content[at : at + _PIECE]
                self._out += encode_message(files.ID_BYTES, piece)
            self._sending = (name, upto, end) if upto < end else None
        sent: Notifications = []
        while self._out:
            # 100 bytes at a time: frames of 123 bytes go over two notifications
            sent.append((c2g.NOTIFY_UUID, b"\xff" + self._out[:cut]))
            self._out = self._out[cut:]
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
            at = self._since + (first + np.arange(wire.PACKED_N)) / self._rate
            acc, gyr = _counted(*self.motion.at(at))
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
        elif name == "recording":
            self._settle()
            return self._recording
        elif name == "files":
            return {each: self._size(each) for each in self._files}
        elif name == "pass_time":
            seconds = float(str(arguments["seconds"]))
            self._began -= seconds
            if self._recording:
                file = self._files[self._recording]
                file.since -= seconds
                file.clock_began -= seconds
        elif name == "reboot":
            # switched off and on: the file ends, the clock begins again
            self._stop_recording()
            self._since = None
            self._began = CLOCK.now()
        return None


def _counted(
    acc_ms2: NDArray[np.float64], gyr_rads: NDArray[np.float64]
) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    acc = np.rint(acc_ms2 / wire.ACC_SCALE_MS2).astype(np.int16)
    return acc, np.rint(gyr_rads / wire.GYR_SCALE_RADS).astype(np.int16)


def _text(data: bytes) -> str:
    return bytes(data).split(b"\0")[0].decode()


def _name(name: str) -> bytes:
    return name.encode().ljust(files.NAME_SIZE, b"\0")


def _padded(texts: tuple[bytes, ...]) -> list[bytes]:
    return [text.ljust(size, b"\0") for text, size in zip(texts, (6, 8, 8, 12, 11), strict=True)]


def make(**arguments: object) -> Capture2Go:
    return Capture2Go(**arguments)  # type: ignore[arg-type]  # JSON by name
