"""What a sensor driver is and what it emits.

A driver turns one `Connection` into events. It subscribes with callbacks that only stamp and
append (`Inbox`), and decodes what has gathered later, many notifications at a time. Every sensor,
ours or another maker's, fits this: index, device time and arrival per packet, raw counts with a
scale, nothing resampled.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.drivers.inbox import Notification

Samples = NDArray[np.int16] | NDArray[np.int32] | NDArray[np.float32]


BackfillOutcome = Literal["complete", "gone", "interrupted", "refused"]


class PacketKind(StrEnum):
    """Where a packet came from."""

    LIVE = "live"
    BACKFILL = "backfill"


@dataclass(frozen=True, slots=True)
class Channel:
    """One column of a stream."""

    name: str
    """`acc_x` .. `mag_z`."""
    unit: Literal["m/s^2", "rad/s", "uT"]
    scale: float
    """Value in `unit` = stored number * scale."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What the samples of one stream mean; fixed from START to STOP."""

    stream: str
    """Name within the device: `imu`, or `acc`, `gyr`, `mag` where they are sampled apart."""
    channels: tuple[Channel, ...]
    dtype: Literal["int16", "int32", "float32"]
    rate_hz: float
    """Nominal rate; the true one comes from device time."""
    index_source: Literal["device", "host"]
    """Whether the sensor counts its samples, or the driver does."""
    time_source: Literal["device", "arrival"]
    """Whether the sensor stamps its samples, or only the arrival is known."""


@dataclass(frozen=True, slots=True)
class SensorIdentity:
    """Who the sensor says it is, read once per connection."""

    device_id: str
    """Stable identity, never the Bluetooth address: `v1-<16 hex>`, `movesense-<serial>`, ..."""
    model: str
    driver: str
    """Name of the driver, as in the registry."""
    serial: str = ""
    firmware: str = ""
    hardware: str = ""
    protocol: str = ""
    boot: int = 0
    """Reset counter where the sensor has one, else 0."""
    battery_percent: int | None = None
    has_backfill: bool = False
    details: dict[str, Any] = field(default_factory=dict)
    """Further plain values for the log and the device page."""


class Further(NamedTuple):
    """Notifications behind the first of a packet, in order."""

    rows: tuple[int, ...]
    """Row of the packet's samples at which each begins."""
    device_us: tuple[int, ...]
    host_mono_ns: tuple[int, ...]
    sequence: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SensorPacket:
    """Samples of one notification (or one stored page), as the sensor packed them.

    Notifications that came one right after the other, without a gap in their index, may be one
    packet: an object for each costs more than decoding it.
    """

    device_id: str
    boot: int
    stream: str
    kind: PacketKind
    first_index: int
    """Index of the first sample in this boot; device's or host's: `StreamInfo.index_source`."""
    device_us: int | None
    """Device time of the first sample, µs, unwrapped; None where the sensor gives no time. Worked
    out from `last_device_us` and the spacing of stamps where the sensor stamps the last one."""
    host_mono_ns: int
    """Arrival on the host's monotonic clock; never sample time."""
    samples: Samples
    """(n, channels) raw numbers, read-only; `StreamInfo.channels` gives names and scale."""
    last_device_us: int | None = None
    """Device time of the last sample where the sensor stamps that one instead of the first."""
    sequence: int | None = None
    """Frame counter of the connection where there is one (transport loss)."""
    clip: bool = False
    """A sample in the packet is at the end of its range."""
    clock_stepped: bool = False
    """The device clock is discontinuous at this packet: fit it anew."""
    lost_before: bool = False
    """The sensor lost samples before its counter, right before this packet."""
    further: Further | None = None
    """Notifications behind the first; times and sequence above are the first one's."""

    @property
    def n(self) -> int:
        """Number of samples."""
        return int(self.samples.shape[0])

    def notifications(self) -> Iterator["SensorPacket"]:
        """Yield every notification as a packet of its own."""
        if self.further is None:
            yield self
            return
        rows = self.further.rows
        yield replace(self, samples=self.samples[: rows[0]], further=None)
        ends = (*rows[1:], self.n)
        for row, device_us, host_mono_ns, sequence, end in zip(*self.further, ends, strict=True):
            yield replace(
                self,
                first_index=self.first_index + row,
                device_us=device_us,
                host_mono_ns=host_mono_ns,
                samples=self.samples[row:end],
                sequence=sequence,
                clock_stepped=False,
                lost_before=False,
                further=None,
            )


@dataclass(frozen=True, slots=True)
class StreamStarted:
    """Streams run from here on; sent before the first packet of a connection."""

    device_id: str
    boot: int
    next_index: int | None
    """Index of the first live sample where the sensor tells it."""
    streams: tuple[StreamInfo, ...]
    host_mono_ns: int
    identity: SensorIdentity
    earlier: tuple[int, ...] | None = None
    """Ended boots that the sensor may still hold samples of, where it lists them; None where any
    number before the present one may be such a boot."""


@dataclass(frozen=True, slots=True)
class StatusReport:
    """Health of the sensor, as it reports it; None where it does not."""

    device_id: str
    boot: int
    host_mono_ns: int
    battery_percent: int | None = None
    battery_mv: int | None = None
    charging: bool | None = None
    low_battery: bool | None = None
    temperature_degc: float | None = None
    flash_free_fraction: float | None = None
    connection_interval_ms: float | None = None
    mtu: int | None = None
    frames_dropped: int | None = None
    state: str = ""
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class TimeSyncReport:
    """One round trip: `t1`, `t4` on the host's monotonic clock, `t2`, `t3` on the device's, µs."""

    device_id: str
    boot: int
    host_mono_ns: int
    t1_us: int
    t2_us: int
    t3_us: int
    t4_us: int

    @property
    def offset_us(self) -> float:
        """Device minus host; wrong by at most half of `rtt_us`."""
        return ((self.t2_us - self.t1_us) + (self.t3_us - self.t4_us)) / 2

    @property
    def rtt_us(self) -> int:
        """Time on air and in queues, both ways."""
        return (self.t4_us - self.t1_us) - (self.t3_us - self.t2_us)


@dataclass(frozen=True, slots=True)
class BackfillReport:
    """The end of one request for stored samples."""

    device_id: str
    boot: int
    first_index: int
    last_index: int
    outcome: BackfillOutcome
    """`gone`: the sensor has overwritten some of it and says so; `interrupted`: ask again."""
    n_samples: int
    """Samples received for it, overlaps included."""
    host_mono_ns: int
    gone: tuple[tuple[int, int], ...] = ()
    """Half-open index ranges that the sensor no longer has; each is told once."""


SensorEvent = SensorPacket | StreamStarted | StatusReport | TimeSyncReport | BackfillReport


class Driver(Protocol):
    """One connected sensor. Methods are called by one task; only callbacks run in between."""

    async def identify(self) -> SensorIdentity:
        """Read who the sensor is, before anything is switched on.

        Raises
        ------
        ProtocolVersionError, UnknownSensorError
            The sensor cannot be used by this program.
        """
        ...

    async def start(self, rate_hz: float) -> StreamStarted:
        """Subscribe, then start streaming at the supported rate nearest to `rate_hz`."""
        ...

    async def stop(self) -> None:
        """End streaming; safe to call twice and on a link that is gone."""
        ...

    async def tend(self) -> None:
        """Do what is due (time sync, status, keep-alive); called about once a second."""
        ...

    def decode(self, notifications: Sequence[Notification]) -> list[SensorEvent]:
        """Turn gathered notifications into events, in order; bad bytes are counted, not raised."""
        ...

    def flush(self) -> list[SensorEvent]:
        """Return what waited for later notifications, because none follow on this connection."""
        ...

    async def backfill(
        self, boot: int, first_index: int, last_index: int | None
    ) -> BackfillOutcome:
        """Ask for stored samples `first_index`..`last_index` (None: to the end) of a boot.

        Frames arrive through the inbox while this waits; returns the outcome as in
        `BackfillReport`. Only called where `SensorIdentity.has_backfill`.
        """
        ...

    async def release(self, boot: int) -> None:
        """Let the sensor forget an ended boot that the host holds for good."""
        ...

    @property
    def packet_period_s(self) -> float:
        """Time between two packets while streaming; the watchdog waits at least five."""
        ...

    @property
    def counters(self) -> dict[str, int]:
        """Counts since the connection began: frames, malformed, unknown, lost by sequence..."""
        ...
