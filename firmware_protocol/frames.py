"""Data frames: one encoder, and a decoder for many notifications at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

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
    offsets: Int64Array
    """(F + 1,) row in `samples` where each frame starts; the last is N."""
    samples: Int16Array
    """(N, columns) int16 counts."""

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
        return np.repeat(np.arange(self.source.size, dtype=np.int64), np.diff(self.offsets))

    @property
    def sample_index(self) -> Int64Array:
        """Return (N,) int64, index of each sample since boot, wrapped like the counter itself."""
        within = np.arange(self.samples.shape[0]) - np.repeat(
            self.offsets[:-1], np.diff(self.offsets)
        )
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
_KNOWN_TYPES = np.isin(np.arange(16), [int(kind) for kind in SAMPLE_LAYOUTS])
_SAMPLE_SIZE = np.array(
    [SAMPLE_LAYOUTS[FrameType(t)].size if _KNOWN_TYPES[t] else 0 for t in range(16)], dtype=np.int64
)
_IMU6_COLUMNS = 6
_IMU9_COLUMNS = 9


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
    """
    count = len(notifications)
    lengths = np.fromiter(map(len, notifications), dtype=np.int64, count=count)
    # joining only plausible values bounds the memory by the attribute size, not by a hostile value
    plausible = lengths <= ATT_MAX_VALUE
    if plausible.all():
        kept = np.arange(count)
        buffer = np.frombuffer(b"".join(notifications), dtype=np.uint8)
    else:
        kept = np.flatnonzero(plausible)
        buffer = np.frombuffer(b"".join(notifications[i] for i in kept.tolist()), dtype=np.uint8)
    size = lengths[kept]
    start = np.cumsum(size) - size

    first = buffer[start[size > 0]]
    version_type = np.zeros(kept.size, dtype=np.uint8)
    version_type[size > 0] = first
    right_major = (version_type >> 4 == MAJOR) & (size > 0)
    kind = version_type & 0x0F
    known = right_major & _KNOWN_TYPES[kind]
    unknown = right_major & ~known
    readable = known & (size >= FRAME_HEADER.size)

    headers = _rows(buffer, start[readable], FRAME_HEADER)
    n = headers["n"].astype(np.int64)
    fits = FRAME_HEADER.size + n * _SAMPLE_SIZE[kind[readable]] == size[readable]
    whole = fits & (n > 0)

    headers, at, position, type_of = _chosen(
        whole, headers, start[readable], kept[readable], kind[readable]
    )
    imu = (type_of == FrameType.IMU6) | (type_of == FrameType.IMU9)
    event = type_of == FrameType.EVENT
    event_headers, event_at = _chosen(event, headers, at)
    event_rows, event_frames = _sample_starts(event_headers, event_at, EVENT.size)
    discarded: dict[DiscardReason, int] = {}
    if position.size < count:
        reasons = (
            (DiscardReason.OVERSIZE, count - kept.size),
            (DiscardReason.TOO_SHORT, np.sum((size == 0) | (known & ~readable))),
            (DiscardReason.WRONG_MAJOR, np.sum((size > 0) & ~right_major)),
            (DiscardReason.NO_SAMPLES, np.sum(n == 0)),
            (DiscardReason.LENGTH_MISMATCH, np.sum(~fits & (n > 0))),
        )
        discarded = {reason: int(number) for reason, number in reasons if number}
    return FrameBatch(
        imu=_imu_frames(buffer, *_chosen(imu, headers, at, position)),
        quaternions=_quaternion_frames(
            buffer, *_chosen(type_of == FrameType.QUATERNION, headers, at, position)
        ),
        event_headers=event_headers[event_frames],
        events=_rows(buffer, event_rows, EVENT),
        unknown=tuple(bytes(notifications[i]) for i in kept[unknown].tolist()),
        discarded=discarded,
    )


def _chosen(mask: NDArray[np.bool_], *columns: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """Return the chosen rows; mostly all or none are, and then nothing is copied."""
    if mask.all():
        return columns
    if not mask.any():
        return tuple(column[:0] for column in columns)
    return tuple(column[mask] for column in columns)


def _rows(buffer: ByteArray, start: Int64Array, layout: Layout) -> NDArray[np.void]:
    """Return one packed structure per start position."""
    gathered = buffer[start[:, None] + np.arange(layout.size)]
    return np.ascontiguousarray(gathered).view(layout.dtype).reshape(start.size)


def _sample_starts(
    headers: NDArray[np.void], at: Int64Array, sample_size: int
) -> tuple[Int64Array, Int64Array]:
    """Return byte position and frame of every sample of frames with one sample size."""
    n = headers["n"].astype(np.int64)
    if n.size == 0:
        return n, n.copy()
    frame = np.repeat(np.arange(n.size, dtype=np.int64), n)
    within = np.arange(frame.size, dtype=np.int64) - (np.cumsum(n) - n)[frame]
    return at[frame] + FRAME_HEADER.size + within * sample_size, frame


def _offsets(headers: NDArray[np.void]) -> Int64Array:
    return np.concatenate(([0], np.cumsum(headers["n"], dtype=np.int64)))


def _counts(buffer: ByteArray, start: Int64Array, columns: int) -> Int16Array:
    gathered = np.ascontiguousarray(buffer[start[:, None] + np.arange(2 * columns)])
    return gathered.view("<i2").reshape(start.size, columns).astype(np.int16, copy=False)


def _quaternion_frames(
    buffer: ByteArray, headers: NDArray[np.void], at: Int64Array, position: Int64Array
) -> Frames:
    size = SAMPLE_LAYOUTS[FrameType.QUATERNION].size
    rows, _ = _sample_starts(headers, at, size)
    return Frames(headers, position, _offsets(headers), _counts(buffer, rows, size // 2))


def _imu_frames(
    buffer: ByteArray, headers: NDArray[np.void], at: Int64Array, position: Int64Array
) -> Frames:
    offsets = _offsets(headers)
    with_mag = headers["version_type"] & 0x0F == FrameType.IMU9
    if not with_mag.any():
        rows, _ = _sample_starts(headers, at, 2 * _IMU6_COLUMNS)
        return Frames(headers, position, offsets, _counts(buffer, rows, _IMU6_COLUMNS))
    mag_of_sample = np.repeat(with_mag, headers["n"])
    samples = np.full((int(offsets[-1]), _IMU9_COLUMNS), MAG_MISSING, dtype=np.int16)
    for chosen, rows_chosen, width in (
        (~with_mag, ~mag_of_sample, _IMU6_COLUMNS),
        (with_mag, mag_of_sample, _IMU9_COLUMNS),
    ):
        if not chosen.any():
            continue
        rows, _ = _sample_starts(headers[chosen], at[chosen], 2 * width)
        samples[rows_chosen, :width] = _counts(buffer, rows, width)
    return Frames(headers, position, offsets, samples)
