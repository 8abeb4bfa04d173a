"""How sensor events look in the record: streams, channels, rows."""

from collections.abc import Mapping
from typing import Any, Final, Literal

import numpy as np

from ingest.assemble import arrival_ns, device_time_us
from ingest.drivers.driver import SensorPacket, StatusReport, StreamStarted, TimeSyncReport
from ingest.drivers.driver import StreamInfo as DriverStream
from storage.record import Channel, Packet, StreamInfo
from storage.record.types import Role

SideKind = Literal["status", "timesync", "event"]
MICROSECONDS_HZ = 1e6

STATUS_CHANNELS = (
    Channel("battery_percent", "%", "float32"),
    Channel("battery_mv", "mV", "float32"),
    Channel("temperature", "degC", "float32"),
    Channel("flash_free", "1", "float32"),
    Channel("connection_interval", "ms", "float32"),
    Channel("frames_dropped", "1", "float32"),
    Channel("charging", "1", "float32"),
)
"""Columns of status streams; NaN where a sensor does not report one."""
SYNC_CHANNELS = (Channel("turnaround", "us", "int32"), Channel("round", "us", "int32"))
"""Columns of time-sync streams: t3 - t2 and t4 - t1; a row's device time is t2, its arrival t4."""
EVENT_CHANNELS = (Channel("code", "1", "int32"),)
EVENT_CLOCK_STEPPED = 1
"""The device clock was stepped at the packet whose device time this row carries."""
EVENT_LOST_BEFORE = 2
"""The sensor lost samples that it never counted, before that packet."""

_SIDE_CHANNELS: Final[dict[SideKind, tuple[Channel, ...]]] = {
    "status": STATUS_CHANNELS,
    "timesync": SYNC_CHANNELS,
    "event": EVENT_CHANNELS,
}


def record_stream(
    patient: str,
    role: Role,
    stream: DriverStream,
    started: StreamStarted,
    calibration: Mapping[str, Any],
) -> StreamInfo:
    """Return how the record describes a stream that a driver has started.

    A sensor whose acceleration and rate are sampled apart has one index axis for each, so each
    becomes a device of its own: ``<device>/acc``.

    Parameters
    ----------
    calibration : mapping
        Of the unit, in force for these samples.
    """
    identity = started.identity
    declared = identity.details.get("declared")
    apart = stream.stream != "imu"
    return StreamInfo(
        patient=patient,
        device_id=f"{started.device_id}/{stream.stream}" if apart else started.device_id,
        boot=started.boot,
        role=role,
        kind="imu",
        channels=tuple(Channel(c.name, c.unit, stream.dtype, c.scale) for c in stream.channels),
        rate_hz=stream.rate_hz,
        index_source=stream.index_source,
        device_clock_hz=MICROSECONDS_HZ if stream.time_source == "device" else None,
        model=identity.model,
        firmware=identity.firmware,
        calibration=dict(calibration),
        metadata={
            "serial": identity.serial,
            "protocol": identity.protocol,
            **({"declared": declared} if declared else {}),
        },
    )


def imu_packet(event: SensorPacket, stream: DriverStream, offset_ns: int) -> Packet:
    """Return the row of a packet of samples."""
    ticks = None
    if stream.time_source == "device":
        ticks = max(0, device_time_us(event, stream.rate_hz))
    return Packet(
        index=event.first_index,
        device_ticks=ticks,
        host_ns=arrival_ns(event.host_mono_ns, offset_ns),
        data=event.samples,
    )


def sync_packet(event: TimeSyncReport, offset_ns: int) -> Packet:
    """Return the row of a time-sync exchange."""
    data = np.array([[event.t3_us - event.t2_us, event.t4_us - event.t1_us]], dtype=np.int32)
    return Packet(
        index=0,
        device_ticks=event.t2_us,
        host_ns=event.t4_us * 1000 + offset_ns,
        data=data,
    )


def status_packet(event: StatusReport, offset_ns: int) -> Packet:
    """Return the row of a status."""
    values = (
        event.battery_percent,
        event.battery_mv,
        event.temperature_degc,
        event.flash_free_fraction,
        event.connection_interval_ms,
        event.frames_dropped,
        event.charging,
    )
    row = np.array([[np.nan if v is None else float(v) for v in values]], dtype=np.float32)
    return Packet(
        index=0,
        device_ticks=None,
        host_ns=arrival_ns(event.host_mono_ns, offset_ns),
        data=row,
    )


def side_stream(patient: str, role: Role, device_id: str, boot: int, kind: SideKind) -> StreamInfo:
    """Return how the record describes what a sensor sends beside its samples."""
    return StreamInfo(
        patient=patient,
        device_id=device_id,
        boot=boot,
        role=role,
        kind=kind,
        channels=_SIDE_CHANNELS[kind],
        rate_hz=0.0,
        index_source="host",
        device_clock_hz=None if kind == "status" else MICROSECONDS_HZ,
    )


def event_packet(event: SensorPacket, code: int, offset_ns: int) -> Packet:
    """Return the row that says what happened at a packet."""
    return Packet(
        index=0,
        device_ticks=event.device_us,
        host_ns=arrival_ns(event.host_mono_ns, offset_ns),
        data=np.array([[code]], dtype=np.int32),
    )
