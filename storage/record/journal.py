"""The hot journal: packets on their way into a segment, and who holds which samples.

Every function works on an open connection, inside the caller's transaction where it writes.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from sqlite3 import Connection

import numpy as np

from storage.record.ranges import RangeSet
from storage.record.types import Anchors, Chunk, Packet, StreamInfo

_COARSE_TICKS = 4.0
"""Below this many ticks per sample a tolerance of half a period would hide new samples."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of new samples out of one packet, ready to be written."""

    i0: int
    i1: int
    k0: int | None
    """Start on the axis that recognises repeats: sample index, or device ticks for a host index;
    None where there is nothing to recognise them by."""
    k1: int | None
    device_ticks: int | None
    anchor: bool
    """The first row is the packet's first row, so `device_ticks` belong to it."""
    host_ns: int
    data: bytes


def pieces_of(packet: Packet, info: StreamInfo, held: RangeSet, next_index: int) -> list[Piece]:
    """Return what of a packet is not held yet.

    Parameters
    ----------
    packet : Packet
        Checked against `info`.
    info : StreamInfo
        Description of its stream.
    held : RangeSet
        What is held already on the stream's axis; not changed.
    next_index : int
        First free sample index of a stream with a host index.
    """
    n = packet.data.shape[0]
    host_ns = packet.host_ns // 1000 * 1000
    raw = np.ascontiguousarray(packet.data, dtype=info.dtype)
    by_host = info.index_source == "host"
    if by_host and packet.device_ticks is None:
        return [
            Piece(
                i0=next_index,
                i1=next_index + n,
                k0=None,
                k1=None,
                device_ticks=None,
                anchor=True,
                host_ns=host_ns,
                data=raw.tobytes(),
            )
        ]
    if by_host:
        rows = _new_rows_by_ticks(packet, info, held)
    else:
        rows = [
            (a - packet.index, b - packet.index, a, b)
            for a, b in held.missing(packet.index, packet.index + n)
        ]
    pieces = []
    for j0, j1, k0, k1 in rows:
        i0 = next_index if by_host else packet.index + j0
        next_index = i0 + j1 - j0
        pieces.append(
            Piece(
                i0=i0,
                i1=next_index,
                k0=k0,
                k1=k1,
                device_ticks=packet.device_ticks if j0 == 0 else None,
                anchor=j0 == 0,
                host_ns=host_ns,
                data=raw[j0:j1].tobytes(),
            )
        )
    return pieces


def _new_rows_by_ticks(
    packet: Packet, info: StreamInfo, held: RangeSet
) -> list[tuple[int, int, int, int]]:
    """Return (row0, row1, tick0, tick1) of the rows whose device time is not held.

    A held row covers half a period on both sides of its time, so that consecutive packets join to
    one range in spite of clocks that round to their tick.
    """
    assert packet.device_ticks is not None
    n = packet.data.shape[0]
    period = 1.0
    if info.rate_hz > 0.0 and info.device_clock_hz:
        period = info.device_clock_hz / info.rate_hz
    starts = [packet.device_ticks + math.floor(j * period) for j in range(n)]
    half = math.ceil(0.5 * period) if period >= _COARSE_TICKS else 0
    rows: list[tuple[int, int, int, int]] = []
    for j, tick in enumerate(starts):
        if not held.missing(tick, tick + 1):
            continue
        if rows and rows[-1][1] == j:
            rows[-1] = (rows[-1][0], j + 1, rows[-1][2], tick + half + 1)
        else:
            rows.append((j, j + 1, tick - half, tick + half + 1))
    return rows


def held_ranges(connection: Connection, line: int, k0: int, k1: int) -> RangeSet:
    """Return what journal and manifest hold of [k0, k1) on a line's axis."""
    held = RangeSet()
    for query in (
        "SELECT k0, k1 FROM packet WHERE line = ? AND k1 > ? AND k0 < ? ORDER BY k1",
        "SELECT s.k0, s.k1 FROM span s JOIN segment g ON g.id = s.segment "
        "WHERE s.line = ? AND s.k1 > ? AND s.k0 < ? AND g.damaged IS NULL ORDER BY s.k1",
    ):
        for a, b in connection.execute(query, (line, k0, k1)):
            held.add(a, b)
    return held


def end_index(connection: Connection, line: int) -> int:
    """Return one past the highest sample index ever given out on a line; 0 where it is empty."""
    row = connection.execute(
        "SELECT max(i1) FROM (SELECT max(i1) AS i1 FROM packet WHERE line = ? UNION ALL "
        "SELECT max(g.i1) FROM segment g JOIN stream s ON s.id = g.stream WHERE s.line = ?)",
        (line, line),
    ).fetchone()
    return int(row[0] or 0)


def insert(connection: Connection, stream: int, line: int, pieces: Iterable[Piece]) -> int:
    """Write pieces and count them as acknowledged; return the number of samples."""
    rows = [
        (
            stream,
            line,
            p.i0,
            p.i1,
            p.k0,
            p.k1,
            p.device_ticks,
            int(p.anchor),
            p.host_ns,
            p.data,
        )
        for p in pieces
    ]
    connection.executemany(
        "INSERT INTO packet(stream, line, i0, i1, k0, k1, device_ticks, anchor, host_ns, data) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
    samples = sum(row[3] - row[2] for row in rows)
    acknowledge(connection, stream, samples)
    return samples


def acknowledge(connection: Connection, stream: int, samples: int) -> None:
    """Add to the number of samples the record has promised to hold."""
    connection.execute(
        "UPDATE stream SET acknowledged = acknowledged + ? WHERE id = ?", (samples, stream)
    )


JournalRow = tuple[int, int, int, int | None, int, int, bytes, int | None, int | None]
"""id, i0, i1, device_ticks, anchor, host_ns, data, k0, k1."""

ROW_COLUMNS = "id, i0, i1, device_ticks, anchor, host_ns, data, k0, k1"


def chunk_of(rows: Sequence[JournalRow], info: StreamInfo) -> Chunk:
    """Return journal rows as one chunk in index order."""
    rows = sorted(rows, key=lambda row: row[1])
    width = len(info.channels)
    index = np.concatenate(
        [np.arange(row[1], row[2], dtype=np.int64) for row in rows] or [np.empty(0, dtype=np.int64)]
    )
    data = np.frombuffer(b"".join(row[6] for row in rows), dtype=info.dtype)
    anchored = [row for row in rows if row[4]]
    return Chunk(
        index=index,
        data=data.reshape(len(index), width),
        anchors=Anchors(
            index=np.array([row[1] for row in anchored], dtype=np.int64),
            device_ticks=np.array(
                [-1 if row[3] is None else row[3] for row in anchored], dtype=np.int64
            ),
            host_ns=np.array([row[5] for row in anchored], dtype=np.int64),
        ),
    )
