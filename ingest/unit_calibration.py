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
from processing.intrinsic import (
    AccelerometerEstimate,
    UnitEstimate,
    calibrate_accelerometer,
    calibrate_unit,
)
from processing.types import FloatArray
from storage.record import RecordReader
from storage.record.types import Anchors, Stream

_ACC = tuple(f"acc_{axis}" for axis in "xyz")
_GYR = tuple(f"gyr_{axis}" for axis in "xyz")
_PLAUSIBLE = 0.1
"""A rate by arrival further from the nominal one than this share is no rate."""
_ROUNDS = 4
"""Which packets are least delayed depends on the rate, and the rate on them; two rounds settle."""
_ARRIVALS_S = 30.0
"""Least span for a rate by arrival: 50 ms of jitter are 0.2 % of it."""


@dataclass(frozen=True, slots=True)
class CalibratedUnit:
    """A unit's errors and what they rest on."""

    device_id: str
    estimate: UnitEstimate | AccelerometerEstimate
    """Of the accelerometer alone where the unit has no gyroscope."""
    seconds: float
    """Length of the stretch that was used."""
    rate_hz: float
    """By the unit's own clock."""

    def record(self, *, at_ns: int) -> dict[str, Any]:
        """Return the calibration as the catalogue and every later stream keep it."""
        e = self.estimate
        known: dict[str, Any] = {
            "acc_matrix": e.acc_matrix.tolist(),
            "acc_offset_ms2": e.acc_offset_ms2.tolist(),
            "acc_offset_sigma_ms2": e.acc_offset_sigma_ms2.tolist(),
            "residual_mg": e.residual_mg,
            "at_ns": at_ns,
        }
        if isinstance(e, AccelerometerEstimate):
            return known
        return known | {
            "gyr_matrix": e.gyr_matrix.tolist(),
            "gyr_offset_rads": e.gyr_offset_rads.tolist(),
            "gyr_offset_sigma_rads": e.gyr_offset_sigma_rads.tolist(),
            "gyr_gain_sigma": e.gyr_gain_sigma,
            "gyro_noise_dps": e.gyro_noise_dps,
            "rate_hz": self.rate_hz,
            "closure_deg": e.closure_deg,
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
    # a sensor without gyroscope is recorded under the name of what it has
    streams = [
        stream
        for name in (device_id, f"{device_id}/acc")
        for stream in reader.streams(device_id=name, kind="imu")
    ]
    streams = [s for s in streams if set(_ACC) <= set(s.info.names) and s.end_index is not None]
    if not streams:
        known = sorted({s.info.device_id.split("/")[0] for s in reader.streams(kind="imu")})
        if not known:
            raise IngestError(
                "no sensor has sent anything into this folder yet",
                remedy="Start `necktrace up`, lay the sensor on its faces, then ask again.",
            )
        raise IngestError(
            f"the record holds no samples of {device_id}; it knows {', '.join(known)}"
        )
    stream = streams[-1]
    rate_hz = true_rate_hz(reader, stream)
    turns = set(_GYR) <= set(stream.info.names)
    values = _last_samples(reader, stream, round(last_s * rate_hz), _ACC + _GYR if turns else _ACC)
    acc = np.ascontiguousarray(values[:, :3])
    estimate: UnitEstimate | AccelerometerEstimate
    if turns:
        estimate = calibrate_unit(acc, np.ascontiguousarray(values[:, 3:]), rate_hz=rate_hz)
    else:
        estimate = calibrate_accelerometer(acc, rate_hz=rate_hz)
    return CalibratedUnit(device_id, estimate, acc.shape[0] / rate_hz, rate_hz)


def true_rate_hz(reader: RecordReader, stream: Stream) -> float:
    """Return the rate by the unit's own clock, by the arrivals where it has none.

    An output data rate is off by up to 3 %; as an error of integration time that would be taken
    for the gyroscope's scale.
    """
    anchors = reader.anchors(stream.id)
    clock_hz = stream.info.device_clock_hz
    known = anchors.device_ticks >= 0
    if clock_hz is None or known.sum() < 2:
        return _rate_by_arrival(anchors, stream.info.rate_hz)
    index, ticks = anchors.index[known], anchors.device_ticks[known]
    if ticks[-1] <= ticks[0]:
        return stream.info.rate_hz
    return float((index[-1] - index[0]) / (ticks[-1] - ticks[0]) * clock_hz)


def _rate_by_arrival(anchors: Anchors, nominal_hz: float) -> float:
    """Return samples per second of the host, the nominal rate where they tell nothing.

    Between the least delayed packets of the first and of the last third: a stall of the radio at
    either end, 0.4 s in a minute, would be 0.6 % of rate.
    """
    index, host_s = anchors.index, (anchors.host_ns - anchors.host_ns[:1]) * 1e-9
    if index.size < 2 or float(host_s[-1]) < _ARRIVALS_S:
        return nominal_hz
    third = max(1, index.size // 3)
    rate_hz = float(index[-1] - index[0]) / float(host_s[-1])
    for _ in range(_ROUNDS):
        delay_s = host_s - index / rate_hz
        a, b = (
            int(np.argmin(delay_s[:third])),
            index.size - third + int(np.argmin(delay_s[-third:])),
        )
        rate_hz = float(index[b] - index[a]) / float(host_s[b] - host_s[a])
    return rate_hz if abs(rate_hz / nominal_hz - 1.0) < _PLAUSIBLE else nominal_hz


def _last_samples(
    reader: RecordReader, stream: Stream, n: int, names: tuple[str, ...]
) -> FloatArray:
    """Return the longest unbroken run among the last n samples, SI units, uncalibrated.

    A sample that lacks a quantity breaks a run, as a missing one does.
    """
    assert stream.end_index is not None
    begin = max(0, stream.end_index - n)
    chunks = list(reader.samples(stream.id, begin, stream.end_index))
    index = np.concatenate([chunk.index for chunk in chunks])
    data = np.concatenate([chunk.data for chunk in chunks]) * stream.info.scales
    columns = [stream.info.names.index(name) for name in names]
    values = np.ascontiguousarray(data[:, columns], dtype=np.float64)
    whole = np.isfinite(values).all(axis=1)
    index, values = index[whole], values[whole]
    starts = np.flatnonzero(np.diff(index, prepend=-2) != 1)
    if not starts.size:
        return values
    lengths = np.diff(starts, append=index.size)
    longest = int(np.argmax(lengths))
    return values[starts[longest] : starts[longest] + lengths[longest]]


def is_due(calibration: Mapping[str, Any], *, now_ns: int, after_days: float = 180.0) -> bool:
    """Whether a unit should be calibrated (again): never done, or older than half a year."""
    at_ns = calibration.get("at_ns")
    return at_ns is None or now_ns - int(at_ns) > after_days * 86_400e9
