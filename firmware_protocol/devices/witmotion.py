"""WitMotion BLE 5.0 (WT901BLECL, BWT901BLECL5.0, WT9011DCL-BT50, WT901BLE68).

Source: WitMotion's public protocol page and data sheet. No time, no counter, no checksum: what is
lost is invisible, and the samples have no time but that of their arrival.
"""

from collections import Counter
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from firmware_protocol.devices.samples import (
    DEG,
    STANDARD_GRAVITY_MS2,
    Column,
    SampleBlock,
    axes,
)
from firmware_protocol.errors import FieldError

SERVICE_UUID = "0000ffe5-0000-1000-8000-00805f9a34fb"  # 9a34fb: not the Bluetooth base
NOTIFY_UUID = "0000ffe4-0000-1000-8000-00805f9a34fb"
WRITE_UUID = "0000ffe9-0000-1000-8000-00805f9a34fb"
NAME_PREFIX = "WT"

RATE_NUMBERS = {
    0.2: 1,
    0.5: 2,
    1.0: 3,
    2.0: 4,
    5.0: 5,
    10.0: 6,
    20.0: 7,
    50.0: 8,
    100.0: 9,
    200.0: 0x0B,
}
"""Register value of each rate, Hz; 10 Hz by default."""
REGISTER_RATE = 0x03
REGISTER_VERSION = 0x2E
REGISTER_MAG = 0x3A
REGISTER_TEMPERATURE = 0x40
"""Value / 100 in °C."""
REGISTER_QUATERNION = 0x51
"""Four values / 32768."""
REGISTER_BATTERY = 0x64
"""Value / 100 in V."""

FRAME_SIZE = 20
_START, _SAMPLES, _REGISTERS = 0x55, 0x61, 0x71
_IMU = (*axes("acc", 16.0 * STANDARD_GRAVITY_MS2 / 32768.0), *axes("gyr", 2000.0 * DEG / 32768.0))
_ANGLES = tuple(Column(name, "rad", 180.0 * DEG / 32768.0) for name in ("roll", "pitch", "yaw"))


def read_register(register: int) -> bytes:
    """Ask for eight registers from `register` on."""
    if not 0 <= register <= 255:
        raise FieldError("register", register, "an integer from 0 to 255")
    return bytes((0xFF, 0xAA, 0x27, register, 0x00))


def unlock() -> bytes:
    """Allow settings to be written; needed first."""
    return bytes.fromhex("ffaa6988b5")


def save() -> bytes:
    """Keep the settings over power-off."""
    return bytes.fromhex("ffaa000000")


def set_rate(rate_hz: float) -> bytes:
    """Set the output rate, one of `RATE_NUMBERS`."""
    if rate_hz not in RATE_NUMBERS:
        offered = ", ".join(f"{rate:g}" for rate in RATE_NUMBERS)
        raise FieldError("rate_hz", rate_hz, f"one of {offered}")
    return bytes((0xFF, 0xAA, REGISTER_RATE, RATE_NUMBERS[rate_hz], 0x00))


@dataclass(frozen=True, slots=True)
class Registers:
    """Eight registers as asked for."""

    first: int
    values: tuple[int, ...]
    """Eight signed 16-bit values."""


Message: TypeAlias = SampleBlock | Registers
"""Samples come as two blocks: `imu` (acceleration, angular rate) and `angles` (of the sensor)."""


class WitMotionDecoder:
    """Cuts the byte stream into frames; a frame may come in pieces or several at once."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """`noise_bytes`: bytes that belong to no frame."""
        self._buffer = b""

    def feed(self, notification: bytes) -> list[Message]:
        """Return what this notification completes."""
        buffer = self._buffer + bytes(notification)
        samples: list[bytes] = []
        messages: list[Message] = []
        at = 0
        while at < len(buffer):
            known = at + 1 >= len(buffer) or buffer[at + 1] in {_SAMPLES, _REGISTERS}
            if buffer[at] != _START or not known:
                self.counts["noise_bytes"] += 1
                at += 1
                continue
            if at + FRAME_SIZE > len(buffer):
                break
            frame = buffer[at : at + FRAME_SIZE]
            if frame[1] == _SAMPLES:
                samples.append(frame)
            else:
                messages.append(_registers(frame))
            at += FRAME_SIZE
        self._buffer = buffer[at:]
        return [*_blocks(samples), *messages]


def _registers(frame: bytes) -> Registers:
    numbers = np.frombuffer(frame, "<i2", count=8, offset=4)
    return Registers(int.from_bytes(frame[2:4], "little"), tuple(numbers.tolist()))


def _blocks(frames: list[bytes]) -> list[SampleBlock]:
    if not frames:
        return []
    raw = np.frombuffer(b"".join(frames), np.uint8).reshape(len(frames), FRAME_SIZE)
    numbers = np.ascontiguousarray(raw[:, 2:]).view("<i2").astype(np.int16, copy=False)
    return [
        SampleBlock("imu", _IMU, np.ascontiguousarray(numbers[:, :6])),
        SampleBlock("angles", _ANGLES, np.ascontiguousarray(numbers[:, 6:])),
    ]
