"""What each model can do: rates, ranges, noise, time, memory, axes.

A number that neither the maker nor a measurement states is None, never a guess; the processing
then learns it from the unit itself. `noise_source` says where a number comes from.
"""

from dataclasses import dataclass
from enum import StrEnum

from firmware_protocol.definition import RATE_HZ
from firmware_protocol.devices import movella_dot, movesense, witmotion
from firmware_protocol.devices.capture2go_layouts import RATES_HZ as CAPTURE2GO_RATES_HZ


class TimeQuality(StrEnum):
    """How well the time of a sample is known, best first."""

    COUNTED = "sample counter and device time: every loss is known exactly"
    STAMPED = "device time: a loss shows as a step of time"
    STAMPED_COARSE = "device time in milliseconds on one sample per packet"
    ARRIVAL = "arrival time only: never merged into a synchronised pair unmarked"

    @property
    def has_device_time(self) -> bool:
        """Return whether the sensor stamps its samples."""
        return self is not TimeQuality.ARRIVAL


@dataclass(frozen=True, slots=True)
class DeviceDescription:
    """One model."""

    key: str
    """Short name in settings and records."""
    name: str
    maker: str
    driver: str
    """Protocol family, as in the driver registry."""
    rates_hz: tuple[float, ...]
    """Nominal rates of acceleration and angular rate together, ascending."""
    default_rate_hz: float
    acc_ranges_g: tuple[float, ...]
    """Ascending; empty where unknown."""
    gyr_ranges_dps: tuple[float, ...]
    """Ascending; empty without gyroscope, see `has_gyr`."""
    time_quality: TimeQuality
    has_gyr: bool = True
    has_mag: bool = False
    has_temperature: bool = False
    has_backfill: bool = False
    """Whether it records by itself and what it missed sending can be fetched."""
    has_sync: bool = False
    """Whether sensors of this model synchronise their clocks by radio."""
    removes_gyr_bias: bool = False
    """Whether the firmware subtracts its own estimate of the gyroscope bias."""
    gyr_noise_dps_rthz: float | None = None
    """White noise density of the gyroscope, (deg/s)/√Hz."""
    acc_noise_ug_rthz: float | None = None
    """White noise density of the accelerometer, µg/√Hz."""
    noise_source: str = ""
    gyr_delay_us: int | None = None
    """Age of the motion at the stamp, µs (digital filter)."""
    battery: str = ""
    """What the maker says, in words."""
    axes: str = "not documented here: use the calibration movements, or look at gravity"
    limits: tuple[str, ...] = ()
    """What a user should know before buying."""

    def nearest_rate_hz(self, wanted_hz: float) -> float:
        """Return the offered rate nearest to `wanted_hz`; of two equally near the higher one."""
        return min(self.rates_hz, key=lambda rate: (abs(rate - wanted_hz), -rate))

    def gyr_noise_dps(self, rate_hz: float) -> float | None:
        """Return the standard deviation of a still gyroscope at a rate, deg/s, where known."""
        noise = self.gyr_noise_dps_rthz
        return None if noise is None else noise * (rate_hz / 2.0) ** 0.5


V1 = DeviceDescription(
    key="v1",
    name="necktrace sensor",
    maker="necktrace",
    driver="v1",
    rates_hz=tuple(sorted(RATE_HZ.values())),
    default_rate_hz=104.0,
    acc_ranges_g=(2.0, 4.0, 8.0, 16.0),
    gyr_ranges_dps=(250.0, 500.0, 1000.0, 2000.0),
    time_quality=TimeQuality.COUNTED,
    has_temperature=True,
    has_backfill=True,
    battery="depends on the board",
    limits=(
        "A design with reference firmware, not a product.",
        "Noise and delay are reported by the sensor itself (GET_CONFIG).",
    ),
)
CAPTURE2GO = DeviceDescription(
    key="capture2go",
    name="Capture2Go IMU",
    maker="SensorStim Neurotechnology",
    driver="capture2go",
    rates_hz=tuple(sorted(CAPTURE2GO_RATES_HZ)),
    default_rate_hz=100.0,
    acc_ranges_g=(16.0,),
    gyr_ranges_dps=(2000.0,),
    time_quality=TimeQuality.STAMPED,
    has_mag=True,
    has_backfill=True,
    has_sync=True,
    removes_gyr_bias=True,
    limits=(
        "No sample counter: a loss shows as the gap flag and a step of time.",
        "No pairing was seen: anybody near can connect.",
    ),
)
MOVESENSE = DeviceDescription(
    key="movesense",
    name="Movesense MD, HR+, Flash",
    maker="Movesense",
    driver="movesense",
    rates_hz=movesense.RATES_HZ,
    default_rate_hz=104.0,
    acc_ranges_g=(),
    gyr_ranges_dps=(),
    time_quality=TimeQuality.STAMPED_COARSE,
    has_mag=True,
    battery="coin cell",
    limits=(
        "One stamp in milliseconds per packet and no counter.",
        "Answers are not acknowledged; a command may have to be repeated.",
        "All subscriptions end with the connection.",
    ),
)
POLAR_VERITY_SENSE = DeviceDescription(
    key="polar_verity_sense",
    name="Polar Verity Sense",
    maker="Polar",
    driver="polar",
    rates_hz=(26.0, 52.0, 104.0, 208.0, 416.0),
    default_rate_hz=52.0,
    acc_ranges_g=(8.0,),
    gyr_ranges_dps=(2000.0,),
    time_quality=TimeQuality.STAMPED,
    has_mag=True,
    limits=(
        "Rates other than 52 Hz only in SDK mode.",
        "The maker does not intend it for medical purposes.",
        "Acceleration and angular rate are separate streams with their own stamps.",
    ),
)
POLAR_H10 = DeviceDescription(
    key="polar_h10",
    name="Polar H10",
    maker="Polar",
    driver="polar",
    rates_hz=(25.0, 50.0, 100.0, 200.0),
    default_rate_hz=100.0,
    acc_ranges_g=(2.0, 4.0, 8.0),
    gyr_ranges_dps=(),
    time_quality=TimeQuality.STAMPED,
    has_gyr=False,
    limits=(
        "No gyroscope: inclination of a segment only, no rotation, no jerks, no tremor in angles.",
        "A chest strap: for the trunk.",
    ),
)
WITMOTION = DeviceDescription(
    key="witmotion",
    name="WitMotion WT901BLECL 5.0, WT9011DCL-BT50, WT901BLE68",
    maker="WitMotion",
    driver="witmotion",
    rates_hz=tuple(sorted(witmotion.RATE_NUMBERS)),
    default_rate_hz=100.0,
    acc_ranges_g=(16.0,),
    gyr_ranges_dps=(2000.0,),
    time_quality=TimeQuality.ARRIVAL,
    has_mag=True,
    has_temperature=True,
    battery="8 h (WT9011DCL-BT50, 130 mAh, data sheet)",
    limits=(
        "No time, no counter, no checksum: losses are invisible and timing is approximate.",
        "Not to be used for tremor.",
        "Streams as soon as somebody subscribes; there is no stop.",
    ),
)
MOVELLA_DOT = DeviceDescription(
    key="movella_dot",
    name="Movella (Xsens) DOT",
    maker="Movella",
    driver="movella_dot",
    rates_hz=movella_dot.RATES_HZ,
    default_rate_hz=60.0,
    acc_ranges_g=(16.0,),
    gyr_ranges_dps=(2000.0,),
    time_quality=TimeQuality.STAMPED,
    has_mag=True,
    has_sync=True,
    gyr_noise_dps_rthz=0.007,
    acc_noise_ug_rthz=120.0,
    noise_source="maker's specification",
    limits=(
        "60 Hz at most, one sample per notification.",
        "No counter; the clock wraps after 71.6 minutes.",
        "The decoder was made from the specification and not yet compared with a real sensor.",
    ),
)

DESCRIPTIONS: dict[str, DeviceDescription] = {
    d.key: d
    for d in (
        V1,
        CAPTURE2GO,
        MOVESENSE,
        POLAR_VERITY_SENSE,
        POLAR_H10,
        WITMOTION,
        MOVELLA_DOT,
    )
}
"""Every model by its key."""


def describe_advertised(name: str) -> DeviceDescription | None:
    """Return the model that advertises a name such as ``Polar H10 12345678``, None if unknown."""
    for prefix, description in _BY_NAME:
        if name.startswith(prefix):
            return description
    return None


_BY_NAME = (
    ("IMU_", CAPTURE2GO),
    (movesense.NAME_PREFIX, MOVESENSE),
    ("Polar Sense", POLAR_VERITY_SENSE),
    ("Polar H10", POLAR_H10),
    (witmotion.NAME_PREFIX, WITMOTION),
    *((prefix, MOVELLA_DOT) for prefix in movella_dot.NAME_PREFIXES),
)
