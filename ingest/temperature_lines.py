"""Learn a unit's bias over temperature from what it sent while it lay still, off the body.

Everything is in the record already: samples, and the temperature in the status of sensors that
report one. Stored values are taken as the unit sent them, without any calibration.
"""

import itertools
from typing import Any, Final

import numpy as np

from ingest.errors import IngestError
from ingest.record_rows import STATUS_CHANNELS
from processing.temperature_line import (
    LEAST_SPAN_K,
    BiasPairs,
    TemperatureLine,
    fit_line,
    still_minutes,
)
from processing.types import BoolArray, FloatArray, IntArray
from storage.record import RecordReader, Stream

KEY: Final = "temperature"
"""Of the line in a unit's calibration."""
_ACC = tuple(f"acc_{axis}" for axis in "xyz")
_GYR = tuple(f"gyr_{axis}" for axis in "xyz")
_NEAR_NS: Final = 60_000_000_000
"""A temperature this far from a minute's middle is still that of the minute."""
_ROWS: Final = 400_000
"""Read at a time: an hour, since a stretch of stillness ends where a chunk does."""
_TEMPERATURE: Final = [c.name for c in STATUS_CHANNELS].index("temperature")


def learn_line(
    reader: RecordReader, device_id: str, *, since_ns: int
) -> tuple[BiasPairs, TemperatureLine | None]:
    """Return a unit's minutes at rest since a time, and the line through them.

    Raises
    ------
    IngestError
        The record holds no samples with a gyroscope, or no temperature, of that unit since then.
    """
    streams = [
        stream
        for stream in reader.streams(device_id=device_id, kind="imu", t0_ns=since_ns)
        if stream.samples and set(_ACC + _GYR) <= set(stream.info.names)
    ]
    if not streams:
        raise IngestError(
            f"the record holds no samples of {device_id} with a gyroscope from that time on",
            remedy="Look further back, or see `necktrace doctor` for the sensors of this folder.",
        )
    times, degc = _temperatures(reader, device_id, since_ns - _NEAR_NS)
    if times.size == 0:
        raise IngestError(
            f"{device_id} reports no temperature",
            remedy="Only sensors whose page in the documentation says so have a thermometer.",
        )
    asked = degc[times >= since_ns]
    if asked.size == 0 or float(np.ptp(asked)) < LEAST_SPAN_K:
        return BiasPairs(np.empty(0), np.empty((0, 3))), None  # no need to read any samples
    found = [_pairs(reader, stream, since_ns, times, degc) for stream in streams]
    pairs = BiasPairs(
        np.concatenate([p.degc for p in found]), np.concatenate([p.bias_rads for p in found])
    )
    return pairs, fit_line(pairs)


def record_of(line: TemperatureLine, *, at_ns: int) -> dict[str, Any]:
    """Return a line as the catalogue and every later stream keep it."""
    return {
        "at_degc": line.at_degc,
        "bias_rads": line.bias_rads.tolist(),
        "slope_rads_k": line.slope_rads_k.tolist(),
        "slope_sigma_rads_k": line.slope_sigma_rads_k.tolist(),
        "span_k": line.span_k,
        "minutes": line.minutes,
        "at_ns": at_ns,
    }


def temperatures_of_boot(
    reader: RecordReader, device_id: str, boot: int
) -> list[tuple[int, float]]:
    """Return (arrival, °C) of one boot of a unit, in order of arrival."""
    found = []
    for stream in reader.streams(device_id=device_id, kind="status"):
        if stream.info.boot == boot:
            found += _rows(reader, stream)
    return sorted(found)


def _temperatures(
    reader: RecordReader, device_id: str, since_ns: int
) -> tuple[IntArray, FloatArray]:
    streams = reader.streams(device_id=device_id, kind="status", t0_ns=since_ns)
    rows = sorted(itertools.chain.from_iterable(_rows(reader, stream) for stream in streams))
    return (
        np.array([t for t, _ in rows], dtype=np.int64),
        np.array([value for _, value in rows], dtype=np.float64),
    )


def _rows(reader: RecordReader, stream: Stream) -> list[tuple[int, float]]:
    found: list[tuple[int, float]] = []
    if stream.info.names[_TEMPERATURE : _TEMPERATURE + 1] != ("temperature",):
        return found
    for chunk in reader.samples(stream.id):
        values = chunk.data[:, _TEMPERATURE].tolist()
        found += [
            (t, float(v))
            for t, v in zip(chunk.anchors.host_ns.tolist(), values, strict=True)
            if np.isfinite(v)
        ]
    return found


def _pairs(
    reader: RecordReader, stream: Stream, since_ns: int, times: IntArray, degc: FloatArray
) -> BiasPairs:
    columns = [stream.info.names.index(name) for name in _ACC + _GYR]
    scales = np.asarray(stream.info.scales)[columns]
    anchors = reader.anchors(stream.id)
    order = np.argsort(anchors.index, kind="stable")
    index, host_ns = anchors.index[order], np.maximum.accumulate(anchors.host_ns[order])
    begin = int(index[np.searchsorted(host_ns, since_ns).clip(max=index.size - 1)])
    kept_degc: list[float] = []
    kept_bias: list[FloatArray] = []
    for chunk in reader.samples(stream.id, begin, max_rows=_ROWS, packets=False):
        values = chunk.data[:, columns] * scales
        whole: BoolArray = np.logical_and.reduce(np.isfinite(values), axis=1)
        cuts = np.flatnonzero((np.diff(chunk.index) != 1) | ~whole[1:] | ~whole[:-1]) + 1
        for rows in np.split(np.arange(chunk.index.size), cuts):
            run = np.ascontiguousarray(values[rows])
            for a, b in still_minutes(run[:, :3], run[:, 3:], stream.info.rate_hz):
                middle = int(np.interp(chunk.index[rows[0]] + 0.5 * (a + b), index, host_ns))
                k = int(np.searchsorted(times, middle))
                near = [j for j in (k - 1, k) if 0 <= j < times.size]
                j = min(near, key=lambda j: abs(int(times[j]) - middle))
                if abs(int(times[j]) - middle) <= _NEAR_NS:
                    kept_degc.append(float(np.interp(middle, times, degc)))
                    kept_bias.append(run[a:b, 3:].mean(axis=0))
    return BiasPairs(np.array(kept_degc), np.array(kept_bias).reshape(-1, 3))
