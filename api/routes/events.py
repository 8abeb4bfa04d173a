"""GET events: poses, movements asked for, and when a sensor had slipped."""

from itertools import takewhile
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.events import Event, events_of
from api.http.cursors import decode_cursor, encode_cursor
from api.routes.parameters import Cursor, PatientDep, RangeDep
from api.runtime import RuntimeDep
from api.web.texts import iso

router = APIRouter(tags=["record"])


class EventOut(BaseModel):
    """A labelled stretch of the recording."""

    kind: str = Field(
        description="`neutral_pose`, `midline_pose`, `dystonic_pose`: a pose held; `nod`, `shake`, "
        "`trunk_bow`: a movement asked for; `sensor_slipped`: from when a sensor last sat right to "
        "the last pose that showed it to sit otherwise.",
        examples=["sensor_slipped"],
    )
    start_utc: str
    end_utc: str
    sigma_deg: float | None = Field(description="Of a pose: its standard deviation, degrees.")
    sensor: str | None = Field(description="Of a slip: `head` or `trunk`.", examples=["head"])
    off_deg: float | None = Field(description="Of a slip: by about how much, degrees.")
    made_good_utc: str | None = Field(
        description="Of a slip: when a pose was held as at the calibration again, or a new one was "
        "made. Angles from its start until then are not to be trusted. Null: not yet."
    )


class EventPageOut(BaseModel):
    """A page of events, by start."""

    patient_id: str
    items: list[EventOut]
    next: str | None = Field(description="Cursor of the next page; null at the end.")


def _event_out(event: Event) -> EventOut:
    span, good_ns = event.span, event.made_good_ns
    off_deg = span.detail.get("off_deg")
    return EventOut(
        kind=span.kind,
        start_utc=iso(span.start_ns),
        end_utc=iso(span.end_ns),
        sigma_deg=span.sigma_deg,
        sensor=span.detail.get("point"),
        off_deg=None if off_deg is None else float(off_deg),
        made_good_utc=None if good_ns is None else iso(good_ns),
    )


@router.get(
    "/patients/{patient_id}/events",
    operation_id="listEvents",
    summary="Poses, movements, and sensors that slipped",
)
def list_events(
    runtime: RuntimeDep,
    patient: PatientDep,
    span: RangeDep,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most events per page.")] = 100,
    cursor: Cursor = None,
) -> EventPageOut:
    """Return what begins in the range, and the slips before it that were not made good by then."""
    scope = f"events {patient.id} {span.t0_ns} {span.t1_ns}"
    found = events_of(runtime.catalog, patient.id, span)
    if cursor is not None:
        after_ns = decode_cursor(scope, cursor)
        found = [each for each in found if each.span.start_ns >= after_ns]
    items = found[:limit]
    # what begins at the same time stays together, for the next page begins at a time
    rest = found[limit:]
    items += takewhile(lambda each: each.span.start_ns == items[-1].span.start_ns, rest)
    more = found[len(items) :]
    return EventPageOut(
        patient_id=patient.id,
        items=[_event_out(each) for each in items],
        next=encode_cursor(scope, more[0].span.start_ns) if more else None,
    )
