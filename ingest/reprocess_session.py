"""One wear session from the record through the live processor, in slices of time.

The processor is the one that live uses. Slices end where time does, so that a silent sensor is
found missing as it was live; how long they are changes no result.
"""

import dataclasses
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from ingest.live import Role
from ingest.merging import merged
from ingest.poses import PoseReset
from ingest.processor import MAX_BREAK_S, Processed, Processor
from ingest.reprocess_wear import Wear
from ingest.sources import replay
from ingest.timeline import Piece
from processing.pipeline import PipelineParams
from processing.types import HeadingReset
from storage.full_rate_files import EncodedHour, HourCollector
from storage.record import RecordReader
from storage.result_rows import ResultBatch

SLICE_S = 300.0
"""Time fed at once. Longer saves calls and costs memory."""
STORED_MINUTES = 60
"""Results of an hour are stored in one transaction: each waits for the disk."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Everything that both sensors took up to a time and after the slice before."""

    until_ns: int
    pieces: dict[Role, list[Piece]]

    @property
    def samples(self) -> int:
        """Samples of all sensors."""
        return sum(p.block.t_ns.shape[0] for pieces in self.pieces.values() for p in pieces)


@dataclass(frozen=True, slots=True)
class SessionResult:
    """What one wear session gave."""

    batches: tuple[ResultBatch, ...]
    hours: tuple[EncodedHour, ...]
    """Rows at the pipeline's rate, as the files that they become."""
    samples: int
    """Samples of all sensors that went in."""
    first_ns: int | None
    """UTC of the first one, None where there was none."""
    last_ns: int | None
    """UTC of the last one."""


def process_wear(
    folder: Path,
    patient: str,
    zone: str,
    params: PipelineParams,
    wear: Wear,
    algo: str,
    on_progress: Callable[[int], None] | None = None,
) -> SessionResult:
    """Return the results of one wear session; needs nothing but the record.

    Parameters
    ----------
    algo : str
        Version under which the results shall be stored.
    on_progress : callable, optional
        Told the UTC nanoseconds up to which it is done.
    """
    processor = Processor(params, wear.setup, patient=patient, zone=ZoneInfo(zone))
    collected = _Collector(algo)
    samples = 0
    first_ns: int | None = None
    with RecordReader(folder) as reader:
        for part, processed in feed(processor, reader, patient, params, wear):
            if first_ns is None:
                starts = [p.block.t_ns[0] for pieces in part.pieces.values() for p in pieces]
                first_ns = int(min(starts))
            samples += part.samples
            collected.add(processed.results)
            if on_progress is not None:
                on_progress(part.until_ns)
    collected.add(processor.step(None, final=True, live=False).results)
    batches, hours = collected.finish()
    return SessionResult(batches, hours, samples, first_ns, processor.newest_ns)


def feed(
    processor: Processor,
    reader: RecordReader,
    patient: str,
    params: PipelineParams,
    wear: Wear,
    *,
    as_of_ns: int | None = None,
    on_reached: replay.Reached | None = None,
) -> Iterator[tuple[Slice, Processed]]:
    """Take a processor through a wear session, slice by slice; its end is left open.

    Parameters
    ----------
    processor : Processor
        At its start, with the session's setup.
    as_of_ns, on_reached
        As in `ingest.sources.replay.blocks`.

    Yields
    ------
    (Slice, Processed)
    """
    roles: tuple[Role, ...] = ("head",) if wear.setup.head_only else ("head", "trunk")
    processor.exclude(wear.excluded)
    later = deque(sorted(wear.resets, key=lambda reset: reset.start_ns))
    first = wear.first_resets
    parts = slices(
        reader,
        patient,
        roles,
        wear.since_ns,
        wear.until_ns,
        as_of_ns=as_of_ns,
        on_reached=on_reached,
    )
    for part in parts:
        if first:
            known = _first_resets(params, first, part)
            for reset in known:
                processor.add_reset(reset)
            first = () if known else first
        # a reset announced before a break is forgotten at it, so each comes with its slice
        while later and later[0].start_ns < part.until_ns:
            processor.add_reset(later.popleft())
        for role, pieces in part.pieces.items():
            processor.add(role, pieces)
        yield part, processor.step(part.until_ns, live=False)


def slices(
    reader: RecordReader,
    patient: str,
    roles: Sequence[Role],
    t0_ns: int,
    t1_ns: int,
    *,
    as_of_ns: int | None = None,
    on_reached: replay.Reached | None = None,
) -> Iterator[Slice]:
    """Yield all roles side by side; a slice ends before a long silence and before a broken axis."""
    sources = {
        role: replay.blocks(
            reader,
            patient=patient,
            role=role,
            t0_ns=t0_ns,
            t1_ns=t1_ns,
            as_of_ns=as_of_ns,
            on_reached=on_reached,
        )
        for role in roles
    }
    waiting: dict[Role, deque[Piece]] = {role: deque() for role in roles}
    begin_ns: int | None = None
    while True:
        firsts = [t for role in roles if (t := _first_ns(waiting[role], sources[role])) is not None]
        if not firsts:
            return
        first_ns = min(firsts)
        if begin_ns is None or not 0 <= first_ns - begin_ns <= MAX_BREAK_S * 1e9:
            begin_ns = first_ns  # the beginning, a long silence, or an axis that broke backwards
        until_ns = begin_ns + round(SLICE_S * 1e9)
        given: dict[Role, list[Piece]] = {role: [] for role in roles}
        for role in roles:
            until_ns = min(until_ns, _next_axis_ns(waiting[role], sources[role], until_ns))
        for role in roles:
            given[role] = _take(waiting[role], until_ns)
        begin_ns = until_ns
        yield Slice(until_ns, given)


def _first_ns(waiting: deque[Piece], source: Iterator[Piece]) -> int | None:
    if not waiting:
        piece = next(source, None)
        if piece is None:
            return None
        waiting.append(piece)
    return int(waiting[0].block.t_ns[0])


def _next_axis_ns(waiting: deque[Piece], source: Iterator[Piece], until_ns: int) -> int:
    """Read up to a time; return it, or where the axis breaks before it."""
    k = 0
    while True:
        if k == len(waiting):
            piece = next(source, None)
            if piece is None:
                return until_ns
            waiting.append(piece)
        block = waiting[k].block
        if k > 0 and waiting[k].new_axis:
            return min(until_ns, int(waiting[k - 1].block.t_ns[-1]) + 1)
        if int(block.t_ns[-1]) >= until_ns:
            return until_ns
        k += 1


def _take(waiting: deque[Piece], until_ns: int) -> list[Piece]:
    """Take the samples before a time; a piece that goes on beyond it is cut."""
    taken: list[Piece] = []
    while waiting and int(waiting[0].block.t_ns[0]) < until_ns:
        piece = waiting.popleft()
        block = piece.block
        n = int(np.searchsorted(block.t_ns, until_ns))
        taken.append(dataclasses.replace(piece, block=block.rows(0, n)))
        if n < block.t_ns.shape[0]:
            waiting.appendleft(Piece(block.rows(n, block.t_ns.shape[0]), new_axis=False))
            break
        if waiting and waiting[0].new_axis:
            break
    return taken


def _first_resets(
    params: PipelineParams, first: Sequence[HeadingReset], part: Slice
) -> list[PoseReset]:
    """Return the calibration's poses in UTC; their grid begins with the first valid head sample."""
    t0_ns = next(
        (
            int(piece.block.t_ns[piece.block.valid.argmax()])
            for piece in part.pieces["head"]
            if piece.block.valid.any()
        ),
        None,
    )
    if t0_ns is None:
        return []
    return [PoseReset.of(reset, t0_ns, params.grid.period_ns) for reset in first]


class _Collector:
    """Results of a session, an hour of minutes in each batch."""

    def __init__(self, algo: str) -> None:
        self._algo = algo
        self._batches: list[ResultBatch] = []
        self._parts: list[ResultBatch] = []
        self._minutes = 0
        self._hours = HourCollector()

    def add(self, batch: ResultBatch | None) -> None:
        """Take what one step gave."""
        if batch is None:
            return
        if batch.full_rate is not None:
            self._hours.add(batch.full_rate)
        self._parts.append(dataclasses.replace(batch, algo=self._algo, full_rate=None))
        self._minutes += len(batch.minutes)
        if self._minutes >= STORED_MINUTES:
            self._close()

    def finish(self) -> tuple[tuple[ResultBatch, ...], tuple[EncodedHour, ...]]:
        """Return everything."""
        self._close()
        return tuple(self._batches), self._hours.finish()

    def _close(self) -> None:
        whole = merged(self._parts)
        if whole is not None:
            self._batches.append(whole)
        self._parts, self._minutes = [], 0
