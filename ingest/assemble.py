"""What a sensor sends as blocks in SI units, and as packets that a clock can be fitted to.

The times of samples are `ingest.timeline`'s.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ingest.drivers.driver import SensorPacket, TimeSyncReport
from ingest.unit_errors import UnitCalibration, corrected
from processing import clock
from processing.counts import Counts, block_of_counts
from processing.types import FloatArray, ImuBlock, IntArray

Samples = NDArray[np.int16] | NDArray[np.int32] | NDArray[np.float32]


class ChannelLike(Protocol):
    """A channel as drivers and the record describe it."""

    @property
    def name(self) -> str:
        """`acc_x` .. `mag_z`."""
        ...

    @property
    def scale(self) -> float:
        """SI value of one stored unit."""
        ...


@dataclass(frozen=True, slots=True)
class Layout:
    """How rows of stored numbers become specific force and angular rate."""

    acc: tuple[int, ...]
    """Columns of x, y, z."""
    gyr: tuple[int, ...]
    """Empty without a gyroscope: its rates are NaN."""
    mag: tuple[int, ...] | None
    scales: FloatArray
    """(c,) SI value of one stored unit."""
    full_scale: int | None
    """Count at which integer channels saturate; None for float."""
    rate_hz: float
    """Nominal."""
    calibration: UnitCalibration | None = None


def layout_of(
    channels: Sequence[ChannelLike],
    dtype: str,
    rate_hz: float,
    calibration: UnitCalibration | None = None,
    *,
    needs_gyr: bool = True,
) -> Layout | None:
    """Return how to read a stream; None where it is not an accelerometer with a gyroscope.

    Parameters
    ----------
    needs_gyr : bool
        False: an accelerometer alone will do.
    """
    columns = {channel.name: i for i, channel in enumerate(channels)}
    found: dict[str, tuple[int, ...]] = {}
    for sensor in ("acc", "gyr", "mag"):
        names = [f"{sensor}_{axis}" for axis in "xyz"]
        if all(name in columns for name in names):
            found[sensor] = tuple(columns[name] for name in names)
    if "acc" not in found or (needs_gyr and "gyr" not in found):
        return None
    full_scale = None if dtype == "float32" else int(np.iinfo(dtype).max)
    scales = np.array([channel.scale for channel in channels], dtype=np.float64)
    return Layout(
        found["acc"],
        found.get("gyr", ()),
        found.get("mag"),
        scales,
        full_scale,
        rate_hz,
        calibration,
    )


def si_block(
    layout: Layout, t_ns: NDArray[np.int64], samples: Samples, degc: float | None = None
) -> ImuBlock:
    """Return the samples in SI units; a saturated or non-finite one is there, but not valid.

    Parameters
    ----------
    t_ns : (n,) int64
        UTC, strictly increasing.
    samples : (n, c)
        Stored numbers.
    degc : float, optional
        The sensor's temperature, where it is known.
    """
    mag = _field(layout, samples)
    columns = _columns(layout)
    scales = layout.scales[columns]
    unit = layout.calibration
    if not layout.gyr:
        acc = samples[:, columns] * scales
        unknown = np.full_like(acc, np.nan)
        block = ImuBlock.checked(t_ns, acc, np.zeros_like(acc), rate_hz=layout.rate_hz, mag=mag)
        block = replace(block, gyr=unknown)  # valid is what the accelerometer gave
    elif layout.full_scale is None:
        values = samples[:, columns] * scales
        block = ImuBlock.checked(
            t_ns, values[:, :3], values[:, 3:], rate_hz=layout.rate_hz, mag=mag
        )
    else:
        counts = cast("Counts", np.ascontiguousarray(samples))
        t_ns = np.ascontiguousarray(t_ns, dtype=np.int64)
        block = block_of_counts(
            t_ns, counts, columns, scales, layout.full_scale, rate_hz=layout.rate_hz
        )
        if mag is not None:
            block = replace(block, mag=mag)
    return corrected(block, unit, degc)


def _field(layout: Layout, samples: Samples) -> FloatArray | None:
    """Return the magnetic field, NaN where the magnetometer had no new value: the lowest count."""
    if layout.mag is None:
        return None
    stored = samples[:, layout.mag]
    field: FloatArray = stored * layout.scales[[*layout.mag]]
    if layout.full_scale is not None:
        field[(stored < -layout.full_scale).any(axis=1)] = np.nan
    return field


@cache
def _columns_of(acc: tuple[int, ...], gyr: tuple[int, ...]) -> IntArray:
    return np.array(acc + gyr, dtype=np.int64)


def _columns(layout: Layout) -> IntArray:
    """Return the columns of acceleration and angular rate; kept, since every second asks."""
    return _columns_of(layout.acc, layout.gyr)


def device_time_us(packet: SensorPacket, rate_hz: float) -> int:
    """Return the device time of a packet's first sample, from whatever the sensor stamps."""
    if packet.device_us is not None:
        return packet.device_us
    if packet.last_device_us is not None:
        return packet.last_device_us - round((packet.n - 1) * 1e6 / rate_hz)
    return round(packet.first_index * 1e6 / rate_hz)


def arrival_ns(host_mono_ns: int, utc_offset_ns: int) -> int:
    """Return an arrival on the steady UTC clock, in whole microseconds as the record keeps it."""
    return host_mono_ns // 1000 * 1000 + utc_offset_ns


def round_trip(report: TimeSyncReport, utc_offset_ns: int) -> clock.RoundTrip:
    """Return a time-sync exchange on the steady UTC clock."""
    return clock.RoundTrip(
        host_sent_ns=report.t1_us * 1000 + utc_offset_ns,
        device_received_us=report.t2_us,
        device_sent_us=report.t3_us,
        host_received_ns=report.t4_us * 1000 + utc_offset_ns,
    )


def part_of(packet: SensorPacket, begin: int, end: int, rate_hz: float) -> SensorPacket:
    """Return rows begin..end of a packet as a packet of its own, with the time of its first row."""
    if packet.device_us is None and packet.last_device_us is None:
        device_us = None
    else:
        device_us = device_time_us(packet, rate_hz) + round(begin * 1e6 / rate_hz)
    return replace(
        packet,
        first_index=packet.first_index + begin,
        device_us=device_us,
        last_device_us=None,
        samples=packet.samples[begin:end],
        clock_stepped=packet.clock_stepped and begin == 0,
    )


def live_anchors(
    packet: SensorPacket, skip: int, rate_hz: float, utc_offset_ns: int
) -> clock.Anchors:
    """Return the notifications of a packet as the clock takes them, without `skip` first rows.

    They are ahead of everything before them: live.
    """
    if packet.further is None:
        part = packet if skip == 0 else part_of(packet, skip, packet.n, rate_hz)
        rows: Sequence[int] = [skip]
        device_us: Sequence[int] = [device_time_us(part, rate_hz)]
        hosts: Sequence[int] = [packet.host_mono_ns]
    else:
        rows = (0, *packet.further.rows)
        device_us = (device_time_us(packet, rate_hz), *packet.further.device_us)
        hosts = (packet.host_mono_ns, *packet.further.host_mono_ns)
        if skip:
            k = bisect_right(rows, skip) - 1
            first_us = device_us[k] + round((skip - rows[k]) * 1e6 / rate_hz)
            rows, device_us = (skip, *rows[k + 1 :]), (first_us, *device_us[k + 1 :])
            hosts = hosts[k:]
    n = len(rows)
    stepped = np.zeros(n, dtype=np.bool_)
    stepped[0] = packet.clock_stepped and skip == 0
    first = packet.first_index
    table = np.array(
        (
            [first + row for row in rows],
            [b - a for a, b in zip(rows, [*rows[1:], packet.n], strict=True)],
            device_us,
            [arrival_ns(host, utc_offset_ns) for host in hosts],
        ),
        dtype=np.int64,
    )
    live = np.ones(n, dtype=np.bool_)
    return clock.Anchors(table[0], table[1], table[2], table[3], live, stepped)
