"""What each model can do: rates, ranges, noise, time, memory, axes.

A number that neither the maker nor a measurement states is None, never a guess;
`DeviceDescription.unknown` says what follows from that. `noise_source` says where a number comes
from.
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
    gyr_bias_instability_dph: float | None = None
    """Wander of the gyroscope bias within a run, deg/h."""
    gyr_delay_us: int | None = None
    """Age of the motion at the stamp, µs (digital filter)."""
    battery: str = ""
    """What the maker says, in words; empty where no source was found."""
    axes: str = ""
    """Which way the axes point on the housing; empty where no source was found."""
    limits: tuple[str, ...] = ()
    """What a user should know before buying."""

    def nearest_rate_hz(self, wanted_hz: float) -> float:
        """Return the offered rate nearest to `wanted_hz`; of two equally near the higher one."""
        return min(self.rates_hz, key=lambda rate: (abs(rate - wanted_hz), -rate))

    @property
    def unknown(self) -> dict[str, str]:
        """What nobody states of this model, by field, and what follows from it."""
        missing = {
            "gyr_noise_dps_rthz": self.has_gyr and self.gyr_noise_dps_rthz is None,
            "acc_noise_ug_rthz": self.acc_noise_ug_rthz is None,
            "gyr_delay_us": self.has_gyr and self.gyr_delay_us is None,
            "acc_ranges_g": not self.acc_ranges_g,
            "gyr_ranges_dps": self.has_gyr and not self.gyr_ranges_dps,
            "battery": not self.battery,
            "axes": not self.axes,
        }
        return {name: _CONSEQUENCES[name] for name, absent in missing.items() if absent}

    def acc_noise_ms2(self, rate_hz: float) -> float | None:
        """Return the standard deviation of a still accelerometer at a rate, m/s², where known."""
        noise = self.acc_noise_ug_rthz
        return None if noise is None else noise * 1e-6 * _G_MS2 * (rate_hz / 2.0) ** 0.5

    def gyr_noise_dps(self, rate_hz: float) -> float | None:
        """Return the standard deviation of a still gyroscope at a rate, deg/s, where known."""
        noise = self.gyr_noise_dps_rthz
        return None if noise is None else noise * (rate_hz / 2.0) ** 0.5


_G_MS2 = 9.80665
_CONSEQUENCES = {
    "gyr_noise_dps_rthz": "Its noise floor is taken from the unit's own calibration "
    "(`necktrace calibrate device`), else learnt from the quietest two seconds so far.",
    "acc_noise_ug_rthz": "The program's own cautious figure stands for the accelerometer's noise.",
    "gyr_delay_us": "The delay of its filter is not taken out. Between two sensors of one model it "
    "cancels; between different models fast movements may be shifted against each other.",
    "acc_ranges_g": "Clipping is recognised only where the sensor reports it.",
    "gyr_ranges_dps": "Clipping is recognised only where the sensor reports it.",
    "battery": "How long it runs with this program has to be tried; its battery level is recorded.",
    "axes": "Mounting by picture is not possible: the calibration movements find the axes.",
}


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
        "No sample counter: while it streams, a loss shows as the gap flag and a step of time.",
        "It streams or records; what it recorded is read by place in its file.",
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
    battery="coin cell; its hours depend on rate and firmware, the maker names none for IMU6",
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
    driver="dot",
    rates_hz=movella_dot.RATES_HZ,
    default_rate_hz=60.0,
    acc_ranges_g=(16.0,),
    gyr_ranges_dps=(2000.0,),
    time_quality=TimeQuality.STAMPED,
    has_mag=True,
    has_sync=True,
    gyr_noise_dps_rthz=0.007,
    acc_noise_ug_rthz=120.0,
    gyr_bias_instability_dph=10.0,
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


def describe(device_id: str, model: str = "") -> DeviceDescription | None:
    """Return the model of a unit by its identity and the model that it named; None if unknown.

    Parameters
    ----------
    device_id : str
        As in the record: begins with the name of the driver, `movesense-174030000001`.
    model : str
        As the record's stream says it; tells the models of one driver apart.
    """
    named = describe_advertised(model)
    if named is not None and device_id.startswith(f"{named.driver}-"):
        return named
    alone = [d for d in DESCRIPTIONS.values() if device_id.startswith(f"{d.driver}-")]
    return alone[0] if len(alone) == 1 else None


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
