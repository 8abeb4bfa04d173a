"""From sensor events to the record, on a thread of its own: the event loop never waits for a disk.

Samples are appended as they come and committed once a second. What is committed is told by ticket,
so that results can wait for the samples they rest on. While the disk refuses, everything waits in
memory and is written when it can be.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ingest.assemble import part_of
from ingest.drivers.driver import (
    BackfillReport,
    SensorEvent,
    SensorPacket,
    StatusReport,
    StreamStarted,
    TimeSyncReport,
)
from ingest.drivers.driver import StreamInfo as DriverStream
from ingest.ledger import SampleLedger
from ingest.record_rows import (
    EVENT_CLOCK_STEPPED,
    EVENT_LOST_BEFORE,
    SideKind,
    event_packet,
    imu_packet,
    record_stream,
    side_stream,
    status_packet,
    sync_packet,
)
from ingest.units_in_force import UnitsInForce
from storage.errors import DiskFullError, RecordError, StorageError
from storage.record import Packet, RecordWriter
from storage.record.types import Role

_log = logging.getLogger("ingest.recorder")

COMMIT_EVERY_S = 1.0
OVERWRITTEN = "overwritten on the sensor before it could be fetched"
"""Cause of a loss, as `necktrace verify` shows it."""


@dataclass(frozen=True, slots=True)
class RecorderHealth:
    """How recording goes, for pages and metrics."""

    error: StorageError | None
    """Why samples wait in memory; None while all is well."""
    waiting_batches: int
    committed_samples: int
    duplicate_samples: int
    unrecorded_packets: int
    """Packets that no stream could take; each is logged."""


@dataclass(frozen=True, slots=True)
class _Batch:
    role: Role
    events: tuple[SensorEvent, ...]
    ticket: int


class Recorder:
    """Owns the `RecordWriter`; events in, durable samples out.

    Parameters
    ----------
    writer : RecordWriter
        Opened with ``background=False``; closed by `stop`.
    patient : str
        Whose sensors these are.
    utc_offset_ns : int
        What turns the collector's monotonic clock into UTC; whole microseconds.
    on_committed : callable
        Told, in the recorder's thread, the highest ticket whose samples are durable.
    held : SampleLedger, optional
        What the record holds already; the recorder keeps it up to date and shares it with nobody.
    units : UnitsInForce, optional
        Calibrations of the units, which the record keeps with their samples.
    """

    def __init__(
        self,
        writer: RecordWriter,
        *,
        patient: str,
        utc_offset_ns: int,
        on_committed: Callable[[int], None] | None = None,
        held: SampleLedger | None = None,
        units: UnitsInForce | None = None,
        commit_every_s: float = COMMIT_EVERY_S,
    ) -> None:
        self._writer = writer
        self._patient = patient
        self._offset_ns = utc_offset_ns
        self._on_committed = on_committed
        self._units = units or UnitsInForce()
        self._every_s = commit_every_s
        self._queue: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._held: list[_Batch] = []
        self._started: dict[tuple[str, str], tuple[Role, DriverStream, StreamStarted]] = {}
        self._streams: dict[tuple[str, int, str], int] = {}
        self._ledger = held or SampleLedger()
        self._ticket = 0
        self._appended = 0
        self._unrecorded = 0
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        """Begin to take events."""
        self._thread.start()

    def put(self, role: Role, events: Sequence[SensorEvent]) -> int:
        """Hand events over; returns at once with the ticket that `on_committed` will reach."""
        self._ticket += 1
        self._queue.put(_Batch(role, tuple(events), self._ticket))
        return self._ticket

    def stop(self, timeout_s: float | None = None) -> None:
        """Write everything that was put, commit, release the folder.

        Raises
        ------
        DiskFullError, ReadOnlyFolderError
            The last samples could not be written.
        """
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join(timeout_s)
        self._writer.close()
        if self._on_committed is not None and not self._held:
            self._on_committed(self._appended)

    @property
    def health(self) -> RecorderHealth:
        """How recording goes."""
        state = self._writer.state
        return RecorderHealth(
            error=state.error,
            waiting_batches=self._queue.qsize() + len(self._held),
            committed_samples=state.committed_samples,
            duplicate_samples=state.duplicate_samples,
            unrecorded_packets=self._unrecorded,
        )

    def _run(self) -> None:
        due = time.monotonic() + self._every_s
        ending = False
        while not ending:
            ending = self._take(max(0.0, due - time.monotonic()))
            self._append_held()
            if ending or time.monotonic() >= due:
                due = time.monotonic() + self._every_s
                self._commit()

    def _take(self, timeout_s: float) -> bool:
        """Move what waits to `_held`; True when the end was asked for."""
        try:
            item = self._queue.get(timeout=timeout_s)
            while item is not None:
                self._held.append(item)
                item = self._queue.get_nowait()
        except queue.Empty:
            return False
        return True

    def _append_held(self) -> None:
        done = 0
        for batch in self._held:
            try:
                self._append(batch)
            except DiskFullError as error:
                self._tell(error)
                break
            except StorageError as error:
                self._unrecorded += len(batch.events)
                _log.error("recording: %s", error, extra={"event": "unrecorded"})
            except Exception:
                # one strange event must not end recording
                self._unrecorded += len(batch.events)
                _log.exception("recording failed in an unforeseen way")
            done += 1
            self._appended = batch.ticket
        del self._held[:done]

    def _commit(self) -> None:
        ticket = self._appended
        try:
            self._writer.commit()
            self._writer.seal_due()
        except StorageError as error:
            self._tell(error)
            return
        except Exception:
            _log.exception("the commit failed in an unforeseen way; it is tried again")
            return
        if self._failing:
            self._failing = False
            _log.info("recording: writing again", extra={"event": "record_recovered"})
        if self._on_committed is not None:
            self._on_committed(ticket)

    def _tell(self, error: StorageError) -> None:
        level = logging.DEBUG if self._failing else logging.ERROR
        self._failing = True
        _log.log(level, "recording: %s", error, extra={"event": "record_failed"})

    def _append(self, batch: _Batch) -> None:
        waiting: dict[int, list[Packet]] = {}
        for event in batch.events:
            if isinstance(event, StreamStarted):
                for stream in event.streams:
                    self._started[event.device_id, stream.stream] = (batch.role, stream, event)
                    # opened again by the next packet: what describes it may have changed
                    self._streams.pop((event.device_id, event.boot, stream.stream), None)
            elif isinstance(event, SensorPacket):
                started = self._started.get((event.device_id, event.stream))
                if started is None:
                    raise RecordError(f"samples of {event.device_id} came before its description")
                key = (event.device_id, event.boot, event.stream)
                rows = waiting.setdefault(self._stream_id(key), [])
                for each in event.notifications():
                    rows.extend(self._new_parts(each, started[1]))
                self._note_flags(event, waiting)
            elif isinstance(event, TimeSyncReport):
                packet = sync_packet(event, self._offset_ns)
                waiting.setdefault(self._side_stream(event, "timesync"), []).append(packet)
            elif isinstance(event, StatusReport):
                packet = status_packet(event, self._offset_ns)
                waiting.setdefault(self._side_stream(event, "status"), []).append(packet)
        for stream_id, packets in waiting.items():
            self._writer.append(stream_id, packets)
        for event in batch.events:
            if isinstance(event, BackfillReport):
                self._note_gone(event)

    def _note_gone(self, event: BackfillReport) -> None:
        """Mark in the record what the sensor turned out not to have any more."""
        if event.gone and (event.device_id, "imu") in self._started:
            stream_id = self._stream_id((event.device_id, event.boot, "imu"))
            for first, end in event.gone:
                self._writer.note_loss(stream_id, first, end, OVERWRITTEN)

    def _new_parts(self, event: SensorPacket, stream: DriverStream) -> list[Packet]:
        """Return what of a packet is not held, each part with an anchor of its own.

        The record would drop repeats by itself, but then the rest of a packet whose beginning was
        a repeat has no time of its own, and a replay cannot tell where a packet ends.
        """
        if stream.index_source == "host":
            return [imu_packet(event, stream, self._offset_ns)]
        device = event.device_id if stream.stream == "imu" else f"{event.device_id}/{stream.stream}"
        held = self._ledger.held(device, event.boot)
        first, end = event.first_index, event.first_index + event.n
        parts = []
        for a, b in list(held.missing(first, end)):
            part = event
            if (a, b) != (first, end):
                part = part_of(event, a - first, b - first, stream.rate_hz)
            parts.append(imu_packet(part, stream, self._offset_ns))
        held.add(first, end)
        return parts

    def _note_flags(self, event: SensorPacket, waiting: dict[int, list[Packet]]) -> None:
        for flag, code in (
            (event.clock_stepped, EVENT_CLOCK_STEPPED),
            (event.lost_before, EVENT_LOST_BEFORE),
        ):
            if flag:
                row = event_packet(event, code, self._offset_ns)
                waiting.setdefault(self._side_stream(event, "event"), []).append(row)

    def _stream_id(self, key: tuple[str, int, str]) -> int:
        if key not in self._streams:
            role, stream, started = self._started[key[0], key[2]]
            calibration = self._units.of(started.device_id)
            info = record_stream(self._patient, role, stream, started, calibration)
            self._streams[key] = self._writer.open_stream(replace(info, boot=key[1]))
        return self._streams[key]

    def _side_stream(
        self, event: SensorPacket | TimeSyncReport | StatusReport, kind: SideKind
    ) -> int:
        key = (event.device_id, event.boot, f"~{kind}")
        if key not in self._streams:
            role: Role = "none"
            for (device, _), (worn_as, _, _) in self._started.items():
                if device == event.device_id:
                    role = worn_as
            info = side_stream(self._patient, role, event.device_id, event.boot, kind)
            self._streams[key] = self._writer.open_stream(info)
        return self._streams[key]
