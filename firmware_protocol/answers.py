"""What the answers of the Control Point carry, by name and with units."""

from dataclasses import dataclass
from math import pi
from typing import Any, Self

from firmware_protocol.control import Answer
from firmware_protocol.definition import TlvType
from firmware_protocol.errors import FormatError
from firmware_protocol.tlv import SampleRange, Tlv, TlvValue, decode_tlvs, encode_tlvs

STANDARD_GRAVITY_MS2 = 9.80665
"""Conventional value of g, m/s²."""
_FULL_SCALE_COUNTS = 32768.0


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """What GET_CONFIG and SET_CONFIG answer; stored with the recording."""

    rate_code: int
    rate_codes: tuple[int, ...]
    """Rate codes that the sensor offers."""
    acc_range_g: int
    """Acceleration at count 32768, g."""
    gyr_range_dps: int
    """Angular rate at count 32768, deg/s."""
    boot_counter: int
    n_per_frame: int
    """Samples per live frame with the present MTU."""
    mag_range_ut: int | None = None
    """Magnetic field at count 32768, µT; None without magnetometer."""
    measured_rate_hz: float | None = None
    """Rate measured against the device clock; None as long as it is unknown."""
    acc_ranges_g: tuple[int, ...] = ()
    gyr_ranges_dps: tuple[int, ...] = ()
    gyr_noise_dps_rthz: float | None = None
    """White noise density of the gyroscope, (deg/s)/√Hz."""
    sample_delay_us: int | None = None
    """Age of the motion at the time stamp, µs."""
    model: str = ""

    @property
    def acc_scale_ms2(self) -> float:
        """Return m/s² per count."""
        return self.acc_range_g * STANDARD_GRAVITY_MS2 / _FULL_SCALE_COUNTS

    @property
    def gyr_scale_rads(self) -> float:
        """Return rad/s per count."""
        return self.gyr_range_dps * pi / 180.0 / _FULL_SCALE_COUNTS

    @property
    def mag_scale_ut(self) -> float | None:
        """Return µT per count, or None without magnetometer."""
        return None if self.mag_range_ut is None else self.mag_range_ut / _FULL_SCALE_COUNTS

    def tlvs(self) -> tuple[Tlv, ...]:
        """Return the parameters of the answer, the indispensable ones first."""
        measured = self.measured_rate_hz
        noise = self.gyr_noise_dps_rthz
        values: dict[TlvType, TlvValue | None] = {
            TlvType.RATE: self.rate_code,
            TlvType.ACC_RANGE: self.acc_range_g,
            TlvType.GYR_RANGE: self.gyr_range_dps,
            TlvType.BOOT_COUNTER: self.boot_counter,
            TlvType.N_PER_FRAME: self.n_per_frame,
            TlvType.RATES: self.rate_codes,
            TlvType.MAG_RANGE: self.mag_range_ut,
            TlvType.MEASURED_RATE: None if measured is None else round(measured * 1e3),
            TlvType.ACC_RANGES: self.acc_ranges_g or None,
            TlvType.GYR_RANGES: self.gyr_ranges_dps or None,
            TlvType.GYR_NOISE: None if noise is None else round(noise * 1e6),
            TlvType.SAMPLE_DELAY: self.sample_delay_us,
            TlvType.MODEL: self.model or None,
        }
        return encode_tlvs({kind: value for kind, value in values.items() if value is not None})

    @classmethod
    def from_answer(cls, answer: Answer) -> Self:
        """Return the configuration in an answer to GET_CONFIG or SET_CONFIG.

        Raises
        ------
        RequestRefusedError
            The status is not ok.
        FormatError
            An indispensable parameter is missing or zero, or a parameter is malformed.
        """
        values = decode_tlvs(answer.raise_for_status().tlvs)
        for kind in (TlvType.ACC_RANGE, TlvType.GYR_RANGE):
            if values.get(kind) == 0:
                raise FormatError(f"the sensor reports {kind.name} 0, its counts mean nothing")
        measured = values.get(TlvType.MEASURED_RATE)
        noise = values.get(TlvType.GYR_NOISE)
        return cls(
            rate_code=_needed(values, TlvType.RATE),
            rate_codes=values.get(TlvType.RATES, ()),
            acc_range_g=_needed(values, TlvType.ACC_RANGE),
            gyr_range_dps=_needed(values, TlvType.GYR_RANGE),
            boot_counter=_needed(values, TlvType.BOOT_COUNTER),
            n_per_frame=_needed(values, TlvType.N_PER_FRAME),
            mag_range_ut=values.get(TlvType.MAG_RANGE) or None,
            measured_rate_hz=measured / 1e3 if measured else None,
            acc_ranges_g=values.get(TlvType.ACC_RANGES, ()),
            gyr_ranges_dps=values.get(TlvType.GYR_RANGES, ()),
            gyr_noise_dps_rthz=None if noise is None else noise / 1e6,
            sample_delay_us=values.get(TlvType.SAMPLE_DELAY),
            model=values.get(TlvType.MODEL, ""),
        )


@dataclass(frozen=True, slots=True)
class StreamStarted:
    """What START_STREAM answers."""

    boot_counter: int
    next_index: int
    """Index of the first sample that will be streamed."""
    n_per_frame: int

    def tlvs(self) -> tuple[Tlv, ...]:
        """Return the parameters of the answer."""
        return encode_tlvs(
            {
                TlvType.BOOT_COUNTER: self.boot_counter,
                TlvType.NEXT_INDEX: self.next_index,
                TlvType.N_PER_FRAME: self.n_per_frame,
            }
        )

    @classmethod
    def from_answer(cls, answer: Answer) -> Self:
        """Return the content of an answer; errors as `DeviceConfig.from_answer`."""
        values = decode_tlvs(answer.raise_for_status().tlvs)
        return cls(
            _needed(values, TlvType.BOOT_COUNTER),
            _needed(values, TlvType.NEXT_INDEX),
            _needed(values, TlvType.N_PER_FRAME),
        )


@dataclass(frozen=True, slots=True)
class RangeAnswer:
    """What COUNT, REPORT and DELETE answer: how many samples, and of which range."""

    sample_range: SampleRange
    """The range as asked, with the boot counter it was answered for."""
    n_samples: int

    def tlvs(self) -> tuple[Tlv, ...]:
        """Return the parameters of the answer."""
        return encode_tlvs({TlvType.RANGE: self.sample_range, TlvType.SAMPLE_COUNT: self.n_samples})

    @classmethod
    def from_answer(cls, answer: Answer) -> Self:
        """Return the content of an answer; errors as `DeviceConfig.from_answer`."""
        values = decode_tlvs(answer.raise_for_status().tlvs)
        found: SampleRange = _needed(values, TlvType.RANGE)
        return cls(found, _needed(values, TlvType.SAMPLE_COUNT))


def _needed(values: dict[TlvType, Any], kind: TlvType) -> Any:
    if kind not in values:
        raise FormatError(f"the answer lacks {kind.name}; update the sensor firmware")
    return values[kind]
