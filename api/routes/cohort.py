"""The cohort: whose record is complete enough for a question."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.access.principals import visible_patients
from api.runtime import Runtime, RuntimeDep
from api.web.texts import iso
from processing.summary.types import DaySummary
from storage.catalog import Patient
from storage.result_rows import restore

router = APIRouter(tags=["cohort"])

FOREVER_NS = 2**62


class DateOut(BaseModel):
    """A local day."""

    date: str = Field(examples=["2026-11-23"])
    worn_h: float
    completeness: float | None


class MemberOut(BaseModel):
    """What is there of one patient, counting only the days that were asked for."""

    patient_id: str
    zone: str
    algo: str | None
    first_utc: str | None = Field(description="First sample, as received.")
    last_utc: str | None = Field(description="Last sample, as received.")
    days: int = Field(description="Local days with any result.")
    days_selected: int = Field(description="Of those, the ones that meet what was asked for.")
    dates: list[DateOut] = Field(description="The days that meet it.")
    worn_h: float = Field(description="Hours worn on those days.")
    evaluable_h: float = Field(description="Hours on those days from which angles were found.")
    completeness: float | None = Field(description="Mean of those days, 0..1.")
    heading_good_fraction: float | None = Field(
        description="Share of their time with good heading, 0..1."
    )


class CohortOut(BaseModel):
    """The patients that meet it."""

    items: list[MemberOut]


@router.get("/cohort", operation_id="listCohort", summary="Whose record is complete enough")
def list_cohort(
    runtime: RuntimeDep,
    min_worn_h: Annotated[
        float, Query(ge=0, le=24, description="Least hours worn on a day.", examples=[6])
    ] = 0.0,
    min_completeness: Annotated[
        float, Query(ge=0, le=1, description="Least share of a day's samples that arrived.")
    ] = 0.0,
    min_heading_good: Annotated[
        float, Query(ge=0, le=1, description="Least share of a day's time with good heading.")
    ] = 0.0,
    min_days: Annotated[
        int, Query(ge=0, le=3660, description="Least number of such days.", examples=[1])
    ] = 0,
) -> CohortOut:
    """Return the patients that whoever asks may see, with the days that are good enough."""

    def fits(day: DaySummary) -> bool:
        return (
            day.worn_s >= min_worn_h * 3600
            and (day.completeness or 0.0) >= min_completeness
            and (_heading_good([day]) or 0.0) >= min_heading_good
        )

    found = []
    for patient in visible_patients(runtime.catalog):
        days = [restore(DaySummary, row) for row in runtime.results.days(patient.id, 0, FOREVER_NS)]
        chosen = [day for day in days if fits(day)]
        if len(chosen) >= min_days:
            found.append(_member(runtime, patient, len(days), chosen))
    return CohortOut(items=found)


def _member(runtime: Runtime, patient: Patient, days: int, chosen: list[DaySummary]) -> MemberOut:
    streams = runtime.record.streams(patient=patient.id)
    first = [s.host_first_ns for s in streams if s.host_first_ns is not None]
    last = [s.host_last_ns for s in streams if s.host_last_ns is not None]
    known = [day.completeness for day in chosen if day.completeness is not None]
    return MemberOut(
        patient_id=patient.id,
        zone=patient.zone,
        algo=runtime.results.book.current(patient.id),
        first_utc=iso(min(first)) if first else None,
        last_utc=iso(max(last)) if last else None,
        days=days,
        days_selected=len(chosen),
        dates=[
            DateOut(date=d.date, worn_h=d.worn_s / 3600, completeness=d.completeness)
            for d in chosen
        ],
        worn_h=sum(day.worn_s for day in chosen) / 3600,
        evaluable_h=sum(day.evaluable_s for day in chosen) / 3600,
        completeness=sum(known) / len(known) if known else None,
        heading_good_fraction=_heading_good(chosen),
    )


def _heading_good(days: list[DaySummary]) -> float | None:
    known = sum(d.heading_good_s + d.heading_fair_s + d.heading_poor_s for d in days)
    return sum(day.heading_good_s for day in days) / known if known else None
