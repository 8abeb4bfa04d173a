"""Movella (Xsens) DOT: commands and payloads of the measurement service.

Source: DOT BLE service specification XD0506P. One sample per notification, stamped in µs by a
clock that wraps after 71.6 minutes; no counter. Not yet compared with bytes of a real sensor.
"""

from collections import Counter
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.devices.samples import DEG, SampleBlock, axes
from firmware_protocol.errors import FieldError


def _uuid(short: int) -> str:
    return f"1517{short:04x}-4947-11e9-8646-d663bd873d93"


CONFIGURATION_SERVICE_UUID = _uuid(0x1000)
INFO_UUID = _uuid(0x1001)
DEVICE_CONTROL_UUID = _uuid(0x1002)
MEASUREMENT_SERVICE_UUID = _uuid(0x2000)
CONTROL_UUID = _uuid(0x2001)
LONG_UUID = _uuid(0x2002)
MEDIUM_UUID = _uuid(0x2003)
SHORT_UUID = _uuid(0x2004)
HEADING_UUID = _uuid(0x2006)
BATTERY_UUID = _uuid(0x3001)
NAME_PREFIXES = ("Xsens DOT", "Movella DOT")

RATES_HZ = (1.0, 4.0, 10.0, 12.0, 15.0, 20.0, 30.0, 60.0)
"""Rates of streaming; 120 Hz only for recording on the sensor."""
CLOCK_MODULUS_NS = 2**32 * 1000
"""The stamp wraps after 71.6 minutes."""


class Mode(IntEnum):
    """Payloads that this program decodes."""

    EXTENDED_QUATERNION = 2
    COMPLETE_QUATERNION = 3
    QUATERNION = 5
    RATE_QUANTITIES_WITH_MAG = 20
    RATE_QUANTITIES = 21
    CUSTOM_5 = 26


_SIZE = {
    Mode.EXTENDED_QUATERNION: 36,
    Mode.COMPLETE_QUATERNION: 32,
    Mode.QUATERNION: 20,
    Mode.RATE_QUANTITIES_WITH_MAG: 34,
    Mode.RATE_QUANTITIES: 28,
    Mode.CUSTOM_5: 44,
}
_QUATERNION_MODES = frozenset(
    {Mode.EXTENDED_QUATERNION, Mode.COMPLETE_QUATERNION, Mode.QUATERNION, Mode.CUSTOM_5}
)


def start(mode: Mode) -> bytes:
    """Start measuring; the CCCD of `characteristic_of` the mode comes first."""
    return bytes((1, 1, mode))


def stop(mode: Mode) -> bytes:
    """Stop measuring."""
    return bytes((1, 0, mode))


def reset_heading() -> bytes:
    """Make the present heading zero (written to `HEADING_UUID`)."""
    return (1).to_bytes(2, "little")


def characteristic_of(mode: Mode) -> str:
    """Return the characteristic that notifies the payload of a mode."""
    size = _SIZE[mode]
    return SHORT_UUID if size <= 20 else MEDIUM_UUID if size <= 40 else LONG_UUID


@dataclass(frozen=True, slots=True)
class DotOrientation:
    """One orientation computed on the sensor."""

    device_ns: int
    q: tuple[float, float, float, float]
    """w x y z, sensor to the sensor's earth frame."""


_IMU6 = (*axes("acc", 1.0), *axes("gyr", DEG))


class DotDecoder:
    """Turns notifications of one measurement mode into samples and orientations.

    Raises
    ------
    FieldError
        The mode is not one of `Mode`.
    """

    def __init__(self, mode: int) -> None:
        if mode not in set(Mode):
            raise FieldError("mode", mode, f"one of {', '.join(str(int(m)) for m in Mode)}")
        self.mode = Mode(mode)
        self.counts: Counter[str] = Counter()
        """`malformed`: shorter than the mode's payload; `not_finite`."""

    def feed(self, notification: bytes) -> list[SampleBlock | DotOrientation]:
        """Return what one notification holds; bytes after the payload are padding."""
        size = _SIZE[self.mode]
        if len(notification) < size:
            self.counts["malformed"] += 1
            return []
        payload = bytes(notification[:size])
        device_ns = int.from_bytes(payload[:4], "little") * 1000
        floats = _floats(payload, (size - 4) // 4)
        imu: NDArray[np.float32] | None = None
        match self.mode:
            case Mode.RATE_QUANTITIES | Mode.RATE_QUANTITIES_WITH_MAG:
                imu = floats[:6]
            case Mode.CUSTOM_5:
                imu = floats[4:10]
        quaternion = floats[:4] if self.mode in _QUATERNION_MODES else None
        found: list[SampleBlock | DotOrientation] = []
        for numbers in (imu, quaternion):
            if numbers is not None and not np.isfinite(numbers).all():
                self.counts["not_finite"] += 1
                return []
        if imu is not None:
            samples = np.ascontiguousarray(imu.reshape(1, 6))
            found.append(SampleBlock("imu", _IMU6, samples, first_ns=device_ns))
        if quaternion is not None:
            w, x, y, z = quaternion.tolist()
            found.append(DotOrientation(device_ns, (w, x, y, z)))
        return found


def _floats(payload: bytes, count: int) -> NDArray[np.float32]:
    return np.frombuffer(payload, "<f4", count=count, offset=4).astype(np.float32, copy=False)
