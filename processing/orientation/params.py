"""Tuning of the estimator, each constant with meaning, effect, unit and source.

Times and densities, never sample counts: the same numbers serve every rate.
"""

from dataclasses import dataclass, field

import numpy as np

from processing.errors import InputError
from processing.orientation.layout import AO, BI, MG, N_ERROR, PO, TH, VE
from processing.orientation.window import (
    C_ACC_ND,
    C_ACC_STILL,
    C_BIAS_RW,
    C_GAP_RATE,
    C_GYRO_ND,
    C_OFFSET_RW,
    C_POLE1,
    C_POLE2,
    C_POS0,
    C_POWER_MIN,
    C_POWER_TAU,
    C_REST_RATIO,
    C_REST_S,
    C_SCALE,
    C_VEL0,
    N_CONST,
)
from processing.types import FloatArray


@dataclass(frozen=True, slots=True)
class SensorParams:
    """What is known about one sensor before it moves."""

    bias_dps: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Gyroscope bias from calibration, °/s."""
    bias_sigma_dps: float = 0.5
    """Its standard deviation per axis. Small: a wrong bias is believed for minutes; large: slower
    heading at the start. 0.5 °/s covers an uncalibrated consumer gyroscope."""
    offset_ms2: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Accelerometer offset from calibration, m/s²."""
    offset_sigma_ms2: float = 0.06
    """Its standard deviation per axis. Small: offset is mistaken for tilt and gyroscope bias;
    large: tilt is mistaken for offset where the sensor hardly turns."""
    gyro_noise_dps: float | None = None
    """Standard deviation of the gyroscope at rest at the filter's rate, °/s; None: learnt from the
    quietest 2 s so far. Rest is recognised by it, so too large a value mistakes a quiet wearer for
    a table."""
    acc_noise_ms2: float = 0.07
    """Standard deviation of the accelerometer at rest at the filter's rate, m/s²."""
    gain_sigma: float = 0.004
    """Standard deviation of every entry of the gyroscope's scale and misalignment matrix. Typical
    of consumer sensors: scale 0.5 %, misalignment 0.3 %."""


@dataclass(frozen=True, slots=True)
class FilterParams:
    """Noise model shared by all sensors."""

    window_s: float = 0.25
    """Length of a window. Small: more covariance work, the same answer; large: rotation within a
    window blurs what the accelerometer says."""
    gyro_density_dps: float = 0.006
    """Gyroscope white noise, °/s/√Hz."""
    bias_walk_dps: float = 0.003
    """Random walk of gyroscope bias, °/s/√s (reference: 0.003 to 0.004; 0.008 was worse)."""
    offset_walk_ms2: float = 0.0005
    """Random walk of accelerometer offset, m/s²/√s."""
    scale_density: float = 0.001
    """Random part of gyroscope error in proportion to rate, 1/√Hz: what the constant matrix of
    scale and misalignment does not explain (nonlinearity, g-sensitivity)."""
    acc_density_ms2: float = 0.005
    """Accelerometer white noise and slow error, m/s²/√Hz."""
    fast_pole_hz: float = 0.16
    """Above this frequency motion acceleration is white in the model."""
    slow_pole_hz: float = 0.16
    """Below this one it falls by 12 dB per octave: position is bounded."""
    power_floor: float = 1e-4
    """Least power of motion acceleration, (m/s²)² s."""
    power_memory_s: float = 3.0
    """How long a burst of acceleration is remembered."""
    gap_rate_rad: float = 0.5
    """Rotation assumed while samples are missing, rad/√s."""
    rest_ratio: float = 1.5
    """Rest is below this multiple of the noise floors."""
    rest_s: float = 2.0
    """Rest must last this long before it counts."""
    tilt0_rad: float = 0.3
    """Standard deviation of tilt taken from the first specific force."""
    heading0_rad: float = 1.8
    """Standard deviation of each sensor's heading at the start: unknown (uniform on a circle)."""
    velocity0_ms: float = 0.3
    position0_m: float = 0.3


@dataclass(frozen=True, slots=True)
class PairParams:
    """Head and trunk sensor and the shared noise model."""

    head: SensorParams = field(default_factory=SensorParams)
    trunk: SensorParams = field(default_factory=SensorParams)
    filter: FilterParams = field(default_factory=FilterParams)


DEFAULT_GYRO_NOISE_DPS = 0.1
"""Noise floor assumed until one is known or learnt."""


def constants(sensor: SensorParams, shared: FilterParams) -> FloatArray:
    """Return one sensor's constants as the kernels read them, SI and radians."""
    c = np.zeros(N_CONST)
    c[C_ACC_STILL] = sensor.acc_noise_ms2
    c[C_BIAS_RW] = np.radians(shared.bias_walk_dps)
    c[C_OFFSET_RW] = shared.offset_walk_ms2
    c[C_GYRO_ND] = np.radians(shared.gyro_density_dps)
    c[C_ACC_ND] = shared.acc_density_ms2
    c[C_SCALE] = shared.scale_density
    c[C_POLE1] = 2.0 * np.pi * shared.fast_pole_hz
    c[C_POLE2] = 2.0 * np.pi * shared.slow_pole_hz
    c[C_POWER_MIN] = shared.power_floor
    c[C_POWER_TAU] = shared.power_memory_s
    c[C_GAP_RATE] = shared.gap_rate_rad
    c[C_REST_RATIO] = shared.rest_ratio
    c[C_REST_S] = shared.rest_s
    c[C_POS0] = shared.position0_m
    c[C_VEL0] = shared.velocity0_ms
    if not np.isfinite(c).all():
        raise InputError("a parameter of the orientation filter is not finite; check its values")
    return c


def initial_variances(sensor: SensorParams, shared: FilterParams) -> FloatArray:
    """Return the diagonal (`N_ERROR`,) of one sensor's covariance before the first sample."""
    v = np.zeros(N_ERROR)
    v[TH : TH + 2] = shared.tilt0_rad**2
    v[TH + 2] = shared.heading0_rad**2
    v[BI : BI + 3] = np.radians(sensor.bias_sigma_dps) ** 2
    v[MG : MG + 9] = sensor.gain_sigma**2
    v[AO : AO + 3] = sensor.offset_sigma_ms2**2
    v[VE : VE + 3] = shared.velocity0_ms**2
    v[PO : PO + 3] = shared.position0_m**2
    return v
