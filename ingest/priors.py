"""What is known of a unit's errors before it moves: from its model, then from its own calibration.

The processing learns what is not known here; see `DeviceDescription.unknown`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firmware_protocol.devices.descriptions import describe


@dataclass(frozen=True, slots=True)
class SensorPriors:
    """Errors of one unit; None where neither its maker nor its calibration tells."""

    gyr_noise_dps: float | None = None
    """Standard deviation of the still gyroscope at the unit's rate."""
    acc_noise_ms2: float | None = None
    """Standard deviation of the still accelerometer at the unit's rate."""
    gyr_delay_us: int | None = None
    """Age of the motion at the stamp."""
    removes_gyr_bias: bool = False
    """The firmware subtracts a bias estimate of its own, which may step."""
    has_gyr: bool = True


def priors_of(
    device_id: str, model: str, rate_hz: float, calibration: Mapping[str, Any]
) -> SensorPriors:
    """Return what is known of a unit.

    Parameters
    ----------
    device_id, model : str
        As the record's stream names them.
    rate_hz : float
        At which it samples: noise grows with the square root of the rate.
    calibration : mapping
        Of the unit, as the catalogue keeps it; empty where it was never calibrated. What was
        measured on the unit itself overrules its model.
    """
    model_of = describe(device_id, model)
    measured = calibration.get("gyro_noise_dps")
    gyr_noise_dps = None if measured is None else float(measured)
    if model_of is None:
        return SensorPriors(gyr_noise_dps=gyr_noise_dps)
    if gyr_noise_dps is None:
        gyr_noise_dps = model_of.gyr_noise_dps(rate_hz)
    return SensorPriors(
        gyr_noise_dps=gyr_noise_dps,
        acc_noise_ms2=model_of.acc_noise_ms2(rate_hz),
        gyr_delay_us=model_of.gyr_delay_us,
        removes_gyr_bias=model_of.removes_gyr_bias,
        has_gyr=model_of.has_gyr,
    )
