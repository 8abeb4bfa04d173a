"""What a minute, a quarter hour's posture map and a day say.

All fields are flat so that stores and exports need no code of their own. Missing is None, never
zero. Seconds are counted on the common grid. Angles are relative to N (`CervicalAngles`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

HISTOGRAM_BIN_DEG = 0.5
"""Width of a bin of the angle histograms, degrees: a day's percentiles are good to half of it."""
CELL_DEG = 5.0
"""Width of a cell of the posture map, degrees (clinical specification, section 9)."""
CELL_SPAN_NS = 900_000_000_000
"""The posture map is kept per quarter hour: every time zone's day begins on one."""

Plane = Literal["rl", "rf"]
"""Of the posture map: rotation against lateral tilt, or rotation against flexion."""
PLANES: tuple[Plane, ...] = ("rl", "rf")


@dataclass(frozen=True, slots=True)
class MinuteSummary:
    """One minute of the UTC minute grid.

    Counts of a kind belong to the minute in which the episode ended; `*_s` of a kind is the
    duration of those episodes. Postures are of evaluable samples: valid, not gated.
    """

    t_ns: int
    """UTC nanoseconds of the minute's beginning."""
    n: int
    """Grid rows of the recording in this minute, samples missing or not."""
    recorded_s: float
    received_s: float
    """Seconds for which the sensors' samples exist."""
    completeness: float | None
    """received / recorded."""
    worn_s: float
    """Seconds of existing samples with the sensors worn, as judged at the time."""
    evaluable_s: float
    gated_s: float
    """Seconds of worn time inside walking or trunk motion."""
    flexion_mean_deg: float | None
    flexion_sd_deg: float | None
    flexion_p05_deg: float | None
    flexion_p50_deg: float | None
    flexion_p95_deg: float | None
    lateral_mean_deg: float | None
    lateral_sd_deg: float | None
    lateral_p05_deg: float | None
    lateral_p50_deg: float | None
    lateral_p95_deg: float | None
    rotation_mean_deg: float | None
    """Rotation and deviation: None where heading is poor throughout."""
    rotation_sd_deg: float | None
    rotation_p05_deg: float | None
    rotation_p50_deg: float | None
    rotation_p95_deg: float | None
    deviation_mean_deg: float | None
    deviation_sd_deg: float | None
    deviation_p05_deg: float | None
    deviation_p50_deg: float | None
    deviation_p95_deg: float | None
    near_neutral_s: float | None
    """Seconds with deviation ≤ 10° among the decidable ones; None where none is decidable."""
    decidable_s: float
    """Evaluable seconds with heading sigma ≤ 5° or |deviation - 10°| > sigma, heading not poor."""
    heading_good_s: float
    heading_fair_s: float
    heading_poor_s: float
    heading_sigma_deg: float | None
    """Mean of `heading_sigma_deg` over valid samples."""
    still_s: float
    """Evaluable seconds with relative rate below 10 °/s."""
    relative_rate_rms_dps: float | None
    jerk_n: int | None
    """None where the sample rate is too low for jerks and tremor."""
    jerk_s: float | None
    tremor_n: int | None
    tremor_s: float | None
    posture_n: int | None
    posture_s: float | None
    turn_n: int | None
    """Voluntary turns of at least 30°."""
    flexion_histogram: str
    """Counts of grid rows in bins of 0.5°, as ``first;count,count,...``; see
    `processing.exposure`."""
    lateral_histogram: str
    rotation_histogram: str
    deviation_histogram: str
    head_acc_mean_ms2: str
    """Mean of the three axes of specific force, ``x,y,z``: what non-wear is judged by later."""
    head_acc_sd_ms2: str
    head_acc_min_ms2: str
    head_acc_max_ms2: str
    head_gyr_sd_dps: float | None
    """Largest standard deviation of the three axes of the angular rate."""
    trunk_acc_mean_ms2: str
    trunk_acc_sd_ms2: str
    trunk_acc_min_ms2: str
    trunk_acc_max_ms2: str
    trunk_gyr_sd_dps: float | None
    trunk_compensated: bool
    """False for a single head sensor: neck angles are None (clinical specification, section 5)."""


@dataclass(frozen=True, slots=True)
class PostureCell:
    """Time spent in one cell of the posture map during one quarter hour."""

    t_ns: int
    """UTC nanoseconds of the quarter hour's beginning."""
    rotation_deg: float
    """Lower edge of the cell, positive to the patient's right."""
    other_deg: float
    """Lower edge of the cell: lateral tilt, positive to the patient's right, or flexion, positive
    forward."""
    seconds: float
    plane: Plane = "rl"


@dataclass(frozen=True, slots=True)
class MinutesOut:
    """Minutes and posture cells that became final in one step."""

    minutes: tuple[MinuteSummary, ...]
    cells: tuple[PostureCell, ...]
    look: Callable[[], MinuteSummary] | None = field(default=None, compare=False, repr=False)
    """Works out `current`; None before the first row."""

    @property
    def current(self) -> MinuteSummary | None:
        """The minute under way as it looked at that step; worked out when somebody asks."""
        return None if self.look is None else self.look()


@dataclass(frozen=True, slots=True)
class DaySummary:
    """The patient's local day."""

    date: str
    """Local date, ISO 8601."""
    t_ns: int
    """UTC nanoseconds of the local day's beginning."""
    end_ns: int
    recorded_s: float
    worn_s: float
    """Worn time after the day's non-wear rules (`processing.summary.nonwear`)."""
    nonwear_s: float
    """Seconds of existing samples with a sensor off the body."""
    evaluable_s: float
    gated_s: float
    completeness: float | None
    flexion_mean_deg: float | None
    flexion_sd_deg: float | None
    flexion_p05_deg: float | None
    flexion_p50_deg: float | None
    flexion_p95_deg: float | None
    lateral_mean_deg: float | None
    lateral_sd_deg: float | None
    lateral_p05_deg: float | None
    lateral_p50_deg: float | None
    lateral_p95_deg: float | None
    rotation_mean_deg: float | None
    rotation_sd_deg: float | None
    rotation_p05_deg: float | None
    rotation_p50_deg: float | None
    rotation_p95_deg: float | None
    deviation_mean_deg: float | None
    deviation_sd_deg: float | None
    deviation_p05_deg: float | None
    deviation_p50_deg: float | None
    deviation_p95_deg: float | None
    near_neutral_fraction: float | None
    decidable_s: float
    heading_good_s: float
    heading_fair_s: float
    heading_poor_s: float
    still_s: float
    jerk_n: int | None
    jerk_s: float | None
    jerk_per_evaluable_h: float | None
    jerk_per_evaluable_h_low: float | None
    """Lower end of the 95 % Poisson interval of the rate."""
    jerk_per_evaluable_h_high: float | None
    jerk_burst_n: int | None
    tremor_n: int | None
    tremor_s: float | None
    tremor_per_evaluable_h: float | None
    tremor_fraction_of_still: float | None
    posture_n: int | None
    posture_s: float | None
    posture_per_evaluable_h: float | None
    turn_n: int | None
    sufficient: bool
    """At least 6 h worn (clinical specification, section 9)."""
    sufficient_rotation: bool
    """Sufficient, and at least 4 h of worn time with heading fair or better."""
    sufficient_diurnal: bool
    """At least 8 h worn: enough for a profile over the hours."""
    reasons: tuple[str, ...] = field(default_factory=tuple)
    """Why something is insufficient or null, in words for the page."""
