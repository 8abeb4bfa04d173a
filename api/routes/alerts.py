"""Alerts about the equipment, and how long a person does not want to be told of a kind."""

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from api.access.principals import current
from api.alerts.delivery import sentence
from api.alerts.keeping import alerts_of, snooze, snoozed
from api.routes.parameters import PatientDep
from api.runtime import Runtime, RuntimeDep
from api.web.texts import iso
from ingest.alerts import AlertKind

router = APIRouter(tags=["alerts"])

HOUR_NS = 3_600_000_000_000
Kind = Annotated[AlertKind, Path(description="What the alert is about.")]
Hours = Annotated[float, Field(ge=0.0, le=168.0)]


class AlertOut(BaseModel):
    """One thing to see to."""

    kind: AlertKind
    role: Literal["head", "trunk"] | None = Field(description="Null where it is no single sensor.")
    since_utc: str = Field(examples=["2026-11-20T08:00:00.000Z"])
    text: str = Field(examples=["Charge the head sensor: its battery is low."])
    snoozed_until_utc: str | None = Field(description="Null where messages of the kind are sent.")


class AlertsOut(BaseModel):
    """What a person should see to now, oldest first. None of it is an emergency alarm."""

    patient_id: str
    items: list[AlertOut]
    snoozed_until_utc: dict[AlertKind, str] = Field(description="Kinds that are not sent, by kind.")


class SnoozeIn(BaseModel):
    """For how long nothing of a kind is to be sent."""

    model_config = ConfigDict(extra="forbid")

    hours: Hours = Field(description="At most a week; 0 ends a snooze.", examples=[4])


@router.get(
    "/patients/{patient_id}/alerts",
    operation_id="listAlerts",
    summary="What to see to: battery, sensor off the body, link lost, nothing recorded, disk",
)
def list_alerts(runtime: RuntimeDep, patient: PatientDep) -> AlertsOut:
    """Return the alerts as the recording process last saw them."""
    held = snoozed(runtime.catalog, patient.id, time.time_ns())
    return AlertsOut(
        patient_id=patient.id,
        items=[
            AlertOut(
                kind=alert.kind,
                role=alert.role or None,  # type: ignore[arg-type]  # roles are these two
                since_utc=iso(alert.since_ns),
                text=sentence(alert),
                snoozed_until_utc=iso(held[alert.kind]) if alert.kind in held else None,
            )
            for alert in alerts_of(runtime.catalog, patient.id)
        ],
        snoozed_until_utc={AlertKind(kind): iso(until) for kind, until in held.items()},
    )


@router.put(
    "/patients/{patient_id}/alerts/{kind}/snooze",
    operation_id="snoozeAlerts",
    summary="Send nothing of a kind for a while",
)
def snooze_alerts(
    runtime: RuntimeDep, patient: PatientDep, kind: Kind, wanted: SnoozeIn
) -> AlertsOut:
    """Snooze a kind; it stays on the page, and what is still true at the end is sent then."""
    snooze_kind(runtime, patient.id, kind, wanted.hours)
    return list_alerts(runtime, patient)


def snooze_kind(runtime: Runtime, patient_id: str, kind: AlertKind, hours: float) -> None:
    """Snooze a kind of alert, or end its snooze, and write down who did."""
    now_ns = time.time_ns()
    until_ns = now_ns + round(hours * HOUR_NS) if hours else None
    snooze(runtime.catalog, patient_id, kind, until_ns, now_ns)
    runtime.catalog.audit(
        current().name, "alert.snooze", patient_id, {"kind": str(kind), "hours": hours}
    )
