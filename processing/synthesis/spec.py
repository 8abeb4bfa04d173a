"""What is simulated: the person, the day's protocol and the sensors.

Defaults are the frozen simulated patient of the validation (30 min sitting, sensor A). Angle
triples are (flexion, lateral right, rotation right) in degrees; for the trunk (lean forward, lean
right, turn right). Ranges are (low, high). Clinical specification, sections 10 and 10.1.
"""

from dataclasses import dataclass, replace

import numpy as np

Triple = tuple[float, float, float]
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class SensorSpec:
    """Errors of one model of sensor after its factory or table calibration."""

    name: str
    gyr_noise_dps_sqrt_hz: float
    """White noise of the gyroscope, °/s/√Hz."""
    gyr_bias_sd_dps: float
    """Standard deviation of the bias that calibration left, per axis."""
    gyr_warmup_sd_dps: float
    """Standard deviation of the further bias that warming on the skin adds, per axis."""
    gyr_scale_sd: float
    """Standard deviation of scale and cross-axis errors, as a fraction."""
    acc_noise_ug_sqrt_hz: float
    """White noise of the accelerometer, µg/√Hz."""
    acc_offset_sd_mg: float
    """Standard deviation of the accelerometer's offset, per axis."""
    warmup_tau_s: Range = (480.0, 900.0)
    """Range of the time constant of warming up."""
    gyr_range_dps: float = 500.0
    """Full scale of the int16 counts of the gyroscope."""
    acc_range_g: float = 4.0
    """Full scale of the int16 counts of the accelerometer."""


SENSOR_A = SensorSpec("A", 0.007, 0.1, 0.04, 0.001, 150.0, 15.0)
"""A good consumer sensor."""
SENSOR_B = SensorSpec("B", 0.007, 0.5, 0.2, 0.004, 150.0, 15.0)
"""A poor consumer sensor."""
IDEAL_SENSOR = SensorSpec("ideal", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
"""No error but the quantisation to int16."""


@dataclass(frozen=True, slots=True)
class PatientSpec:
    """One simulated person with two sensors and a protocol."""

    rate_hz: float = 104.0
    """True sample rate of both sensors."""

    # dystonia
    posture_offset_deg: Triple = (5.0, 10.0, 25.0)
    """Posture that dystonia pulls to, relative to anatomical neutral."""
    rest_fraction: float = 1.0
    """Share of the offset that stays between tonic episodes: 1 a constant torticollis, 0 none."""
    drift_sd_deg: Triple = (2.5, 1.5, 2.5)
    """Standard deviation of slow posture drift (Ornstein-Uhlenbeck)."""
    drift_tau_s: float = 20.0
    """Its time constant."""
    tonic: bool = True
    """Sustained episodes of stronger pull along the offset."""
    tonic_pull_deg: Range = (8.0, 20.0)
    """Pull added during an episode, on top of what `rest_fraction` held back."""
    tonic_duration_s: Range = (15.0, 120.0)
    tonic_gap_s: Range = (10.0, 60.0)
    tonic_ramp_s: Range = (0.8, 3.0)
    jerks_per_min: float = 6.0
    jerk_deg: Range = (4.0, 15.0)
    jerk_rise_s: Range = (0.12, 0.30)
    """Duration of the minimum-jerk rise."""
    jerk_return_s: Range = (0.25, 0.9)
    """Time constant of the exponential return."""
    jerk_direction_sd_deg: float = 15.0
    """Scatter of the direction about that of the offset."""
    tremor: bool = True
    tremor_pp_deg: Range = (0.2, 8.0)
    """Peak to peak, log-uniform between persons."""
    tremor_hz: tuple[float, float, float, float] = (4.2, 0.9, 2.8, 6.5)
    """Mean, standard deviation, low and high limit of the person's frequency."""
    tremor_duration_s: Range = (8.0, 40.0)
    tremor_gap_s: Range = (20.0, 120.0)
    slow_jerky_fraction: float = 0.15
    """Share of episodes that are a slow sawtooth of 1-2.5 Hz."""

    # voluntary motion
    turns_per_min: float = 5.0
    """Half of them out, half back."""
    turn_deg: Range = (58.0, 18.0)
    """Mean and standard deviation."""
    turn_peak_dps: Range = (104.0, 25.0)
    """Mean and standard deviation of the peak speed of a healthy turn."""
    glances_per_min: float = 10.0
    """Half of them out, half back; 4-25°."""
    velocity_factor: float = 0.5
    """Speed against healthy."""
    pauses: bool = True
    """One to three pauses inside each turn."""

    # trunk
    breathing_deg: float = 0.8
    sway_deg: float = 1.25
    sway_tau_s: float = 4.0
    trunk_move_every_s: float = 50.0
    """Mean time from one lean or turn of the chair to the next; 0: none."""
    lean_deg: Range = (5.0, 30.0)
    chair_turn_deg: float = 35.0
    """Largest turn of the chair to either side."""
    walk_every_s: float = 0.0
    """Time from one walking bout to the next; 0: no walking."""
    walk_duration_s: float = 60.0

    # how the sensors are worn
    mounting_sd_deg: float = 8.0
    """Tilt of each sensor against one of the 24 axis permutations, per axis."""
    head_mounting: tuple[float, float, float, float] | None = None
    """Sensor to segment rotation of the head sensor; None: drawn."""
    trunk_mounting: tuple[float, float, float, float] | None = None
    """As `head_mounting`, trunk."""
    head_arm_m: Triple = (0.08, 0.15, 0.0)
    """From the neck joint to the head sensor, head segment axes."""
    trunk_arm_m: Triple = (0.10, -0.12, 0.02)
    """From the neck joint to the trunk sensor, thorax axes."""
    hip_arm_m: Triple = (0.0, 0.5, 0.0)
    """From the hips, about which the trunk leans, to the neck joint, thorax axes."""
    head_soft_tissue_deg: float = 0.25
    trunk_soft_tissue_deg: float = 0.5
    soft_tissue_tau_s: float = 20.0
    head_sensor: SensorSpec = SENSOR_A
    trunk_sensor: SensorSpec = SENSOR_A

    # protocol
    calibration: bool = True
    """Guided calibration first: neutral 5 s, nod x5, shake x5, trunk bow x3."""
    cross_axis: float = 0.02
    """Standard deviation of motion about the other axes, as a fraction of the movement."""
    reset_every_s: float = 600.0
    """Time from one later reference pose to the next; 0: none."""
    reset_pose: str = "neutral_pose"
    """Pose of the later resets: `neutral_pose`, `midline_pose` or `dystonic_pose`."""
    reset_error_deg: Triple = (3.0, 2.0, 1.5)
    """Standard deviation with which a reference pose is taken up."""
    midline_deg: Triple = (2.0, 4.0, 15.0)
    """The best unassisted midline M, relative to N."""
    dystonic_deg: Triple = (6.0, 12.0, 40.0)
    """The most comfortable pose D, relative to N."""
    learn_poses: int = 0
    """Times that M and D are each taken up right after the calibration."""


def healthy(spec: PatientSpec | None = None) -> PatientSpec:
    """Return the person without dystonia: free voluntary motion only."""
    return replace(
        spec or PatientSpec(),
        posture_offset_deg=(0.0, 0.0, 0.0),
        drift_sd_deg=(1.5, 0.8, 1.5),
        tonic=False,
        jerks_per_min=0.0,
        tremor=False,
        velocity_factor=1.0,
        pauses=False,
    )


def scaled(spec: PatientSpec, severity: float) -> PatientSpec:
    """Return the person with dystonia of another severity (1: as it was; 0: none left).

    Scales offset, tonic pull and tremor amplitude, and the rate of jerks.
    """
    flexion, lateral, rotation = (severity * value for value in spec.posture_offset_deg)
    low, high = spec.tonic_pull_deg
    pp_low, pp_high = spec.tremor_pp_deg
    return replace(
        spec,
        posture_offset_deg=(flexion, lateral, rotation),
        tonic_pull_deg=(severity * low, severity * high),
        tremor_pp_deg=(severity * pp_low, severity * pp_high),
        tremor=spec.tremor and severity > 0.0,
        jerks_per_min=severity * spec.jerks_per_min,
    )


def botulinum_factor(days_since_injection: float, effect: float = 0.4) -> float:
    """Return what is left of the severity so many days after an injection.

    Parameters
    ----------
    days_since_injection : float
        Negative: before the injection, no effect.
    effect : float
        Greatest relief as a fraction, 0.25 to 0.5 in trials.

    Notes
    -----
    Course from a randomised trial (clinical specification, section 10): full from day 14 to 28,
    0.79 at 56, 0.24 at 84, gone at 112.
    """
    relief = np.interp(
        days_since_injection, [0.0, 14.0, 28.0, 56.0, 84.0, 112.0], [0.0, 1.0, 1.0, 0.79, 0.24, 0.0]
    )
    return float(1.0 - effect * relief)
