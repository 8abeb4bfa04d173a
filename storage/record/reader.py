"""Reading the record: beside a running writer, in bounded pieces, each checked when touched."""

import hashlib
import itertools
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storage.database import (
    folder_errors,
    open_database,
    open_for_reading,
    snapshot,
)
from storage.errors import CorruptSegmentError, StorageError
from storage.record import journal, segments
from storage.record.damage import Damage, set_aside
from storage.record.registry import list_streams, stream_info
from storage.record.sealing import part_of, quarantine
from storage.record.types import Anchors, Chunk, Role, Stream, StreamInfo, StreamKind

log = logging.getLogger(__name__)

MAX_ROWS = 65_536
_CACHED_SEGMENTS = 4


@dataclass(frozen=True, slots=True)
class _Listed:
    path: str
    sha256: str
    i0: int
    i1: int
    samples: int

    @property
    def index(self) -> NDArray[np.int64] | None:
        """Sample indices of a segment without a gap, None where only the file knows them."""
        if self.samples != self.i1 - self.i0:
            return None
        return np.arange(self.i0, self.i1, dtype=np.int64)


class RecordReader:
    """Reads a data folder; many may, in any process, while one writer records. Thread-safe."""

    def __init__(self, data_dir: Path | str) -> None:
        """Open the folder.

        Raises
        ------
        NotARecordError, NewerSchemaError, ReadOnlyFolderError
        """
        self.folder = Path(data_dir)
        self._connection = open_for_reading(self.folder)
        self._lock = threading.Lock()
        self._damaged: dict[str, Damage] = {}
        self._left_in_place: dict[str, Damage] = {}  # of a folder that cannot be written

    def __enter__(self) -> "RecordReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    @property
    def damaged(self) -> tuple[Damage, ...]:
        """Segments that this reader met and could not serve."""
        return tuple(self._damaged.values())

    def quarantined(
        self,
        *,
        patient: str,
        role: Role | None = None,
        t0_ns: int = 0,
        t1_ns: int = 2**62,
    ) -> list[Damage]:
        """Return the segments of a person that were found damaged, with arrivals in [t0, t1).

        Whoever found them, now or earlier: they are missing from what this reader serves. Those
        whose samples the sensor sent again are not.
        """
        wanted = {s.id for s in self.streams(patient=patient, role=role)}
        with self._lock, folder_errors(self.folder):
            found = list(set_aside(self._connection, wanted, t0_ns, t1_ns))
        found += [
            each
            for each in self._left_in_place.values()
            if each.stream_id in wanted and each.t1_ns >= t0_ns and each.t0_ns < t1_ns
        ]
        return sorted(found, key=lambda each: each.t0_ns)

    def streams(
        self,
        *,
        patient: str | None = None,
        device_id: str | None = None,
        role: Role | None = None,
        kind: StreamKind | None = None,
        t0_ns: int | None = None,
        t1_ns: int | None = None,
    ) -> list[Stream]:
        """Return the streams that match, in order of first arrival.

        `t0_ns` and `t1_ns` keep streams with an arrival in [t0, t1).
        """
        with self._lock, folder_errors(self.folder):
            return list(
                list_streams(
                    self._connection,
                    patient=patient,
                    device_id=device_id,
                    role=role,
                    kind=kind,
                    t0_ns=t0_ns,
                    t1_ns=t1_ns,
                )
            )

    def info(self, stream_id: int) -> StreamInfo:
        """Return the description of a stream.

        Raises
        ------
        UnknownStreamError
        """
        with self._lock, folder_errors(self.folder):
            return stream_info(self._connection, stream_id)

    def samples(
        self,
        stream_id: int,
        i0: int | None = None,
        i1: int | None = None,
        *,
        max_rows: int = MAX_ROWS,
        packets: bool = True,
    ) -> Iterator[Chunk]:
        """Yield the samples of [i0, i1) in index order, at most `max_rows` at a time.

        Without `packets` the anchors of the chunks may be missing, for who knows them already.
        What the manifest and the journal held when the iteration began is served; a damaged
        segment is quarantined, entered in `damaged`, and everything else is served.

        Raises
        ------
        UnknownStreamError
        """
        low = 0 if i0 is None else i0
        high = 2**62 if i1 is None else i1
        info, listed, rows = self._view(stream_id, low, high)
        hot = journal.chunk_of(rows, info)
        cache: OrderedDict[str, Chunk | None] = OrderedDict()
        borders = sorted({low, high, *(s.i0 for s in listed if low < s.i0 < high)})
        first = 0
        for a, b in itertools.pairwise(borders):
            while first < len(listed) and listed[first].i1 <= a:
                first += 1
            parts = [
                _cut(chunk, a, b)
                for segment in listed[first:]
                if segment.i0 < b and segment.i1 > a
                for chunk in (self._load(stream_id, segment, info, cache, packets=packets),)
                if chunk is not None
            ]
            parts.append(_cut(hot, a, b))
            merged = _merge([part for part in parts if len(part.index)], info)
            for at in range(0, len(merged.index), max_rows):
                yield part_of(merged, at, min(at + max_rows, len(merged.index)))

    def anchors(self, stream_id: int, i0: int | None = None, i1: int | None = None) -> Anchors:
        """Return the (device counter, host arrival) pairs of the packets that begin in [i0, i1)."""
        low = 0 if i0 is None else i0
        high = 2**62 if i1 is None else i1
        info, listed, rows = self._view(stream_id, low, high)
        found = [journal.chunk_of(rows, info).anchors]
        for segment in listed:
            try:
                found.append(
                    segments.load_anchors(self.folder, segment.path, segment.sha256, segment.index)
                )
            except CorruptSegmentError as error:
                self._report(stream_id, segment, error)
        joined = _join_anchors(found)
        a, b = np.searchsorted(joined.index, (low, high))
        return Anchors(joined.index[a:b], joined.device_ticks[a:b], joined.host_ns[a:b])

    def index_range(self, stream_id: int, t0_ns: int, t1_ns: int) -> tuple[int, int]:
        """Return sample indices [i0, i1) that cover all packets that arrived in [t0, t1).

        The packet before t0 is included, so that no sample of the range is left out; late
        repeats can make the range wider, never narrower.
        """
        with self._lock, folder_errors(self.folder), snapshot(self._connection):
            rows = self._connection.execute(
                "SELECT path, sha256, i0, i1, samples, host0_ns, host1_ns FROM segment "
                "WHERE stream = ? AND damaged IS NULL AND host1_ns >= ? AND host0_ns < ?",
                (stream_id, t0_ns, t1_ns),
            ).fetchall()
            hot = self._connection.execute(
                "SELECT min(i0), max(i1) FROM packet WHERE stream = ? AND host_ns >= ? "
                "AND host_ns < ?",
                (stream_id, t0_ns, t1_ns),
            ).fetchone()
        info = self.info(stream_id)
        low: list[int] = []
        high: list[int] = []
        for *listed, host0_ns, host1_ns in rows:
            segment = _Listed(*listed)
            i0, i1 = segment.i0, segment.i1
            if host0_ns >= t0_ns and host1_ns < t1_ns:
                low.append(i0)
                high.append(i1)
                continue
            chunk = self._load(stream_id, segment, info, None)
            if chunk is None:
                continue
            inside = np.flatnonzero(
                (chunk.anchors.host_ns >= t0_ns) & (chunk.anchors.host_ns < t1_ns)
            )
            if len(inside):
                starts = chunk.anchors.index
                low.append(int(starts[max(inside[0] - 1, 0)]))
                after = inside[-1] + 1
                high.append(int(starts[after]) if after < len(starts) else int(i1))
        if hot[0] is not None:
            low.append(int(hot[0]))
            high.append(int(hot[1]))
        return (min(low), max(high)) if low else (0, 0)

    def version(self, stream_id: int, i0: int, i1: int) -> str:
        """Return a text that changes whenever what is held of the samples [i0, i1) does.

        Nothing but the manifest is read. Sealing changes it too, although the samples stay.
        """
        return self._version("i1 > :low AND i0 < :high", (stream_id,), i0, i1)

    def version_until(self, streams: Sequence[int], t_ns: int) -> str:
        """Return a text that changes whenever what arrived of some streams before a time does."""
        return self._version("host_ns >= :low AND host_ns < :high", streams, 0, t_ns)

    def _version(self, inside: str, streams: Sequence[int], low: int, high: int) -> str:
        sealed = inside.replace("host_ns >=", "host1_ns >=").replace("host_ns <", "host0_ns <")
        found: list[object] = []
        with self._lock, folder_errors(self.folder), snapshot(self._connection):
            for stream in streams:
                values = {"stream": stream, "low": low, "high": high}
                found += self._connection.execute(
                    f"SELECT sha256 FROM segment WHERE stream = :stream AND damaged IS NULL "  # noqa: S608  # our own conditions
                    f"AND {sealed} ORDER BY id",
                    values,
                ).fetchall()
                found.append(
                    self._connection.execute(
                        f"SELECT count(*), max(id) FROM packet WHERE stream = :stream AND {inside}",  # noqa: S608  # our own conditions
                        values,
                    ).fetchone()
                )
        return hashlib.sha256(repr(found).encode()).hexdigest()[:32]

    def _view(
        self, stream_id: int, i0: int, i1: int
    ) -> tuple[StreamInfo, list[_Listed], Sequence[journal.JournalRow]]:
        with self._lock, folder_errors(self.folder), snapshot(self._connection):
            info = stream_info(self._connection, stream_id)
            listed = [
                _Listed(*row)
                for row in self._connection.execute(
                    "SELECT path, sha256, i0, i1, samples FROM segment WHERE stream = ? "
                    "AND damaged IS NULL AND i1 > ? AND i0 < ? ORDER BY i0",
                    (stream_id, i0, i1),
                )
            ]
            rows = self._connection.execute(
                f"SELECT {journal.ROW_COLUMNS} FROM packet "  # noqa: S608  # a constant
                "WHERE stream = ? AND i1 > ? AND i0 < ?",
                (stream_id, i0, i1),
            ).fetchall()
        return info, listed, rows

    def _load(
        self,
        stream_id: int,
        segment: _Listed,
        info: StreamInfo,
        cache: OrderedDict[str, Chunk | None] | None,
        *,
        packets: bool = True,
    ) -> Chunk | None:
        if cache is not None and segment.path in cache:
            return cache[segment.path]
        try:
            chunk = segments.load(
                self.folder, segment.path, segment.sha256, info, segment.index, packets=packets
            )
        except CorruptSegmentError as error:
            self._report(stream_id, segment, error)
            chunk = None
        if cache is not None:
            cache[segment.path] = chunk
            if len(cache) > _CACHED_SEGMENTS:
                cache.popitem(last=False)
        return chunk

    def _report(self, stream_id: int, segment: _Listed, error: CorruptSegmentError) -> None:
        with self._lock:
            listed = self._connection.execute(
                "SELECT host0_ns, host1_ns FROM segment WHERE path = ?", (segment.path,)
            ).fetchone()
        if listed is None:
            return  # deleted with its patient since this iteration began
        log.error("record: %s", error)
        found = Damage(
            segment.path,
            stream_id,
            segment.i0,
            segment.i1,
            segment.samples,
            error.reason,
            *listed,
        )
        self._damaged[segment.path] = self._left_in_place[segment.path] = found
        try:
            writable = open_database(self.folder)
        except StorageError:
            return
        try:
            with folder_errors(self.folder):
                quarantine(writable, self.folder, segment.path, error.reason)
            del self._left_in_place[segment.path]
        except StorageError as refused:
            log.warning("record: could not quarantine %s: %s", segment.path, refused)
        finally:
            writable.close()


def _cut(chunk: Chunk, a: int, b: int) -> Chunk:
    low, high = np.searchsorted(chunk.index, (a, b))
    if low == 0 and high == len(chunk.index):
        return chunk
    return part_of(chunk, int(low), int(high))


def _merge(parts: Sequence[Chunk], info: StreamInfo) -> Chunk:
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return Chunk(
            np.empty(0, dtype=np.int64),
            np.empty((0, len(info.channels)), dtype=info.dtype),
            _join_anchors([]),
        )
    index = np.concatenate([part.index for part in parts])
    order = np.argsort(index, kind="stable")
    return Chunk(
        index=index[order],
        data=np.concatenate([part.data for part in parts])[order],
        anchors=_join_anchors([part.anchors for part in parts]),
    )


def _join_anchors(parts: Sequence[Anchors]) -> Anchors:
    def joined(columns: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
        return np.concatenate([np.empty(0, dtype=np.int64), *columns])

    index = joined([part.index for part in parts])
    order = np.argsort(index, kind="stable")
    return Anchors(
        index=index[order],
        device_ticks=joined([part.device_ticks for part in parts])[order],
        host_ns=joined([part.host_ns for part in parts])[order],
    )
