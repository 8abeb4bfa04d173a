"""Sharing and the audit log of one patient, for who treats them."""

from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse

from api.routes.parameters import PatientDep
from api.runtime import RuntimeDep
from api.web.looked_pages import Before, looked_page
from api.web.mine_pages import sharing_page, stop_sharing_with, write_consent
from storage.catalog import Patient
from storage.consent import Purpose

router = APIRouter(prefix="/clinic/patients/{patient_id}", default_response_class=HTMLResponse)


def _home(patient: Patient) -> str:
    return f"/clinic/patients/{quote(patient.id, safe='')}/sharing"


@router.get("/sharing")
def sharing(runtime: RuntimeDep, patient: PatientDep) -> HTMLResponse:
    """Return who sees a patient and what they agreed to."""
    return sharing_page(runtime, patient, own=False)


@router.post("/sharing/stop-sharing")
def stop(
    runtime: RuntimeDep,
    patient: PatientDep,
    account: Annotated[str, Form(min_length=1, max_length=64)],
) -> RedirectResponse:
    """Take the patient back from one person."""
    stop_sharing_with(runtime, patient, account)
    return RedirectResponse(_home(patient), 303)


@router.post("/sharing/consent")
def consent(
    runtime: RuntimeDep,
    patient: PatientDep,
    purpose: Annotated[Purpose, Form()],
    given: Annotated[Literal["yes", "no"], Form()],
) -> RedirectResponse:
    """Write down what the patient said."""
    write_consent(runtime, patient, purpose, given=given == "yes")
    return RedirectResponse(_home(patient), 303)


@router.get("/sharing/looked")
def looked(runtime: RuntimeDep, patient: PatientDep, before: Before = None) -> HTMLResponse:
    """Return who looked at the patient's data, took it away or changed it, newest first."""
    return looked_page(
        runtime,
        patient.zone,
        "clinic",
        before,
        patient.id,
        back=_home(patient),
        name=patient.label or patient.id,
    )
