"""Calibrations in force and cycles of treatment."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from api.access.principals import current
from api.clinic.injections import Injection, add_injection, injections, take_back
from api.routes.parameters import PatientDep
from api.runtime import RuntimeDep
from api.web.texts import iso

router = APIRouter(tags=["clinical"])

InjectionId = Annotated[
    str, Path(min_length=1, max_length=64, description="Id of the injection.", examples=["3f2a"])
]


class CalibrationOut(BaseModel):
    """A calibration: how both sensors sit on the body, and what counts as neutral."""

    id: str
    neutral_id: str = Field(description="Angles compare only under the same one.")
    valid_from_utc: str
    body: dict[str, Any] = Field(
        description="Method, quality, sensor-to-segment quaternions (w, x, y, z), neutral."
    )


class CalibrationsOut(BaseModel):
    """The calibrations of a patient, oldest first."""

    patient_id: str
    items: list[CalibrationOut]


class InjectionIn(BaseModel):
    """An injection that begins a cycle."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "date": "2025-10-06",
                    "product": "onabotulinumtoxinA",
                    "units": 150,
                    "muscles": "splenius capitis right",
                }
            ]
        },
    )

    date: date
    product: str = Field(min_length=1, max_length=200)
    units: float | None = Field(default=None, gt=0, le=100_000, description="Of the product.")
    muscles: str = Field(default="", max_length=2000, description="As text.")


class CycleOut(BaseModel):
    """From one injection to the day before the next."""

    id: str
    date: date
    product: str
    units: float | None
    muscles: str
    days: int | None = Field(description="Length; null for the cycle under way.")


class CyclesOut(BaseModel):
    """Cycles, oldest first."""

    patient_id: str
    zone: str
    items: list[CycleOut]


@router.get(
    "/patients/{patient_id}/calibrations", operation_id="listCalibrations", summary="Calibrations"
)
def list_calibrations(runtime: RuntimeDep, patient: PatientDep) -> CalibrationsOut:
    """Return the calibrations; each holds from its time until the next."""
    return CalibrationsOut(
        patient_id=patient.id,
        items=[
            CalibrationOut(
                id=each.id,
                neutral_id=each.n_id,
                valid_from_utc=iso(each.valid_from_ns),
                body=dict(each.body),
            )
            for each in runtime.catalog.alignments(patient.id)
        ],
    )


def _cycle(held: Injection, following: Injection | None) -> CycleOut:
    return CycleOut(
        id=held.id,
        date=held.day,
        product=held.product,
        units=held.units,
        muscles=held.muscles,
        days=None if following is None else (following.day - held.day).days,
    )


@router.get(
    "/patients/{patient_id}/cycles", operation_id="listCycles", summary="Cycles of treatment"
)
def list_cycles(runtime: RuntimeDep, patient: PatientDep) -> CyclesOut:
    """Return the cycles, each with the injection that began it."""
    held = injections(runtime.catalog, patient)
    pairs = zip(held, [*held[1:], None], strict=False)
    return CyclesOut(
        patient_id=patient.id,
        zone=patient.zone,
        items=[_cycle(each, following) for each, following in pairs],
    )


@router.post(
    "/patients/{patient_id}/cycles",
    operation_id="addInjection",
    summary="Begin a cycle with an injection",
    status_code=201,
)
def add_cycle(runtime: RuntimeDep, patient: PatientDep, wanted: InjectionIn) -> CycleOut:
    """Write an injection down."""
    made = add_injection(
        runtime.catalog,
        patient,
        wanted.date,
        product=wanted.product,
        units=wanted.units,
        muscles=wanted.muscles,
        actor=current().name,
    )
    return _cycle(made, None)


@router.delete(
    "/patients/{patient_id}/cycles/{injection_id}",
    operation_id="removeInjection",
    summary="Take an injection back",
    status_code=204,
)
def remove_cycle(runtime: RuntimeDep, patient: PatientDep, injection_id: InjectionId) -> None:
    """Remove an injection; what it said stays in the audit log."""
    take_back(runtime.catalog, patient, injection_id, current().name)
