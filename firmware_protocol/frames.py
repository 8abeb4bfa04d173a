"""Data frames: one encoder, and a decoder for many notifications at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.definition import (
    ATT_MAX_VALUE,
    EVENT,
    FRAME_HEADER,
    MAG_MISSING,
    MAJOR,
    RATE_HZ,
    SAMPLE_LAYOUTS,
    FrameType,
)
from firmware_protocol.errors import FieldError
from firmware_protocol.layout import SCALARS, Layout

Int16Array: TypeAlias = NDArray[np.int16]
Int64Array: TypeAlias = NDArray[np.int64]
ByteArray: TypeAlias = NDArray[np.uint8]
Bytes: TypeAlias = bytes | bytearray | memoryview

INDEX_MODULUS = 2**32
"""The sample index wraps here (497 days at 100 Hz)."""
SEQ_MODULUS = 2**16
"""The frame sequence wraps here."""


class DiscardReason(StrEnum):
    """Why a notification was not decoded."""

    TOO_SHORT = "shorter than a frame header"
    OVERSIZE = "longer than an attribute value can be"
    WRONG_MAJOR = "of another major version"
    NO_SAMPLES = "without samples"
    LENGTH_MISMATCH = "longer or shorter than its own sample count says"


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames of one kind, in order of arrival; F frames, N samples."""

    headers: NDArray[np.void]
    """(F,) rows of `definition.FRAME_HEADER`."""
    source: Int64Array
    """(F,) position of each frame in the batch of notifications."""
    samples: Int16Array
    """(N, columns) int16 counts."""

    @property
    def offsets(self) -> Int64Array:
        """Return (F + 1,) int64, row in `samples` where each frame starts; the last is N."""
        return np.concatenate(([0], np.cumsum(self.headers["n"], dtype=np.int64)))

    @property
    def frame_type(self) -> ByteArray:
        """Return (F,) uint8, `definition.FrameType`."""
        return np.asarray(self.headers["version_type"] & 0x0F, dtype=np.uint8)

    @property
    def flags(self) -> ByteArray:
        """Return (F,) uint8, `definition.FrameFlag`."""
        return np.ascontiguousarray(self.headers["flags"])

    @property
    def seq(self) -> NDArray[np.uint16]:
        """Return (F,) uint16, frame sequence."""
        return np.ascontiguousarray(self.headers["seq"])

    @property
    def index0(self) -> NDArray[np.uint32]:
        """Return (F,) uint32, index of the first sample since boot."""
        return np.ascontiguousarray(self.headers["index0"])

    @property
    def device_us(self) -> NDArray[np.uint64]:
        """Return (F,) uint64, device time of the first sample, µs since boot."""
        return np.ascontiguousarray(self.headers["device_us"])

    @property
    def n(self) -> ByteArray:
        """Return (F,) uint8, samples per frame."""
        return np.ascontiguousarray(self.headers["n"])

    @property
    def rate_code(self) -> ByteArray:
        """Return (F,) uint8, `definition.RateCode`, or a code that a later version adds."""
        return np.ascontiguousarray(self.headers["rate_code"])

    @property
    def rate_hz(self) -> NDArray[np.float64]:
        """Return (F,) float64, nominal rate, Hz; NaN where the code is unknown."""
        return np.asarray(_RATES[self.headers["rate_code"]], dtype=np.float64)

    @property
    def sample_frame(self) -> Int64Array:
        """Return (N,) int64, the frame of each sample."""
        return np.repeat(np.arange(self.source.size, dtype=np.int64), self.headers["n"])

    @property
    def sample_index(self) -> Int64Array:
        """Return (N,) int64, index of each sample since boot, wrapped like the counter itself."""
        within = np.arange(self.samples.shape[0]) - self.offsets[self.sample_frame]
        first = self.headers["index0"].astype(np.int64)
        return np.asarray((first[self.sample_frame] + within) % INDEX_MODULUS, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """Everything that a batch of notifications held."""

    imu: Frames
    """Types 1 and 2. Columns acc x y z, gyr x y z, and mag x y z as soon as one frame has it; rows
    of frames without magnetometer then hold `definition.MAG_MISSING`."""
    quaternions: Frames
    """Type 3; columns w x y z in units of 1 / `definition.QUATERNION_ONE`."""
    event_headers: NDArray[np.void]
    """(E,) rows of `definition.FRAME_HEADER`, one per record of `events`."""
    events: NDArray[np.void]
    """(E,) rows of `definition.EVENT`."""
    unknown: tuple[bytes, ...]
    """Frames of types that this version does not know, whole; keep them in the journal."""
    discarded: dict[DiscardReason, int]
    """How many notifications were discarded, by reason; reasons that occurred only."""


_RATES = np.array([RATE_HZ.get(code, np.nan) for code in range(256)])
_SAMPLE_SIZE = {MAJOR << 4 | int(kind): layout.size for kind, layout in SAMPLE_LAYOUTS.items()}
"""Bytes of a sample, by the first byte of a frame."""
_HEADER_SIZE = FRAME_HEADER.size
_N_AT = dict(zip((f.name for f in FRAME_HEADER.fields), FRAME_HEADER.offsets(), strict=True))["n"]
_IMU6_COLUMNS = 6
_IMU9_COLUMNS = 9
_QUATERNION_COLUMNS = 4


def encode_frame(
    samples: NDArray[np.integer] | NDArray[np.void] | Bytes,
    *,
    frame_type: FrameType = FrameType.IMU6,
    flags: int = 0,
    seq: int,
    index0: int,
    device_us: int,
    rate_code: int,
) -> bytes:
    """Return the bytes of one frame.

    Parameters
    ----------
    samples
        (n, columns) integers: 6 columns for IMU6, 9 for IMU9, 4 for QUATERNION; (n,) rows of
        `definition.EVENT` for EVENT; or the n samples as bytes.
    frame_type
        What the samples are.
    flags, seq, index0, device_us, rate_code
        Fields of `definition.FRAME_HEADER`.

    Raises
    ------
    FieldError
        A field or count is out of range, or the number of samples is not 1 to 255.
    """
    layout = SAMPLE_LAYOUTS[frame_type]
    body = bytes(samples) if isinstance(samples, Bytes) else _sample_bytes(samples, layout)
    n, rest = divmod(len(body), layout.size)
    if rest or n == 0:
        raise FieldError("frame.samples", f"{len(body)} bytes", f"n x {layout.size} bytes, n >= 1")
    size = FRAME_HEADER.size + len(body)
    if size > ATT_MAX_VALUE:
        raise FieldError("frame", f"{size} bytes", f"at most {ATT_MAX_VALUE} bytes long")
    version_type = MAJOR << 4 | frame_type
    return FRAME_HEADER.pack(version_type, flags, seq, index0, device_us, n, rate_code) + body


def _sample_bytes(samples: NDArray[np.integer] | NDArray[np.void], layout: Layout) -> bytes:
    if layout is EVENT:
        if samples.dtype != EVENT.dtype or samples.ndim != 1:
            raise FieldError("frame.samples", samples.dtype, "rows of definition.EVENT.dtype")
        return samples.tobytes()
    columns = layout.size // 2
    if samples.ndim != 2 or samples.shape[1] != columns or samples.dtype.kind not in "iu":
        raise FieldError(
            "frame.samples", f"{samples.dtype} of shape {samples.shape}", f"integers (n, {columns})"
        )
    low, high = SCALARS["i16"].low, SCALARS["i16"].high
    if samples.size and not (samples.min() >= low and samples.max() <= high):
        worst = samples.max() if samples.max() > high else samples.min()
        raise FieldError("frame.samples", int(worst), f"an integer from {low} to {high}")
    return samples.astype("<i2").tobytes()


def decode_frames(notifications: Sequence[Bytes]) -> FrameBatch:
    """Return all frames in a batch of notifications; one notification is one frame.

    Never raises on content: what cannot be decoded is counted by reason. Memory is a small
    multiple of the bytes given.

    Parameters
    ----------
    notifications
        Values as they arrived on Sensor Stream or Backfill.

    Notes
    -----
    A second of one sensor is some eight frames, so what counts is the price of a call. Frames are
    told apart one by one and their bytes joined by kind; an array is then a view of what is joined.
    """
    chosen: dict[int, list[int]] = {}
    unknown: list[bytes] = []
    discarded: dict[DiscardReason, int] = {}
    for position, data in enumerate(notifications):
        size = len(data)
        # a whole frame, as nearly all are
        if _HEADER_SIZE < size <= ATT_MAX_VALUE:
            first = data[0]
            if size == _HEADER_SIZE + data[_N_AT] * _SAMPLE_SIZE.get(first, 0):
                chosen.setdefault(first & 0x0F, []).append(position)
                continue
        reason = _discarded(data)
        if reason is None:
            unknown.append(bytes(data))
        else:
            discarded[reason] = discarded.get(reason, 0) + 1
    imu = _imu_frames(notifications, chosen.get(FrameType.IMU6, []), chosen.get(FrameType.IMU9, []))
    quaternions = _frames(notifications, chosen.get(FrameType.QUATERNION, []), _QUATERNION_COLUMNS)
    event_headers, events = _NO_EVENTS
    if FrameType.EVENT in chosen:
        event_headers, event_bytes = _parted(notifications, chosen[FrameType.EVENT])
        event_headers = event_headers.repeat(event_headers["n"])
        events = np.frombuffer(event_bytes, dtype=EVENT.dtype)
    return FrameBatch(imu, quaternions, event_headers, events, tuple(unknown), discarded)


def _discarded(data: Bytes) -> DiscardReason | None:
    """Return why a notification is no whole frame of a known type; None: its type is unknown."""
    size = len(data)
    if size > ATT_MAX_VALUE:
        return DiscardReason.OVERSIZE
    if size == 0:
        return DiscardReason.TOO_SHORT
    if data[0] >> 4 != MAJOR:
        return DiscardReason.WRONG_MAJOR
    if data[0] not in _SAMPLE_SIZE:
        return None
    if size < _HEADER_SIZE:
        return DiscardReason.TOO_SHORT
    return DiscardReason.LENGTH_MISMATCH if data[_N_AT] else DiscardReason.NO_SAMPLES


def _parted(notifications: Sequence[Bytes], at: Sequence[int]) -> tuple[NDArray[np.void], bytes]:
    """Return the headers of whole frames, and the bytes of all their samples."""
    frames = [notifications[position] for position in at]
    headers = b"".join([data[:_HEADER_SIZE] for data in frames])
    samples = b"".join([data[_HEADER_SIZE:] for data in frames])
    return np.frombuffer(headers, dtype=FRAME_HEADER.dtype), samples


def _frames(notifications: Sequence[Bytes], at: Sequence[int], columns: int) -> Frames:
    """Return frames of one type; most batches hold only one."""
    if not at:
        return _NO_FRAMES[columns]
    headers, body = _parted(notifications, at)
    samples = np.frombuffer(body, dtype="<i2").reshape(-1, columns)
    return Frames(headers, np.array(at, dtype=np.int64), samples.astype(np.int16, copy=False))


def _no_frames(columns: int) -> Frames:
    none = Frames(
        np.empty(0, dtype=FRAME_HEADER.dtype),
        np.empty(0, dtype=np.int64),
        np.empty((0, columns), dtype=np.int16),
    )
    for shared in (none.headers, none.source, none.samples):
        shared.flags.writeable = False
    return none


_NO_EVENTS = np.empty(0, dtype=FRAME_HEADER.dtype), np.empty(0, dtype=EVENT.dtype)
_NO_FRAMES = {columns: _no_frames(columns) for columns in (_IMU6_COLUMNS, _QUATERNION_COLUMNS)}


def _imu_frames(notifications: Sequence[Bytes], six: list[int], nine: list[int]) -> Frames:
    """Return frames with and without magnetometer as one, in order of arrival."""
    if not nine or not six:
        return _frames(notifications, six or nine, _IMU9_COLUMNS if nine else _IMU6_COLUMNS)
    parts = (
        _frames(notifications, six, _IMU6_COLUMNS),
        _frames(notifications, nine, _IMU9_COLUMNS),
    )
    source = np.concatenate([part.source for part in parts])
    order = np.argsort(source)
    headers = np.concatenate([part.headers for part in parts])[order]
    samples = np.full((int(headers["n"].sum()), _IMU9_COLUMNS), MAG_MISSING, dtype=np.int16)
    with_mag = np.repeat(order >= len(six), headers["n"])
    samples[~with_mag, :_IMU6_COLUMNS] = parts[0].samples
    samples[with_mag] = parts[1].samples
    return Frames(headers, source[order], samples)
