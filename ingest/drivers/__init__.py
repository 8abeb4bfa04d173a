"""Drivers: one connected sensor each, ours and other makers'."""

from ingest.drivers.driver import (
    BackfillReport,
    Channel,
    Driver,
    PacketKind,
    SensorEvent,
    SensorIdentity,
    SensorPacket,
    StatusReport,
    StreamInfo,
    StreamStarted,
    TimeSyncReport,
)
from ingest.drivers.inbox import Inbox, Notification

__all__ = [
    "BackfillReport",
    "Channel",
    "Driver",
    "Inbox",
    "Notification",
    "PacketKind",
    "SensorEvent",
    "SensorIdentity",
    "SensorPacket",
    "StatusReport",
    "StreamInfo",
    "StreamStarted",
    "TimeSyncReport",
]
