"""The record as blocks: the same samples, times and units that the live chain had, and more.

Clocks are fitted again from the stored anchors and time-sync exchanges, packet by packet in the
order of arrival, so a sample that came live has here the very time it had live. Samples that were
fetched later stand in their place.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ingest.assemble import Layout, layout_of
from ingest.live import Role
from ingest.record_rows import EVENT_CLOCK_STEPPED
from ingest.temperature_lines import temperatures_of_boot
from ingest.thermometer import Thermometer
from ingest.timeline import ARRIVAL_CLOCK, Piece, Run, Timeline, part_of_anchors
from ingest.unit_errors import UnitCalibration
from processing import clock
from processing.types import BoolArray, ImuBlock, IntArray
from storage.record import Chunk, RecordReader, Stream, StreamInfo

Samples = NDArray[np.int16] | NDArray[np.int32] | NDArray[np.float32]

Reached = Callable[[StreamInfo, Timeline], None]
"""Told a stream and its clock when all that was asked for of it has been given."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the record knows of one boot beside its samples."""

    first: IntArray
    """(p,) index of each packet's first sample."""
    device_us: IntArray
    host_ns: IntArray
    live: BoolArray
    told: tuple[tuple[int, clock.RoundTrip | float], ...]
    """What acts on packets that come after it, by arrival: time-sync exchanges, and temperatures
    where the unit's bias is known to follow them."""
    stepped: IntArray
    """Device times of packets at which the clock was stepped."""
    end_index: int | None
    """First sample that is not asked for; None: all are."""


def blocks(
    reader: RecordReader,
    *,
    patient: str,
    role: Role,
    t0_ns: int = 0,
    t1_ns: int = 2**62,
    params: clock.ClockParams | None = None,
    as_of_ns: int | None = None,
    on_reached: Reached | None = None,
    needs_gyr: bool = True,
) -> Iterator[Piece]:
    """Yield the samples of one role with times in [t0, t1), in order of time.

    Parameters
    ----------
    reader : RecordReader
    patient, role : str
        Whose, worn where.
    t0_ns, t1_ns : int
        UTC; the clock is fitted from each boot's beginning whatever the range.
    params : ClockParams, optional
        Of the live collector where times shall be the same.
    as_of_ns : int, optional
        Leave out what arrived live from this UTC on: the record may be growing.
    on_reached : callable, optional
    needs_gyr : bool
        False: also sensors that have an accelerometer only; their rates are NaN.

    Yields
    ------
    Piece
        At most a few hundred kilobytes each; `new_axis` where a time axis broke, as live.
    """
    given_ns: int | None = None
    pieces = _pieces(
        reader, patient, role, t0_ns, t1_ns, params, as_of_ns, on_reached, needs_gyr=needs_gyr
    )
    for piece in pieces:
        # stored samples of a boot's end may overlap the next boot's beginning by milliseconds
        floor = t0_ns if piece.new_axis or given_ns is None else max(t0_ns, given_ns + 1)
        cut = _within(piece, floor, t1_ns)
        if cut is not None:
            given_ns = int(cut.block.t_ns[-1])
            yield cut


def _pieces(
    reader: RecordReader,
    patient: str,
    role: Role,
    t0_ns: int,
    t1_ns: int,
    params: clock.ClockParams | None,
    as_of_ns: int | None,
    on_reached: Reached | None,
    *,
    needs_gyr: bool,
) -> Iterator[Piece]:
    """Yield the samples of boots that may reach into a range."""
    timeline: Timeline | None = None
    after_ns: int | None = None
    for stream in reader.streams(patient=patient, role=role, kind="imu"):
        layout = _layout(stream.info, needs_gyr=needs_gyr)
        if layout is None or not stream.samples:
            continue
        if (stream.host_first_ns or 0) >= t1_ns + _LATEST_NS:
            continue
        if stream.host_last_ns is not None and stream.host_last_ns < t0_ns:
            continue
        facts = _facts(reader, stream, layout, as_of_ns)
        if facts.end_index is not None and facts.end_index <= (stream.first_index or 0):
            continue
        if timeline is not None:  # that boot has ended
            yield from timeline.rest()
            after_ns = timeline.last_t_ns
        has_clock = stream.info.device_clock_hz is not None
        timeline = Timeline(
            layout, params if has_clock else params or ARRIVAL_CLOCK, after_ns=after_ns
        )
        yield from _boot(reader, stream, timeline, facts)
        if on_reached is not None and timeline.begun:
            _read_on(reader, stream.info, timeline, as_of_ns)
            on_reached(stream.info, timeline)
    if timeline is not None and on_reached is None:
        yield from timeline.rest()


_LATEST_NS = 3_600_000_000_000
"""A boot whose first sample arrived so long after a range holds nothing of it."""


def _boot(
    reader: RecordReader, stream: Stream, timeline: Timeline, facts: _Facts
) -> Iterator[Piece]:
    told = deque(facts.told)
    boot = stream.info.boot
    early: list[Run] = []
    started = False
    for anchors, samples in _batches(reader, stream, facts):
        rows = np.append(0, np.cumsum(anchors.n_samples))
        begin, end = 0, anchors.n_samples.shape[0]
        if not started:
            begin = int(anchors.live.argmax()) if anchors.live.any() else end
            early += [_run(anchors, samples, rows, k) for k in range(begin)]
            if begin == end:
                continue
        while begin < end:
            due = end  # first packet that came after what is told next
            if told:
                late = anchors.live & (anchors.host_ns > told[0][0])
                due = begin + int(late[begin:].argmax()) if late[begin:].any() else end
            if not started and due > begin:
                started = True
                if early:
                    first = _run(anchors, samples, rows, begin)
                    timeline.place_before(boot, early, first)
            if due > begin:
                part = samples[rows[begin] : rows[due]]
                yield from timeline.place_rows(boot, part_of_anchors(anchors, begin, due), part)
                begin = due
            if due < end:
                _tell(timeline, boot, *told.popleft())
    if started:  # they act on the packets of a collector that goes on from here
        for host_ns, what in told:
            _tell(timeline, boot, host_ns, what)


def _tell(timeline: Timeline, boot: int, host_ns: int, what: clock.RoundTrip | float) -> None:
    if isinstance(what, float):
        timeline.thermometer.read(boot, host_ns, what)
    else:
        timeline.observe(boot, what)


def _facts(
    reader: RecordReader, stream: Stream, layout: Layout, as_of_ns: int | None = None
) -> _Facts:
    anchors = reader.anchors(stream.id)
    index, host_ns = anchors.index, anchors.host_ns
    nominal_us = 1e6 / layout.rate_hz
    if stream.info.device_clock_hz is None:
        device_us = np.rint(index * nominal_us).astype(np.int64)
    else:
        device_us = np.rint(anchors.device_ticks * (1e6 / stream.info.device_clock_hz)).astype(
            np.int64
        )
    live = clock.in_order(host_ns)
    told: list[tuple[int, clock.RoundTrip | float]] = [
        (trip.host_received_ns, trip) for trip in _trips(reader, stream.info)
    ]
    if layout.calibration is not None and layout.calibration.gyr_slope_rads_k is not None:
        told += _temperatures(reader, stream.info)
        told.sort(key=lambda happening: happening[0])
    end_index: int | None = None
    if as_of_ns is not None:
        later = np.flatnonzero(live & (host_ns >= as_of_ns))
        end_index = int(index[later[0]]) if later.size else None
        told = [happening for happening in told if happening[0] < as_of_ns]
    return _Facts(
        index, device_us, host_ns, live, tuple(told), _stepped(reader, stream.info), end_index
    )


_Batch = tuple[clock.Anchors, Samples]


def _batches(reader: RecordReader, stream: Stream, facts: _Facts) -> Iterator[_Batch]:
    """Yield the samples of a boot in order of index, with the packets they came in."""
    held: tuple[IntArray, Samples] | None = None
    period_us = 1e6 / stream.info.rate_hz
    for chunk in reader.samples(stream.id, None, facts.end_index, packets=False):
        index, data = _with_held(held, chunk)
        # the last packet may go on in the next chunk
        last = int(np.searchsorted(facts.first, index[-1], side="right")) - 1
        keep = int(np.searchsorted(index, facts.first[last])) if last >= 0 else 0
        if keep:
            yield _cut(index[:keep], data[:keep], facts, period_us)
        held = index[keep:], data[keep:]
    if held is not None and held[0].size:
        yield _cut(*held, facts, period_us)


def _with_held(held: tuple[IntArray, Samples] | None, chunk: Chunk) -> tuple[IntArray, Samples]:
    if held is None or not held[0].size:
        return chunk.index, chunk.data
    data = cast("Samples", np.concatenate((held[1], chunk.data)))
    return np.concatenate((held[0], chunk.index)), data


def _cut(index: IntArray, data: Samples, facts: _Facts, period_us: float) -> _Batch:
    """Cut consecutive rows at packets and at gaps.

    Rows behind a gap without an anchor of their own (an importer may leave some) are put at the
    nominal distance from the packet before; they tell nothing about the clock.
    """
    a, b = np.searchsorted(facts.first, index[[0, -1]], side="right")
    known = facts.first[a:b]
    if index[-1] - index[0] == index.size - 1:  # no gap, as nearly always
        starts = known - index[0]
        if not starts.size or starts[0] != 0:
            starts = np.append(0, starts)
    else:
        new = np.ones(index.size, dtype=np.bool_)
        new[1:] = index[1:] != index[:-1] + 1
        new[np.searchsorted(index, known)] = True
        starts = np.flatnonzero(new)
    k = np.maximum(np.searchsorted(facts.first, index[starts], side="right") - 1, 0)
    ahead = index[starts] - facts.first[k]
    anchors = clock.Anchors(
        first_index=index[starts],
        n_samples=np.diff(np.append(starts, index.size)),
        device_us=facts.device_us[k] + np.rint(ahead * period_us).astype(np.int64),
        host_ns=facts.host_ns[k],
        live=facts.live[k] & (ahead == 0),
        stepped=np.isin(facts.device_us[k], facts.stepped) & (ahead == 0),
    )
    return anchors, data


def _run(anchors: clock.Anchors, samples: Samples, rows: IntArray, k: int) -> Run:
    return Run(
        first_index=int(anchors.first_index[k]),
        device_us=int(anchors.device_us[k]),
        host_ns=int(anchors.host_ns[k]),
        samples=samples[rows[k] : rows[k + 1]],
        live=bool(anchors.live[k]),
        stepped=bool(anchors.stepped[k]),
    )


def _trips(reader: RecordReader, info: StreamInfo) -> tuple[clock.RoundTrip, ...]:
    found = []
    for stream in reader.streams(device_id=_device(info), kind="timesync"):
        if stream.info.boot != info.boot:
            continue
        for chunk in reader.samples(stream.id):
            rows = zip(
                chunk.anchors.device_ticks.tolist(),
                chunk.anchors.host_ns.tolist(),
                chunk.data.tolist(),
                strict=True,
            )
            found += [
                clock.RoundTrip(
                    host_sent_ns=host_ns - round_us * 1000,
                    device_received_us=t2,
                    device_sent_us=t2 + turnaround_us,
                    host_received_ns=host_ns,
                )
                for t2, host_ns, (turnaround_us, round_us) in rows
            ]
    return tuple(sorted(found, key=lambda trip: trip.host_received_ns))


def _temperatures(reader: RecordReader, info: StreamInfo) -> list[tuple[int, float]]:
    """Return the temperatures that a boot's thermometer takes."""
    thermometer = Thermometer()
    taken = []
    for host_ns, degc in temperatures_of_boot(reader, _device(info), info.boot):
        if thermometer.takes(info.boot, host_ns):
            thermometer.read(info.boot, host_ns, degc)
            taken.append((host_ns, degc))
    return taken


def _read_on(
    reader: RecordReader, info: StreamInfo, timeline: Timeline, as_of_ns: int | None
) -> None:
    """Bring the thermometer to where it was live: a line for it may come into force later."""
    for host_ns, degc in temperatures_of_boot(reader, _device(info), info.boot):
        if as_of_ns is None or host_ns < as_of_ns:
            timeline.thermometer.read(info.boot, host_ns, degc)


def _stepped(reader: RecordReader, info: StreamInfo) -> IntArray:
    found: set[int] = set()
    for stream in reader.streams(device_id=_device(info), kind="event"):
        if stream.info.boot == info.boot:
            for chunk in reader.samples(stream.id):
                flagged = chunk.data[:, 0] == EVENT_CLOCK_STEPPED
                found.update(chunk.anchors.device_ticks[flagged].tolist())
    return np.array(sorted(found), dtype=np.int64)


def _device(info: StreamInfo) -> str:
    """Return the sensor's id, where a stream sampled apart carries its name behind it."""
    return info.device_id.split("/", 1)[0]


def _layout(info: StreamInfo, *, needs_gyr: bool) -> Layout | None:
    unit = UnitCalibration.from_record(info.calibration)
    return layout_of(info.channels, info.dtype.name, info.rate_hz, unit, needs_gyr=needs_gyr)


def _within(piece: Piece, t0_ns: int, t1_ns: int) -> Piece | None:
    """Return the part of a piece inside the range."""
    block = piece.block
    a, b = (int(v) for v in np.searchsorted(block.t_ns, (t0_ns, t1_ns)))
    if a >= b:
        return None
    if a == 0 and b == block.t_ns.shape[0]:
        return piece
    part = ImuBlock(
        t_ns=block.t_ns[a:b],
        acc=block.acc[a:b],
        gyr=block.gyr[a:b],
        valid=block.valid[a:b],
        rate_hz=block.rate_hz,
        mag=None if block.mag is None else block.mag[a:b],
    )
    return replace(piece, block=part)
