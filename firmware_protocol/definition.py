"""The definition table of protocol v1: the one place where its numbers stand.

UUIDs, codes, flags and byte layouts. The Python codecs, the numpy dtypes, the C header
(`reference/necktrace_protocol.h`), the golden vectors and the byte tables of README.md are all
derived from this module. Everything on air is little-endian and packed.
"""

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Self

from firmware_protocol.layout import Field, Layout

MAJOR = 1
"""Receivers refuse another major version."""
MINOR = 0
"""A minor version only adds TLVs, feature bits, flags, codes and frame types."""

ATT_MAX_VALUE = 512
"""Longest attribute value that Bluetooth allows, bytes."""
ATT_NOTIFY_OVERHEAD = 3
"""ATT opcode and handle in front of a notified value, bytes."""
REQUEST_MAX = 244
"""Longest request, bytes; a sensor refuses a longer one."""
STATUS_PERIOD_US = 10_000_000
"""Status is notified at least this often, µs."""
CONTROL_TIMEOUT_US = 5_000_000
"""The host repeats a request with the same token after this time, µs."""
UUID_BASE = "80ff{:04x}-90be-4183-8550-b1597675f2d6"
"""Base of all UUIDs of the service; random (version 4), frozen at the first firmware release."""
SERVICE_SHORT = 0x0000
"""Short number of the service itself in `UUID_BASE`."""
QUATERNION_ONE = 16384
"""Count that stands for 1.0 in quaternion frames (Q14)."""
MAG_MISSING = -32768
"""Magnetometer count of a sample for which the magnetometer had no new value."""


class Code(IntEnum):
    """A number on the wire with its meaning."""

    note: str
    """What the number means."""

    def __new__(cls, value: int, note: str = "") -> Self:
        """Return the member with its meaning attached."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.note = note
        return member


class Bits(IntFlag):
    """Flag bits on the wire with their meaning; unknown bits are kept and ignored."""

    note: str
    """What the bit means."""

    def __new__(cls, value: int, note: str = "") -> Self:
        """Return the member with its meaning attached."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.note = note
        return member


class FrameType(Code):
    """Low nibble of the first byte of a frame."""

    IMU6 = 1, "n samples of acceleration and angular rate"
    IMU9 = 2, "n samples of acceleration, angular rate and magnetic field"
    QUATERNION = 3, "n orientations computed on the sensor, w x y z"
    EVENT = 15, "n events; index0 is the next sample, device_us the time of sending"


class FrameFlag(Bits):
    """Second byte of a frame."""

    STORED = 1, "read from flash (backfill), not live"
    CLIP = 2, "at least one sample reached the end of its range"
    CLOCK_STEPPED = 4, "device time is not continuous with the frame before"
    OVERRUN = 8, "the sensor lost samples before the counter: index does not show the loss"
    LAST = 16, "last frame of a REPORT"


class RateCode(Code):
    """Nominal sample rate; the true rate comes from device time."""

    HZ_25 = 1, "25 Hz"
    HZ_50 = 2, "50 Hz"
    HZ_100 = 3, "100 Hz"
    HZ_200 = 4, "200 Hz"
    HZ_400 = 5, "400 Hz"
    HZ_52 = 6, "52 Hz"
    HZ_104 = 7, "104 Hz"


RATE_HZ: dict[int, float] = {int(code): float(code.note.split()[0]) for code in RateCode}
"""Nominal rate of each rate code, Hz."""


class Op(Code):
    """Operation of a Control Point request; the answer carries it with bit 7 set."""

    GET_CONFIG = 0x01, "rates, ranges, measured rate, model"
    SET_CONFIG = 0x02, "rate and ranges; refused while streaming"
    START_STREAM = 0x03, "frame type and rate; answers boot counter, next index, n per frame"
    STOP_STREAM = 0x04, "end the live stream; recording goes on"
    SET_WALL_TIME = 0x05, "UTC as metadata; never steps the device clock"
    RECORD = 0x06, "recording to flash on or off"
    IDENTIFY = 0x07, "blink the LED"
    REPORT = 0x10, "frames of a range on Backfill, then the answer"
    COUNT = 0x11, "number of stored samples of a range"
    ABORT = 0x12, "end a running REPORT"
    DELETE = 0x13, "forget the samples up to an index of a boot"
    FACTORY_RESET = 0x20, "clear bonds and flash; needs the button"


ANSWER_BIT = 0x80
"""Set in the operation byte of an answer."""


class ControlStatus(Code):
    """Status byte of an answer (1 to 9 as in the Record Access Control Point)."""

    OK = 0x01, "done"
    OP_UNKNOWN = 0x02, "the sensor does not know this operation"
    OPERATOR_INVALID = 0x03, "the operator of the range makes no sense here"
    OPERATOR_UNSUPPORTED = 0x04, "the sensor does not know this operator"
    OPERAND_INVALID = 0x05, "a value is missing, malformed or out of order"
    NO_RECORDS = 0x06, "nothing is stored in this range"
    ABORT_FAILED = 0x07, "nothing to abort"
    NOT_COMPLETED = 0x08, "ended before it was complete"
    OPERAND_UNSUPPORTED = 0x09, "the sensor does not offer this value"
    BUSY = 0x80, "another request is running"
    MTU_TOO_SMALL = 0x81, "the connection's MTU cannot carry one sample"
    WRONG_STATE = 0x82, "not allowed in the present state"
    STORAGE = 0x83, "the flash failed"
    SENSOR_FAULT = 0x84, "the motion sensor failed"


class RangeOperator(Code):
    """First byte of a range."""

    ALL = 1, "every stored sample of the boot"
    UP_TO = 2, "index <= last"
    FROM = 3, "index >= first"
    BETWEEN = 4, "first <= index <= last"
    FIRST = 5, "the oldest stored frame of the boot"
    LAST = 6, "the newest stored frame of the boot"


class EventCode(Code):
    """What an event record tells."""

    BUTTON = 1, "button pressed; value: milliseconds held"
    TAP = 2, "tap on the housing; value: number of taps"
    WORN = 3, "put on"
    TAKEN_OFF = 4, "taken off"
    OVERRUN = 5, "samples lost before the counter; value: how many"
    LOW_BATTERY = 6, "battery low; value: mV"
    RECORDING_STARTED = 7, "recording to flash started"
    RECORDING_STOPPED = 8, "recording to flash stopped; detail: 1 by request, 2 flash failed"


class DeviceState(Code):
    """State byte of Status."""

    IDLE = 0, "neither recording nor streaming"
    RECORDING = 1, "recording to flash"
    STREAMING = 2, "streaming"
    BOTH = 3, "recording and streaming"
    FAULT = 4, "a part failed"
    DFU = 5, "firmware update"


class StatusFlag(Bits):
    """Flag byte of Status."""

    CHARGING = 1, "on the charger"
    LOW_BATTERY = 2, "battery low"
    FLASH_WRAPPED = 4, "the oldest samples were overwritten"
    PAIRING_OPEN = 8, "the pairing window is open"


class Feature(Bits):
    """Feature bits of Protocol Info."""

    MAG = 1 << 0, "magnetometer"
    QUATERNION = 1 << 1, "orientation on the sensor"
    BACKFILL = 1 << 2, "recording to flash and REPORT"
    TIME_SYNC = 1 << 3, "Time Sync characteristic"
    DFU = 1 << 4, "firmware update by mcumgr"
    RADIO_SYNC = 1 << 5, "sensors synchronise among themselves by radio"


class TimeSyncOp(Code):
    """Operation byte of Time Sync."""

    REQUEST = 1, "host to sensor; t2 and t3 are zero"
    REPLY = 2, "sensor to host; t1 repeated"


class TlvType(Code):
    """Type byte of a parameter (u8 type, u8 length, value)."""

    FRAME_TYPE = 0x01, "frame type to stream"
    RATE = 0x02, "rate code in use or wanted"
    RATES = 0x03, "rate codes that the sensor offers, ascending"
    ACC_RANGE = 0x04, "acceleration at count 32768"
    GYR_RANGE = 0x05, "angular rate at count 32768"
    MAG_RANGE = 0x06, "magnetic field at count 32768; absent without magnetometer"
    ACC_RANGES = 0x07, "acceleration ranges that the sensor offers"
    GYR_RANGES = 0x08, "angular rate ranges that the sensor offers"
    MEASURED_RATE = 0x09, "sample rate measured against the device clock; 0 not yet known"
    N_PER_FRAME = 0x0A, "samples per live frame"
    MODEL = 0x0B, "model name, UTF-8"
    BOOT_COUNTER = 0x0C, "boot (reset) counter"
    NEXT_INDEX = 0x0D, "index of the next sample"
    RANGE = 0x0E, "range of stored samples"
    SAMPLE_COUNT = 0x0F, "number of samples"
    WALL_TIME = 0x10, "UTC since 1970, without leap seconds"
    DEVICE_TIME = 0x11, "device time since boot"
    RECORD = 0x12, "0 off, 1 on"
    GYR_NOISE = 0x13, "white noise density of the gyroscope"
    SAMPLE_DELAY = 0x14, "age of the motion at the time stamp (digital filter)"
    DURATION = 0x15, "how long to blink"


@dataclass(frozen=True, slots=True)
class TlvFormat:
    """Value of a TLV: `count` elements of one type, or a layout, or text."""

    type: str
    """Key of `layout.SCALARS`, ``text``, or ``range``."""
    unit: str
    many: bool = False
    """Whether the value is a list of elements (1 or more)."""


TLV_FORMATS: dict[TlvType, TlvFormat] = {
    TlvType.FRAME_TYPE: TlvFormat("u8", "-"),
    TlvType.RATE: TlvFormat("u8", "-"),
    TlvType.RATES: TlvFormat("u8", "-", many=True),
    TlvType.ACC_RANGE: TlvFormat("u16", "g"),
    TlvType.GYR_RANGE: TlvFormat("u16", "deg/s"),
    TlvType.MAG_RANGE: TlvFormat("u16", "uT"),
    TlvType.ACC_RANGES: TlvFormat("u16", "g", many=True),
    TlvType.GYR_RANGES: TlvFormat("u16", "deg/s", many=True),
    TlvType.MEASURED_RATE: TlvFormat("u32", "mHz"),
    TlvType.N_PER_FRAME: TlvFormat("u8", "-"),
    TlvType.MODEL: TlvFormat("text", "-"),
    TlvType.BOOT_COUNTER: TlvFormat("u32", "-"),
    TlvType.NEXT_INDEX: TlvFormat("u32", "-"),
    TlvType.RANGE: TlvFormat("range", "-"),
    TlvType.SAMPLE_COUNT: TlvFormat("u32", "-"),
    TlvType.WALL_TIME: TlvFormat("i64", "us"),
    TlvType.DEVICE_TIME: TlvFormat("u64", "us"),
    TlvType.RECORD: TlvFormat("u8", "-"),
    TlvType.GYR_NOISE: TlvFormat("u32", "1e-6 deg/s/sqrt(Hz)"),
    TlvType.SAMPLE_DELAY: TlvFormat("u16", "us"),
    TlvType.DURATION: TlvFormat("u8", "s"),
}


class Property(IntFlag):
    """Properties of a characteristic, with the numbers of the Bluetooth specification."""

    READ = 0x02
    WRITE_COMMAND = 0x04
    WRITE = 0x08
    NOTIFY = 0x10
    INDICATE = 0x20


@dataclass(frozen=True, slots=True)
class Characteristic:
    """One characteristic of the service."""

    short: int
    """Short number in `UUID_BASE`."""
    name: str
    properties: Property
    note: str
    encrypted: bool = True
    """Whether access needs an encrypted link."""

    @property
    def uuid(self) -> str:
        """Return the full UUID, lower case."""
        return UUID_BASE.format(self.short)


STREAM = Characteristic(0x0001, "Sensor Stream", Property.NOTIFY, "live frames")
CONTROL = Characteristic(
    0x0002, "Control Point", Property.WRITE | Property.INDICATE, "requests and answers"
)
STATUS_CHAR = Characteristic(
    0x0003, "Status", Property.READ | Property.NOTIFY, "counters and health"
)
TIME_SYNC_CHAR = Characteristic(
    0x0004, "Time Sync", Property.WRITE_COMMAND | Property.NOTIFY, "round trips"
)
BACKFILL = Characteristic(0x0005, "Backfill", Property.NOTIFY, "frames with the stored flag")
INFO_CHAR = Characteristic(
    0x0006, "Protocol Info", Property.READ, "version, features, id", encrypted=False
)
CHARACTERISTICS = (STREAM, CONTROL, STATUS_CHAR, TIME_SYNC_CHAR, BACKFILL, INFO_CHAR)
"""All characteristics of the service, by short number."""

FRAME_HEADER = Layout(
    "frame_header",
    "In front of every frame.",
    (
        Field("version_type", "u8", "-", "high nibble major version, low nibble frame type"),
        Field("flags", "u8", "-", "frame flags"),
        Field("seq", "u16", "-", "frame sequence, per connection and characteristic; wraps"),
        Field("index0", "u32", "-", "index of the first sample since boot; wraps"),
        Field("device_us", "u64", "us", "device time of the first sample since boot; never set"),
        Field("n", "u8", "-", "number of samples, or of events"),
        Field("rate_code", "u8", "-", "nominal rate"),
    ),
)
_ACC = Field("acc", "i16", "acc range / 32768", "specific force x y z", 3)
_GYR = Field("gyr", "i16", "gyr range / 32768", "angular rate x y z", 3)
SAMPLE6 = Layout("sample6", "One sample of a frame of type 1.", (_ACC, _GYR))
SAMPLE9 = Layout(
    "sample9",
    "One sample of a frame of type 2.",
    (
        _ACC,
        _GYR,
        Field("mag", "i16", "mag range / 32768", "magnetic field x y z; -32768 missing", 3),
    ),
)
SAMPLE_QUATERNION = Layout(
    "sample_quaternion",
    "One sample of a frame of type 3.",
    (Field("q", "i16", "1 / 16384", "sensor to earth, w x y z", 4),),
)
EVENT = Layout(
    "event",
    "One record of a frame of type 15.",
    (
        Field("code", "u8", "-", "event code"),
        Field("detail", "u8", "-", "by code, else 0"),
        Field("value", "i16", "-", "by code, else 0"),
        Field("index", "u32", "-", "index of the sample at or after the event"),
        Field("device_us", "u64", "us", "device time of the event"),
    ),
)
STATUS = Layout(
    "status",
    "Value of Status.",
    (
        Field("version", "u8", "-", "major version"),
        Field("state", "u8", "-", "device state"),
        Field("flags", "u8", "-", "status flags"),
        Field("temperature_half_degc", "i8", "0.5 degC", "temperature of the motion sensor"),
        Field("battery_mv", "u16", "mV", "battery voltage"),
        Field("free_flash_permille", "u16", "0.1 %", "free flash"),
        Field("interval_1250us", "u16", "1.25 ms", "connection interval"),
        Field("att_mtu", "u16", "B", "ATT MTU of the connection"),
        Field("frames_dropped", "u32", "-", "frames dropped in the sensor's queue since boot"),
        Field("boot_counter", "u32", "-", "boot (reset) counter"),
    ),
)
TIME_SYNC = Layout(
    "time_sync",
    "Value of Time Sync, both directions.",
    (
        Field("version", "u8", "-", "major version"),
        Field("op", "u8", "-", "1 request, 2 reply"),
        Field("seq", "u16", "-", "repeated in the reply"),
        Field("t1_us", "u64", "us", "host monotonic clock at sending"),
        Field("t2_us", "u64", "us", "device time at reception"),
        Field("t3_us", "u64", "us", "device time at sending"),
    ),
)
PROTOCOL_INFO = Layout(
    "protocol_info",
    "Value of Protocol Info.",
    (
        Field("major", "u8", "-", "major version"),
        Field("minor", "u8", "-", "minor version"),
        Field("max_payload", "u16", "B", "longest notification that the firmware can send"),
        Field("features", "u32", "-", "feature bits"),
        Field("device_id", "u8", "-", "unique and constant", 8),
    ),
)
RANGE = Layout(
    "range",
    "A range of stored samples of one boot.",
    (
        Field("operator", "u8", "-", "range operator"),
        Field("boot_counter", "u32", "-", "boot (reset) counter"),
        Field("first", "u32", "-", "first index"),
        Field("last", "u32", "-", "last index, included"),
    ),
)
REQUEST_HEADER = Layout(
    "request_header",
    "In front of the TLVs of a request.",
    (Field("op", "u8", "-", "operation"), Field("token", "u8", "-", "1 to 255, echoed")),
)
ANSWER_HEADER = Layout(
    "answer_header",
    "In front of the TLVs of an answer.",
    (
        Field("op", "u8", "-", "0x80 + operation"),
        Field("token", "u8", "-", "of the request"),
        Field("status", "u8", "-", "control status"),
    ),
)
TLV_HEADER = Layout(
    "tlv_header",
    "In front of the value of a TLV.",
    (Field("type", "u8", "-", "TLV type"), Field("length", "u8", "B", "length of the value")),
)
LAYOUTS = (
    FRAME_HEADER,
    SAMPLE6,
    SAMPLE9,
    SAMPLE_QUATERNION,
    EVENT,
    STATUS,
    TIME_SYNC,
    PROTOCOL_INFO,
    RANGE,
    REQUEST_HEADER,
    ANSWER_HEADER,
    TLV_HEADER,
)
"""Every layout of the protocol."""

SAMPLE_LAYOUTS: dict[FrameType, Layout] = {
    FrameType.IMU6: SAMPLE6,
    FrameType.IMU9: SAMPLE9,
    FrameType.QUATERNION: SAMPLE_QUATERNION,
    FrameType.EVENT: EVENT,
}
"""What a frame of each type carries n times."""

CODES: tuple[type[Code] | type[Bits], ...] = (
    FrameType,
    FrameFlag,
    RateCode,
    Op,
    ControlStatus,
    RangeOperator,
    EventCode,
    DeviceState,
    StatusFlag,
    Feature,
    TimeSyncOp,
    TlvType,
)
"""Every family of numbers of the protocol."""
