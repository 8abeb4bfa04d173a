"""Results made again from the record, into a version of their own that then becomes current.

    catalogue --> wear sessions --> workers (record -> live processor) --> this process --> store

Wear sessions are worked out anywhere and stored here in order of time, each in turn as live stored
it, the last batch with a mark that it is done. Stopped at any moment, the next call with the same
parameters goes on behind the last mark. Readers see the old version until the switch.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from zoneinfo import ZoneInfo

from ingest.day_provenance import day_of_ns, day_provenance
from ingest.errors import ReprocessError
from ingest.reprocess_session import SessionResult, process_wear
from ingest.reprocess_version import (
    begin_version,
    copy_results,
    current_row,
    finish_version,
    same_algorithm,
)
from ingest.reprocess_wear import END_NS, Wear
from ingest.reprocess_workers import in_order
from processing.pipeline import PipelineParams
from storage.catalog import Patient
from storage.record import RecordReader, lock_holder
from storage.result_book import DayProvenance, ResultBook
from storage.result_rows import ResultBatch
from storage.results import ResultStore

DRAIN_S = 600.0
"""How long results may take to reach a server before day summaries are made of them."""
SECOND_NS = 1_000_000_000

CloseDay = Callable[[str, date], None]
"""Makes and stores the summary of a local day of a version."""
Progress = Callable[[float, str], None]
"""Told the fraction that is done, and a note."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be made again, and how."""

    folder: Path
    patient: Patient
    params: PipelineParams
    wears: Sequence[Wear]
    """All wear sessions of the patient, in order."""
    range_ns: tuple[int, int] = (0, END_NS)
    """Sessions that touch it are made again; others are taken over from the current version."""
    workers: int = 1
    scheduler: str | None = None
    keep_current: bool = False
    """What is read when no version is named stays as it is: a trial with other parameters."""


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it."""

    patient: str
    version: str
    replaces: str | None
    """Version that was current before; it stays until it is removed. None also for a trial."""
    sessions: int
    """Wear sessions made again by this call."""
    resumed: int
    """Done already when this call began."""
    copied: int
    """Outside the range, taken over from the version before."""
    samples: int
    days: int
    seconds: float
    restart: bool = False
    """Who records now goes on with other parameters, under another version, until started anew."""


@dataclass(frozen=True, slots=True)
class _Done:
    """The mark of a finished wear session."""

    fingerprint: str
    first_ns: int | None
    last_ns: int | None
    samples: int

    def to_bytes(self) -> bytes:
        return json.dumps([self.fingerprint, self.first_ns, self.last_ns, self.samples]).encode()

    @classmethod
    def from_bytes(cls, raw: bytes) -> "_Done":
        return cls(*json.loads(raw))


def reprocess(
    store: ResultStore, work: Work, close_day: CloseDay, on_progress: Progress | None = None
) -> Report:
    """Make a patient's results again and switch to them.

    Parameters
    ----------
    store : ResultStore
    close_day : callable
        Called for every local day that is over, before the switch.

    Raises
    ------
    ReprocessError
        The range cannot be made again alone, workers fail, or results do not reach their server.
    """
    began_s = time.monotonic()
    told = on_progress or (lambda _fraction, _note: None)
    patient, book = work.patient.id, store.book
    before = current_row(book, patient)
    partial = work.range_ns != (0, END_NS)
    if partial and not same_algorithm(before, work.params):
        raise ReprocessError(
            "a range alone can be made again only with the algorithm and the parameters of the "
            "current version, since one version holds results of one kind",
            remedy="Leave the range out.",
        )
    if work.keep_current and before is None:
        raise ReprocessError(
            "there are no results yet that a trial could stand beside",
            remedy="Make them once, with `necktrace reprocess`.",
        )
    # who ends recording meanwhile has stored results of samples that are not read here
    recorded = lock_holder(work.folder) is not None
    algo = begin_version(book, patient, work.params, work.range_ns)
    old = before.algo if before is not None and before.algo != algo else None
    if not work.wears:
        raise ReprocessError(f"nothing was recorded of patient {patient}")
    with RecordReader(work.folder) as reader:
        marks = [_fingerprint(reader, patient, wear) for wear in work.wears]
    held = [
        _Done.from_bytes(raw) if raw is not None else None
        for wear in work.wears
        for raw in (book.cursor(patient, algo, _key(wear)),)
    ]
    finished = list(
        takewhile(
            lambda pair: pair[0] is not None and pair[0].fingerprint == pair[1],
            zip(held, marks, strict=True),
        )
    )
    done = [mark for mark, _ in finished if mark is not None]
    resumed = len(done)
    copied = 0
    meter = _Meter(work, told)
    results = _results(work, work.wears[resumed:], algo, meter)
    for wear, fingerprint in zip(work.wears[resumed:], marks[resumed:], strict=True):
        store.delete(patient, wear.since_ns, END_NS, algo=algo)
        if old is not None and not _touches(wear, work.range_ns):
            copied += 1
            first_ns, end_ns = _extent(work, wear)
            last_ns = copy_results(store, patient, old, algo, first_ns, end_ns)
            mark = _Done(fingerprint, first_ns, last_ns, 0)
            store.put(ResultBatch(patient, algo, cursor=(_key(wear), mark.to_bytes())))
        else:
            mark = _store(store, patient, algo, wear, next(results), fingerprint)
        done.append(mark)
        meter.finished(wear)
    days = _close(store, work, algo, done, close_day)
    if work.keep_current:
        finish_version(book, patient, algo)
        old = None
    cut_ns = max((mark.last_ns for mark in done if mark.last_ns is not None), default=None)
    recording = lock_holder(work.folder) is not None
    joins = same_algorithm(before, work.params)
    recorded |= recording
    live = _live_version(book, work, old if joins else None)
    if not work.keep_current and recorded and cut_ns is not None and live is not None:
        # the collector went on meanwhile: what it added comes along, the rest joins by itself
        copy_results(store, patient, live, algo, cut_ns, END_NS)
        book.switch(patient, algo)
        joins |= copy_results(store, patient, live, algo, cut_ns, END_NS) > cut_ns
    elif not work.keep_current:
        book.switch(patient, algo)
    return Report(
        patient=patient,
        version=algo,
        replaces=old,
        sessions=len(work.wears) - resumed - copied,
        resumed=resumed,
        copied=copied,
        samples=sum(mark.samples for mark in done[resumed:]),
        days=days,
        seconds=round(time.monotonic() - began_s, 3),
        restart=recording and before is not None and not joins,
    )


def _live_version(book: ResultBook, work: Work, shown: str | None) -> str | None:
    """Return the version that a collector with these parameters writes to until the switch."""
    if shown is not None:
        return shown
    own = work.params.algorithm_id
    return own if any(row.algo == own for row in book.algorithms(work.patient.id)) else None


def _results(
    work: Work, wears: Sequence[Wear], algo: str, meter: "_Meter"
) -> Iterator[SessionResult]:
    """Work out the sessions of the range, in order, wherever the caller wants it done."""
    wanted = [wear for wear in wears if _touches(wear, work.range_ns)]
    alone = work.scheduler is None and (work.workers <= 1 or len(wanted) <= 1)
    calls = [
        (
            work.folder.absolute(),
            work.patient.id,
            work.patient.zone,
            work.params,
            wear,
            algo,
            # progress inside a session can be told in this process only
            *((meter.inside(wear),) if alone else ()),
        )
        for wear in wanted
    ]
    return in_order(process_wear, calls, workers=work.workers, scheduler=work.scheduler)


def _store(
    store: ResultStore,
    patient: str,
    algo: str,
    wear: Wear,
    result: SessionResult,
    fingerprint: str,
) -> _Done:
    """Store one session; the mark lands with the last batch."""
    mark = _Done(fingerprint, result.first_ns, result.last_ns, result.samples)
    store.full_rate.put_hours(patient, algo, result.hours)
    batches = list(result.batches) or [ResultBatch(patient, algo)]
    batches[-1] = replace(batches[-1], cursor=(_key(wear), mark.to_bytes()))
    for batch in batches:
        store.put(batch)
    return mark


def _key(wear: Wear) -> str:
    return f"wear/{wear.since_ns}"


def _touches(wear: Wear, range_ns: tuple[int, int]) -> bool:
    return wear.since_ns < range_ns[1] and wear.until_ns > range_ns[0]


def _extent(work: Work, wear: Wear) -> tuple[int, int]:
    """Return where results of a session lie, open ends cut to what was recorded."""
    with RecordReader(work.folder) as reader:
        streams = reader.streams(patient=work.patient.id, kind="imu")
    first = min((s.host_first_ns for s in streams if s.host_first_ns is not None), default=0)
    last = max((s.host_last_ns for s in streams if s.host_last_ns is not None), default=0)
    following = [other.since_ns for other in work.wears if other.since_ns > wear.since_ns]
    until_ns = min([wear.until_ns, *following])
    day_ns = 86_400 * SECOND_NS
    return max(wear.since_ns, first - day_ns), max(min(until_ns, last + day_ns), wear.since_ns)


def _fingerprint(reader: RecordReader, patient: str, wear: Wear) -> str:
    """Return what changes when a session's samples or setup do."""
    streams = [
        [stream.id, stream.samples]
        for stream in reader.streams(
            patient=patient, kind="imu", t0_ns=wear.since_ns, t1_ns=wear.until_ns
        )
    ]
    poses = [[r.start_ns, r.end_ns, r.sigma_deg] for r in wear.resets]
    return json.dumps([wear.until_ns, wear.setup.alignment.id, poses, streams])


def _close(
    store: ResultStore, work: Work, algo: str, done: Sequence[_Done], close_day: CloseDay
) -> int:
    """Summarise the local days that are over; return how many there are."""
    if not store.drain(DRAIN_S):
        raise ReprocessError(
            f"results of version {algo} wait for their server: {store.delivery().error}",
            remedy="Run the same command again when it answers; nothing is worked out twice.",
        )
    zone = ZoneInfo(work.patient.zone)
    today = datetime.now(zone).date()
    days: set[date] = set()
    for mark in done:
        if mark.first_ns is None or mark.last_ns is None:
            continue
        day = datetime.fromtimestamp(mark.first_ns // SECOND_NS, zone).date()
        last = datetime.fromtimestamp(mark.last_ns // SECOND_NS, zone).date()
        while day <= last:
            days.add(day)
            day += timedelta(days=1)
    over = sorted(day for day in days if day < today)
    for day in over:
        close_day(algo, day)
    with RecordReader(work.folder) as reader:
        rows = [_provenance(reader, work, day) for day in over]
    store.book.set_provenance(work.patient.id, algo, rows)
    if not store.drain(DRAIN_S):
        raise ReprocessError(f"day summaries of version {algo} wait for their server")
    return len(over)


def _provenance(reader: RecordReader, work: Work, day: date) -> DayProvenance:
    patient = work.patient
    span = day_of_ns(day, patient.zone)
    ids = [wear.setup.alignment.id for wear in work.wears if _touches(wear, span)]
    return day_provenance(reader, patient.id, patient.zone, day, ids, "reprocess")


class _Meter:
    """Turns finished sessions, or times inside one, into a fraction of the recorded time."""

    def __init__(self, work: Work, told: Progress) -> None:
        self._told = told
        self._parts = {wear.since_ns: _extent(work, wear) for wear in work.wears}
        self._whole = sum(b - a for a, b in self._parts.values()) or 1
        self._number = {wear.since_ns: n for n, wear in enumerate(work.wears, 1)}

    def finished(self, wear: Wear) -> None:
        """Tell that a session is stored."""
        self._tell(wear, self._parts[wear.since_ns][1])

    def inside(self, wear: Wear) -> Callable[[int], None]:
        """Return what is to be told the time up to which a session is worked out."""
        return lambda t_ns: self._tell(wear, t_ns)

    def _tell(self, wear: Wear, t_ns: int) -> None:
        before = sum(b - a for since, (a, b) in self._parts.items() if since < wear.since_ns)
        a, b = self._parts[wear.since_ns]
        fraction = (before + min(max(t_ns - a, 0), b - a)) / self._whole
        note = f"wear session {self._number[wear.since_ns]} of {len(self._number)}"
        self._told(min(fraction, 1.0), note)
