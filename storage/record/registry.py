"""The table of streams: which sensor, which boot, which description."""

import time
from collections.abc import Iterator
from sqlite3 import Connection

from storage.errors import UnknownStreamError
from storage.record.sealing import SealTarget
from storage.record.segments import stream_name
from storage.record.types import Stream, StreamInfo


def find_or_create(connection: Connection, info: StreamInfo) -> SealTarget:
    """Return the stream of this device, boot, kind and description, inside a transaction."""
    variant = info.variant()
    rows = connection.execute(
        "SELECT id, line, variant, info FROM stream "
        "WHERE device_id = ? AND boot = ? AND kind = ? ORDER BY id",
        (info.device_id, info.boot, info.kind),
    ).fetchall()
    text = info.to_json()
    for stream_id, line, known, old in rows:
        if known == variant:
            if old != text:
                connection.execute("UPDATE stream SET info = ? WHERE id = ?", (text, stream_id))
            return SealTarget(int(stream_id), int(line), info)
    cursor = connection.execute(
        "INSERT INTO stream(line, patient, device_id, boot, role, kind, variant, name, info, "
        "created_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            int(rows[0][1]) if rows else 0,
            info.patient,
            info.device_id,
            info.boot,
            info.role,
            info.kind,
            variant,
            stream_name(info),
            text,
            time.time_ns(),
        ),
    )
    stream_id = int(cursor.lastrowid or 0)
    if not rows:
        connection.execute("UPDATE stream SET line = id WHERE id = ?", (stream_id,))
    line = int(rows[0][1]) if rows else stream_id
    return SealTarget(stream_id, line, info)


def stream_info(connection: Connection, stream_id: int) -> StreamInfo:
    """Return the description of a stream.

    Raises
    ------
    UnknownStreamError
    """
    row = connection.execute("SELECT info FROM stream WHERE id = ?", (stream_id,)).fetchone()
    if row is None:
        raise UnknownStreamError(stream_id)
    return StreamInfo.from_json(row[0])


_STREAMS = """
SELECT s.id, s.info, min(x.i0), max(x.i1), coalesce(sum(x.n), 0), min(x.h0), max(x.h1)
FROM stream s LEFT JOIN (
    SELECT stream, i0, i1, samples AS n, host0_ns AS h0, host1_ns AS h1
    FROM segment WHERE damaged IS NULL
    UNION ALL
    SELECT stream, min(i0), max(i1), sum(i1 - i0), min(host_ns), max(host_ns)
    FROM packet GROUP BY stream
) x ON x.stream = s.id
WHERE (:patient IS NULL OR s.patient = :patient)
  AND (:device IS NULL OR s.device_id = :device)
  AND (:role IS NULL OR s.role = :role)
  AND (:kind IS NULL OR s.kind = :kind)
GROUP BY s.id
HAVING (:t0 IS NULL OR max(x.h1) >= :t0) AND (:t1 IS NULL OR min(x.h0) < :t1)
ORDER BY min(x.h0), s.id
"""


def list_streams(
    connection: Connection,
    *,
    patient: str | None = None,
    device_id: str | None = None,
    role: str | None = None,
    kind: str | None = None,
    t0_ns: int | None = None,
    t1_ns: int | None = None,
) -> Iterator[Stream]:
    """Yield the streams that match, in order of their first arrival."""
    parameters = {
        "patient": patient,
        "device": device_id,
        "role": role,
        "kind": kind,
        "t0": t0_ns,
        "t1": t1_ns,
    }
    for row in connection.execute(_STREAMS, parameters):
        yield Stream(
            id=int(row[0]),
            info=StreamInfo.from_json(row[1]),
            first_index=row[2],
            end_index=row[3],
            samples=int(row[4]),
            host_first_ns=row[5],
            host_last_ns=row[6],
        )
