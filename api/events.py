"""What happened while the sensors were worn: poses, movements asked for, sensors that slipped."""

from dataclasses import dataclass

from api.queries import Range
from ingest.slip import SLIPPED, made_good_ns, slips_within
from storage.catalog import Catalog, SpanEvent


@dataclass(frozen=True, slots=True)
class Event:
    """A labelled stretch."""

    span: SpanEvent
    made_good_ns: int | None = None
    """Of a slip, UTC: until then angles are not to be trusted. None: not made good yet."""


def events_of(catalog: Catalog, patient: str, span: Range) -> list[Event]:
    """Return what begins in a range, by start, and the slips before it not made good by then."""
    before = slips_within(catalog, patient, span.t0_ns, span.t0_ns)
    return [Event(each, good_ns) for each, good_ns in before] + [
        Event(each, made_good_ns(catalog, each) if each.kind == SLIPPED else None)
        for each in catalog.spans(patient, span.t0_ns, span.t1_ns)
    ]
