"""Capture2Go framing: checksummed frames in a byte stream that real-time frames may overtake.

A notification is one byte (255 minus the number of real-time frames), those frames whole, then a
slice of a byte stream whose frames continue across notifications.
"""

import zlib
from collections import Counter
from dataclasses import dataclass, field

from firmware_protocol.errors import FieldError
from firmware_protocol.layout import Field, Layout

FRAME_START = 0x02
MAX_PAYLOAD = 236
_HEAD = Layout(
    "capture2go_frame",
    "In front of every payload.",
    (
        Field("start", "u8", "-", "0x02"),
        Field("crc", "u32", "-", "CRC-32 over id and payload"),
        Field("size", "u8", "B", "payload size"),
        Field("id", "u16", "-", "message id"),
    ),
)
HEAD_SIZE = _HEAD.size
_CRC_FROM = 6
_NO_REAL_TIME = 0xFF


@dataclass(frozen=True, slots=True)
class RawMessage:
    """One frame whose checksum is right."""

    id: int
    payload: bytes
    real_time: bool = False
    """Whether it overtook the stream."""


def encode_message(message_id: int, payload: bytes = b"") -> bytes:
    """Return one frame; host to sensor each write is one whole frame."""
    if len(payload) > MAX_PAYLOAD:
        raise FieldError("payload", f"{len(payload)} bytes", f"at most {MAX_PAYLOAD} bytes long")
    body = message_id.to_bytes(2, "little") + payload
    return _HEAD.pack(FRAME_START, zlib.crc32(body), len(payload), message_id) + payload


@dataclass(slots=True)
class FrameStream:
    """Reassembly of one connection; what is noise is counted, never raised."""

    counts: Counter[str] = field(default_factory=Counter)
    """`noise_bytes`, `crc_errors`, `real_time_malformed`, `empty`."""
    _buffer: bytes = b""

    def feed(self, notification: bytes) -> list[RawMessage]:
        """Return the messages that this notification completes, real-time ones first."""
        if not notification:
            self.counts["empty"] += 1
            return []
        found: list[RawMessage] = []
        at = 1
        for _ in range(_NO_REAL_TIME - notification[0]):
            size = _whole_frame(notification, at)
            if size is None:
                # where the stream goes on is unknown now; its checksums find it again
                self.counts["real_time_malformed"] += 1
                return found
            found.append(_message(notification, at, size, real_time=True))
            at += size
        return found + self._feed_stream(notification[at:])

    def _feed_stream(self, data: bytes) -> list[RawMessage]:
        buffer = self._buffer + data
        found, used = scan(buffer, self.counts)
        self._buffer = buffer[used:]
        return [message for _, message in found]

    def clear(self) -> None:
        """Forget the partial frame: the sensor's buffer was cleared, or the link is new."""
        self._buffer = b""


def scan(buffer: bytes, counts: Counter[str]) -> tuple[list[tuple[int, RawMessage]], int]:
    """Return the whole frames of a byte stream with their places, and where the rest begins."""
    found: list[tuple[int, RawMessage]] = []
    at = 0
    while at < len(buffer):
        if buffer[at] != FRAME_START or _too_large(buffer, at):
            counts["noise_bytes"] += 1
            at += 1
            continue
        if _incomplete(buffer, at):
            break
        size = _whole_frame(buffer, at)
        if size is None:
            counts["crc_errors"] += 1
            at += 1
            continue
        found.append((at, _message(buffer, at, size, real_time=False)))
        at += size
    return found, at


def _too_large(buffer: bytes, at: int) -> bool:
    return at + 5 < len(buffer) and buffer[at + 5] > MAX_PAYLOAD


def _incomplete(buffer: bytes, at: int) -> bool:
    return at + _HEAD.size > len(buffer) or at + _HEAD.size + buffer[at + 5] > len(buffer)


def _whole_frame(buffer: bytes, at: int) -> int | None:
    """Return the size of the frame at `at`, None where there is no whole and sound one."""
    if at >= len(buffer) or buffer[at] != FRAME_START or _too_large(buffer, at):
        return None
    if _incomplete(buffer, at):
        return None
    end = at + _HEAD.size + buffer[at + 5]
    crc = int.from_bytes(buffer[at + 1 : at + 5], "little")
    return end - at if zlib.crc32(buffer[at + _CRC_FROM : end]) == crc else None


def _message(buffer: bytes, at: int, size: int, *, real_time: bool) -> RawMessage:
    message_id = int.from_bytes(buffer[at + 6 : at + 8], "little")
    return RawMessage(message_id, bytes(buffer[at + _HEAD.size : at + size]), real_time)
