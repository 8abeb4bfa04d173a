"""Golden vectors: messages written out field by field, shared with the firmware's tests."""

from dataclasses import dataclass
from typing import Any

from firmware_protocol.definition import (
    ANSWER_HEADER,
    EVENT,
    FRAME_HEADER,
    PROTOCOL_INFO,
    RANGE,
    REQUEST_HEADER,
    SAMPLE6,
    SAMPLE9,
    SAMPLE_QUATERNION,
    STATUS,
    TIME_SYNC,
    TLV_HEADER,
)
from firmware_protocol.layout import Layout

Part = tuple[Layout, tuple[Any, ...]] | bytes


@dataclass(frozen=True, slots=True)
class Vector:
    """One message as the sequence of its parts."""

    name: str
    note: str
    parts: tuple[Part, ...]
    """Layouts with their field values in order, and bytes as they are (values of TLVs)."""

    @property
    def data(self) -> bytes:
        """Return the bytes on air."""
        return b"".join(
            part if isinstance(part, bytes) else part[0].pack(*part[1]) for part in self.parts
        )


VECTORS = (
    Vector(
        "frame_imu6",
        "v1 type 1, seq 7, index 36000, 360.000123 s, 2 samples, 100 Hz",
        (
            (FRAME_HEADER, (0x11, 0, 7, 36000, 360_000_123, 2, 3)),
            (SAMPLE6, ((0, 0, 2048), (164, -164, 0))),
            (SAMPLE6, ((1, -1, 2047), (-32768, 32767, 0))),
        ),
    ),
    Vector(
        "frame_imu9_stored_last",
        "type 2, stored and last of a REPORT, sequence and index about to wrap, 104 Hz",
        (
            (FRAME_HEADER, (0x12, 17, 65535, 2**32 - 1, 2**63 + 5, 1, 7)),
            (SAMPLE9, ((1, 2, 3), (-1, -2, -3), (300, -32768, 32767))),
        ),
    ),
    Vector(
        "frame_quaternion",
        "type 3, identity and a half turn about x, 50 Hz",
        (
            (FRAME_HEADER, (0x13, 0, 1, 10, 200_000, 2, 2)),
            (SAMPLE_QUATERNION, ((16384, 0, 0, 0),)),
            (SAMPLE_QUATERNION, ((0, -16384, 0, 0),)),
        ),
    ),
    Vector(
        "frame_event",
        "type 15, button held 1200 ms before sample 5000, 52 Hz",
        (
            (FRAME_HEADER, (0x1F, 0, 2, 5000, 96_153_846, 1, 6)),
            (EVENT, (1, 0, 1200, 5000, 96_153_800)),
        ),
    ),
    Vector(
        "status",
        "recording and streaming, flash wrapped, -3.5 degC, 3812 mV, 41.7 %, 15 ms, MTU 247",
        ((STATUS, (1, 3, 4, -7, 3812, 417, 12, 247, 19, 42)),),
    ),
    Vector(
        "time_sync_request",
        "seq 5, sent at 1 s",
        ((TIME_SYNC, (1, 1, 5, 1_000_000, 0, 0)),),
    ),
    Vector(
        "time_sync_reply",
        "seq 5, received at 2 s, answered 250 us later",
        ((TIME_SYNC, (1, 2, 5, 1_000_000, 2_000_000, 2_000_250)),),
    ),
    Vector(
        "protocol_info",
        "1.0, 244 B, backfill and time sync",
        ((PROTOCOL_INFO, (1, 0, 244, 0x0C, bytes(range(1, 9)))),),
    ),
    Vector(
        "request_start",
        "START_STREAM type 1, 104 Hz, token 9",
        (
            (REQUEST_HEADER, (0x03, 9)),
            (TLV_HEADER, (0x01, 1)),
            b"\x01",
            (TLV_HEADER, (0x02, 1)),
            b"\x07",
        ),
    ),
    Vector(
        "answer_start",
        "ok, boot 42, next index 36018, 18 samples per frame",
        (
            (ANSWER_HEADER, (0x83, 9, 1)),
            (TLV_HEADER, (0x0C, 4)),
            (42).to_bytes(4, "little"),
            (TLV_HEADER, (0x0D, 4)),
            (36018).to_bytes(4, "little"),
            (TLV_HEADER, (0x0A, 1)),
            b"\x12",
        ),
    ),
    Vector(
        "answer_refused",
        "START_STREAM refused: MTU too small",
        ((ANSWER_HEADER, (0x83, 10, 0x81)),),
    ),
    Vector(
        "request_report",
        "REPORT samples 1000 to 2999 of boot 41, token 255",
        ((REQUEST_HEADER, (0x10, 255)), (TLV_HEADER, (0x0E, 13)), (RANGE, (4, 41, 1000, 2999))),
    ),
    Vector(
        "answer_count",
        "COUNT: 2000 samples of that range are stored",
        (
            (ANSWER_HEADER, (0x91, 1, 1)),
            (TLV_HEADER, (0x0E, 13)),
            (RANGE, (4, 41, 1000, 2999)),
            (TLV_HEADER, (0x0F, 4)),
            (2000).to_bytes(4, "little"),
        ),
    ),
)
"""One message of every kind."""
