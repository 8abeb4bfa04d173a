"""The wire contract: bytes to packets and back, pure.

Protocol v1 of our own sensor, its virtual twin for tests and demo, and decoders of third-party
sensors (`firmware_protocol.devices`).
"""

from firmware_protocol.answers import DeviceConfig, RangeAnswer, StreamStarted
from firmware_protocol.control import Answer, Request
from firmware_protocol.definition import (
    MAJOR,
    MINOR,
    RATE_HZ,
    ControlStatus,
    DeviceState,
    EventCode,
    Feature,
    FrameFlag,
    FrameType,
    Op,
    RangeOperator,
    RateCode,
    StatusFlag,
    TimeSyncOp,
    TlvType,
)
from firmware_protocol.errors import (
    FieldError,
    FormatError,
    LengthError,
    ProtocolError,
    RequestRefusedError,
    VersionError,
)
from firmware_protocol.frames import (
    DiscardReason,
    FrameBatch,
    Frames,
    decode_frames,
    encode_frame,
)
from firmware_protocol.gatt import SERVICE_UUID
from firmware_protocol.info import ProtocolInfo
from firmware_protocol.status import Status
from firmware_protocol.timesync import RoundTrip, TimeSync, round_trip
from firmware_protocol.tlv import SampleRange, Tlv

__all__ = [
    "MAJOR",
    "MINOR",
    "RATE_HZ",
    "SERVICE_UUID",
    "Answer",
    "ControlStatus",
    "DeviceConfig",
    "DeviceState",
    "DiscardReason",
    "EventCode",
    "Feature",
    "FieldError",
    "FormatError",
    "FrameBatch",
    "FrameFlag",
    "FrameType",
    "Frames",
    "LengthError",
    "Op",
    "ProtocolError",
    "ProtocolInfo",
    "RangeAnswer",
    "RangeOperator",
    "RateCode",
    "Request",
    "RequestRefusedError",
    "RoundTrip",
    "SampleRange",
    "Status",
    "StatusFlag",
    "StreamStarted",
    "TimeSync",
    "TimeSyncOp",
    "Tlv",
    "TlvType",
    "VersionError",
    "decode_frames",
    "encode_frame",
    "round_trip",
]
