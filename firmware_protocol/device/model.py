"""What a virtual sensor is: identity, what it offers, how it is set."""

from dataclasses import dataclass

from firmware_protocol.definition import Feature, FrameType, RateCode


@dataclass(frozen=True, slots=True)
class SensorModel:
    """Everything about a sensor that a firmware build and a production line fix."""

    device_id: bytes
    """8 bytes, unique and constant."""
    name: str = "necktrace virtual"
    """Model name, as in GET_CONFIG and Device Information."""
    serial: str = "VIRTUAL"
    firmware: str = "virtual"
    hardware: str = "none"
    manufacturer: str = "necktrace"
    features: Feature = Feature.BACKFILL | Feature.TIME_SYNC
    rates: tuple[RateCode, ...] = (
        RateCode.HZ_25,
        RateCode.HZ_50,
        RateCode.HZ_52,
        RateCode.HZ_100,
        RateCode.HZ_104,
        RateCode.HZ_200,
    )
    acc_ranges_g: tuple[int, ...] = (2, 4, 8, 16)
    gyr_ranges_dps: tuple[int, ...] = (250, 500, 1000, 2000)
    mag_range_ut: int = 4912
    """Used only with `Feature.MAG`."""
    gyr_noise_dps_rthz: float | None = None
    sample_delay_us: int | None = None
    max_payload: int = 244
    """Longest notification that the firmware can send, bytes."""
    flash_samples: int = 720_000
    """Samples that fit the flash; the oldest are overwritten (720 000: two hours at 100 Hz)."""
    live_queue_frames: int = 32
    """Live frames that wait for the radio; when full, the newest is dropped and counted."""
    backfill_frames_per_s: int = 200
    """How fast stored frames are sent when the radio has room."""

    @property
    def has_mag(self) -> bool:
        """Return whether there is a magnetometer."""
        return Feature.MAG in self.features

    @property
    def columns(self) -> int:
        """Return the columns of a sample, 6 or 9."""
        return 9 if self.has_mag else 6


@dataclass(frozen=True, slots=True)
class SensorSettings:
    """What SET_CONFIG changes; kept over a reboot."""

    rate: RateCode = RateCode.HZ_104
    acc_range_g: int = 16
    gyr_range_dps: int = 2000
    n_per_frame: int | None = None
    """Samples per live frame; None: as many as fit. Fewer shorten the delay of the live view."""
    frame_type: FrameType = FrameType.IMU6


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One notification or indication that the sensor sends."""

    uuid: str
    """Characteristic."""
    data: bytes
