"""GET minutes and days: summaries with worn time, completeness and sufficiency."""

from dataclasses import asdict
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api.http.cursors import decode_cursor, encode_cursor
from api.http.problems import problem
from api.queries import days as query_days
from api.queries import today_in
from api.reference.dictionary import schema_model
from api.routes.parameters import Cursor, PatientDep, RangeDep, VersionDep
from api.runtime import RuntimeDep
from processing.summary.types import DaySummary, MinuteSummary
from storage.result_rows import restore

router = APIRouter(tags=["results"])

_HIDDEN = frozenset(
    {f"{axis}_histogram" for axis in ("flexion", "lateral", "rotation", "deviation")}
    | {f"{s}_acc_{k}_ms2" for s in ("head", "trunk") for k in ("mean", "sd", "min", "max")}
)
"""Working columns of the minute that serve reprocessing, not readers."""
MAX_DAYS = 3660

DaySchema = schema_model(DaySummary, "Day", examples={"date": "2026-11-23", "worn_s": 28800.0})
MinuteSchema = schema_model(MinuteSummary, "Minute", leave_out=_HIDDEN)


class DaysOut(BaseModel):
    """Day summaries of a patient's local days."""

    patient_id: str
    algo: str | None
    zone: str
    items: list[DaySchema]  # type: ignore[valid-type]  # made at run time from the dataclass


class MinutesOut(BaseModel):
    """Minute summaries in order of time."""

    patient_id: str
    algo: str | None
    zone: str
    items: list[MinuteSchema]  # type: ignore[valid-type]  # made at run time from the dataclass
    next: str | None = Field(description="Cursor of the next page; null at the end.")


def _days(
    patient: PatientDep,
    first: Annotated[
        date | None,
        Query(alias="from", description="First local day.", examples=["2026-11-10"]),
    ] = None,
    last: Annotated[
        date | None,
        Query(alias="to", description="Last local day, included.", examples=["2026-11-23"]),
    ] = None,
) -> tuple[date, date]:
    end = last or today_in(patient.zone)
    start = first or (end - timedelta(days=13) if end > date(1990, 1, 15) else end)
    if start > end or (end - start).days > MAX_DAYS or not 1990 <= start.year <= 2200:
        raise problem("invalid-request", "`from` must not be later than `to`, at most ten years.")
    if end.year > 2200:
        raise problem("invalid-request", f"The year {end.year} is outside any recording.")
    return start, end


DaysDep = Annotated[tuple[date, date], Depends(_days)]
"""First and last local day."""


@router.get(
    "/patients/{patient_id}/days", operation_id="listDays", summary="Summaries of local days"
)
def list_days(runtime: RuntimeDep, patient: PatientDep, algo: VersionDep, span: DaysDep) -> DaysOut:
    """Return the days that hold anything; the last 14 where no range is given."""
    rows = query_days(runtime, patient, *span, algo=algo)
    return DaysOut(
        patient_id=patient.id,
        algo=algo or runtime.results.book.current(patient.id),
        zone=patient.zone,
        items=[DaySchema.model_validate(row) for row in rows],
    )


def _minute(row: MinuteSummary) -> dict[str, Any]:
    return {name: value for name, value in asdict(row).items() if name not in _HIDDEN}


@router.get(
    "/patients/{patient_id}/minutes", operation_id="listMinutes", summary="Summaries of minutes"
)
def list_minutes(
    runtime: RuntimeDep,
    patient: PatientDep,
    span: RangeDep,
    algo: VersionDep,
    limit: Annotated[int, Query(ge=1, le=10_000, description="Most minutes per page.")] = 1440,
    cursor: Cursor = None,
) -> MinutesOut:
    """Return the minutes of the range in order; a cursor leads to the next page."""
    scope = f"minutes {patient.id} {span.t0_ns} {span.t1_ns} {algo}"
    start = span.t0_ns if cursor is None else max(span.t0_ns, decode_cursor(scope, cursor))
    rows = runtime.results.minutes(patient.id, start, span.t1_ns, algo=algo)
    page = [restore(MinuteSummary, row) for row in rows[:limit]]
    more = len(rows) > limit
    return MinutesOut(
        patient_id=patient.id,
        algo=algo or runtime.results.book.current(patient.id),
        zone=patient.zone,
        items=[MinuteSchema.model_validate(_minute(row)) for row in page],
        next=encode_cursor(scope, rows[limit].t_ns) if more else None,
    )
