"""Service, characteristics and the arithmetic of the MTU."""

from firmware_protocol.definition import (
    ATT_MAX_VALUE,
    ATT_NOTIFY_OVERHEAD,
    BACKFILL,
    CHARACTERISTICS,
    CONTROL,
    FRAME_HEADER,
    INFO_CHAR,
    SAMPLE_LAYOUTS,
    SERVICE_SHORT,
    STATUS_CHAR,
    STREAM,
    TIME_SYNC_CHAR,
    UUID_BASE,
    FrameType,
)
from firmware_protocol.layout import SCALARS

SERVICE_UUID = UUID_BASE.format(SERVICE_SHORT)
"""The service; sensors carry it in their advertisement."""
STREAM_UUID = STREAM.uuid
"""Live frames, notify."""
CONTROL_UUID = CONTROL.uuid
"""Requests (write with response) and answers (indicate)."""
STATUS_UUID = STATUS_CHAR.uuid
"""Status, read before subscribing, then notify."""
TIME_SYNC_UUID = TIME_SYNC_CHAR.uuid
"""Time sync, write without response and notify."""
BACKFILL_UUID = BACKFILL.uuid
"""Stored frames, notify."""
INFO_UUID = INFO_CHAR.uuid
"""Protocol Info, read, open."""

DEVICE_INFORMATION_UUID = "0000180a-0000-1000-8000-00805f9b34fb"
"""Standard service with manufacturer, model, serial, firmware, hardware."""
MANUFACTURER_UUID = "00002a29-0000-1000-8000-00805f9b34fb"
MODEL_UUID = "00002a24-0000-1000-8000-00805f9b34fb"
SERIAL_UUID = "00002a25-0000-1000-8000-00805f9b34fb"
FIRMWARE_UUID = "00002a26-0000-1000-8000-00805f9b34fb"
HARDWARE_UUID = "00002a27-0000-1000-8000-00805f9b34fb"
BATTERY_SERVICE_UUID = "0000180f-0000-1000-8000-00805f9b34fb"
BATTERY_LEVEL_UUID = "00002a19-0000-1000-8000-00805f9b34fb"
MCUMGR_SERVICE_UUID = "8d53dc1d-1db7-4cd3-868b-8a527460aa84"
"""Firmware update."""

CHARACTERISTIC_BY_UUID = {c.uuid: c for c in CHARACTERISTICS}
"""The service's characteristics by UUID."""


def max_value_size(att_mtu: int) -> int:
    """Return the longest value that one notification carries at this ATT MTU, bytes."""
    return max(0, min(att_mtu - ATT_NOTIFY_OVERHEAD, ATT_MAX_VALUE))


def samples_per_frame(value_size: int, frame_type: FrameType = FrameType.IMU6) -> int:
    """Return how many samples one frame carries in `value_size` bytes; 0: START is refused."""
    room = max(0, value_size - FRAME_HEADER.size) // SAMPLE_LAYOUTS[frame_type].size
    return min(room, SCALARS["u8"].high)
