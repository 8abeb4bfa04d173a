"""Moving journal rows into sealed segments, and putting things right after a crash."""

import hashlib
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection

import numpy as np
from numpy.typing import NDArray

from storage.database import transaction
from storage.errors import CorruptSegmentError
from storage.record import journal, segments
from storage.record.ranges import RangeSet
from storage.record.segments import Fault, SealedFile, no_fault
from storage.record.types import Anchors, Chunk, StreamInfo

SEGMENT_S = 300.0
"""Target length of a segment. Shorter: more files and 4 % more bytes at 60 s; longer: a bigger
journal to read beside and more to lose with one damaged file. Measured: 1 h saves 1 %."""
GRACE_S = 30.0
"""The newest part stays in the journal, so that repeats of lost packets join the regular segment
instead of making a supplementary one."""
_BATCH_ROWS = 20_000
_EVENT_ROWS = 50_000
"""Samples per segment of a stream without a rate."""


@dataclass(frozen=True, slots=True)
class SealTarget:
    """The stream that is being sealed."""

    id: int
    line: int
    info: StreamInfo


class OvertakenError(Exception):
    """Another process stored some of these samples first; look again and retry."""


def segment_samples(info: StreamInfo) -> int:
    """Return the most samples, and the widest index extent, of one segment."""
    return math.ceil(2.0 * SEGMENT_S * info.rate_hz) or _EVENT_ROWS


def seal(
    connection: Connection,
    folder: Path,
    target: SealTarget,
    *,
    until_host_ns: int | None = None,
    fault: Fault = no_fault,
) -> list[SealedFile]:
    """Seal a stream's journal rows that arrived up to a time; return the new segments.

    Each segment is published and its rows leave the journal in one transaction.
    """
    sealed: list[SealedFile] = []
    limit = until_host_ns if until_host_ns is not None else 2**63 - 1
    while True:
        rows: list[journal.JournalRow] = connection.execute(
            f"SELECT {journal.ROW_COLUMNS} FROM packet WHERE stream = ? AND host_ns <= ? "  # noqa: S608  # constant
            "ORDER BY i0 LIMIT ?",
            (target.id, limit, _BATCH_ROWS),
        ).fetchall()
        if not rows:
            return sealed
        for part in _parts(rows, segment_samples(target.info), _sealed_end(connection, target)):
            chunk = journal.chunk_of(part, target.info)
            spans = RangeSet((r[7], r[8]) for r in part if r[7] is not None and r[8] is not None)
            hosts = [r[5] for r in part]
            sealed.append(
                write_segment(
                    connection,
                    folder,
                    target,
                    chunk,
                    spans,
                    (min(hosts), max(hosts)),
                    journal_ids=[r[0] for r in part],
                    fault=fault,
                )
            )


def write_segment(
    connection: Connection,
    folder: Path,
    target: SealTarget,
    chunk: Chunk,
    spans: RangeSet,
    hosts_ns: tuple[int, int],
    *,
    journal_ids: Sequence[int] = (),
    acknowledge: bool = False,
    new_only: bool = False,
    fault: Fault = no_fault,
) -> SealedFile:
    """Publish one chunk as a segment and enter it in the manifest, in one step for every reader.

    Parameters
    ----------
    chunk : Chunk
        In index order, not empty.
    spans : RangeSet
        What the chunk holds on the line's axis.
    hosts_ns : tuple of int
        First and last arrival.
    journal_ids : sequence of int
        Journal rows that the segment replaces.
    acknowledge : bool
        Count the samples as newly promised: they never were in the journal.
    new_only : bool
        Check in the same transaction that nothing of it is held.

    Raises
    ------
    OvertakenError
        With `new_only`: something of it is held by now.
    """
    body = segments.encode(target.info, chunk)
    base = segments.segment_folder(target.info, hosts_ns[0])
    i0 = int(chunk.index[0])
    published = ""
    tmp = segments.write_synced(folder, f"{base}/{i0}-{time.monotonic_ns()}.parquet", body, fault)
    try:
        with transaction(connection):
            if new_only and any(
                len(journal.held_ranges(connection, target.line, a, b)) for a, b in spans
            ):
                raise OvertakenError
            supplementary = i0 < _sealed_end(connection, target)
            path = _free_name(connection, folder, base, i0, supplementary=supplementary)
            sealed = SealedFile(
                path=path,
                i0=i0,
                i1=int(chunk.index[-1]) + 1,
                samples=len(chunk.index),
                packets=len(chunk.anchors.index),
                host0_ns=hosts_ns[0],
                host1_ns=hosts_ns[1],
                bytes=len(body),
                sha256=hashlib.sha256(body).hexdigest(),
            )
            published = path
            segments.publish(tmp, folder / path, fault)
            enter(connection, target, sealed, spans, supplementary=supplementary)
            connection.executemany(
                "DELETE FROM packet WHERE id = ?", [(row,) for row in journal_ids]
            )
            if acknowledge:
                journal.acknowledge(connection, target.id, sealed.samples)
            fault("entered")
        fault("committed")
    except Exception:
        segments.discard(tmp)
        _withdraw(connection, folder, published)
        raise
    return sealed


def enter(
    connection: Connection,
    target: SealTarget,
    sealed: SealedFile,
    spans: RangeSet,
    *,
    supplementary: bool,
) -> int:
    """Insert a segment and its spans into the manifest; return its id."""
    cursor = connection.execute(
        "INSERT INTO segment(stream, path, i0, i1, samples, packets, host0_ns, host1_ns, bytes, "
        "sha256, supplementary, sealed_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            target.id,
            sealed.path,
            sealed.i0,
            sealed.i1,
            sealed.samples,
            sealed.packets,
            sealed.host0_ns,
            sealed.host1_ns,
            sealed.bytes,
            sealed.sha256,
            int(supplementary),
            time.time_ns(),
        ),
    )
    segment = int(cursor.lastrowid or 0)
    connection.executemany(
        "INSERT INTO span(segment, line, k0, k1) VALUES (?, ?, ?, ?)",
        [(segment, target.line, a, b) for a, b in spans],
    )
    return segment


def recover(connection: Connection, folder: Path) -> tuple[int, int]:
    """Remove what a crash left behind; return (temporary files, unlisted segments) dealt with.

    A published file that the manifest does not name is the rest of a sealing that died before its
    transaction. Its samples are still in the journal, or were never acknowledged, so it is
    deleted. Samples that nothing else holds (the database was restored from an older backup) are
    taken over.
    """
    temporary = segments.remove_leftovers(folder)
    # Inside a transaction no other process can be between publishing a file and listing it.
    with transaction(connection):
        listed = {row[0] for row in connection.execute("SELECT path FROM segment")}
        found = sorted(
            path
            for file in (folder / segments.RAW).glob("**/*.parquet")
            if (path := file.relative_to(folder).as_posix()) not in listed
        )
    for path in found:
        _settle_unlisted(connection, folder, path)
    return temporary, len(found)


def quarantine(connection: Connection, folder: Path, path: str, reason: str) -> None:
    """Take a damaged segment out of service; its samples may be received again."""
    with transaction(connection):
        connection.execute(
            "UPDATE segment SET damaged = ? WHERE path = ? AND damaged IS NULL", (reason, path)
        )
        source = folder / path
        if source.exists():
            target = folder / segments.QUARANTINE / path
            segments.make_folder(target.parent, folder)
            source.rename(target)
            segments.sync_folder(target.parent)
            segments.sync_folder(source.parent)


def _settle_unlisted(connection: Connection, folder: Path, path: str) -> None:
    file = folder / path
    try:
        body = file.read_bytes()
        footer = segments.read_footer(body)
        info = StreamInfo.from_json(json.dumps(footer["stream"]))
        chunk = segments.decode(body, info)
    except (CorruptSegmentError, KeyError, TypeError, ValueError, OSError):
        _set_aside(folder, path)
        return
    row = connection.execute(
        "SELECT id, line FROM stream WHERE device_id = ? AND boot = ? AND kind = ? AND variant = ?",
        (info.device_id, info.boot, info.kind, info.variant()),
    ).fetchone()
    if row is None or info.index_source == "host" or not len(chunk.anchors.host_ns):
        _set_aside(folder, path)
        return
    target = SealTarget(int(row[0]), int(row[1]), info)
    hosts = chunk.anchors.host_ns
    keep = np.ones(len(chunk.index), dtype=np.bool_)
    for a, b in journal.held_ranges(
        connection, target.line, int(chunk.index[0]), int(chunk.index[-1]) + 1
    ):
        keep[np.searchsorted(chunk.index, a) : np.searchsorted(chunk.index, b)] = False
    if keep.any():
        new = rows_of(chunk, keep)
        write_segment(
            connection,
            folder,
            target,
            new,
            runs_of(new),
            (int(hosts.min()), int(hosts.max())),
            acknowledge=True,
            new_only=True,
        )
    file.unlink()


def runs_of(chunk: Chunk) -> RangeSet:
    """Return the index ranges that a chunk holds."""
    if not len(chunk.index):
        return RangeSet()
    breaks = np.flatnonzero(np.diff(chunk.index) != 1) + 1
    starts = np.concatenate(([0], breaks))
    ends = np.concatenate((breaks, [len(chunk.index)]))
    return RangeSet(
        (int(chunk.index[a]), int(chunk.index[b - 1]) + 1)
        for a, b in zip(starts, ends, strict=True)
    )


def rows_of(chunk: Chunk, keep: NDArray[np.bool_]) -> Chunk:
    """Return the marked rows of a chunk with the anchors that belong to them."""
    index = chunk.index[keep]
    kept = np.isin(chunk.anchors.index, index)
    return Chunk(
        index=index,
        data=chunk.data[keep],
        anchors=Anchors(
            index=chunk.anchors.index[kept],
            device_ticks=chunk.anchors.device_ticks[kept],
            host_ns=chunk.anchors.host_ns[kept],
        ),
    )


def part_of(chunk: Chunk, a: int, b: int) -> Chunk:
    """Return the rows [a, b) of a chunk with the anchors that belong to them."""
    index = chunk.index[a:b]
    if not len(index):
        low = high = 0
    else:
        low, high = np.searchsorted(chunk.anchors.index, (index[0], index[-1] + 1)).tolist()
    return Chunk(
        index=index,
        data=chunk.data[a:b],
        anchors=Anchors(
            index=chunk.anchors.index[low:high],
            device_ticks=chunk.anchors.device_ticks[low:high],
            host_ns=chunk.anchors.host_ns[low:high],
        ),
    )


def _set_aside(folder: Path, path: str) -> None:
    target = folder / segments.QUARANTINE / path
    segments.make_folder(target.parent, folder)
    (folder / path).replace(target)


def _parts(
    rows: Sequence[journal.JournalRow], width: int, sealed_end: int
) -> list[list[journal.JournalRow]]:
    """Cut rows in index order where a segment would become too wide, and at the sealed end."""
    parts: list[list[journal.JournalRow]] = []
    for row in rows:
        start = parts[-1][0] if parts else None
        if start is None or row[2] - start[1] > width or (start[1] < sealed_end <= row[1]):
            parts.append([row])
        else:
            parts[-1].append(row)
    return parts


def _sealed_end(connection: Connection, target: SealTarget) -> int:
    row = connection.execute(
        "SELECT max(i1) FROM segment WHERE stream = ?", (target.id,)
    ).fetchone()
    return -1 if row[0] is None else int(row[0])


def _free_name(
    connection: Connection, folder: Path, base: str, i0: int, *, supplementary: bool
) -> str:
    number = 1 if supplementary else 0
    while True:
        path = f"{base}/{i0}-s{number}.parquet" if number else f"{base}/{i0}.parquet"
        named = connection.execute("SELECT 1 FROM segment WHERE path = ?", (path,)).fetchone()
        if named is None and not (folder / path).exists():
            return path
        number += 1


def _withdraw(connection: Connection, folder: Path, path: str) -> None:
    """Delete a file whose transaction was rolled back after it got its name."""
    if path and not connection.execute("SELECT 1 FROM segment WHERE path = ?", (path,)).fetchone():
        (folder / path).unlink(missing_ok=True)
