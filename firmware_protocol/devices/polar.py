"""Polar Measurement Data service: Verity Sense, OH1, H10.

Source: Polar's public protocol description. The stamp is the time of the *last* sample in ns since
2000-01-01 on a device clock that is rarely set; there is no counter.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Self

import numpy as np

from firmware_protocol.devices.polar_samples import (
    as_float32,
    as_int32,
    compressed_samples,
    raw_samples,
)
from firmware_protocol.devices.samples import (
    DEG,
    STANDARD_GRAVITY_MS2,
    RawSamples,
    SampleBlock,
    axes,
)
from firmware_protocol.errors import FieldError, FormatError, LengthError

SERVICE_UUID = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
CONTROL_UUID = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA_UUID = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"
NAME_PREFIX = "Polar "
CLOCK_EPOCH_UNIX_S = 946_684_800
"""Device time 0 (2000-01-01) as Unix time, were the device clock right."""

GAUSS_UT = 100.0
_ANSWER = 0xF0
_STOPPED_BY_DEVICE = 0x01


class Measurement(IntEnum):
    """Measurement types that this program uses."""

    ACC = 2
    GYRO = 5
    MAG = 6
    SDK_MODE = 9


class Setting(IntEnum):
    """Ids of settings."""

    RATE = 0
    RESOLUTION = 1
    RANGE = 2
    RANGE_MILLI = 3
    CHANNELS = 4
    FACTOR = 5


_SETTING_SIZE = {
    Setting.RATE: 2,
    Setting.RESOLUTION: 2,
    Setting.RANGE: 2,
    Setting.RANGE_MILLI: 4,
    Setting.CHANNELS: 1,
    Setting.FACTOR: 4,
}
STATUS_TEXT = {
    0: "done",
    1: "the device does not know this operation",
    2: "the device does not know this measurement",
    3: "not supported",
    4: "wrong length",
    5: "wrong parameter",
    6: "already in this state",
    7: "resolution not offered",
    8: "rate not offered",
    9: "range not offered",
    10: "MTU too small",
    11: "channels not offered",
    12: "not possible in the present state",
    13: "not possible in the charger",
    14: "storage full",
}
"""Meaning of `ControlAnswer.status`."""


def get_settings(kind: Measurement) -> bytes:
    """Ask which settings a measurement offers."""
    return bytes((1, kind))


def start(kind: Measurement, settings: Mapping[Setting, int]) -> bytes:
    """Start a measurement with one value per setting, in ascending order of ids."""
    data = bytes((2, kind))
    for setting in sorted(settings):
        if setting == Setting.FACTOR:
            raise FieldError("settings", "FACTOR", "left out: only the device states it")
        size, value = _SETTING_SIZE[setting], settings[setting]
        if not 0 <= value < 1 << 8 * size:
            raise FieldError(setting.name, value, f"an integer of {size} bytes")
        data += bytes((setting, 1)) + value.to_bytes(size, "little")
    return data


def stop(kind: Measurement) -> bytes:
    """Stop a measurement."""
    return bytes((3, kind))


def sdk_mode(*, on: bool) -> bytes:
    """Switch SDK mode, which offers more rates and switches the device's own heart rate off."""
    return bytes((2 if on else 3, Measurement.SDK_MODE))


@dataclass(frozen=True, slots=True)
class Features:
    """What reading the control characteristic tells."""

    measurements: frozenset[Measurement]
    sdk_mode: bool
    offline: bool
    """Whether it records without a connection."""

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the decoded value; `FormatError` where it is not a feature list."""
        if len(data) < 3 or data[0] != 0x0F:
            raise FormatError("this is not a Polar feature list; read the control point again")
        bits = {Measurement.ACC: 0x04, Measurement.GYRO: 0x20, Measurement.MAG: 0x40}
        offered = frozenset(kind for kind, bit in bits.items() if data[1] & bit)
        return cls(offered, bool(data[2] & 0x02), bool(data[2] & 0x20))


@dataclass(frozen=True, slots=True)
class ControlAnswer:
    """The answer to a request on the control point."""

    op: int
    kind: int
    status: int
    """0 done; else see `STATUS_TEXT`."""
    more: bool = False
    settings: dict[Setting, tuple[int, ...]] = field(default_factory=dict)
    """Values by setting; of FACTOR nothing, see `factor`."""
    factor: float | None = None
    """What a raw number of a compressed frame is multiplied with."""

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the decoded answer.

        Raises
        ------
        LengthError
            Shorter than its fixed part.
        FormatError
            Not an answer, or the settings are cut.
        """
        if len(data) < 4:
            raise LengthError("Polar answer", len(data), "at least 4")
        if data[0] != _ANSWER:
            raise FormatError("this is not an answer of a Polar control point")
        settings, factor = _settings(data[5:]) if data[3] == 0 else ({}, None)
        more = len(data) > 4 and data[4] != 0
        return cls(data[1], data[2] & 0x3F, data[3], more, settings, factor)


def stopped_by_device(data: bytes) -> tuple[int, ...]:
    """Return the measurements that the device ended by itself; empty for any other indication."""
    return tuple(kind & 0x3F for kind in data[1:]) if data[:1] == b"\x01" else ()


def _settings(data: bytes) -> tuple[dict[Setting, tuple[int, ...]], float | None]:
    found: dict[Setting, tuple[int, ...]] = {}
    factor: float | None = None
    at = 0
    while at < len(data):
        if at + 2 > len(data) or data[at] not in set(Setting):
            raise FormatError("the settings of a Polar answer are cut or unknown")
        setting, count = Setting(data[at]), data[at + 1]
        size = _SETTING_SIZE[setting]
        end = at + 2 + count * size
        if end > len(data):
            raise FormatError("the settings of a Polar answer are cut")
        raw = data[at + 2 : end]
        if setting is Setting.FACTOR:
            factor = float(np.frombuffer(raw, "<f4")[0]) if count else None
        else:
            found[setting] = tuple(
                int.from_bytes(raw[i : i + size], "little") for i in range(0, len(raw), size)
            )
        at = end
    return found, factor


_STREAM = {Measurement.ACC: "acc", Measurement.GYRO: "gyr", Measurement.MAG: "mag"}
_HEAD = 10
_COMPRESSED = 0x80


class PolarDecoder:
    """Turns data notifications into samples; keeps the factor of each measurement."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """`malformed`, `unknown_measurement`, `unknown_frame`."""
        self._factors: dict[int, float] = {}

    def configure(self, answer: ControlAnswer) -> None:
        """Keep the factor that the answer to `start` states."""
        if answer.factor is not None and np.isfinite(answer.factor):
            self._factors[answer.kind] = answer.factor

    def feed(self, notification: bytes) -> list[SampleBlock]:
        """Return the samples of a notification: one block, or none where it is not understood."""
        if len(notification) <= _HEAD:
            self.counts["malformed"] += 1
            return []
        kind = notification[0] & 0x3F
        stream = next((s for k, s in _STREAM.items() if k == kind), None)
        if stream is None:
            self.counts["unknown_measurement"] += 1
            return []
        try:
            decoded = _samples(kind, notification[9], bytes(notification[_HEAD:]))
        except FormatError:
            self.counts["malformed"] += 1
            return []
        if decoded is None:
            self.counts["unknown_frame"] += 1
            return []
        samples, scale, uses_factor = decoded
        if uses_factor:
            scale *= self._factors.get(kind, 1.0)
        columns = (
            axes("acc", scale)
            if kind == Measurement.ACC
            else axes("gyr", scale)
            if kind == Measurement.GYRO
            else axes("mag", scale)
        )
        last_ns = int.from_bytes(notification[1:9], "little")
        return [SampleBlock(stream, columns, samples, last_ns=last_ns)]


def _samples(kind: int, frame: int, body: bytes) -> tuple[RawSamples, float, bool] | None:
    """Return samples, SI scale and whether the factor applies; None for an unknown frame type."""
    milli_g = STANDARD_GRAVITY_MS2 / 1000.0
    match kind, frame:
        case Measurement.ACC, 0 | 1 | 2:
            return raw_samples(body, 3, frame + 1), milli_g, False
        case Measurement.ACC, 0x80:
            return as_int32(compressed_samples(body, 3, 2)), STANDARD_GRAVITY_MS2, True
        case Measurement.ACC, 0x81:
            return as_int32(compressed_samples(body, 3, 2)), milli_g, True
        case Measurement.GYRO, 0x80:
            return as_int32(compressed_samples(body, 3, 2)), DEG, True
        case Measurement.GYRO, 0x81:
            return as_float32(compressed_samples(body, 3, 4)), DEG, True
        case Measurement.MAG, 0x80:
            return as_int32(compressed_samples(body, 3, 2)), GAUSS_UT, True
        case Measurement.MAG, 0x81:
            with_status = as_int32(compressed_samples(body, 4, 2))
            return np.ascontiguousarray(with_status[:, :3]), GAUSS_UT / 1000.0, True
        case _:
            return None
