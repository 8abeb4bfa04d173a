"""Which offered packets are let into the record: those that fit their stream and are new to it."""

import sqlite3
from collections.abc import Sequence

from storage.errors import StreamConflictError
from storage.record import journal
from storage.record.journal import Piece
from storage.record.sealing import SealTarget
from storage.record.types import Packet, StreamInfo


def check_packet(packet: Packet, info: StreamInfo) -> None:
    """Refuse a packet that does not fit its stream.

    Raises
    ------
    StreamConflictError
        The message says what does not fit.
    """
    data = packet.data
    if data.ndim != 2 or data.shape[1] != len(info.channels):
        raise StreamConflictError(
            f"packet data has shape {data.shape}, expected (n, {len(info.channels)}) for "
            f"{', '.join(info.names)}"
        )
    if data.dtype.newbyteorder("<") != info.dtype:
        raise StreamConflictError(f"packet data is {data.dtype}, the stream holds {info.dtype}")
    if info.index_source == "device" and not 0 <= packet.index < 2**62:
        raise StreamConflictError(
            f"sample index {packet.index} is not an unwrapped count since the device's boot"
        )
    if packet.device_ticks is not None and not 0 <= packet.device_ticks < 2**62:
        raise StreamConflictError(f"device counter {packet.device_ticks} is not unwrapped")
    if not 0 <= packet.host_ns < 2**62:
        raise StreamConflictError(f"arrival time {packet.host_ns} is no UTC nanosecond count")


def stream_exists(connection: sqlite3.Connection, stream_id: int) -> bool:
    """Return whether a stream is there; it may have been deleted with its patient."""
    row = connection.execute("SELECT 1 FROM stream WHERE id = ?", (stream_id,)).fetchone()
    return row is not None


def still_new(
    connection: sqlite3.Connection, target: SealTarget, pieces: Sequence[Piece]
) -> list[Piece]:
    """Drop what another process (an importer) has stored since `append` looked."""
    keyed = [(p.k0, p.k1) for p in pieces if p.k0 is not None and p.k1 is not None]
    if not keyed:
        return list(pieces)
    held = journal.held_ranges(
        connection, target.line, min(k[0] for k in keyed), max(k[1] for k in keyed)
    )
    if not len(held):
        return list(pieces)
    width = target.info.dtype.itemsize * len(target.info.channels)
    fresh: list[Piece] = []
    for piece in pieces:
        if piece.k0 is None or piece.k1 is None:
            fresh.append(piece)
        elif target.info.index_source == "host":
            # Ranges carry a tolerance and may touch their neighbours: only a range that is
            # covered whole is a repeat.
            if held.missing(piece.k0, piece.k1):
                fresh.append(piece)
        else:
            for a, b in held.missing(piece.k0, piece.k1):
                offset = a - piece.i0
                fresh.append(
                    Piece(
                        i0=a,
                        i1=b,
                        k0=a,
                        k1=b,
                        device_ticks=piece.device_ticks if offset == 0 else None,
                        anchor=piece.anchor and offset == 0,
                        host_ns=piece.host_ns,
                        data=piece.data[offset * width : (b - piece.i0) * width],
                    )
                )
    return fresh
