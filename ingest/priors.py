"""What is known of a unit's errors before it moves: from its model, then from its own calibration.

The processing learns what is not known here; see `DeviceDescription.unknown`. Bias, offset and
matrices that a unit's calibration found are taken out of its samples (`ingest.unit_errors`), so
what is left for the filter is how well they are still known.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from firmware_protocol.devices.descriptions import describe
from processing.grid import GridParams
from processing.orientation import SensorParams
from storage.record import StreamInfo

BIAS_SINCE_DPS: Final = 0.25
"""How far a gyroscope's bias moves between calibration and wearing, standard deviation, °/s:
switching on, and warming up on the skin (0.04 to 0.2 °/s in ten minutes)."""
OFFSET_SINCE_MS2: Final = 0.03
"""The same for an accelerometer's offset, m/s²: 0.1 mg/K over 10 K, soldering stress, age."""
GAIN_SINCE: Final = 0.001
"""The same for a gyroscope's scale: 0.01 %/K over 10 K."""
DELAY_SIGMA_S: Final = 0.0005
"""How well a maker's figure for the delay of a gyroscope's filter holds, s; the accelerometer's own
is seldom stated."""


@dataclass(frozen=True, slots=True)
class SensorPriors:
    """Errors of one unit; None where neither its maker nor its calibration tells."""

    gyr_noise_dps: float | None = None
    """Standard deviation of the still gyroscope at the rate asked for."""
    acc_noise_ms2: float | None = None
    """Standard deviation of the still accelerometer at the rate asked for."""
    gyr_delay_us: int | None = None
    """Age of the motion at the stamp."""
    removes_gyr_bias: bool = False
    """The firmware subtracts a bias estimate of its own, which may step."""
    has_gyr: bool = True
    gyr_bias_dps: tuple[float, float, float] | None = None
    """Bias that is taken out of the samples."""
    gyr_bias_sigma_dps: float | None = None
    """How well the bias was measured that is taken out of the samples."""
    acc_offset_sigma_ms2: float | None = None
    """How well the offset was measured that is taken out of the samples."""
    gyr_gain_sigma: float | None = None
    """How well the gyroscope's matrix was measured that is taken out of the samples."""

    def for_filter(self) -> SensorParams | None:
        """Return what the orientation filter begins with; None where it is nothing special.

        What the firmware subtracts by itself may step, so its bias counts as never calibrated.
        """
        known: dict[str, Any] = {}
        if self.gyr_noise_dps is not None:
            known["gyro_noise_dps"] = self.gyr_noise_dps
        if self.gyr_delay_us is not None:
            known["acc_lead_s"] = self.gyr_delay_us * 1e-6
            known["acc_lead_sigma_s"] = DELAY_SIGMA_S
        if self.gyr_bias_dps is not None:
            known["removed_bias_dps"] = self.gyr_bias_dps
        if self.gyr_bias_sigma_dps is not None and not self.removes_gyr_bias:
            known["bias_sigma_dps"] = float(np.hypot(self.gyr_bias_sigma_dps, BIAS_SINCE_DPS))
        if self.acc_offset_sigma_ms2 is not None:
            known["offset_sigma_ms2"] = float(np.hypot(self.acc_offset_sigma_ms2, OFFSET_SINCE_MS2))
        if self.gyr_gain_sigma is not None:
            known["gain_sigma"] = float(np.hypot(self.gyr_gain_sigma, GAIN_SINCE))
        return SensorParams(**known) if known else None


def priors_of(
    device_id: str,
    model: str,
    rate_hz: float,
    calibration: Mapping[str, Any],
    declared: Mapping[str, Any] | None = None,
) -> SensorPriors:
    """Return what is known of a unit.

    Parameters
    ----------
    device_id, model : str
        As the record's stream names them.
    rate_hz : float
        Of the samples that the noise shall be that of: it grows with the square root of the rate.
    calibration : mapping
        Of the unit, as the catalogue keeps it; empty where it was never calibrated. What was
        measured on the unit itself overrules what it says, and that its model.
    declared : mapping, optional
        What the unit says of itself: `gyr_noise_dps_rthz`, `gyr_delay_us`.
    """
    model_of = describe(device_id, model)
    said = declared or {}
    gyr_noise_dps = _measured_noise(calibration, rate_hz)
    if gyr_noise_dps is None and said.get("gyr_noise_dps_rthz"):
        gyr_noise_dps = float(said["gyr_noise_dps_rthz"]) * float(np.sqrt(rate_hz / 2.0))
    if gyr_noise_dps is None and model_of is not None:
        gyr_noise_dps = model_of.gyr_noise_dps(rate_hz)
    gyr_delay_us = None if model_of is None else model_of.gyr_delay_us
    if said.get("gyr_delay_us") is not None:
        gyr_delay_us = round(said["gyr_delay_us"])
    removed = calibration.get("gyr_offset_rads")
    offset_sigma = _largest(calibration.get("acc_offset_sigma_ms2"))
    bias_sigma = _largest(calibration.get("gyr_offset_sigma_rads"))
    gain_sigma = _largest(calibration.get("gyr_gain_sigma"))
    return SensorPriors(
        gyr_noise_dps=gyr_noise_dps,
        acc_noise_ms2=None if model_of is None else model_of.acc_noise_ms2(rate_hz),
        gyr_delay_us=gyr_delay_us,
        removes_gyr_bias=model_of is not None and model_of.removes_gyr_bias,
        has_gyr=model_of is None or model_of.has_gyr,
        gyr_bias_dps=None if removed is None else _three_degrees(removed),
        gyr_bias_sigma_dps=None if bias_sigma is None else float(np.degrees(bias_sigma)),
        acc_offset_sigma_ms2=offset_sigma,
        gyr_gain_sigma=gain_sigma,
    )


def units_of(streams: Iterable[StreamInfo]) -> dict[str, SensorParams]:
    """Return what the filter begins with by role, of the first unit in each.

    Parameters
    ----------
    streams : iterable of StreamInfo
        Of one wear session, in order of time.
    """
    found: dict[str, SensorParams | None] = {}
    for info in streams:
        if info.role not in found:
            unit = info.device_id.split("/", 1)[0]
            found[info.role] = unit_params(unit, info.model, info.calibration, declared_by(info))
    return {role: params for role, params in found.items() if params is not None}


def declared_by(info: StreamInfo) -> Mapping[str, Any]:
    """Return what a unit said of itself when a stream began; empty where it says nothing."""
    said: Mapping[str, Any] = info.metadata.get("declared") or {}
    return said


def unit_params(
    device_id: str,
    model: str,
    calibration: Mapping[str, Any],
    declared: Mapping[str, Any] | None = None,
) -> SensorParams | None:
    """Return what the filter begins with of a unit; its noise is that on the pipeline's grid."""
    rate_hz = GridParams().rate_hz
    return priors_of(device_id, model, rate_hz, calibration, declared).for_filter()


def _measured_noise(calibration: Mapping[str, Any], rate_hz: float) -> float | None:
    measured = calibration.get("gyro_noise_dps")
    if measured is None:
        return None
    at_hz = float(calibration.get("rate_hz") or rate_hz)
    return float(measured) * float(np.sqrt(rate_hz / at_hz))


def _three_degrees(radians: Sequence[float]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in np.degrees(np.asarray(radians, dtype=np.float64)))
    return x, y, z


def _largest(values: Any) -> float | None:
    """Return the largest of the axes; None where nothing was measured, or without success."""
    if values is None:
        return None
    largest = float(np.max(np.asarray(values, dtype=np.float64)))
    return largest if np.isfinite(largest) else None
