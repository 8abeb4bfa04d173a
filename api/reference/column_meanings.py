"""Meanings of columns whose names are made of parts, or say almost everything by themselves."""

from typing import Final

_AXES: Final = {
    "flexion": "Flexion (chin to chest is positive)",
    "lateral_right": "Lateral tilt (to the patient's right is positive)",
    "lateral": "Lateral tilt (to the patient's right is positive)",
    "rotation_right": "Rotation (to the patient's right is positive)",
    "rotation": "Rotation (to the patient's right is positive)",
    "deviation": "Angle from neutral in any direction",
}
_STATISTICS: Final = {
    "mean": "mean of the evaluable time",
    "sd": "standard deviation over the evaluable time",
    "p05": "5th percentile of the evaluable time",
    "p50": "median of the evaluable time",
    "p95": "95th percentile of the evaluable time",
    "min": "smallest value",
    "max": "largest value",
}
_KINDS: Final = {
    "jerk": "Candidate jerks",
    "tremor": "Candidate tremor episodes",
    "posture": "Candidate postures",
}
_OF_KINDS: Final = {
    "n": "number; null where it could not be looked for",
    "s": "seconds that they lasted together",
    "per_evaluable_h": "number by evaluable hour",
    "per_evaluable_h_low": "number by evaluable hour, lower end of the 95 % Poisson interval",
    "per_evaluable_h_high": "number by evaluable hour, upper end of the 95 % Poisson interval",
}
_ACC: Final = {"mean": "mean", "sd": "standard deviation", "min": "smallest", "max": "largest"}
_SENSORS: Final = ("head", "trunk")

MEANINGS: Final[dict[str, str]] = {
    **{
        f"{axis}_{statistic}_deg": f"{meaning}: {of}."
        for axis, meaning in _AXES.items()
        for statistic, of in _STATISTICS.items()
    },
    **{f"{axis}_deg": f"{meaning}." for axis, meaning in _AXES.items()},
    **{
        f"{axis}_histogram": f"{meaning}: rows in bins of 0.5°, as `first;count,count,...`."
        for axis, meaning in _AXES.items()
    },
    **{
        f"{kind}_{part}": f"{meaning}: {of}."
        for kind, meaning in _KINDS.items()
        for part, of in _OF_KINDS.items()
    },
    **{
        f"{sensor}_acc_{part}_ms2": f"Specific force of the {sensor} sensor, {of}: `x,y,z`."
        for sensor in _SENSORS
        for part, of in _ACC.items()
    },
    **{
        f"{sensor}_gyr_sd_dps": f"Angular rate of the {sensor} sensor, largest standard deviation "
        "of the three axes."
        for sensor in _SENSORS
    },
    **{
        f"heading_{quality}_s": f"Evaluable seconds with heading {quality}."
        for quality in ("good", "fair", "poor")
    },
    **{f"mag_{axis}": f"Magnetic field, sensor {axis} axis, any unit." for axis in "xyz"},
    "jerk_burst_n": "Bursts of candidate jerks: number.",
    "tremor_fraction_of_still": "Share of the still time with candidate tremor.",
    "turn_n": "Voluntary turns of at least 30°.",
    "recorded_s": "Seconds between the first and the last sample, gaps included.",
    "evaluable_s": "Seconds from which angles count: valid, worn, not gated.",
    "gated_s": "Worn seconds inside walking or trunk motion, which do not count.",
    "completeness": "Share of the samples that arrived.",
    "near_neutral_fraction": "Share of the decidable time with at most 10° from neutral.",
    "decidable_s": "Evaluable seconds in which near or far from neutral can be told.",
    "still_s": "Evaluable seconds with the head moving by less than 10 °/s against the trunk.",
    "relative_rate_rms_dps": "Angular rate of the head against the trunk, root mean square.",
    "start_ns": "Beginning, UTC nanoseconds.",
    "end_ns": "End, UTC nanoseconds.",
    "peak_ns": "Instant of the largest amplitude, UTC nanoseconds.",
    "kind": "`jerk`, `posture` or `tremor`; a candidate until a person confirms it.",
    "amplitude_deg": "Size: of a jerk its excursion, of a posture the mean angle from neutral, of "
    "tremor the median peak to peak.",
    "published_utc_ns": "When the frame was made.",
    "patient_id": "Pseudonymous id.",
    "heading_quality": "`good`, `fair` or `poor`: how well rotation is told.",
    "worn": "Both sensors are worn; null where that is not known.",
    "head": "State of the head sensor.",
    "trunk": "State of the trunk sensor.",
    "today": "Counters of the local day so far.",
    "alignment_id": "Calibration in force.",
    "alignment_quality": "`good`, `fair` or `low`.",
    "head_pitch_deg": "The head's own inclination to the front, of a single head sensor.",
    "head_roll_deg": "The head's own inclination to the side, of a single head sensor.",
    "heading_sigma_deg": "Standard deviation of the rotation.",
    "algo": "Version of the results: algorithm version and hash of the parameters.",
    "alignment_ids": "Calibrations that the rows rest on.",
}
"""Name of a column to its meaning, for those without a docstring of their own."""
