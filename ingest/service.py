"""The collector: two links, one record, one live chain, one hub.

    link --+--> recorder thread --> journal, one commit a second --> sealed segments
           |                              | committed
           +--> processing thread --------+--> results, only after the samples they rest on
                     | at once
                     +--> hub --> pages

The links are independent tasks; one sensor's trouble never touches the other's. The event loop only
hands on: disks and numerics have threads. Stopping writes everything that was received.

After a crash the next start finds the record whole up to the last commit (at most a second before
the crash). With `CollectorSpec.resume` the chain first goes through what the wear session has
recorded so far, so that heading, learnt bias, open episodes, the minute under way and the sensors'
clocks go on as if it had only lost sight of the sensors (`ingest.resume`). Without it a new stretch
begins: the filter converges again, and episodes open at the end are not reported.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from ingest.collector_spec import CollectorSpec
from ingest.drivers.catalogue import SUPPORTED
from ingest.drivers.driver import BackfillReport, SensorEvent, StatusReport, StreamStarted
from ingest.drivers.inbox import MonotonicNs
from ingest.drivers.registry import Registry
from ingest.frames import LinkView
from ingest.held import ledger_of
from ingest.host_clock import host_clock_ns, steady_offset_ns
from ingest.ledger import SampleLedger
from ingest.link import SensorLink
from ingest.link_intake import LinkOutput
from ingest.link_state import LinkEvent
from ingest.live import LiveHub, Role
from ingest.live_angles import LiveAngles
from ingest.picture import Picture
from ingest.poses import PoseReset
from ingest.processor import Processor
from ingest.radio import Radio
from ingest.recorder import Recorder, RecorderHealth
from ingest.resume import Held
from ingest.slip import Slip
from ingest.transport import Transport
from ingest.units_in_force import UnitsInForce
from ingest.worker import ProcessingWorker, WorkerHealth
from processing.alignment import StepCheck, StoredReference
from processing.pipeline import Setup
from processing.session import Plan
from processing.types import Alignment, FloatArray, Span
from storage.record import RecordReader, RecordWriter
from storage.results import ResultStore

_log = logging.getLogger("ingest.service")

FINISH_S = 30.0
"""Longest wait for the chain at the end; samples do not depend on it."""


@dataclass(frozen=True, slots=True)
class CollectorHealth:
    """How everything goes."""

    recorder: RecorderHealth
    worker: WorkerHealth
    links: Mapping[Role, LinkView]


class Collector:
    """Records and processes until stopped.

    Parameters
    ----------
    spec : CollectorSpec
    transport : Transport
        The real radio or a simulated one.
    hub : LiveHub
        Of the same event loop.
    store : ResultStore or None
        None: nothing but the record is kept.
    registry : Registry
        Kinds of sensors that may be used.
    monotonic_ns : callable
        Host clock, the same for links and virtual sensors.
    utc_offset_ns : int, optional
        From that clock to UTC; taken now where not given.
    calibration_of : callable
        Unit calibration of a device, as the catalogue keeps it.
    on_backfill : callable
        Told, in the event loop, of every request for stored samples that brought some.
    """

    def __init__(
        self,
        spec: CollectorSpec,
        transport: Transport,
        hub: LiveHub,
        *,
        store: ResultStore | None = None,
        registry: Registry = SUPPORTED,
        monotonic_ns: MonotonicNs = host_clock_ns,
        utc_offset_ns: int | None = None,
        calibration_of: Callable[[str], Mapping[str, Any]] = lambda _: {},
        on_backfill: Callable[[BackfillReport], None] = lambda _: None,
    ) -> None:
        self.spec = spec
        self.hub = hub
        self._transport = transport
        self._store = store
        self._registry = registry
        self._mono_ns = monotonic_ns
        self.utc_offset_ns = (
            steady_offset_ns(monotonic_ns) if utc_offset_ns is None else utc_offset_ns
        )
        """From the monotonic clock to UTC, of this start."""
        self._units = UnitsInForce(calibration_of)
        self._started: dict[Role, StreamStarted] = {}
        self._on_backfill = on_backfill
        self._stopping = asyncio.Event()
        self._picture = Picture(spec.patient, spec.zone, spec.wishes)
        self._alignment = spec.setup.alignment
        self._links: dict[Role, SensorLink] = {}
        self._recorder: Recorder | None = None
        self._worker: ProcessingWorker | None = None
        self.running = asyncio.Event()
        """Set once links are being sought."""
        self.slip: Slip | None = None
        """A sensor that sits otherwise than at the calibration, as a reference pose showed."""

    def now_utc_ns(self) -> int:
        """Return the collector's steady UTC."""
        return self._mono_ns() + self.utc_offset_ns

    @property
    def alignment(self) -> Alignment:
        """Alignment in force."""
        return self._alignment

    def stop(self) -> None:
        """Ask `run` to write everything and return."""
        self._stopping.set()

    @property
    def health(self) -> CollectorHealth | None:
        """How everything goes; None before the start."""
        if self._recorder is None or self._worker is None:
            return None
        return CollectorHealth(self._recorder.health, self._worker.health, self._picture.views)

    @property
    def catching_up(self) -> bool:
        """Whether a sensor's memory still holds samples of a time without link."""
        return any(link.catching_up_s is not None for link in self._links.values())

    def retry(self, role: Role) -> None:
        """Try a refused or waiting link again, because a person asked for it."""
        self._links[role].retry()

    async def calibrate(self, spans: Sequence[Span], stored: StoredReference | None = None) -> Plan:
        """Work out the alignment of poses and movements just made, and go on with it.

        Parameters
        ----------
        spans : sequence of Span
            In the collector's UTC (`now_utc_ns`), the last at most 20 min after the first.
        stored : StoredReference, optional
            The person's references: a re-don, which keeps N.

        Raises
        ------
        AlignmentError
            It cannot be had of these movements; the setup is unchanged.
        """
        plan = await asyncio.wrap_future(self._running_worker().calibrate(spans, stored))
        self._alignment = plan.setup.alignment
        if self._recorder is not None:
            for role, started in self._started.items():
                # the record describes the units' streams by the calibrations now in force
                self._recorder.put(role, [started])
        return plan

    async def apply(self, setup: Setup, *, since_ns: int | None = None) -> None:
        """Begin a wear session with another setup."""
        await asyncio.wrap_future(self._running_worker().apply(setup, since_ns=since_ns))
        self._alignment = setup.alignment

    async def add_reset(self, reset: PoseReset) -> bool:
        """Announce a reference pose, best before it begins; False where it overlaps another."""
        taken: Future[bool] = self._running_worker().add_reset(reset)
        return await asyncio.wrap_future(taken)

    async def withdraw_reset(self, reset: PoseReset) -> None:
        """Take back a reference pose that was not held after all, before its end."""
        await asyncio.wrap_future(self._running_worker().withdraw_reset(reset))

    async def exclude(self, start_ns: int, end_ns: int) -> None:
        """Keep a stretch out of free living, best before it begins."""
        await asyncio.wrap_future(self._running_worker().exclude(start_ns, end_ns))

    async def check_step(
        self, span: Span, enough: int, rotation: FloatArray | None = None
    ) -> StepCheck:
        """Judge one pose or movement by itself; see `ProcessingWorker.check_step`."""
        return await asyncio.wrap_future(self._running_worker().check_step(span, enough, rotation))

    async def run(self) -> None:
        """Collect until `stop`.

        Raises
        ------
        WriterLockedError, ReadOnlyFolderError, DiskFullError, NewerSchemaError
            The data folder cannot be recorded into; nothing was started.
        """
        writer = await asyncio.to_thread(RecordWriter, self.spec.folder, background=False)
        try:
            ledger = await asyncio.to_thread(ledger_of, self.spec.folder)
            held = await asyncio.to_thread(ledger_of, self.spec.folder)
            worker = self._make_worker()
            recorder = Recorder(
                writer,
                patient=self.spec.patient,
                utc_offset_ns=self.utc_offset_ns,
                on_committed=worker.committed,
                held=held,
                units=self._units,
            )
        except BaseException:
            writer.close()
            raise
        self._worker, self._recorder = worker, recorder
        worker.start()
        resumed = self._resume(worker, held.all_held())
        recorder.start()
        try:
            await self._collect(ledger)
        finally:
            await asyncio.shield(asyncio.to_thread(_finish, worker, recorder))
            if resumed is not None:
                resumed.close()
            self._publish()
            self.hub.close()

    def _resume(self, worker: ProcessingWorker, held: Held) -> RecordReader | None:
        """Let the worker begin with the wear session so far; live data wait behind it."""
        if self.spec.resume is None:
            return None
        reader = RecordReader(self.spec.folder)
        since_ns = self.spec.resume.wear.since_ns
        self._units.adopt_recorded(reader, self.spec.patient, since_ns)
        worker.resume(reader, self.spec.resume, held).add_done_callback(_tell_resumed)
        return reader

    async def _collect(self, ledger: SampleLedger) -> None:
        radio = Radio(self._transport, limits=self.spec.limits)
        for role, wish in self.spec.wishes.items():
            self._links[role] = SensorLink(
                role,
                radio,
                registry=self._registry,
                wish=wish,
                emit=_emitter(self, role),
                ledger=ledger,
                limits=self.spec.limits,
                monotonic_ns=self._mono_ns,
            )
        known = [wish.address for wish in self.spec.wishes.values() if wish.address]
        with contextlib.suppress(Exception):
            ended = await self._transport.disconnect_stale(known)
            if ended:
                _log.info("ended links that an earlier process left: %s", ", ".join(ended))
        tasks = [asyncio.create_task(self._linked(role)) for role in self._links]
        following = self._picture.follow(self._publish, self.spec.frame_every_s)
        frames = asyncio.create_task(following)
        self.running.set()
        try:
            await self._stopping.wait()
        finally:
            for link in self._links.values():
                link.stop()
            await asyncio.gather(*tasks, return_exceptions=True)
            frames.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await frames

    async def _linked(self, role: Role) -> None:
        """Keep a link running; one that ends by a mistake of ours is begun again."""
        while not self._stopping.is_set():
            try:
                await self._links[role].run()
            except Exception:
                _log.exception("the %s link ended in an unforeseen way; it is begun again", role)
                await asyncio.sleep(1.0)

    def take(self, role: Role, outputs: Sequence[LinkOutput]) -> None:
        """Hand on what a link says; called in the event loop."""
        recorder, worker = self._recorder, self._worker
        if recorder is None or worker is None:
            return
        events: list[SensorEvent] = []
        for output in outputs:
            if isinstance(output, LinkEvent):
                self._picture.take_link(role, output)
            else:
                events.append(output)
                if isinstance(output, StreamStarted):
                    self._started[role] = output
                elif isinstance(output, StatusReport):
                    self._picture.take_status(role, output)
                elif isinstance(output, BackfillReport) and output.n_samples:
                    self._on_backfill(output)
        if events:
            ticket = recorder.put(role, events)
            worker.put(role, events, ticket)

    def _make_worker(self) -> ProcessingWorker:
        loop = asyncio.get_running_loop()

        def on_live(angles: LiveAngles) -> None:
            loop.call_soon_threadsafe(self._picture.take_angles, angles)

        spec = self.spec
        processor = Processor(
            spec.params, spec.setup, patient=spec.patient, zone=spec.zone, today=spec.today
        )
        return ProcessingWorker(
            spec.params,
            processor,
            store=self._store,
            now_utc_ns=self.now_utc_ns,
            utc_offset_ns=self.utc_offset_ns,
            on_live=on_live,
            units=self._units,
        )

    def _running_worker(self) -> ProcessingWorker:
        if self._worker is None:
            raise RuntimeError("the collector does not run")
        return self._worker

    def _publish(self) -> None:
        if self._worker is None or self._recorder is None:
            return
        self.hub.publish(
            self._picture.frame(
                self.now_utc_ns(),
                self._links,
                self._worker,
                self._recorder.health,
                self._alignment,
                self.slip,
            )
        )


def _emitter(collector: Collector, role: Role) -> Callable[[Sequence[LinkOutput]], None]:
    def emit(outputs: Sequence[LinkOutput]) -> None:
        collector.take(role, outputs)

    return emit


def _tell_resumed(done: "Future[None]") -> None:
    error = done.exception()
    if error is not None:
        _log.error("the wear session so far could not be gone through: %s", error)


def _finish(worker: ProcessingWorker, recorder: Recorder) -> None:
    """Write what was received: samples first, then the results that rest on them."""
    worker.stop(FINISH_S)
    try:
        recorder.stop()
    finally:
        worker.flush()
