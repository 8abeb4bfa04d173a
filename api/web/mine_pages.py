"""How it is going, and what belongs to the patient: sharing, downloading, deleting."""

import time
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.access.principals import current
from api.access.rights import ERASE
from api.http.problems import problem
from api.routes.sharing import erase
from api.runtime import Runtime, RuntimeDep
from api.web.pages import first_patient, render, sees_many
from api.web.progress import progress_of
from storage.access import account_by_id, all_grants, withdraw_grants
from storage.catalog import Patient
from storage.consent import PURPOSES, WORDING, Purpose, latest_consent, record_consent
from storage.errors import StorageError

router = APIRouter(default_response_class=HTMLResponse)

CONFIRMATION = "DELETE"
"""What has to be typed before everything is deleted."""


@dataclass(frozen=True, slots=True)
class Shared:
    """One person who may see the patient."""

    account: str
    name: str
    role: str
    until_ns: int | None


def _shared(runtime: Runtime, patient: Patient) -> list[Shared]:
    found = []
    for grant in all_grants(runtime.catalog):
        person = account_by_id(runtime.catalog, grant.account)
        if grant.patient == patient.id and grant.holds(time.time_ns()) and person is not None:
            found.append(Shared(person.id, person.name, person.role, grant.expires_ns))
    return found


@router.get("/week")
def week(runtime: RuntimeDep) -> HTMLResponse:
    """Return week and cycle in plain language."""
    patient = first_patient(runtime)
    return render(
        runtime,
        "week.html",
        "today",
        zone=patient.zone,
        progress=progress_of(runtime, patient),
    )


@router.get("/mine")
def mine(runtime: RuntimeDep) -> Response:
    """Return the page about sharing, downloading and deleting."""
    if sees_many(runtime):
        return RedirectResponse("/clinic", 303)
    return sharing_page(runtime, first_patient(runtime))


def _oneself(runtime: Runtime) -> Patient:
    """Return whom "my data" means.

    Raises
    ------
    ProblemError
        `conflict`: whoever asks sees several patients, and none may be taken for another.
    """
    if sees_many(runtime):
        raise problem("conflict", "You see several patients: open one of them under Clinic.")
    return first_patient(runtime)


def stop_sharing_with(runtime: Runtime, patient: Patient, account: str) -> None:
    """Take a patient back from one person.

    Raises
    ------
    ProblemError
        `not-found`: there is no such person.
    """
    person = account_by_id(runtime.catalog, account)
    if person is None:
        raise problem("not-found", "There is no such person.")
    withdraw_grants(runtime.catalog, person, patient.id, actor=current().name)


def write_consent(runtime: Runtime, patient: Patient, purpose: Purpose, *, given: bool) -> None:
    """Write down that a patient agrees, or withdraws."""
    record_consent(
        runtime.catalog,
        patient.id,
        purpose,
        given=given,
        version=WORDING,
        author=current().name,
    )


def sharing_page(
    runtime: Runtime, patient: Patient, *, own: bool = True, trouble: str = "", status: int = 200
) -> HTMLResponse:
    """Return the page about one patient's data, for the patient (`own`) or who treats them."""
    said = latest_consent(runtime.catalog, patient.id)
    home = f"/clinic/patients/{quote(patient.id, safe='')}"
    return render(
        runtime,
        "mine.html",
        "today" if own else "clinic",
        own=own,
        home="/" if own else home,
        base="/mine" if own else f"{home}/sharing",
        zone=patient.zone,
        status=status,
        patient=patient,
        shared=_shared(runtime, patient),
        consents=[(purpose, said[purpose]) for purpose in PURPOSES],
        recording=runtime.guide is not None,
        may_erase=own and current().may(ERASE, patient.id),
        confirmation=CONFIRMATION,
        trouble=trouble,
    )


@router.post("/mine/stop-sharing")
def stop_sharing(
    runtime: RuntimeDep, account: Annotated[str, Form(min_length=1, max_length=64)]
) -> RedirectResponse:
    """Take the patient back from one person."""
    stop_sharing_with(runtime, _oneself(runtime), account)
    return RedirectResponse("/mine", 303)


@router.post("/mine/consent")
def consent(
    runtime: RuntimeDep,
    purpose: Annotated[Purpose, Form()],
    given: Annotated[Literal["yes", "no"], Form()],
) -> RedirectResponse:
    """Write down that the patient agrees, or withdraws."""
    write_consent(runtime, _oneself(runtime), purpose, given=given == "yes")
    return RedirectResponse("/mine", 303)


@router.post("/mine/delete")
def delete(runtime: RuntimeDep, confirm: Annotated[str, Form(max_length=20)] = "") -> HTMLResponse:
    """Delete everything about the patient, once that was typed."""
    patient = _oneself(runtime)
    if confirm.strip() != CONFIRMATION:
        return sharing_page(runtime, patient, trouble="confirm", status=422)
    try:
        erase(runtime, patient)
    except StorageError as error:
        raise problem("storage", str(error)) from None
    return render(runtime, "deleted.html", "", zone=runtime.settings.zone_name)
