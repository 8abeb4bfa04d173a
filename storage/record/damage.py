"""Segments that were found damaged and set aside, and whether their samples came again."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from sqlite3 import Connection

from storage.record.journal import held_ranges


@dataclass(frozen=True, slots=True)
class Damage:
    """A segment that could not be served."""

    path: str
    stream_id: int
    i0: int
    i1: int
    samples: int
    reason: str
    t0_ns: int
    """Arrival of its first packet."""
    t1_ns: int
    """Of its last."""


def set_aside(
    connection: Connection, streams: Collection[int], t0_ns: int, t1_ns: int
) -> Iterator[Damage]:
    """Yield the damaged segments of some streams with arrivals in [t0, t1), by arrival.

    Those whose samples the sensor sent again are not among them.
    """
    rows = connection.execute(
        "SELECT path, stream, i0, i1, samples, damaged, host0_ns, host1_ns, id FROM segment "
        "WHERE damaged IS NOT NULL AND host1_ns >= ? AND host0_ns < ? ORDER BY host0_ns, id",
        (t0_ns, t1_ns),
    ).fetchall()
    for *row, segment in rows:
        damage = Damage(*row)
        if damage.stream_id in streams and not _is_held_again(connection, int(segment)):
            yield damage


def _is_held_again(connection: Connection, segment: int) -> bool:
    spans = connection.execute(
        "SELECT line, k0, k1 FROM span WHERE segment = ?", (segment,)
    ).fetchall()
    return bool(spans) and not any(
        held_ranges(connection, line, k0, k1).missing(k0, k1) for line, k0, k1 in spans
    )
