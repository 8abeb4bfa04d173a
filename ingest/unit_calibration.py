"""Calibrate one sensor unit from what it sent while it lay on its six faces.

The samples come from the record, so this works beside a running collector: lay the sensor on its
faces while it streams, then ask. Stored values are taken as the unit sent them, without any earlier
calibration; the rate is the unit's own clock's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ingest.errors import IngestError
from processing.intrinsic import UnitEstimate, calibrate_unit
from processing.types import FloatArray
from storage.record import RecordReader
from storage.record.types import Stream

_NAMES = tuple(f"{quantity}_{axis}" for quantity in ("acc", "gyr") for axis in "xyz")


@dataclass(frozen=True, slots=True)
class CalibratedUnit:
    """A unit's errors and what they rest on."""

    device_id: str
    estimate: UnitEstimate
    seconds: float
    """Length of the stretch that was used."""

    def record(self, *, at_ns: int) -> dict[str, Any]:
        """Return the calibration as the catalogue and every later stream keep it."""
        e = self.estimate
        return {
            "acc_matrix": e.acc_matrix.tolist(),
            "acc_offset_ms2": e.acc_offset_ms2.tolist(),
            "acc_offset_sigma_ms2": e.acc_offset_sigma_ms2.tolist(),
            "gyr_matrix": e.gyr_matrix.tolist(),
            "gyr_offset_rads": e.gyr_offset_rads.tolist(),
            "gyr_offset_sigma_rads": e.gyr_offset_sigma_rads.tolist(),
            "gyr_gain_sigma": e.gyr_gain_sigma,
            "gyro_noise_dps": e.gyro_noise_dps,
            "residual_mg": e.residual_mg,
            "closure_deg": e.closure_deg,
            "at_ns": at_ns,
        }


def calibrate_device(reader: RecordReader, device_id: str, *, last_s: float) -> CalibratedUnit:
    """Return the errors of a unit from the last seconds that it sent.

    Raises
    ------
    IngestError
        The record holds nothing of that unit, or a gap is too recent.
    InputError
        Faces are missing; the message names them.
    """
    streams = reader.streams(device_id=device_id, kind="imu")
    streams = [s for s in streams if set(_NAMES) <= set(s.info.names) and s.end_index is not None]
    if not streams:
        known = sorted({s.info.device_id for s in reader.streams(kind="imu")})
        raise IngestError(
            f"the record holds no samples of {device_id}; it knows {', '.join(known) or 'none'}"
        )
    stream = streams[-1]
    rate_hz = true_rate_hz(reader, stream)
    acc, gyr = _last_samples(reader, stream, round(last_s * rate_hz))
    estimate = calibrate_unit(acc, gyr, rate_hz=rate_hz)
    return CalibratedUnit(device_id, estimate, acc.shape[0] / rate_hz)


def true_rate_hz(reader: RecordReader, stream: Stream) -> float:
    """Return the rate by the unit's own clock, the nominal one where it has none.

    An output data rate is off by up to 3 %; as an error of integration time that would be taken
    for the gyroscope's scale.
    """
    anchors = reader.anchors(stream.id)
    clock_hz = stream.info.device_clock_hz
    known = anchors.device_ticks >= 0
    if clock_hz is None or known.sum() < 2:
        return stream.info.rate_hz
    index, ticks = anchors.index[known], anchors.device_ticks[known]
    if ticks[-1] <= ticks[0]:
        return stream.info.rate_hz
    return float((index[-1] - index[0]) / (ticks[-1] - ticks[0]) * clock_hz)


def _last_samples(reader: RecordReader, stream: Stream, n: int) -> tuple[FloatArray, FloatArray]:
    """Return the newest unbroken run of at most n samples, SI units, uncalibrated."""
    assert stream.end_index is not None
    begin = max(0, stream.end_index - n)
    chunks = list(reader.samples(stream.id, begin, stream.end_index))
    index = np.concatenate([chunk.index for chunk in chunks])
    data = np.concatenate([chunk.data for chunk in chunks]) * stream.info.scales
    breaks = np.flatnonzero(np.diff(index) != 1)
    first = int(breaks[-1]) + 1 if breaks.size else 0
    columns = [stream.info.names.index(name) for name in _NAMES]
    values = np.ascontiguousarray(data[first:, columns], dtype=np.float64)
    return values[:, :3], values[:, 3:]


def is_due(calibration: Mapping[str, Any], *, now_ns: int, after_days: float = 180.0) -> bool:
    """Whether a unit should be calibrated (again): never done, or older than half a year."""
    at_ns = calibration.get("at_ns")
    return at_ns is None or now_ns - int(at_ns) > after_days * 86_400e9
