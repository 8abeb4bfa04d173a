"""Writing whole ranges as sealed segments at once: importers and history generators.

Works from any process, also while a collector records into the same folder: the writer lock
guards the journal, and every segment enters the manifest in one transaction of its own.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from storage.database import folder_errors, open_database, transaction
from storage.errors import StreamConflictError, UnknownStreamError
from storage.record import journal, sealing
from storage.record.ranges import RangeSet
from storage.record.registry import find_or_create, stream_info
from storage.record.sealing import SealTarget
from storage.record.segments import SealedFile, load
from storage.record.types import Anchors, Chunk, Packet, Samples, StreamInfo


class DirectWriter:
    """Writes finished ranges of samples without the journal. Use it in a ``with``."""

    def __init__(self, data_dir: Path | str) -> None:
        """Open the folder, created where missing; takes no writer lock."""
        self._folder = Path(data_dir)
        self._connection = open_database(self._folder, create=True)

    def __enter__(self) -> "DirectWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def open_stream(self, info: StreamInfo) -> int:
        """Return the id of the stream, created where missing (as `RecordWriter.open_stream`)."""
        with folder_errors(self._folder), transaction(self._connection):
            return find_or_create(self._connection, info.checked()).id

    def is_anothers(self, info: StreamInfo, i0: int, i1: int) -> bool:
        """Return whether samples of this device and boot in [i0, i1) are another patient's."""
        values = (info.device_id, info.boot, info.kind, info.patient, i1, i0)
        whose = "s.device_id = ? AND s.boot = ? AND s.kind = ? AND s.patient <> ?"
        with folder_errors(self._folder):
            return any(
                self._connection.execute(
                    f"SELECT 1 FROM {table} x JOIN stream s ON s.id = x.stream "  # noqa: S608  # constants
                    f"WHERE {whose} AND x.i0 < ? AND x.i1 > ? LIMIT 1",
                    values,
                ).fetchone()
                for table in ("segment", "packet")
            )

    def seal_direct(
        self,
        stream_id: int,
        data: Samples,
        *,
        first_index: int,
        anchors: Anchors,
        index: NDArray[np.int64] | None = None,
    ) -> list[SealedFile]:
        """Store samples as segments of at most five minutes; what is held already is left out.

        Parameters
        ----------
        stream_id : int
            From `open_stream`.
        data : (n, c) array
            Stored values in the stream's type.
        first_index : int
            Sample index of the first row, for contiguous data; ignored where `index` is given.
        anchors : Anchors
            At least one; (device counter, host arrival) of the rows they name.
        index : (n,) int64, optional
            Strictly increasing sample indices, where the data has holes.

        Returns
        -------
        list of SealedFile
            The segments written; empty where everything was held.

        Raises
        ------
        UnknownStreamError, StreamConflictError, DiskFullError, ReadOnlyFolderError
        """
        with folder_errors(self._folder):
            info = stream_info(self._connection, stream_id)
            if info.index_source == "host":
                raise StreamConflictError(
                    "only streams with a device index can be sealed directly; append packets "
                    "instead, or give the imported stream an index of its own"
                )
            rows = (
                np.arange(first_index, first_index + len(data), dtype=np.int64)
                if index is None
                else np.ascontiguousarray(index, dtype=np.int64)
            )
            _check(rows, data, anchors, info)
            line = self._connection.execute(
                "SELECT line FROM stream WHERE id = ?", (stream_id,)
            ).fetchone()
            if line is None:
                raise UnknownStreamError(stream_id)
            target = SealTarget(stream_id, int(line[0]), info)
            whole = Chunk(rows, data, _rounded(anchors))
            sealed: list[SealedFile] = []
            for a, b in _cuts(rows, sealing.segment_samples(info) // 2):
                file = self._write_new(target, sealing.part_of(whole, a, b), whole.anchors)
                if file is not None:
                    sealed.append(file)
        return sealed

    def append_arrivals(self, stream_id: int, chunk: Chunk) -> int:
        """Store packets of a stream with a host index through the journal; return new samples.

        Parameters
        ----------
        stream_id : int
            From `open_stream`; its `index_source` is ``host``.
        chunk : Chunk
            Beginning with an anchor. Its indices are another hub's and are given anew; a packet
            that arrived at a time at which one is held here is a repeat.
        """
        with folder_errors(self._folder), transaction(self._connection):
            info = stream_info(self._connection, stream_id)
            row = self._connection.execute(
                "SELECT line FROM stream WHERE id = ?", (stream_id,)
            ).fetchone()
            held = self._arrivals(stream_id, info)
            starts = np.searchsorted(chunk.index, chunk.anchors.index).tolist()
            next_index = journal.end_index(self._connection, int(row[0]))
            pieces: list[journal.Piece] = []
            for k, (a, b) in enumerate(itertools.pairwise([*starts, len(chunk.index)])):
                host_ns, ticks = int(chunk.anchors.host_ns[k]), int(chunk.anchors.device_ticks[k])
                if host_ns in held:
                    continue
                packet = Packet(0, None if ticks < 0 else ticks, host_ns, chunk.data[a:b])
                pieces += journal.pieces_of(packet, info, RangeSet(), next_index)
                next_index = pieces[-1].i1
            return journal.insert(self._connection, stream_id, int(row[0]), pieces)

    def _arrivals(self, stream_id: int, info: StreamInfo) -> set[int]:
        held = {
            int(row[0])
            for row in self._connection.execute(
                "SELECT host_ns FROM packet WHERE stream = ?", (stream_id,)
            )
        }
        for path, sha256 in self._connection.execute(
            "SELECT path, sha256 FROM segment WHERE stream = ? AND damaged IS NULL", (stream_id,)
        ).fetchall():
            held.update(load(self._folder, path, sha256, info).anchors.host_ns.tolist())
        return held

    def _write_new(self, target: SealTarget, part: Chunk, anchors: Anchors) -> SealedFile | None:
        while True:
            fresh = self._new_rows(target, part)
            if not len(fresh.index):
                return None
            try:
                return self._write(target, fresh, anchors)
            except sealing.OvertakenError:
                continue

    def _new_rows(self, target: SealTarget, part: Chunk) -> Chunk:
        i0, i1 = int(part.index[0]), int(part.index[-1]) + 1
        held = journal.held_ranges(self._connection, target.line, i0, i1)
        if not len(held):
            return part
        keep = np.ones(len(part.index), dtype=np.bool_)
        for a, b in held:
            keep[np.searchsorted(part.index, a) : np.searchsorted(part.index, b)] = False
        return sealing.rows_of(part, keep)

    def _write(self, target: SealTarget, part: Chunk, anchors: Anchors) -> SealedFile:
        hosts = part.anchors.host_ns
        if not len(hosts):
            # A piece between two anchors: the one before it says when it arrived.
            at = max(int(np.searchsorted(anchors.index, part.index[0], "right")) - 1, 0)
            hosts = anchors.host_ns[at : at + 1]
        return sealing.write_segment(
            self._connection,
            self._folder,
            target,
            part,
            sealing.runs_of(part),
            (int(hosts.min()), int(hosts.max())),
            acknowledge=True,
            new_only=True,
        )


def _rounded(anchors: Anchors) -> Anchors:
    order = np.argsort(anchors.index, kind="stable")
    return Anchors(
        index=np.ascontiguousarray(anchors.index[order], dtype=np.int64),
        device_ticks=np.ascontiguousarray(anchors.device_ticks[order], dtype=np.int64),
        host_ns=np.ascontiguousarray(anchors.host_ns[order], dtype=np.int64) // 1000 * 1000,
    )


def _check(rows: NDArray[np.int64], data: Samples, anchors: Anchors, info: StreamInfo) -> None:
    if data.ndim != 2 or data.shape != (len(rows), len(info.channels)):
        raise StreamConflictError(
            f"data has shape {data.shape}, expected ({len(rows)}, {len(info.channels)})"
        )
    if data.dtype.newbyteorder("<") != info.dtype:
        raise StreamConflictError(f"data is {data.dtype}, the stream holds {info.dtype}")
    if len(rows) and (rows[0] < 0 or (len(rows) > 1 and int(np.diff(rows).min()) <= 0)):
        raise StreamConflictError("sample indices must be strictly increasing and not negative")
    if not len(anchors.index) or not np.isin(anchors.index, rows).all():
        raise StreamConflictError("give at least one anchor, each at a sample index of the data")


def _cuts(rows: NDArray[np.int64], width: int) -> Sequence[tuple[int, int]]:
    cuts: list[tuple[int, int]] = []
    a = 0
    while a < len(rows):
        b = int(np.searchsorted(rows, rows[a] + width))
        cuts.append((a, b))
        a = b
    return cuts
