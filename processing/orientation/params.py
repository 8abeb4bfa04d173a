"""Tuning of the estimator, each constant with meaning, effect, unit and source.

Times and densities, never sample counts: the same numbers serve every rate.
"""

from dataclasses import dataclass, field

import numpy as np

from processing.errors import InputError
from processing.orientation import tuning
from processing.orientation.field import FieldParams
from processing.orientation.layout import (
    AO,
    BI,
    BIAS,
    FLOOR_A,
    FLOOR_W,
    LE,
    LEAD,
    MG,
    N_ERROR,
    N_STATE,
    OFFSET,
    PO,
    POWER,
    POWER_UP,
    TH,
    VE,
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
    removed_bias_dps: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Bias that the unit's calibration has taken out of the samples already, °/s. Nothing is taken
    out again; it tells how steady such a unit is (`grade`)."""
    offset_ms2: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Accelerometer offset from calibration, m/s²."""
    offset_sigma_ms2: float = 0.15
    """Its standard deviation per axis; 15 mg covers an uncalibrated consumer accelerometer. Small:
    offset is mistaken for tilt and gyroscope bias; large: tilt is mistaken for offset where the
    sensor hardly turns."""
    gyro_noise_dps: float | None = None
    """Standard deviation of the gyroscope at rest at the filter's rate, °/s; None: learnt from the
    quietest 2 s so far (`rest`). Rest is recognised by it, so too large a value mistakes a quiet
    wearer for a table."""
    acc_lead_s: float = 0.0
    """How much later than the middle of the rate's interval a specific force was taken, s, the
    delay of the gyroscope's low-pass included. Wrong by 1 ms at 4 rad/s and 10 m/s²: 0.04 m/s²."""
    acc_lead_sigma_s: float = 0.001
    """Its standard deviation, s. Low-passes of consumer gyroscopes delay by 0.5 to 3 ms more than
    that of the accelerometer, and few data sheets say so. Small: a wrong delay tilts whoever turns
    while accelerating; large: such motion says less about tilt."""
    gain_sigma: float = 0.003
    """Standard deviation of every entry of the gyroscope's scale and misalignment matrix. Typical
    of consumer sensors: scale 0.5 %, misalignment 0.3 %."""


@dataclass(frozen=True, slots=True)
class FilterParams:
    """Noise model shared by all sensors."""

    window_s: float = 1.0
    """Length of a window. Small: more covariance work; large: acceleration averages out before it
    can be weighed. 1 s for a worn sensor, 0.25 s for one moved by hand (`single`)."""
    gyro_density_dps: float = 0.007
    """Gyroscope white noise, °/s/√Hz over positive frequencies: heading walks by its square over 2
    times the time, °². Small: what leans have shown of the
    bias about the vertical is believed too much, and sigma is too narrow where no pose comes.
    Data sheets of consumer sensors: 0.004 to 0.01."""
    bias_walk_dps: float = 0.0007
    """Random walk of gyroscope bias beside warming up, °/s/√s. Small: a bias that wanders is not
    followed; large: what a reset taught is soon forgotten and sigma is too wide. Chosen on
    simulated patients between 0.0005 and 0.004."""
    warm_tau_s: float = 690.0
    """Time constant of warming up on the skin, s: small sensors take 8 to 15 min. 400 to 1000 are
    equal within 8 % of the rotation of a poor sensor."""
    bias_share_dps: float = 0.004
    """What motion adds to that walk, °/s/√s per m/s²/√Hz of motion acceleration: g-sensitivity and
    vibration shift the bias of a sensor shaken by hand. 0 to 0.006 give the same on BROAD within
    3 %; 0.015 forgets too fast."""
    offset_walk_ms2: float = 0.0005
    """Random walk of accelerometer offset, m/s²/√s: temperature. 0.0001 to 0.002 change nothing
    measurable."""
    gyro_share: float = 0.0002
    """Random part of gyroscope error in proportion to rate, 1/√Hz: what the constant matrix of
    scale and misalignment does not explain. Small: the matrix is believed before it is known;
    large: it is never learnt. 0.0001 to 0.0004: equal on BROAD."""
    gyro_shake_dps: float = 0.006
    """The same in proportion to acceleration, °/s/√Hz per m/s²: g-sensitivity, vibration. Small:
    turns under hard acceleration are believed too long; large: gravity is followed into motion.
    0.003 to 0.012: equal on BROAD."""
    blow_deg: float = 0.17
    """Attitude error that a blow leaves, ° per m/s of velocity that it changes between two samples:
    what the sensor's bandwidth or range cuts off. Small: blows tilt; large: at low rates every
    quick motion passes for one. 0.1 to 0.3: equal on BROAD."""
    acc_density_ms2: float = 0.01
    """White part of the error of acceleration, m/s²/√Hz: noise and slow error of the sensor. Small:
    tilt follows every slow error at rest; large: tilt is slow to settle."""
    acc_share: float = 0.02
    """Error of acceleration in proportion to its own spectral density: scale errors of the
    accelerometer and motion that leaves its bounds. Small: gravity is trusted over minutes; large:
    only over seconds."""
    pole_rad: float = 1.5
    """Double pole of the position model, rad/s. Above it motion acceleration is white, below it
    falls by 12 dB per octave, because position is bounded. Small: slow motion passes for tilt;
    large: gravity is trusted over more seconds than the gyroscope is good for."""
    coherence_s: float = 1.0
    """Bias, gyroscope matrix and accelerometer offset act through the rotation averaged over this
    time. A limb turns in step with its acceleration, and that coherence must not pass for an
    error of the sensor. Small: it does; large: quick turns teach nothing."""
    power_floor: float = 1e-4
    """Least spectral density of motion acceleration, (m/s²)² s: the accelerometer's own noise."""
    power_memory_s: float = 2.0
    """How long a burst of acceleration is remembered. Small: the pause in a stride counts as rest;
    large: gravity is ignored long after. 1 to 8 s are equal on BROAD within 3 %."""
    rest_ratio: float = 1.5
    """Rest is below this multiple of the noise floors. A worn trunk comes down to twice."""
    floor_most_dps: float = 0.0
    """Highest noise floor above the assumed one that is learnt, °/s/√Hz. Small: a poor gyroscope
    never rests; large: with one, a slow sway passes for rest as it does with a good one. 0 for worn
    sensors, which hardly ever rest; 0.03 for one moved by hand (`single`)."""
    rest_s: float = 2.0
    """Rest must last this long before it counts, s."""
    tilt0_rad: float = 0.3
    """Standard deviation of tilt taken from the first specific force."""
    heading0_rad: float = 1.8
    """Standard deviation of each sensor's heading at the start: unknown (uniform on a circle)."""
    velocity0_ms: float = 0.3
    """Standard deviation of velocity and position where nothing is known of them."""
    position0_m: float = 0.3
    """An arm's reach, metres."""
    joint_inflation: float = 10.0
    """By how much fewer independent samples of the joint's disagreement there are than rows that
    were looked at: it has a bandwidth of 1 to 3 Hz. Small: one stride decides; large: walking
    says little."""
    mag_sigma_deg: float = 12.0
    """Standard deviation of the heading that the field of one place gives. Small: heading follows a
    disturbed field; large: it takes longer to correct a start in one. Indoors, near steel and
    furniture, 5 to 20°."""
    mag_time_s: float = 2.0
    """How long the field of one place lasts while moving; only mag_sigma_deg² times this counts."""
    mag_norm: float = 0.03
    """Relative deviation of the norm that doubles the standard deviation... (VQF gates at 10 %)"""
    mag_dip_deg: float = 4.0
    """...and that of the dip (VQF gates at 10°)."""
    mag_memory_s: float = 20.0
    """Memory of the reference of norm and dip, s (VQF: 20 s). Small: a disturbed field becomes the
    reference; large: a new room is refused for long."""


@dataclass(frozen=True, slots=True)
class PairParams:
    """Head and trunk sensor and the shared noise model."""

    head: SensorParams = field(default_factory=SensorParams)
    trunk: SensorParams = field(default_factory=SensorParams)
    filter: FilterParams = field(default_factory=FilterParams)
    magnetic: FieldParams = field(default_factory=FieldParams)
    """Magnetic field, where both sensors measure it."""
    reference_sigma_deg: float = 2.0
    """Standard deviation of the heading error with which the first reference pose was taken up:
    that of one examiner's repetitions. It limits what later poses say about absolute heading. Also
    of what M or D stand for where that was measured in an earlier session."""
    arm_sigma_m: float = 0.12
    """Standard deviation of the arms from the neck joint to both sensors, per axis, before anything
    moved: they begin at zero, since nobody says where a sensor sits."""
    warm_sigma_dps: float = 0.1
    """Standard deviation of what warming up adds to the bias, per axis, °/s: 0.01 to 0.05 °/s/K
    over 8 K, of which a good sensor has the least. Small: the bias of a poor sensor is followed too
    slowly at first; large: a good sensor's bias is doubted without need."""
    head_gap_rad: float = 0.2
    """Rotation of the head while its samples are missing, per axis, rad/√s: a gap of a second
    leaves 11° of doubt. Small: a turn that nobody saw passes for heading; large: a short loss of
    radio makes rotation poor until the next pose. Simulated wearers turn by 7° in one second and
    19° in three (root mean square)."""
    trunk_gap_rad: float = 0.05
    """The same of the trunk: they turn by 1° in one second and 3° in three, but chairs turn too."""
    misfit_sigma_deg: float = 3.0
    """Standard deviation of the error in heading that all walking shares: a neck is no ball joint.
    Small: walking overrules reference poses; large: it only tells drift since the first walk."""


DEFAULT_GYRO_DENSITY_DPS = 0.0085
"""Noise floor assumed until one is known or learnt, °/s/√Hz, times √(rate / 2): most consumer
sensors lie between 0.004 and 0.01, some at 0.015."""
DEFAULT_ACC_DENSITY_MS2 = 0.006
"""As above for the accelerometer, m/s²/√Hz."""


def constants(sensor: SensorParams, shared: FilterParams) -> FloatArray:
    """Return one sensor's constants as the kernels read them, SI and radians."""
    c = np.zeros(tuning.N_TUNING)
    c[tuning.BIAS_WALK] = np.radians(shared.bias_walk_dps)
    c[tuning.BIAS_SHARE] = np.radians(shared.bias_share_dps)
    c[tuning.OFFSET_WALK] = shared.offset_walk_ms2
    # a density over positive frequencies alone walks by half its square
    c[tuning.GYRO_DENSITY] = np.radians(shared.gyro_density_dps) / np.sqrt(2.0)
    c[tuning.GYRO_SHARE] = shared.gyro_share
    c[tuning.GYRO_SHAKE] = np.radians(shared.gyro_shake_dps)
    c[tuning.BLOW] = np.radians(shared.blow_deg)
    c[tuning.ACC_DENSITY] = shared.acc_density_ms2
    c[tuning.ACC_SHARE] = shared.acc_share
    c[tuning.POLE] = shared.pole_rad
    c[tuning.COHERENCE] = shared.coherence_s
    c[tuning.POWER_FLOOR] = shared.power_floor
    c[tuning.POWER_MEMORY] = shared.power_memory_s
    c[tuning.REST_RATIO] = shared.rest_ratio
    c[tuning.REST_TIME] = shared.rest_s
    c[tuning.FLOOR_MOST] = np.radians(shared.floor_most_dps)
    c[tuning.POSITION_0] = shared.position0_m
    c[tuning.VELOCITY_0] = shared.velocity0_ms
    c[tuning.LEARN_FLOOR] = 1.0 if sensor.gyro_noise_dps is None else 0.0
    c[tuning.MAG_SIGMA] = np.radians(shared.mag_sigma_deg)
    c[tuning.MAG_TIME] = shared.mag_time_s
    c[tuning.MAG_NORM] = shared.mag_norm
    c[tuning.MAG_DIP] = np.radians(shared.mag_dip_deg)
    c[tuning.MAG_MEMORY] = shared.mag_memory_s
    c[tuning.WARM_TAU] = shared.warm_tau_s
    c[tuning.JOINT_NOISE] = shared.joint_inflation
    if not np.isfinite(c).all():
        raise InputError("a parameter of the orientation filter is not finite; check its values")
    return c


def initial_state(sensor: SensorParams, rate_hz: float) -> FloatArray:
    """Return the running state (`N_STATE`,) of one sensor before its first sample."""
    s = np.zeros(N_STATE)
    s[BIAS : BIAS + 3] = np.radians(sensor.bias_dps)
    s[OFFSET : OFFSET + 3] = sensor.offset_ms2
    s[LEAD] = sensor.acc_lead_s
    s[POWER] = s[POWER_UP] = 1.0
    noise = sensor.gyro_noise_dps
    half_band = np.sqrt(0.5 * rate_hz)
    s[FLOOR_W] = np.radians(DEFAULT_GYRO_DENSITY_DPS * half_band if noise is None else noise)
    s[FLOOR_A] = DEFAULT_ACC_DENSITY_MS2 * half_band
    return s


def initial_variances(sensor: SensorParams, shared: FilterParams) -> FloatArray:
    """Return the diagonal (`N_ERROR`,) of one sensor's covariance before the first sample."""
    v = np.zeros(N_ERROR)
    v[TH : TH + 2] = shared.tilt0_rad**2
    v[TH + 2] = shared.heading0_rad**2
    v[BI : BI + 3] = np.radians(sensor.bias_sigma_dps) ** 2
    v[MG : MG + 9] = sensor.gain_sigma**2
    v[AO : AO + 3] = sensor.offset_sigma_ms2**2
    v[LE] = sensor.acc_lead_sigma_s**2
    v[VE : VE + 3] = shared.velocity0_ms**2
    v[PO : PO + 3] = shared.position0_m**2
    return v
