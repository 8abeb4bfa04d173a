"""The collector's door to the record: append packets, committed once a second, sealed in time."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from storage.database import folder_errors, open_database, transaction
from storage.errors import DiskFullError, StorageError, UnknownStreamError
from storage.record import journal, sealing
from storage.record.admission import check_packet, still_new, stream_exists
from storage.record.erasing import finish_erasing
from storage.record.journal import Piece
from storage.record.lock import WriterLock
from storage.record.ranges import RangeSet
from storage.record.registry import find_or_create
from storage.record.sealing import GRACE_S, SEGMENT_S, SealTarget
from storage.record.segments import Fault, SealedFile, no_fault
from storage.record.types import Packet, StreamInfo

log = logging.getLogger(__name__)

COMMIT_EVERY_S = 1.0
IDLE_SEAL_S = 600.0
"""A stream that has been silent this long is sealed whole, grace included."""
MAX_PENDING_BYTES = 64 << 20
"""What may wait in memory while the disk refuses; about 11 h of two sensors at 104 Hz."""


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """What one commit made safe."""

    samples: Mapping[int, int]
    """Newly committed samples per stream id."""
    end_index: Mapping[int, int]
    """One past the highest committed sample index of those streams."""


@dataclass(frozen=True, slots=True)
class WriterState:
    """How the writer is doing, for health pages and metrics."""

    error: StorageError | None
    """Why the last commit failed; None while all is well."""
    pending_samples: int
    """Accepted, not yet on disk."""
    pending_bytes: int
    committed_samples: int
    """Since this writer was opened."""
    duplicate_samples: int
    """Offered again and recognised, since this writer was opened."""
    last_commit_s: float
    """`time.monotonic` of the last successful commit."""


@dataclass(slots=True)
class _OpenStream:
    target: SealTarget
    held: RangeSet
    pieces: list[Piece]
    last_append_s: float


class RecordWriter:
    """Exclusive writer of one data folder. Thread-safe; `close` it, or use it in a ``with``."""

    def __init__(
        self,
        data_dir: Path | str,
        *,
        background: bool = True,
        on_commit: Callable[[CommitInfo], None] | None = None,
        on_sealed: Callable[[SealedFile], None] | None = None,
        fault: Fault = no_fault,
    ) -> None:
        """Take the writer lock, recover what a crash left, and start committing.

        Parameters
        ----------
        data_dir : path
            Created where missing.
        background : bool
            Commit once a second and seal from a thread. Without it the caller calls `commit` and
            `seal_due`.
        on_commit, on_sealed : callable
            Told, in the committing thread, what became safe or was sealed.
        fault : callable
            For tests: called with the name of each step of sealing.

        Raises
        ------
        WriterLockedError, ReadOnlyFolderError, DiskFullError, NewerSchemaError, MigrationError
        """
        self._folder = Path(data_dir)
        self._lock = WriterLock(self._folder)
        try:
            self._connection = open_database(self._folder, create=True)
            with folder_errors(self._folder):
                finish_erasing(self._connection, self._folder)
                self.recovered = sealing.recover(self._connection, self._folder)
        except BaseException:
            self._lock.release()
            raise
        self._on_commit = on_commit
        self._on_sealed = on_sealed
        self._fault = fault
        self._buffer_lock = threading.Lock()
        self._database_lock = threading.RLock()
        self._streams: dict[int, _OpenStream] = {}
        self._next_index: dict[int, int] = {}
        self._held: dict[int, RangeSet] = {}
        self._state = WriterState(None, 0, 0, 0, 0, time.monotonic())
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        if background:
            self._thread = threading.Thread(target=self._run, name="record-writer", daemon=True)
            self._thread.start()

    def __enter__(self) -> "RecordWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def state(self) -> WriterState:
        """How the writer is doing."""
        return self._state

    def open_stream(self, info: StreamInfo) -> int:
        """Return the id of the stream, created where this device, boot and kind are new.

        A changed patient, role, channel list, rate or clock starts a new stream on the same
        index axis; changed metadata only updates the description.
        """
        info = info.checked()
        with self._database_lock, folder_errors(self._folder):
            with transaction(self._connection):
                target = find_or_create(self._connection, info)
            held = self._held.get(target.line)
            if held is None:
                held = journal.held_ranges(self._connection, target.line, -(2**62), 2**62)
                end = journal.end_index(self._connection, target.line)
            with self._buffer_lock:
                if target.line not in self._held:
                    self._held[target.line] = held
                    self._next_index[target.line] = end
                known = self._streams.get(target.id)
                if known is None:
                    self._streams[target.id] = _OpenStream(
                        target, self._held[target.line], [], time.monotonic()
                    )
                else:
                    known.target = target
        return target.id

    def append(self, stream_id: int, packets: Sequence[Packet]) -> int:
        """Take packets over; they are on disk after the next commit, within a second.

        Parameters
        ----------
        stream_id : int
            From `open_stream`.
        packets : sequence of Packet
            In any order; repeats and overlaps are recognised by range of sample indices (by
            device time for a host index).

        Returns
        -------
        int
            Samples that are new.

        Raises
        ------
        UnknownStreamError, StreamConflictError
        DiskFullError
            The disk has refused for so long that memory is used up; nothing of this call was
            taken.
        """
        with self._buffer_lock:
            stream = self._streams.get(stream_id)
            if stream is None:
                raise UnknownStreamError(stream_id)
            info = stream.target.info
            for packet in packets:
                check_packet(packet, info)
            if self._state.pending_bytes > MAX_PENDING_BYTES:
                raise DiskFullError(self._folder, "and the waiting samples fill the memory")
            line = stream.target.line
            accepted = offered = size = 0
            for packet in packets:
                offered += packet.data.shape[0]
                for piece in journal.pieces_of(packet, info, stream.held, self._next_index[line]):
                    stream.pieces.append(piece)
                    accepted += piece.i1 - piece.i0
                    size += len(piece.data) + 64
                    if piece.k0 is not None and piece.k1 is not None:
                        stream.held.add(piece.k0, piece.k1)
                    self._next_index[line] = max(self._next_index[line], piece.i1)
            if packets:
                stream.last_append_s = time.monotonic()
            self._state = replace(
                self._state,
                pending_samples=self._state.pending_samples + accepted,
                pending_bytes=self._state.pending_bytes + size,
                duplicate_samples=self._state.duplicate_samples + offered - accepted,
            )
        return accepted

    def note_loss(self, stream_id: int, i0: int, i1: int, cause: str) -> None:
        """Write down why samples [i0, i1) never reached the host, for `verify`.

        Raises
        ------
        UnknownStreamError, DiskFullError, ReadOnlyFolderError
        """
        with (
            self._database_lock,
            folder_errors(self._folder),
            transaction(self._connection),
        ):
            if not stream_exists(self._connection, stream_id):
                raise UnknownStreamError(stream_id)
            self._connection.execute(
                "INSERT INTO loss VALUES (?, ?, ?, ?, ?)",
                (stream_id, i0, i1, cause, time.time_ns()),
            )

    def forget(self, patient: str) -> None:
        """Drop a patient's open streams and what waits for them; appending to them is refused."""
        with self._database_lock, self._buffer_lock:
            for key in [k for k, s in self._streams.items() if s.target.info.patient == patient]:
                stream = self._streams.pop(key)
                self._held.pop(stream.target.line, None)
                samples = sum(p.i1 - p.i0 for p in stream.pieces)
                size = sum(len(p.data) + 64 for p in stream.pieces)
                self._state = replace(
                    self._state,
                    pending_samples=self._state.pending_samples - samples,
                    pending_bytes=self._state.pending_bytes - size,
                )

    def commit(self) -> CommitInfo:
        """Make everything appended so far durable; on failure it stays in memory and is retried.

        Raises
        ------
        DiskFullError, ReadOnlyFolderError
        """
        with self._database_lock:
            with self._buffer_lock:
                batch = {k: s.pieces for k, s in self._streams.items() if s.pieces}
                targets = {k: self._streams[k].target for k in batch}
                for stream_id in batch:
                    self._streams[stream_id].pieces = []
                counted = self._state.pending_samples, self._state.pending_bytes
            try:
                with folder_errors(self._folder):
                    info = self._write(batch, targets) if batch else CommitInfo({}, {})
            except BaseException as error:
                with self._buffer_lock:
                    for stream_id, pieces in batch.items():
                        self._streams[stream_id].pieces[:0] = pieces
                    if isinstance(error, StorageError):
                        self._state = replace(self._state, error=error)
                raise
            with self._buffer_lock:
                self._state = replace(
                    self._state,
                    error=None,
                    pending_samples=self._state.pending_samples - counted[0],
                    pending_bytes=self._state.pending_bytes - counted[1],
                    committed_samples=self._state.committed_samples + sum(info.samples.values()),
                    last_commit_s=time.monotonic(),
                )
        if self._on_commit is not None and info.samples:
            self._on_commit(info)
        return info

    def seal_due(self) -> list[SealedFile]:
        """Seal every stream whose journal holds a full segment, or that has gone quiet."""
        sealed: list[SealedFile] = []
        with self._database_lock, folder_errors(self._folder):
            rows = self._connection.execute(
                "SELECT stream, min(host_ns), max(host_ns) FROM packet GROUP BY stream"
            ).fetchall()
            for stream_id, oldest_ns, newest_ns in rows:
                stream = self._streams.get(stream_id)
                quiet = stream is None or time.monotonic() - stream.last_append_s > IDLE_SEAL_S
                if quiet:
                    until = newest_ns
                elif newest_ns - oldest_ns >= (SEGMENT_S + GRACE_S) * 1e9:
                    until = newest_ns - int(GRACE_S * 1e9)
                else:
                    continue
                sealed += self._seal(stream_id, until)
        for file in sealed:
            if self._on_sealed is not None:
                self._on_sealed(file)
        return sealed

    def seal(self, stream_id: int) -> list[SealedFile]:
        """Seal everything of a stream that is committed."""
        with self._database_lock, folder_errors(self._folder):
            return self._seal(stream_id, None)

    def close(self) -> None:
        """Commit what is left and release the folder.

        Raises
        ------
        DiskFullError, ReadOnlyFolderError
            The last samples could not be written; the folder is released all the same.
        """
        if self._stop.is_set():
            return
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        try:
            self.commit()
        finally:
            with self._database_lock:
                try:
                    self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                except sqlite3.Error as error:
                    log.debug("checkpoint at close: %s", error)
                self._connection.close()
            self._lock.release()

    def _write(
        self, batch: Mapping[int, list[Piece]], targets: Mapping[int, SealTarget]
    ) -> CommitInfo:
        samples: dict[int, int] = {}
        ends: dict[int, int] = {}
        with transaction(self._connection):
            for stream_id, pieces in batch.items():
                target = targets[stream_id]
                if not stream_exists(self._connection, stream_id):
                    log.warning("record: stream %d was deleted; its samples go too", stream_id)
                    continue
                fresh = still_new(self._connection, target, pieces)
                if target.info.index_source == "host":
                    fresh = self._renumbered(target.line, fresh)
                samples[stream_id] = journal.insert(self._connection, stream_id, target.line, fresh)
                ends[stream_id] = max((p.i1 for p in pieces), default=0)
        return CommitInfo(samples, ends)

    def _renumbered(self, line: int, pieces: list[Piece]) -> list[Piece]:
        """Move host-made indices past those that an importer gave out meanwhile."""
        shift = journal.end_index(self._connection, line) - min(
            (p.i0 for p in pieces), default=2**62
        )
        if shift <= 0:
            return pieces
        with self._buffer_lock:
            self._next_index[line] += shift
        return [replace(p, i0=p.i0 + shift, i1=p.i1 + shift) for p in pieces]

    def _seal(self, stream_id: int, until_ns: int | None) -> list[SealedFile]:
        stream = self._streams.get(stream_id)
        if stream is not None:
            target = stream.target
        else:
            row = self._connection.execute(
                "SELECT line, info FROM stream WHERE id = ?", (stream_id,)
            ).fetchone()
            if row is None:
                raise UnknownStreamError(stream_id)
            target = SealTarget(stream_id, int(row[0]), StreamInfo.from_json(row[1]))
        return sealing.seal(
            self._connection, self._folder, target, until_host_ns=until_ns, fault=self._fault
        )

    def _run(self) -> None:
        failing = False
        while not self._stop.wait(COMMIT_EVERY_S):
            try:
                self.commit()
                self.seal_due()
            except StorageError as error:
                log.log(logging.DEBUG if failing else logging.ERROR, "record: %s", error)
                with self._buffer_lock:
                    self._state = replace(self._state, error=error)
                failing = True
            except Exception:
                # The writer must outlive whatever happens: samples keep waiting in memory.
                log.exception("record: unexpected failure, trying again")
                failing = True
            else:
                if failing:
                    log.info("record: writing again")
                failing = False
