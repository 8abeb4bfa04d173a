"""One sensor's way from events to blocks: account, clock, units, memory of the last minutes."""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ingest.account import SampleAccount, SampleCounts
from ingest.assemble import (
    Layout,
    arrival_ns,
    layout_of,
    live_anchors,
    round_trip,
)
from ingest.drivers.driver import (
    SensorEvent,
    SensorPacket,
    StatusReport,
    StreamStarted,
    TimeSyncReport,
)
from ingest.drivers.driver import StreamInfo as DriverStream
from ingest.live import Role
from ingest.priors import unit_params
from ingest.thermometer import Thermometer
from ingest.timeline import ARRIVAL_CLOCK, Piece, Timeline
from ingest.unit_errors import UnitCalibration, corrected
from ingest.units_in_force import Calibration, UnitsInForce
from processing.clock import ClockReport
from processing.orientation import SensorParams

_log = logging.getLogger("ingest.intake")

KEEP_S = 1200.0
"""Samples kept in memory: a calibration is worked out from them, and applied from its begin."""


@dataclass(frozen=True, slots=True)
class SensorFacts:
    """What the thread knows about one sensor, for the live frame."""

    counts: SampleCounts = field(default_factory=SampleCounts)
    last_sample_ns: int | None = None
    clock: ClockReport | None = None


class Intake:
    """Turns what a link emits into blocks, in order of sample index.

    Parameters
    ----------
    role : str
        For messages.
    utc_offset_ns : int
        From the monotonic clock of the events to UTC.
    units : UnitsInForce
        Calibrations of the units.
    """

    def __init__(self, role: Role, utc_offset_ns: int, units: UnitsInForce) -> None:
        self._role = role
        self._offset_ns = utc_offset_ns
        self._units = units
        self._device_id = ""
        self._model = ""
        self._declared: Mapping[str, Any] = {}
        self._unit: UnitCalibration | None = None
        self._description: DriverStream | None = None
        self._timeline: Timeline | None = None
        self._account = SampleAccount()
        # as measured: the unit's calibration in force may change, back to where a session begins
        self._kept: deque[Piece] = deque()
        self._earlier: tuple[str, Timeline] | None = None
        self._thermometers: dict[str, Thermometer] = {}

    @property
    def rate_hz(self) -> float | None:
        """Nominal rate of the stream that is shown live; None before there is one."""
        return None if self._description is None else self._description.rate_hz

    @property
    def facts(self) -> SensorFacts:
        """What is known about the sensor by now."""
        if self._timeline is None:
            return SensorFacts(self._account.counts)
        return SensorFacts(self._account.counts, self._timeline.newest_t_ns, self._timeline.report)

    def go_on_with(
        self, device_id: str, timeline: Timeline, held: Mapping[int, Sequence[tuple[int, int]]]
    ) -> None:
        """Take over what an earlier start reached: the clock, and which samples came.

        Parameters
        ----------
        device_id : str
            Another sensor begins afresh.
        timeline : Timeline
            At the newest sample of the record.
        held : mapping
            Index ranges [a, b) that came, by boot.
        """
        self._earlier = device_id, timeline
        self._thermometers[device_id] = timeline.thermometer
        self._device_id = device_id
        self._account = SampleAccount()
        self._account.know(held)

    def take(self, events: Sequence[SensorEvent]) -> list[Piece]:
        """Return the blocks that events add; repeats and late samples add none."""
        added: list[Piece] = []
        for event in sorted(events, key=_arrival):
            if isinstance(event, StreamStarted):
                added.extend(self._begin(event))
            elif isinstance(event, TimeSyncReport) and self._timeline is not None:
                self._timeline.observe(event.boot, round_trip(event, self._offset_ns))
            elif isinstance(event, StatusReport):
                self._status(event)
            elif isinstance(event, SensorPacket):
                added.extend(self._packet(event))
        self._keep(added)
        return [_corrected(piece, self._unit) for piece in added]

    def newest_calibration(self) -> Calibration:
        """Return the unit's newest calibration, whether in force or not."""
        return self._units.newest(self._device_id) if self._device_id else {}

    def known(self, calibration: Calibration) -> SensorParams | None:
        """Return what is known of the unit with a calibration, for the filter to begin with."""
        return unit_params(self._device_id, self._model, calibration, self._declared)

    def adopt(self, calibration: Calibration) -> None:
        """Go by another calibration of the unit, also for what is in memory."""
        if self._device_id:
            self._units.adopt(self._device_id, calibration)
            self._unit = UnitCalibration.from_record(calibration)

    def since(self, since_ns: int, calibration: Calibration | None = None) -> list[Piece]:
        """Return what is in memory from a time on, by the calibration in force or another one."""
        unit = self._unit if calibration is None else UnitCalibration.from_record(calibration)
        return [_corrected(piece, unit) for piece in self._since(since_ns)]

    def _since(self, since_ns: int) -> list[Piece]:
        cut = []
        for piece in self._kept:
            block = piece.block
            first = int(block.t_ns.searchsorted(since_ns))
            if first == 0:
                cut.append(piece)
            elif first < block.t_ns.shape[0]:
                rest = replace(
                    block,
                    t_ns=block.t_ns[first:],
                    acc=block.acc[first:],
                    gyr=block.gyr[first:],
                    valid=block.valid[first:],
                    mag=None if block.mag is None else block.mag[first:],
                )
                cut.append(Piece(rest, new_axis=False, degc=piece.degc))
        return cut

    def _begin(self, event: StreamStarted) -> list[Piece]:
        """Get ready for a stream, the same one after a reconnection goes on; return what waited."""
        if event.device_id != self._device_id:
            self._device_id = event.device_id
            self._description = None
            self._account = SampleAccount()
        self._account.begin(event.boot)
        self._model = event.identity.model
        self._declared = event.identity.details.get("declared") or {}
        self._unit = UnitCalibration.from_record(self._units.of(event.device_id))
        # an accelerometer alone gives no angles, but whether its sensor is alive
        for needs_gyr in (True, False):
            for stream in event.streams:
                layout = layout_of(
                    stream.channels, stream.dtype, stream.rate_hz, needs_gyr=needs_gyr
                )
                if layout is None:
                    continue
                if not needs_gyr:
                    _log.info(
                        "the %s sensor has no gyroscope: its stream %s is recorded only",
                        self._role,
                        stream.stream,
                    )
                return self._go_on(stream, layout)
        return []

    def _go_on(self, stream: DriverStream, layout: Layout) -> list[Piece]:
        if self._description == stream:
            return []
        waited = [] if self._timeline is None else self._timeline.rest()
        params = ARRIVAL_CLOCK if stream.time_source == "arrival" else None
        after_ns = None if self._timeline is None else self._timeline.last_t_ns
        self._description = stream
        self._timeline = self._taken_over(layout) or Timeline(layout, params, after_ns=after_ns)
        self._timeline.thermometer = self._thermometer(self._device_id)
        return waited

    def _taken_over(self, layout: Layout) -> Timeline | None:
        """Return the clock of the same sensor at an earlier start, once."""
        earlier, self._earlier = self._earlier, None
        if earlier is None or earlier[0] != self._device_id:
            return None
        timeline = earlier[1]
        timeline.layout = layout
        return timeline

    def _status(self, report: StatusReport) -> None:
        if report.temperature_degc is not None:
            host_ns = arrival_ns(report.host_mono_ns, self._offset_ns)
            degc = float(np.float32(report.temperature_degc))  # as the record keeps it
            self._thermometer(report.device_id).read(report.boot, host_ns, degc)

    def _thermometer(self, device_id: str) -> Thermometer:
        """Return a unit's thermometer: it is read before the first stream of its boot begins."""
        return self._thermometers.setdefault(device_id, Thermometer())

    def _packet(self, packet: SensorPacket) -> list[Piece]:
        if (
            self._timeline is None
            or self._description is None
            or packet.stream != self._description.stream
        ):
            return []
        known = self._account.enter(packet)
        if known is None:
            return []
        anchors = live_anchors(packet, known, self._description.rate_hz, self._offset_ns)
        return self._timeline.place_rows(packet.boot, anchors, packet.samples[known:])

    def _keep(self, pieces: Sequence[Piece]) -> None:
        self._kept.extend(pieces)
        if not self._kept:
            return
        limit = int(self._kept[-1].block.t_ns[-1]) - round(KEEP_S * 1e9)
        while int(self._kept[0].block.t_ns[-1]) < limit:
            self._kept.popleft()


def _corrected(piece: Piece, unit: UnitCalibration | None) -> Piece:
    return replace(piece, block=corrected(piece.block, unit, piece.degc))


def _arrival(event: SensorEvent) -> tuple[int, bool]:
    """Order of events as a later replay sees them: by µs of arrival, what acts on packets after."""
    return event.host_mono_ns // 1000, isinstance(event, TimeSyncReport | StatusReport)
