"""The processing thread: events in, live angles out at once, results out once they may be stored.

Nothing here can hurt recording. A failure of the chain is logged and shown, the chain starts
afresh, and the record still holds every sample for a later reprocessing.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np

from ingest.calibrating import pair_since, worked_out
from ingest.drivers.driver import SensorEvent
from ingest.intake import Intake, SensorFacts
from ingest.live import Role
from ingest.live_angles import LiveAngles
from ingest.poses import PoseReset
from ingest.processor import Processed, Processor
from ingest.reprocess_session import feed
from ingest.result_queue import ResultQueue, first_line
from ingest.resume import Held, Resume
from ingest.timeline import Timeline
from ingest.units_in_force import UnitsInForce
from processing.alignment import Expected, StepCheck, StoredReference, check_step
from processing.errors import AlignmentError
from processing.pipeline import MIN_RATE_FOR_JERKS_HZ, PipelineParams, Setup
from processing.session import Plan, movements_of
from processing.types import FloatArray, Span
from storage.record import RecordReader, StreamInfo
from storage.results import ResultStore

_log = logging.getLogger("ingest.processor")

STEP_EVERY_S = 0.05
"""Least time between steps. Shorter costs processor time, longer adds to the delay of the page."""
IDLE_STEP_S = 0.5
"""A step is made this often without new samples too, so that silence is noticed."""
ROLES: tuple[Role, Role] = ("head", "trunk")


@dataclass(frozen=True, slots=True)
class WorkerHealth:
    """How processing goes."""

    failures: int
    error: str
    """Why results are not computed at present; empty while they are."""
    store_error: str
    """Why results are not stored at present; empty while they are."""
    waiting_results: int
    behind_s: float
    """Age of the oldest events not processed yet."""


@dataclass(frozen=True, slots=True)
class _Events:
    role: Role
    events: tuple[SensorEvent, ...]
    ticket: int
    put_s: float


@dataclass(frozen=True, slots=True)
class _Command:
    act: Callable[[], Any]
    done: "Future[Any]"


class ProcessingWorker:
    """Runs one `Processor` on a thread of its own.

    Parameters
    ----------
    params, processor
        The chain.
    store : ResultStore or None
        Takes results whose samples are committed; None: nothing is stored.
    now_utc_ns : callable
        The collector's steady UTC clock.
    utc_offset_ns : int
        From the monotonic clock to it.
    on_live : callable
        Told, in this thread, the newest angles after every step that gave some.
    units : UnitsInForce, optional
        Calibrations of the units.
    """

    def __init__(
        self,
        params: PipelineParams,
        processor: Processor,
        *,
        store: ResultStore | None,
        now_utc_ns: Callable[[], int],
        utc_offset_ns: int,
        on_live: Callable[[LiveAngles], None],
        units: UnitsInForce | None = None,
    ) -> None:
        self._params = params
        self._processor = processor
        self._now_utc_ns = now_utc_ns
        self._on_live = on_live
        self._queue: queue.SimpleQueue[_Events | _Command | None] = queue.SimpleQueue()
        units = units or UnitsInForce()
        self._intakes: dict[Role, Intake] = {
            role: Intake(role, utc_offset_ns, units) for role in ROLES
        }
        self._results = ResultQueue(store)
        self._ticket = 0
        self._oldest_s: float | None = None
        self._failures = 0
        self._hurry = False
        self._error = ""
        self.facts: Mapping[Role, SensorFacts] = dict.fromkeys(ROLES, SensorFacts())
        self._thread = threading.Thread(target=self._run, name="processing", daemon=True)

    def start(self) -> None:
        """Begin to take events."""
        self._thread.start()

    def put(self, role: Role, events: Sequence[SensorEvent], ticket: int) -> None:
        """Hand events over; `ticket` is what their recording will be reported by."""
        self._queue.put(_Events(role, tuple(events), ticket, time.monotonic()))

    def committed(self, ticket: int) -> None:
        """Note that samples up to a ticket are durable; may be called from any thread."""
        self._results.committed(ticket)

    def apply(
        self, setup: Setup, resets: Sequence[PoseReset] = (), *, since_ns: int | None = None
    ) -> "Future[None]":
        """Begin a wear session with another setup, from `since_ns` on if that is in memory."""
        return self._command(lambda: self._apply(setup, resets, since_ns))

    def resume(self, reader: RecordReader, resume: Resume, held: Held) -> "Future[None]":
        """Go through what an earlier start recorded of a wear session, then on with live data.

        Parameters
        ----------
        reader : RecordReader
            What comes to it from now on is left to the live data.
        resume : Resume
        held : mapping
            Index ranges that are recorded, by device and boot.
        """
        as_of_ns = self._now_utc_ns()
        return self._command(lambda: self._resume(reader, resume, held, as_of_ns))

    def add_reset(self, reset: PoseReset) -> "Future[bool]":
        """Announce a reference pose, best before it begins; False where it overlaps another."""
        return self._command(lambda: self._processor.add_reset(reset))

    def withdraw_reset(self, reset: PoseReset) -> "Future[None]":
        """Take back a reference pose that was not held after all, before its end."""
        return self._command(lambda: self._processor.withdraw_reset(reset))

    def calibrate(
        self, spans: Sequence[Span], stored: StoredReference | None = None
    ) -> "Future[Plan]":
        """Work out the alignment of poses and movements just made, and go on with it.

        The future raises `AlignmentError`; the setup is then unchanged.
        """
        return self._command(lambda: self._calibrate(spans, stored))

    def exclude(self, start_ns: int, end_ns: int) -> "Future[None]":
        """Keep a stretch out of free living, best before it begins."""
        return self._command(lambda: self._processor.exclude([(start_ns, end_ns)]))

    def check_step(
        self, span: Span, enough: int, rotation: FloatArray | None = None
    ) -> "Future[StepCheck]":
        """Judge one pose or movement of a calibration by itself; changes nothing.

        Parameters
        ----------
        rotation : (4,) float64, optional
            `R_rel` that a reference pose taken up again stands for.
        """
        return self._command(lambda: self._check_step(span, enough, rotation))

    def stop(self, timeout_s: float | None = None) -> None:
        """Finish what was put, and the wear session with it; results wait for `flush`."""
        self._hurry = True
        self._queue.put(None)
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            _log.warning("processing did not end in time; `necktrace reprocess` makes up for it")

    def flush(self) -> None:
        """Store what may be stored; for after the recorder has stopped."""
        self._results.store_due()

    @property
    def health(self) -> WorkerHealth:
        """How processing goes."""
        oldest = self._oldest_s
        return WorkerHealth(
            failures=self._failures,
            error=self._error,
            store_error=self._results.error,
            waiting_results=len(self._results),
            behind_s=0.0 if oldest is None else time.monotonic() - oldest,
        )

    def _command(self, act: Callable[[], Any]) -> "Future[Any]":
        done: Future[Any] = Future()
        self._queue.put(_Command(act, done))
        return done

    def _run(self) -> None:
        stepped = 0.0
        fresh = ending = False
        while not ending:
            wait = STEP_EVERY_S if fresh else IDLE_STEP_S
            came, ending = self._take(max(0.0, stepped + wait - time.monotonic()))
            fresh |= came
            wait = STEP_EVERY_S if fresh else IDLE_STEP_S
            if ending or time.monotonic() - stepped >= wait:
                self._guarded(partial(self._step, final=ending))
                stepped, fresh, self._oldest_s = time.monotonic(), False, None
            self._results.store_due()

    def _take(self, timeout_s: float) -> tuple[bool, bool]:
        """Take what waits in the queue; return whether samples came and the end was asked for."""
        came = ending = False
        try:
            item = self._queue.get(timeout=timeout_s)
            while True:
                if item is None:
                    ending = True
                elif isinstance(item, _Command):
                    self._obey(item)
                else:
                    self._oldest_s = item.put_s if self._oldest_s is None else self._oldest_s
                    self._guarded(partial(self._assemble, item))
                    self._ticket = item.ticket
                    came = True
                item = self._queue.get_nowait()
        except queue.Empty:
            return came, ending

    def _obey(self, command: _Command) -> None:
        try:
            command.done.set_result(command.act())
        except Exception as error:
            command.done.set_exception(error)

    def _guarded(self, act: Callable[[], None]) -> None:
        """Run a piece of processing; whatever it does, the thread lives on."""
        try:
            act()
        except Exception as error:
            self._failures += 1
            said = first_line(error)
            if said != self._error:
                _log.exception("processing failed; recording goes on")
            self._error = said
            self._processor.abandon()

    def _assemble(self, item: _Events) -> None:
        intake = self._intakes[item.role]
        self._processor.add(item.role, intake.take(item.events))
        rates = [each.rate_hz for each in self._intakes.values() if each.rate_hz is not None]
        self._processor.declare_rate(low=min(rates, default=np.inf) < MIN_RATE_FOR_JERKS_HZ)
        self.facts = {**self.facts, item.role: intake.facts}

    def _step(self, *, final: bool) -> None:
        processed = self._processor.step(self._now_utc_ns(), final=final)
        self._keep(processed)
        self._error = ""
        if processed.live is not None:
            self._on_live(processed.live)

    def _keep(self, processed: Processed, replaces: tuple[int, int] | None = None) -> None:
        if processed.results is not None:
            self._results.put(self._ticket, processed.results, replaces)

    def _apply(self, setup: Setup, resets: Sequence[PoseReset], since_ns: int | None) -> None:
        self._keep(self._processor.restart(setup, resets, since_ns=since_ns))
        if since_ns is None:
            return
        for role, intake in self._intakes.items():
            self._processor.add(role, intake.since(since_ns))
        newest = self._processor.newest_ns
        again = self._processor.step(None)
        until = since_ns if newest is None else newest + 1
        self._keep(again, (since_ns, until))

    def _resume(self, reader: RecordReader, resume: Resume, held: Held, as_of_ns: int) -> None:
        wear = resume.wear
        self._processor.restart(wear.setup)
        reached: dict[Role, tuple[str, Timeline]] = {}

        def on_reached(info: StreamInfo, timeline: Timeline) -> None:
            reached[cast("Role", info.role)] = info.device_id.split("/", 1)[0], timeline

        since_ns = wear.since_ns
        patient = self._processor.patient
        fed = feed(
            self._processor,
            reader,
            patient,
            self._params,
            wear,
            as_of_ns=as_of_ns,
            on_reached=on_reached,
        )
        for part, processed in fed:
            if self._hurry:
                return
            if part.until_ns > resume.stored_until_ns:
                # the end of the earlier start is unfinished, or was finished for want of more
                self._keep(processed, (max(since_ns, resume.stored_until_ns), part.until_ns))
                self._results.store_due()
            since_ns = part.until_ns
        for role, (device_id, timeline) in reached.items():
            self._intakes[role].go_on_with(device_id, timeline, held.get(device_id, {}))

    def _check_step(self, span: Span, enough: int, rotation: FloatArray | None) -> StepCheck:
        setup = self._processor.setup
        head_only = setup.head_only
        try:
            pair = pair_since(self._params, self._intakes, span.start_ns, head_only=head_only)
        except AlignmentError:
            return StepCheck("no_samples")
        expected = None if rotation is None else Expected(setup.alignment, rotation)
        return check_step(pair, span, enough=enough, head_only=head_only, expected=expected)

    def _calibrate(self, spans: Sequence[Span], stored: StoredReference | None) -> Plan:
        found = worked_out(self._params, self._intakes, self._processor.setup, spans, stored)
        self._processor.exclude(movements_of(spans))
        self._apply(found.plan.setup, found.resets, found.since_ns)
        return found.plan
