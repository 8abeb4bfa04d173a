"""Capture2Go: scales, message ids and payload layouts."""

from math import pi

from firmware_protocol.devices.samples import DEG
from firmware_protocol.layout import Field, Layout

ACC_SCALE_MS2 = 16.0 / 32768.0 * 9.81  # 9.81, not 9.80665: the maker's own constant
GYR_SCALE_RADS = 2000.0 * DEG / 32768.0
MAG_SCALE_UT = 1.0 / 16.0
DELTA_SCALE_RAD = pi / 32768.0
BIAS_SCALE_RADS = 2.0 * DEG / 32768.0

RATES_HZ = (200.0, 100.0, 50.0, 25.0, 10.0, 1.0)
"""By mode number, from 1; 0 is off."""
FLAG_GAP = 1
FLAGS_CLIP = 2 | 4 | 8
FLAG_PROCESSING = 16

PACKED_N = 8
QUAT_PACKED_N = 20
_TIME = Field("t", "i64", "ns", "device time of the first sample")
_TAIL = (
    Field("quat", "u64", "-", "orientation of the first sample"),
    Field("delta", "i16", "pi / 32768", "heading correction"),
    Field("flags", "u8", "-", "1 gap, 2 4 8 clip, 16 processing"),
)


def _packed(name: str, *quantities: str) -> Layout:
    blocks = (Field(q, "i16", "-", "8 x 3 counts", 3 * PACKED_N) for q in quantities)
    return Layout(name, "Eight samples.", (_TIME, *blocks, *_TAIL))


FULL_PACKED = _packed("full_packed", "gyr", "acc", "mag")
FULL_6D_PACKED = _packed("full_6d_packed", "gyr", "acc")
QUAT_FIXED = Layout("quat_fixed", "One orientation.", (_TIME, *_TAIL))
QUAT_PACKED = Layout(
    "quat_packed",
    "Twenty orientations.",
    (
        _TIME,
        Field("quat", "u64", "-", "orientations", QUAT_PACKED_N),
        Field("delta", "i16", "pi / 32768", "heading corrections", QUAT_PACKED_N),
        Field("flags", "u8", "-", "flags", QUAT_PACKED_N),
    ),
)
STATUS = Layout(
    "status",
    "Health.",
    (
        Field("t", "i64", "ns", "device time"),
        Field("state", "u8", "-", "0 off, 1 idle, 2 streaming, 3 recording"),
        Field("connection", "u8", "-", "connection state"),
        Field("gyr_bias", "i16", "2 deg/s / 32768", "estimated gyroscope bias", 3),
        Field("synchronised", "u8", "-", "whether the clock follows another sensor"),
        Field("battery", "u8", "%", "+128 while charging"),
        Field("free", "u8", "%", "free storage"),
    ),
)
INFO = Layout(
    "device_info",
    "Identity.",
    (
        Field("protocol", "u16", "-", "protocol version"),
        Field("serial", "u8", "-", "serial number", 6),
        Field("hardware", "u8", "-", "hardware revision", 8),
        Field("firmware_revision", "u8", "-", "firmware revision", 8),
        Field("firmware", "u8", "-", "firmware version", 12),
        Field("date", "u8", "-", "firmware date", 11),
    ),
)
MODE = Layout(
    "measurement_mode",
    "What is measured and sent.",
    (
        Field("t", "i64", "ns", "0"),
        Field("full_float_200", "u8", "-", "single float samples at 200 Hz"),
        Field("full_fixed", "u8", "-", "mode number"),
        Field("full_packed", "u8", "-", "mode number"),
        Field("quat_float", "u8", "-", "mode number"),
        Field("quat_fixed", "u8", "-", "mode number"),
        Field("quat_packed", "u8", "-", "mode number"),
        Field("status", "u8", "s", "status interval"),
        Field("calibration", "u8", "-", "0"),
        Field("extension", "u16", "-", "0"),
        Field("sync", "u8", "-", "0 none, 1 sender, 2 receiver"),
        Field("sync_id", "u64", "-", "common to the sensors of a group"),
        Field("no_bias", "u8", "-", "no bias estimation"),
        Field("no_mag_rejection", "u8", "-", "no rejection of magnetic disturbance"),
        Field("no_mag", "u8", "-", "samples without magnetometer (6D)"),
    ),
)
ROUND_TRIP = Layout(
    "clock_round_trip",
    "Times of one exchange.",
    (
        Field("host_send", "i64", "ns", "host clock"),
        Field("sensor_receive", "i64", "ns", "device clock"),
        Field("sensor_send", "i64", "ns", "device clock"),
        Field("host_receive", "i64", "ns", "host clock, filled in by the host"),
    ),
)

ID_GET_INFO, ID_INFO = 0x0070, 0x0071
ID_SET_MODE = 0x0120
ID_START, ID_STARTED, ID_STOP, ID_STOPPED = 0x0150, 0x0151, 0x0152, 0x0153
ID_STOP_AND_CLEAR, ID_STOPPED_AND_CLEARED = 0x0158, 0x0159
ID_START_REAL_TIME, ID_STOP_REAL_TIME, ID_STOPPED_REAL_TIME = 0x0160, 0x0163, 0x0164
ID_SET_TIME, ID_TIME, ID_ROUND_TRIP = 0x0170, 0x0171, 0x0172
ID_GET_STATUS, ID_STATUS = 0x0200, 0x0201
ID_FULL_PACKED, ID_FULL_6D_PACKED = 0x0221, 0x0231  # and the five ids after each, by rate
ID_QUAT_PACKED, ID_QUAT_FIXED, ID_QUAT_REAL_TIME = 0x0271, 0x0281, 0x0287
ID_ERROR = 0xFFFF
ACKNOWLEDGEMENTS = frozenset({ID_STARTED, ID_STOPPED, ID_STOPPED_AND_CLEARED, ID_STOPPED_REAL_TIME})
