"""What a record is made of: streams, channels, packets, anchors."""

import hashlib
import json
import math
import re
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from storage.errors import StreamConflictError

StreamKind = Literal["imu", "status", "temperature", "timesync", "event"]
Role = Literal["head", "trunk", "none"]
IndexSource = Literal["device", "host"]
ChannelDtype = Literal["int16", "int32", "float32"]
Samples = NDArray[np.int16] | NDArray[np.int32] | NDArray[np.float32]

_DTYPES = ("int16", "int32", "float32")
_CHANNEL_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_RESERVED = ("index", "device_ticks", "host_us")


@dataclass(frozen=True, slots=True)
class Channel:
    """One column of a stream; physical value = stored value x `scale`."""

    name: str
    """Lower-case identifier such as ``acc_x``, ``gyr_z``, ``mag_y``, ``battery``."""
    unit: str
    """Unit of the physical value, such as ``m/s^2``, ``rad/s``, ``degC``, ``mV``, ``1``."""
    dtype: ChannelDtype = "int16"
    """Stored type; the same for all channels of one stream."""
    scale: float = 1.0
    """Physical value of one stored unit."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What one sensor stream is; everything needed to read its numbers years later."""

    patient: str
    """Pseudonymous patient id."""
    device_id: str
    """Stable id of the sensor (serial number or address)."""
    boot: int
    """Boot counter of the device: sample indices restart with it. 0 where the device has none."""
    role: Role
    """Where the sensor is worn; ``none`` for a stream that belongs to no body part."""
    kind: StreamKind
    channels: tuple[Channel, ...]
    rate_hz: float
    """Nominal sample rate; 0 for streams without one (events, time-sync)."""
    index_source: IndexSource = "device"
    """``device``: `Packet.index` is the device's own sample index. ``host``: the device has none,
    the record numbers samples as they arrive and recognises repeats by device time."""
    device_clock_hz: float | None = None
    """Ticks per second of the device counter; None where the device has no clock."""
    model: str = ""
    firmware: str = ""
    calibration: dict[str, Any] = field(default_factory=dict)
    """Sensor calibration in force (JSON values), for the file footer."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """Anything else worth keeping (JSON values)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The numpy type of the stream's samples (little-endian)."""
        return np.dtype(self.channels[0].dtype).newbyteorder("<")

    @property
    def names(self) -> tuple[str, ...]:
        """Channel names in column order."""
        return tuple(channel.name for channel in self.channels)

    @property
    def scales(self) -> NDArray[np.float64]:
        """(c,) physical value of one stored unit per channel."""
        return np.array([channel.scale for channel in self.channels], dtype=np.float64)

    def checked(self) -> "StreamInfo":
        """Return self, or raise `StreamConflictError` with the first thing that is wrong."""
        if not self.channels:
            raise StreamConflictError("a stream needs at least one channel")
        names = self.names
        for name in names:
            if not _CHANNEL_NAME.match(name) or name in _RESERVED:
                raise StreamConflictError(
                    f"channel name {name!r} is not allowed: lower-case letters, digits and _, "
                    f"and none of {', '.join(_RESERVED)}"
                )
        if len(set(names)) != len(names):
            raise StreamConflictError(f"channel names repeat: {', '.join(names)}")
        dtypes = {channel.dtype for channel in self.channels}
        if len(dtypes) != 1 or not dtypes <= set(_DTYPES):
            raise StreamConflictError(
                f"the channels of one stream share one type out of {', '.join(_DTYPES)}; "
                f"got {', '.join(sorted(dtypes))}"
            )
        if not all(math.isfinite(c.scale) and c.scale != 0.0 for c in self.channels):
            raise StreamConflictError("channel scales must be finite and not zero")
        if not (math.isfinite(self.rate_hz) and self.rate_hz >= 0.0):
            raise StreamConflictError(f"rate_hz is {self.rate_hz}; give a rate in hertz, or 0")
        if not self.patient or not self.device_id:
            raise StreamConflictError("a stream needs a patient and a device_id")
        if self.device_clock_hz is not None and not self.device_clock_hz > 0.0:
            raise StreamConflictError("device_clock_hz must be positive, or None")
        return self

    def to_json(self) -> str:
        """Return the description as canonical JSON."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "StreamInfo":
        """Return the description that `to_json` wrote; unknown keys are ignored."""
        raw = json.loads(text)
        raw["channels"] = tuple(Channel(**channel) for channel in raw["channels"])
        known = {name: raw[name] for name in cls.__dataclass_fields__ if name in raw}
        return cls(**known)

    def variant(self) -> str:
        """Return a short hash of all that makes samples of one boot incomparable when changed."""
        identity = (
            self.patient,
            self.role,
            [asdict(c) for c in self.channels],
            self.rate_hz,
            self.index_source,
            self.device_clock_hz,
        )
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Packet:
    """Consecutive samples that arrived together."""

    index: int
    """Sample index of the first row since the device's boot, unwrapped; ignored (0) for streams
    with a host index."""
    device_ticks: int | None
    """Device counter at the first row, unwrapped; None where the device has no clock."""
    host_ns: int
    """Arrival on the host, UTC nanoseconds; kept to the microsecond."""
    data: Samples
    """(n, c) stored values in the stream's type."""


@dataclass(frozen=True, slots=True)
class Anchors:
    """One (device counter, host arrival) pair per packet; time is derived from these."""

    index: NDArray[np.int64]
    """(p,) sample index of the packet's first row."""
    device_ticks: NDArray[np.int64]
    """(p,) device counter at that row; -1 where the device has no clock."""
    host_ns: NDArray[np.int64]
    """(p,) UTC nanoseconds of the packet's arrival, multiples of 1000."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Samples of one stream in index order."""

    index: NDArray[np.int64]
    """(n,) strictly increasing sample indices; a step above 1 is a gap."""
    data: Samples
    """(n, c) stored values; multiply by `StreamInfo.scales` for physical ones."""
    anchors: Anchors


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream as the record holds it."""

    id: int
    info: StreamInfo
    first_index: int | None
    """Lowest sample index held, None while the stream is empty."""
    end_index: int | None
    """One past the highest sample index held."""
    samples: int
    """Samples held and readable."""
    host_first_ns: int | None
    """Earliest arrival of held samples, UTC nanoseconds."""
    host_last_ns: int | None
    """Latest arrival of held samples, UTC nanoseconds."""
