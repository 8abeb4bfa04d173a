"""Host-side sample numbers for sensors without a counter, and their device time made continuous.

A loss shows only as a step of the device's own time stamps. The index jumps over as many samples
as that step holds, so completeness can be counted; without device time a loss stays invisible and
the stream says so (`StreamInfo.time_source`).
"""

import time
from dataclasses import dataclass, field

from firmware_protocol.devices.samples import Column, SampleBlock, unwrap
from ingest.drivers.driver import (
    Channel,
    PacketKind,
    SensorPacket,
    StreamInfo,
)
from ingest.drivers.inbox import Notification

_LOOSE = 0.1
"""Relative error of a nominal rate that is still the rate: clocks are off by up to 3 %."""
_LEARN = 0.1
"""Share of each packet in the learnt spacing. Larger follows jitter, smaller learns slowly."""
_WHOLE = 0.2
"""What gets lost is a packet: a step this near to whole packets (of this size) is taken as them."""


def connection_boot() -> int:
    """Return a number for this connection that rises with time: Unix milliseconds.

    It stands in for the reset counter of sensors that have none. Every connection gets one of its
    own, because after a reset such a sensor would repeat time stamps that are already on record.
    """
    return time.time_ns() // 1_000_000


def channels_of(columns: tuple[Column, ...]) -> tuple[Channel, ...]:
    """Return the channels of decoded columns; only physical quantities that a stream can carry."""
    return tuple(
        Channel(column.name, column.unit, column.scale)
        for column in columns
        if column.unit != "rad"
    )


def stream_of(block: SampleBlock, *, rate_hz: float, stamped: bool) -> StreamInfo:
    """Return the description of the stream that a decoded block belongs to."""
    return StreamInfo(
        stream=block.stream,
        channels=channels_of(block.columns),
        dtype=str(block.samples.dtype),  # type: ignore[arg-type]  # decoders use these three only
        rate_hz=rate_hz,
        index_source="host",
        time_source="device" if stamped else "arrival",
    )


@dataclass(slots=True)
class _Axis:
    """Where one stream stands."""

    period_ns: float
    next_index: int = 0
    mark_ns: int | None = None
    """Stamp of the last packet: of its first or last sample, as the sensor stamps."""
    last_n: int = 0


@dataclass(slots=True)
class HostNumbering:
    """Numbers the packets of one connection."""

    device_id: str
    boot: int
    modulus_ns: int | None = None
    """Where the device clock wraps; None where it never does."""
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("gaps", "missing_by_time", "repeated", "stepped"), 0)
    )
    _axes: dict[str, _Axis] = field(default_factory=dict)

    def begin(self, stream: str, rate_hz: float) -> None:
        """Say that a stream starts at a nominal rate."""
        self._axes[stream] = _Axis(1e9 / rate_hz)

    def packet(self, block: SampleBlock, item: Notification) -> SensorPacket | None:
        """Return a decoded block as a packet, None for a repetition or a stream not begun."""
        axis = self._axes.get(block.stream)
        if axis is None:
            return None
        stamp = block.first_ns if block.first_ns is not None else block.last_ns
        stepped = lost = False
        spacing_ns = axis.period_ns
        if stamp is not None:
            if self.modulus_ns is not None and axis.mark_ns is not None:
                stamp = unwrap(stamp, self.modulus_ns, axis.mark_ns)
            if axis.mark_ns is not None:
                # between stamps of first samples lies the earlier packet, of last ones this one
                n = axis.last_n if block.first_ns is not None else block.n
                missing = self._missing(axis, stamp - axis.mark_ns, n)
                if missing is None and stamp == axis.mark_ns:
                    self.counts["repeated"] += 1
                    return None
                stepped = missing is None
                lost = bool(missing) or block.gap_before
                self.counts["stepped"] += stepped
                self.counts["gaps"] += lost
                self.counts["missing_by_time"] += missing or 0
                axis.next_index += missing or 0
                if missing is not None:
                    spacing_ns = (stamp - axis.mark_ns) / (n + missing)
            axis.mark_ns = stamp
        first_index = axis.next_index
        axis.next_index += block.n
        axis.last_n = block.n
        samples = block.samples
        samples.flags.writeable = False
        first_us = last_us = None
        if stamp is not None:
            first_us = stamp // 1000
            if block.first_ns is None:
                # the true rate is off by more than a long packet forgives
                last_us, first_us = first_us, round((stamp - (block.n - 1) * spacing_ns) / 1000)
        return SensorPacket(
            device_id=self.device_id,
            boot=self.boot,
            stream=block.stream,
            kind=PacketKind.LIVE,
            first_index=first_index,
            device_us=first_us,
            last_device_us=last_us,
            host_mono_ns=item.host_mono_ns,
            samples=samples,
            clip=block.clip,
            clock_stepped=stepped,
            lost_before=lost,
        )

    def _missing(self, axis: _Axis, step_ns: int, n: int) -> int | None:
        """Return how many samples a step of stamps lacks; None where time went backwards."""
        if step_ns <= 0:
            return None
        spacings = step_ns / axis.period_ns
        if spacings <= n + max(0.5, _LOOSE * n):
            if n > 0 and abs(spacings - n) <= _LOOSE * n:
                axis.period_ns += _LEARN * (step_ns / n - axis.period_ns)
            return 0
        packets = round(spacings / n)
        if abs(spacings / n - packets) <= _WHOLE:
            return (packets - 1) * n
        return max(0, round(spacings) - n)
