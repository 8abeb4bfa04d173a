"""Which samples are in no file because the segments that held them are damaged."""

from dataclasses import dataclass

from api.queries import FOREVER_NS, Range
from storage.record import Damage, RecordReader
from storage.record.types import Role, StreamKind

ALWAYS = Range(0, FOREVER_NS)


@dataclass(frozen=True, slots=True)
class Missing:
    """Samples of one damaged segment."""

    role: Role
    kind: StreamKind
    damage: Damage


def missing_of(
    record: RecordReader,
    patient: str,
    span: Range = ALWAYS,
    *,
    role: Role | None = None,
    kind: StreamKind | None = None,
    stream_id: int | None = None,
) -> tuple[Missing, ...]:
    """Return what is known to be missing of the samples that arrived in a range, by arrival.

    A segment is found damaged when it is read, or by `necktrace verify`.
    """
    found = record.quarantined(patient=patient, t0_ns=span.t0_ns, t1_ns=span.t1_ns)
    if not found:
        return ()
    known = {each.id: each.info for each in record.streams(patient=patient)}
    every = (Missing(known[d.stream_id].role, known[d.stream_id].kind, d) for d in found)
    return tuple(
        each
        for each in every
        if role in {None, each.role}
        and kind in {None, each.kind}
        and stream_id in {None, each.damage.stream_id}
    )


def said_of(found: tuple[Missing, ...]) -> dict[str, int]:
    """Return what a file says of it in its provenance: nothing where nothing is missing."""
    return {"missing_samples": sum(each.damage.samples for each in found)} if found else {}


def samples_by_role(found: tuple[Missing, ...]) -> dict[str, int]:
    """Return how many samples are missing of each sensor."""
    counts: dict[str, int] = {}
    for each in found:
        counts[each.role] = counts.get(each.role, 0) + each.damage.samples
    return counts
