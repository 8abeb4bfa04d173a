"""What is drawn once per person: constants of motion, sensor errors, how the sensors are worn."""

import numpy as np

from processing import quaternion
from processing.frames import STANDARD_GRAVITY_MS2
from processing.synthesis import motion
from processing.synthesis.recording import SensorTruth
from processing.synthesis.schedule import Plan
from processing.synthesis.spec import PatientSpec, SensorSpec, Triple
from processing.types import FloatArray


def plan(spec: PatientSpec, calibration_end_s: float, rng: np.random.Generator) -> Plan:
    """Draw what is fixed for one person."""
    offset = np.array(spec.posture_offset_deg)
    size = float(np.linalg.norm(offset))
    aim = offset / size if size > 0.0 else np.array([0.0, 0.0, 1.0])
    pull: Triple = (float(aim[0]), float(aim[1]), float(aim[2]))
    low, high = spec.tremor_pp_deg
    pp = float(np.exp(rng.uniform(np.log(low), np.log(high)))) if low > 0.0 else 0.0
    mean_hz, sd_hz, low_hz, high_hz = spec.tremor_hz
    hz = float(np.clip(mean_hz + sd_hz * rng.standard_normal(), low_hz, high_hz))
    # pitch 50 %, roll 6 %, yaw 44 %
    axis = int(rng.choice(3, p=(0.50, 0.06, 0.44)))
    return Plan(spec, calibration_end_s, pull, pp, hz, axis)


def sensor_truth(
    spec: PatientSpec,
    sensor: SensorSpec,
    mounting: tuple[float, float, float, float] | None,
    rng: np.random.Generator,
) -> SensorTruth:
    """Draw the errors and the mounting of one sensor."""
    permutation = axis_permutations()[int(rng.integers(24))]
    tilt = np.radians(spec.mounting_sd_deg) * rng.standard_normal(3)
    worn = quaternion.multiply(quaternion.from_rotation_vector(tilt), permutation)
    if mounting is not None:
        worn = quaternion.normalize(mounting)
    g = STANDARD_GRAVITY_MS2
    half_band = np.sqrt(0.5 * spec.rate_hz)
    return SensorTruth(
        q_segment_sensor=worn,
        gyr_bias_dps=sensor.gyr_bias_sd_dps * rng.standard_normal(3),
        gyr_warmup_dps=sensor.gyr_warmup_sd_dps * rng.standard_normal(3),
        warmup_tau_s=float(rng.uniform(*sensor.warmup_tau_s)),
        gyr_matrix=np.eye(3) + sensor.gyr_scale_sd * rng.standard_normal((3, 3)),
        acc_offset_ms2=1e-3 * g * sensor.acc_offset_sd_mg * rng.standard_normal(3),
        noise_sd=np.array(
            [
                1e-6 * g * sensor.acc_noise_ug_sqrt_hz * half_band,
                np.radians(sensor.gyr_noise_dps_sqrt_hz) * half_band,
            ]
        ),
        acc_per_count=g * sensor.acc_range_g / 32768.0,
        gyr_per_count=float(np.radians(sensor.gyr_range_dps)) / 32768.0,
    )


def axis_permutations() -> FloatArray:
    """Return the 24 rotations (24, 4) that map axes onto axes."""
    found: list[FloatArray] = []
    for i in range(3):
        for j in range(3):
            for s in (1.0, -1.0):
                for t in (1.0, -1.0):
                    if i == j:
                        continue
                    x, y = s * np.eye(3)[i], t * np.eye(3)[j]
                    found.append(quaternion.from_matrix(np.stack((x, y, np.cross(x, y)))))
    return np.array(found)


def walk(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Return amplitudes and phases (9, 6) of walking over the harmonics of the stride.

    Even harmonics (the step) move the hips up and forward, odd ones aside; the accelerations that
    follow, about 3 m/s² up and 2 m/s² forward, are those of an ordinary pace.
    """
    amplitude = np.zeros((motion.N_WALK, motion.WALK_HARMONICS))
    amplitude[0, [1, 3, 5]] = 0.012, 0.0012, 0.0003
    amplitude[1, [1, 3, 5]] = 0.022, 0.0025, 0.0004
    amplitude[2, [0, 2, 4]] = 0.020, 0.0030, 0.0006
    amplitude[3, [1, 3]] = 0.7, 0.2
    amplitude[4, [0, 2]] = 2.0, 0.5
    amplitude[5, [0, 2]] = 4.0, 0.6
    amplitude[6, [1, 3]] = 1.2, 0.3
    amplitude[7, [0, 2]] = 1.5, 0.4
    amplitude[8, [0, 2]] = -3.0, 0.4
    amplitude *= rng.uniform(0.8, 1.2, size=amplitude.shape)
    phase = rng.uniform(0.0, 2 * np.pi, size=amplitude.shape)
    # inverted pendulum: fastest forward where the body is lowest
    phase[0, 1] = phase[1, 1] + 0.5 * np.pi + rng.normal(0.0, 0.3)
    return amplitude, phase
