"""Capture2Go (SensorStim): commands and messages.

Source: Capture2Go communication protocol (MIT), capture2go 1.0.1. Time is a device clock in ns that
the host may set; samples carry a gap flag instead of a counter; the gyroscope bias is removed.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.devices import capture2go_files as files
from firmware_protocol.devices import capture2go_layouts as wire
from firmware_protocol.devices.capture2go_frames import FrameStream, RawMessage, encode_message
from firmware_protocol.devices.samples import SampleBlock, axes
from firmware_protocol.errors import FieldError
from firmware_protocol.layout import Layout

SERVICE_UUID = "80030001-e629-4c98-9324-aa7fc0c66de7"
WRITE_UUID = "80030002-e629-4c98-9324-aa7fc0c66de7"
NOTIFY_UUID = "80030003-e629-4c98-9324-aa7fc0c66de7"
NAME_PREFIX = "IMU_"

_IMU9 = (
    *axes("acc", wire.ACC_SCALE_MS2),
    *axes("gyr", wire.GYR_SCALE_RADS),
    *axes("mag", wire.MAG_SCALE_UT),
)
_IMU6 = _IMU9[:6]
_QUANTISATION = 1e-5
"""By how much rounding to 20 bits may lengthen a unit quaternion."""


# --- host to sensor -----------------------------------------------------------------------


def get_device_info() -> bytes:
    """Ask for `DeviceInfo`."""
    return encode_message(wire.ID_GET_INFO)


def get_status() -> bytes:
    """Ask for `C2gStatus`."""
    return encode_message(wire.ID_GET_STATUS)


def start_streaming() -> bytes:
    """Start what the measurement mode says."""
    return encode_message(wire.ID_START)


def stop_streaming() -> bytes:
    """Stop streaming."""
    return encode_message(wire.ID_STOP)


def stop_streaming_and_clear() -> bytes:
    """Stop and drop what waits: the first command to a sensor that is found streaming."""
    return encode_message(wire.ID_STOP_AND_CLEAR)


def set_measurement_mode(
    *,
    full_packed_hz: float | None = None,
    quat_packed_hz: float | None = None,
    status_s: int = 1,
    sync: int = 0,
    sync_id: int = 0,
    with_mag: bool = True,
) -> bytes:
    """Choose rates (see `capture2go_layouts.RATES_HZ`; None: off) and status interval."""
    return encode_message(
        wire.ID_SET_MODE,
        wire.MODE.pack(
            0,
            0,
            0,
            _mode_number(full_packed_hz),
            0,
            0,
            _mode_number(quat_packed_hz),
            status_s,
            0,
            0,
            sync,
            sync_id,
            0,
            0,
            int(not with_mag),
        ),
    )


def start_real_time(*, mode: int = 1, rate_limit_hz: int = 0) -> bytes:
    """Send the newest sample ahead of the stream: mode 1 orientation, 2 full; 0 Hz means 50."""
    return encode_message(wire.ID_START_REAL_TIME, bytes((mode, rate_limit_hz)))


def stop_real_time() -> bytes:
    """End the real-time channel."""
    return encode_message(wire.ID_STOP_REAL_TIME)


def set_absolute_time(device_ns: int) -> bytes:
    """Set the device clock; never during a measurement."""
    return encode_message(wire.ID_SET_TIME, device_ns.to_bytes(8, "little", signed=True))


def clock_round_trip(host_ns: int) -> bytes:
    """Begin a round trip; the sensor sends it back as `ClockRoundTrip`."""
    return encode_message(wire.ID_ROUND_TRIP, wire.ROUND_TRIP.pack(host_ns, 0, 0, 0))


def _mode_number(rate_hz: float | None) -> int:
    if rate_hz is None:
        return 0
    if rate_hz not in wire.RATES_HZ:
        raise FieldError("rate_hz", rate_hz, f"one of {', '.join(f'{r:g}' for r in wire.RATES_HZ)}")
    return wire.RATES_HZ.index(rate_hz) + 1


# --- sensor to host -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """Who the sensor is."""

    protocol: int
    serial: str
    hardware: str
    firmware_revision: str
    firmware: str
    date: str


@dataclass(frozen=True, slots=True)
class C2gStatus:
    """Health."""

    device_ns: int
    state: int
    """0 off, 1 idle, 2 streaming, 3 recording."""
    gyr_bias_rads: tuple[float, float, float]
    synchronised: bool
    battery_percent: int
    charging: bool
    free_percent: int


@dataclass(frozen=True, slots=True)
class Orientations:
    """Orientations computed on the sensor."""

    first_ns: int
    """Device time of the first one."""
    rate_hz: float | None
    """None for the real-time channel."""
    q: NDArray[np.float64]
    """(n, 4) w x y z, sensor to the sensor's earth frame."""
    delta_rad: NDArray[np.float64]
    """(n,) heading correction by the magnetometer."""
    rest: NDArray[np.bool_]
    """(n,) the sensor was still."""
    disturbed: NDArray[np.bool_]
    """(n,) the magnetic field was disturbed."""
    gap_before: bool = False


@dataclass(frozen=True, slots=True)
class ClockRoundTrip:
    """A round trip that came back; the host adds its own time of reception."""

    host_send_ns: int
    sensor_receive_ns: int
    sensor_send_ns: int


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The sensor has done what was asked (`ID_STARTED` and so on)."""

    id: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The sensor reports an error."""

    code: int
    command: int
    """Id of the command, or 0xFFFF."""


@dataclass(frozen=True, slots=True)
class AbsoluteTime:
    """The device clock."""

    device_ns: int


Message: TypeAlias = (
    SampleBlock
    | Orientations
    | DeviceInfo
    | C2gStatus
    | ClockRoundTrip
    | Acknowledged
    | Refused
    | AbsoluteTime
    | files.FileMessage
    | RawMessage
)
"""`RawMessage` stands for every id that this program does not use."""


class Capture2GoDecoder:
    """Turns the notifications of one connection into messages; bad bytes are counted."""

    def __init__(self) -> None:
        self._frames = FrameStream()

    @property
    def counts(self) -> Counter[str]:
        """Return what went wrong, by reason; `malformed` is a sound frame of wrong size."""
        return self._frames.counts

    def feed(self, notification: bytes) -> list[Message]:
        """Return the messages that this notification completes."""
        messages: list[Message] = []
        for raw in self._frames.feed(notification):
            message = decoded(raw)
            if message is None:
                self._frames.counts["malformed"] += 1
            else:
                messages.append(message)
        return messages


def decode_quaternions(
    packed: NDArray[np.uint64],
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return (n, 4) w x y z, (n,) rest and (n,) magnetic disturbance of "smallest three" words.

    Three components that are longer than a unit quaternion give a row of NaN.
    """
    omitted = ((packed >> np.uint64(60)) & np.uint64(3)).astype(np.int64)
    rest = (packed >> np.uint64(62)) & np.uint64(1) != 0
    disturbed = packed >> np.uint64(63) != 0
    words = packed[:, None] >> np.array([40, 20, 0], dtype=np.uint64)
    parts = (words & np.uint64(0xFFFFF)).astype(np.float64) * (sqrt(2.0) / 0xFFFFF) - sqrt(0.5)
    squares = np.sum(parts * parts, axis=1)
    largest = np.sqrt(np.maximum(0.0, 1.0 - squares))
    q = np.empty((packed.size, 4))
    rows = np.arange(packed.size)
    q[rows, omitted] = largest
    for k in range(3):
        q[rows, (omitted + 1 + k) % 4] = parts[:, k]
    q[squares > 1.0 + _QUANTISATION] = np.nan
    return q, rest, disturbed


def decoded(raw: RawMessage) -> Message | None:
    """Return the message, None where the payload has a wrong size."""
    kind, payload = raw.id, raw.payload
    if wire.ID_FULL_PACKED <= kind < wire.ID_FULL_PACKED + len(wire.RATES_HZ):
        return _block(payload, wire.FULL_PACKED, wire.RATES_HZ[kind - wire.ID_FULL_PACKED])
    if wire.ID_FULL_6D_PACKED <= kind < wire.ID_FULL_6D_PACKED + len(wire.RATES_HZ):
        return _block(payload, wire.FULL_6D_PACKED, wire.RATES_HZ[kind - wire.ID_FULL_6D_PACKED])
    if wire.ID_QUAT_PACKED <= kind < wire.ID_QUAT_PACKED + len(wire.RATES_HZ):
        return _orientations(payload, wire.QUAT_PACKED, wire.RATES_HZ[kind - wire.ID_QUAT_PACKED])
    if wire.ID_QUAT_FIXED <= kind < wire.ID_QUAT_REAL_TIME:
        return _orientations(payload, wire.QUAT_FIXED, wire.RATES_HZ[kind - wire.ID_QUAT_FIXED])
    if kind == wire.ID_QUAT_REAL_TIME:
        return _orientations(payload, wire.QUAT_FIXED, None)
    if kind in wire.ACKNOWLEDGEMENTS | files.ACKNOWLEDGEMENTS:
        return Acknowledged(kind) if not payload else None
    if kind in files.FILE_IDS:
        return files.decode_file_message(kind, payload)
    decode = _BY_SIZE.get(kind)
    if decode is None:
        return raw
    size, make = decode
    return make(payload) if len(payload) == size else None


def _block(payload: bytes, layout: Layout, rate_hz: float) -> SampleBlock | None:
    if len(payload) != layout.size:
        return None
    row = np.frombuffer(payload, layout.dtype)[0]
    quantities = ("acc", "gyr", "mag") if layout is wire.FULL_PACKED else ("acc", "gyr")
    samples = np.concatenate([row[q].reshape(wire.PACKED_N, 3) for q in quantities], axis=1)
    flags = int(row["flags"])
    return SampleBlock(
        "imu",
        _IMU9 if layout is wire.FULL_PACKED else _IMU6,
        samples.astype(np.int16, copy=False),
        first_ns=int(row["t"]),
        rate_hz=rate_hz,
        gap_before=bool(flags & wire.FLAG_GAP),
        clip=bool(flags & wire.FLAGS_CLIP),
    )


def _orientations(payload: bytes, layout: Layout, rate_hz: float | None) -> Orientations | None:
    if len(payload) != layout.size:
        return None
    row = np.frombuffer(payload, layout.dtype)[0]
    q, rest, disturbed = decode_quaternions(np.atleast_1d(row["quat"]).astype(np.uint64))
    return Orientations(
        first_ns=int(row["t"]),
        rate_hz=rate_hz,
        q=q,
        delta_rad=np.atleast_1d(row["delta"]) * wire.DELTA_SCALE_RAD,
        rest=rest,
        disturbed=disturbed,
        gap_before=bool(np.atleast_1d(row["flags"])[0] & wire.FLAG_GAP),
    )


def _text(data: bytes) -> str:
    return data.split(b"\0")[0].decode("ascii", errors="replace")


def _info(payload: bytes) -> DeviceInfo:
    protocol, *texts = wire.INFO.unpack(payload)
    serial, hardware, revision, firmware, date = map(_text, texts)
    return DeviceInfo(protocol, serial, hardware, revision, firmware, date)


def _status(payload: bytes) -> C2gStatus:
    t, state, _, bias, synchronised, battery, free = wire.STATUS.unpack(payload)
    x, y, z = (value * wire.BIAS_SCALE_RADS for value in bias)
    return C2gStatus(t, state, (x, y, z), bool(synchronised), battery & 0x7F, battery > 0x7F, free)


def _round_trip(payload: bytes) -> ClockRoundTrip:
    return ClockRoundTrip(*wire.ROUND_TRIP.unpack(payload)[:3])


def _time(payload: bytes) -> AbsoluteTime:
    return AbsoluteTime(int.from_bytes(payload, "little", signed=True))


def _refused(payload: bytes) -> Refused:
    return Refused(payload[0], int.from_bytes(payload[1:], "little"))


_BY_SIZE: dict[int, tuple[int, Callable[[bytes], Message]]] = {
    wire.ID_INFO: (wire.INFO.size, _info),
    wire.ID_STATUS: (wire.STATUS.size, _status),
    wire.ID_ROUND_TRIP: (wire.ROUND_TRIP.size, _round_trip),
    wire.ID_TIME: (8, _time),
    wire.ID_ERROR: (3, _refused),
}
