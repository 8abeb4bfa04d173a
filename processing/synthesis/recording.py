"""What the simulator hands out: counts of both sensors, and the truth behind them."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from processing import angles, quaternion
from processing.counts import block_of_counts
from processing.frames import UPRIGHT_FACING_EAST
from processing.synthesis.schedule import Label
from processing.synthesis.spec import PatientSpec
from processing.types import FloatArray, ImuBlock, IntArray, Span

Int16Array = NDArray[np.int16]
_COLUMNS = np.arange(6)
_FULL_SCALE = 32767


@dataclass(frozen=True, slots=True)
class SensorTruth:
    """The errors that one sensor really has, and how it is worn."""

    q_segment_sensor: FloatArray
    """(4,) sensor to segment, soft tissue at rest."""
    gyr_bias_dps: FloatArray
    """(3,) at switch-on."""
    gyr_warmup_dps: FloatArray
    """(3,) added when warm."""
    warmup_tau_s: float
    gyr_matrix: FloatArray
    """(3, 3) what turns true rate into measured rate."""
    acc_offset_ms2: FloatArray
    """(3,)."""
    noise_sd: FloatArray
    """(2,) per sample: accelerometer m/s², gyroscope rad/s."""
    acc_per_count: float
    """m/s² per count."""
    gyr_per_count: float
    """rad/s per count."""

    def bias_dps(self, t_s: ArrayLike) -> FloatArray:
        """Return the true bias (..., 3), °/s, at times since the start."""
        warm = 1.0 - np.exp(-np.asarray(t_s, dtype=np.float64)[..., None] / self.warmup_tau_s)
        return np.asarray(self.gyr_bias_dps + warm * self.gyr_warmup_dps)


@dataclass(frozen=True, slots=True)
class SimulatedChunk:
    """Samples `first_index` on of both sensors."""

    first_index: int
    head_counts: Int16Array
    """(n, 6) acceleration then rate, counts; scales in `SensorTruth`."""
    trunk_counts: Int16Array
    spans: tuple[Span, ...]
    """Poses and movements that begin in this chunk; nanoseconds since the start."""
    labels: tuple[Label, ...]
    """What truly happens from this chunk's start on."""
    truth: FloatArray
    """(n, 14) as `motion.move` writes it, (0, 14) where not asked for."""


@dataclass(frozen=True, slots=True)
class SimulatedRecording:
    """One recording with its truth."""

    spec: PatientSpec
    rate_hz: float
    t_ns: IntArray
    """(n,) nanoseconds since the start, both sensors."""
    head_counts: Int16Array
    """(n, 6) acceleration then rate, counts."""
    trunk_counts: Int16Array
    head: SensorTruth
    trunk: SensorTruth
    spans: tuple[Span, ...]
    labels: tuple[Label, ...]
    truth: FloatArray = field(repr=False)
    """(n, 14) as `motion.move` writes it."""

    @property
    def q_rel(self) -> FloatArray:
        """(n, 4) true head segment to thorax segment."""
        return self.truth[:, :4]

    @property
    def q_es_head(self) -> FloatArray:
        """(n, 4) true head sensor to earth, soft tissue included."""
        segment = quaternion.multiply(self._trunk_segment(), self.q_rel)
        return self._sensor(segment, self.truth[:, 8:11], self.head)

    @property
    def q_es_trunk(self) -> FloatArray:
        """(n, 4) true trunk sensor to earth, soft tissue included."""
        return self._sensor(self._trunk_segment(), self.truth[:, 11:14], self.trunk)

    def _trunk_segment(self) -> FloatArray:
        return quaternion.multiply(UPRIGHT_FACING_EAST, self.truth[:, 4:8])

    @staticmethod
    def _sensor(segment: FloatArray, skin: FloatArray, sensor: SensorTruth) -> FloatArray:
        worn = quaternion.multiply(segment, quaternion.from_rotation_vector(skin))
        return quaternion.multiply(worn, sensor.q_segment_sensor)

    def neutral_q(self) -> FloatArray:
        """Return N: the true mean `R_rel` over the first neutral pose as held.

        Without one, the identity (anatomical neutral).
        """
        for span in self.spans:
            if span.kind == "neutral_pose":
                inside = (self.t_ns >= span.start_ns) & (self.t_ns < span.end_ns)
                if inside.any():
                    return quaternion.mean(self.q_rel[inside])
        return quaternion.IDENTITY.copy()

    def angles(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return true (flexion, lateral right, rotation right), degrees, zero at N as held."""
        n_inverse = quaternion.conjugate(self.neutral_q())
        return angles.decompose(quaternion.multiply(self.q_rel, n_inverse))

    def blocks(self) -> tuple[ImuBlock, ImuBlock]:
        """Return the samples of head and trunk in SI units."""
        return (
            _block(self.t_ns, self.head_counts, self.head, self.rate_hz),
            _block(self.t_ns, self.trunk_counts, self.trunk, self.rate_hz),
        )


def _block(t_ns: IntArray, counts: Int16Array, sensor: SensorTruth, rate_hz: float) -> ImuBlock:
    scales = np.repeat((sensor.acc_per_count, sensor.gyr_per_count), 3)
    return block_of_counts(t_ns, counts, _COLUMNS, scales, _FULL_SCALE, rate_hz=rate_hz)


def sample_times_ns(first_index: int, n: int, rate_hz: float) -> IntArray:
    """Return the times of samples, nanoseconds since the start, (n,) int64."""
    times: IntArray = np.rint((first_index + np.arange(n)) * (1e9 / rate_hz)).astype(np.int64)
    return times
