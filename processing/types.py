"""The data types that flow through the numerical core.

Arrays are C-contiguous float64 unless said otherwise and are treated as read-only. Quaternions are
scalar first (w, x, y, z) and named by their frames: ``q_es`` turns sensor (s) coordinates into
earth (e) coordinates. Right and left are the patient's. Earth is east-north-up. Missing is NaN in
arrays and None in records, never zero.
"""

from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from processing.errors import InputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

MOST_RATE_RADS: Final = 100.0
"""No sensor for people measures a faster rate about one axis, rad/s: 5700 °/s; the widest range on
the market is 4000 °/s."""
MOST_FORCE_MS2: Final = 2000.0
"""Nor a greater specific force along one axis, m/s²: 204 g."""

EpisodeKind = Literal["jerk", "posture", "tremor"]
PoseKind = Literal["neutral_pose", "midline_pose", "dystonic_pose"]
MovementKind = Literal["nod", "shake", "trunk_bow"]


@dataclass(frozen=True, slots=True)
class ImuBlock:
    """Consecutive samples of one sensor at its own rate."""

    t_ns: IntArray
    """(n,) UTC nanoseconds of each sample, strictly increasing."""
    acc: FloatArray
    """(n, 3) specific force, m/s² (+g up at rest)."""
    gyr: FloatArray
    """(n, 3) angular rate, rad/s."""
    valid: BoolArray
    """(n,) False where the sample is missing, clipped beyond use, not finite, beyond any sensor's
    range or without force."""
    rate_hz: float
    """Nominal sample rate; the true rate is in `t_ns`."""
    mag: FloatArray | None = None
    """(n, 3) magnetic field in any unit, or None where the sensor has none."""

    @classmethod
    def checked(
        cls,
        t_ns: IntArray,
        acc: FloatArray,
        gyr: FloatArray,
        *,
        rate_hz: float,
        valid: BoolArray | None = None,
        mag: FloatArray | None = None,
    ) -> "ImuBlock":
        """Return a block after checking shapes, time order and finiteness.

        Samples that are not finite, beyond any sensor's range (`MOST_RATE_RADS`, `MOST_FORCE_MS2`)
        or of a specific force of exactly zero are kept in place and marked invalid; time that does
        not increase raises `InputError` naming the first offending sample.
        """
        t = np.ascontiguousarray(t_ns, dtype=np.int64)
        a = np.ascontiguousarray(acc, dtype=np.float64)
        g = np.ascontiguousarray(gyr, dtype=np.float64)
        m = None if mag is None else np.ascontiguousarray(mag, dtype=np.float64)
        n = t.shape[0]
        for name, array in (("acc", a), ("gyr", g)) + ((("mag", m),) if m is not None else ()):
            if array.shape != (n, 3):
                raise InputError(f"{name} has shape {array.shape}, expected ({n}, 3) like t_ns")
        if not (np.isfinite(rate_hz) and rate_hz > 0.0):
            raise InputError(f"rate_hz is {rate_hz}; give the sample rate in hertz")
        steps = np.diff(t)
        if n > 1 and steps.min() <= 0:
            at = int(np.argmax(steps <= 0)) + 1
            raise InputError(
                f"time does not increase at sample {at} (step {int(steps[at - 1])} ns); "
                "sort the samples and drop duplicates first"
            )
        fine = (np.abs(a) <= MOST_FORCE_MS2) & (np.abs(g) <= MOST_RATE_RADS)  # NaN is neither
        # column by column: a reduction over three neighbours costs numpy ten times as much
        ok: BoolArray = fine[:, 0] & fine[:, 1] & fine[:, 2]
        # nothing on earth is without specific force: a driver or a file that holds no sample
        ok &= (a[:, 0] != 0.0) | (a[:, 1] != 0.0) | (a[:, 2] != 0.0)
        if valid is not None:
            ok = np.logical_and(ok, valid)
        return cls(t_ns=t, acc=a, gyr=g, valid=ok, rate_hz=float(rate_hz), mag=m)

    def rows(self, start: int, stop: int) -> "ImuBlock":
        """Return the samples from `start` up to before `stop`; the arrays are shared."""
        if start == 0 and stop == self.t_ns.shape[0]:
            return self
        return replace(
            self,
            t_ns=self.t_ns[start:stop],
            acc=self.acc[start:stop],
            gyr=self.gyr[start:stop],
            valid=self.valid[start:stop],
            mag=None if self.mag is None else self.mag[start:stop],
        )


@dataclass(frozen=True, slots=True)
class PairBlock:
    """Head and trunk on one common uniform grid; grid point k lies at ``t0_ns + k / rate_hz``."""

    k0: int
    """Grid index of the first row."""
    t0_ns: int
    """UTC nanoseconds of grid index 0: the head stream's first sample."""
    rate_hz: float
    """Grid rate, 100 Hz by default."""
    head_gyr: FloatArray
    """(n, 3) rad/s, mean rate over the interval that ends at the grid point; head sensor frame."""
    head_acc: FloatArray
    """(n, 3) m/s² at the grid point; head sensor frame."""
    head_valid: BoolArray
    """(n,) False in gaps longer than the interpolation limit."""
    trunk_gyr: FloatArray
    """(n, 3) rad/s, as `head_gyr`; NaN rows where there is no trunk sensor."""
    trunk_acc: FloatArray
    """(n, 3) m/s², as `head_acc`."""
    trunk_valid: BoolArray
    """(n,)."""
    head_mag: FloatArray | None = None
    """(n, 3) magnetic field in any unit, head sensor frame, NaN where unknown; None unless both
    sensors measure it."""
    trunk_mag: FloatArray | None = None
    """(n, 3), as `head_mag`; the unit may be another."""


@dataclass(frozen=True, slots=True)
class HeadingReset:
    """A held reference pose: a measurement of the head sensor's heading relative to the trunk's.

    The filter is told the rotation between the two *sensors* that the pose stands for, so it
    needs to know nothing about segments.
    """

    k_start: int
    """First grid index of the held pose."""
    k_end: int
    """Grid index one past the pose; every window of the pose is measured as the filter ends it."""
    q_th_ref: FloatArray
    """(4,) head sensor to trunk sensor rotation that the reference pose stands for."""
    sigma_deg: float
    """Standard deviation of the measurement, degrees (NUMBERS.md: N 2-3°, M and D ≥ 3°)."""
    own_value: bool = False
    """What the pose stands for was measured by itself, as that of M was, and is not the zero that
    the first pose defined: its repetitions share an error of their own."""
    shared_sigma_deg: float | None = None
    """Standard deviation of the error that all repetitions of the pose share, degrees, told with
    the first of them; 0: this pose shares none; None: what the filter assumes."""


@dataclass(frozen=True, slots=True)
class PairOrientation:
    """Orientation of both sensors on the common grid, with the filter's own trust in heading."""

    k0: int
    q_es_head: FloatArray
    """(n, 4) head sensor to earth."""
    q_es_trunk: FloatArray
    """(n, 4) trunk sensor to earth, in the same earth frame up to the relative heading error."""
    heading_sigma_deg: FloatArray
    """(n,) standard deviation of the relative heading of the two sensors, degrees."""
    head_bias_dps: FloatArray
    """(3,) gyroscope bias of the head sensor after the last row."""
    trunk_bias_dps: FloatArray
    """(3,) gyroscope bias of the trunk sensor after the last row."""


@dataclass(frozen=True, slots=True)
class Span:
    """A labelled stretch of a recording, such as a pose held or a movement asked for."""

    kind: str
    """`PoseKind`, `MovementKind`, or a label that alignment ignores."""
    start_ns: int
    end_ns: int
    sigma_deg: float | None = None
    """Standard deviation of a held pose where the recording declares one."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """Sensor-to-segment rotations of head and trunk and the neutral reference N."""

    id: str
    """Short hash of the rotations."""
    n_id: str
    """Short id of the neutral reference; stays when a re-don changes `id`."""
    method: str
    """`guided`, `mounting`, `passive` or `redon`."""
    quality: Literal["good", "fair", "low"]
    q_head_segment_sensor: FloatArray
    """(4,) head sensor coordinates to head segment coordinates (X anterior, Y up, Z right)."""
    q_trunk_segment_sensor: FloatArray
    """(4,) trunk sensor to thorax segment coordinates."""
    neutral_q: FloatArray
    """(4,) N: the mean `R_rel` (head segment to thorax segment) over the reference neutral pose."""
    sigma_deg: float
    """Contribution of the alignment to the standard deviation of axial rotation, degrees."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CervicalAngles:
    """Angles of the head relative to the thorax on the common grid."""

    k0: int
    q_rel: FloatArray
    """(n, 4) `R_rel` itself: head segment to thorax segment, N not removed."""
    flexion_deg: FloatArray
    """(n,) positive: chin to chest."""
    lateral_right_deg: FloatArray
    """(n,) positive: right ear to right shoulder."""
    rotation_right_deg: FloatArray
    """(n,) positive: face to the patient's right."""
    deviation_deg: FloatArray
    """(n,) geodesic angle from N, ≥ 0."""
    heading_sigma_deg: FloatArray
    """(n,) standard deviation of `rotation_right_deg`."""
    valid: BoolArray
    """(n,) the sample exists and both sensors are worn."""


@dataclass(frozen=True, slots=True)
class Episode:
    """A candidate episode; never called a spasm until a person confirms it."""

    kind: EpisodeKind
    label: str
    """`jerk`, `jerk_burst`, `dystonic`, `off_neutral`, `unspecified`, `regular`, `jerky`,
    `slow_jerky`."""
    start_ns: int
    end_ns: int
    peak_ns: int
    amplitude_deg: float
    confidence: float
    """0..1."""
    detector: str
    """Detector name and version."""
    features: dict[str, float] = field(default_factory=dict)
    """Named features with units in their names (reference: clinical specification, section 7)."""
