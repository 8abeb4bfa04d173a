"""What the patient decides: who sees them, who looked, and that everything goes."""

import time
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from api.access.principals import current, expires_in
from api.forwarding import rework
from api.http.problems import problem
from api.jobs import rerun
from api.routes.audit import AuditOut, audit_page
from api.routes.parameters import Cursor, PatientDep
from api.runtime import Runtime, RuntimeDep
from api.web.texts import iso
from storage.access import (
    Grant,
    account_by_id,
    add_grant,
    find_account,
    grant_by_id,
    grants_on,
    stop_sharing,
    withdraw_grant,
)
from storage.catalog import Patient
from storage.consent import WORDING, is_withdrawn, record_consent
from storage.erasure import Erased, erase_patient
from storage.errors import MakingError, WriterLockedError
from storage.record import lock_holder

router = APIRouter(tags=["sharing"])

RECORDING_ENDS_S: Final = 15.0
"""How long a recording of this folder may take to write everything and end."""


class ShareIn(BaseModel):
    """Whom to let see the patient."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"user": "dr-lee", "days": 90}]}
    )

    user: str = Field(min_length=1, max_length=64)
    days: float | None = Field(default=None, gt=0, le=36_500, description="Null: until withdrawn.")
    identified: bool = Field(
        default=False, description="Show a researcher identity and true dates as well."
    )


class ShareOut(BaseModel):
    """That somebody may see the patient."""

    id: str
    user: str
    role: str
    identified: bool
    in_force: bool
    created_utc: str
    created_by: str
    expires_utc: str | None
    withdrawn_utc: str | None


class SharesOut(BaseModel):
    """Everybody who may see the patient, or could, oldest first."""

    patient_id: str
    items: list[ShareOut]


class StoppedOut(BaseModel):
    """What was ended."""

    patient_id: str
    grants: int
    tokens: int = Field(description="Tokens that no longer reach this patient.")


class ErasedOut(BaseModel):
    """What was erased."""

    tombstone: str = Field(description="Stands for the patient in the audit log from now on.")
    samples: int
    segments: int


def share_out(runtime: Runtime, grant: Grant) -> ShareOut:
    """Return a grant as the API gives it out."""
    account = account_by_id(runtime.catalog, grant.account)
    return ShareOut(
        id=grant.id,
        user="" if account is None else account.name,
        role="" if account is None else account.role,
        identified=grant.identified,
        in_force=grant.holds(time.time_ns()),
        created_utc=iso(grant.created_ns),
        created_by=grant.created_by,
        expires_utc=None if grant.expires_ns is None else iso(grant.expires_ns),
        withdrawn_utc=None if grant.withdrawn_ns is None else iso(grant.withdrawn_ns),
    )


def share(runtime: Runtime, patient: Patient, wanted: ShareIn) -> Grant:
    """Let somebody see the patient.

    Raises
    ------
    ProblemError
        `not-found`: there is nobody of that name.
    """
    account = find_account(runtime.catalog, wanted.user)
    if account is None:
        raise problem("not-found", "There is no user of that name; `necktrace user add` makes one.")
    return add_grant(
        runtime.catalog,
        account,
        patient.id,
        identified=wanted.identified,
        expires_ns=None if wanted.days is None else expires_in(wanted.days),
        actor=current().name,
    )


def _is_working(runtime: Runtime) -> bool:
    folder = runtime.settings.data_dir
    return rework.is_running(folder) or rerun.is_running(folder)


def erase(runtime: Runtime, patient: Patient) -> Erased:
    """Delete everything of a patient; a recording under way in this folder is ended first.

    Raises
    ------
    ProblemError
        `conflict`: another program goes on recording, or making results.
    """
    actor = current().name
    folder = runtime.settings.data_dir
    if lock_holder(folder) is not None or _is_working(runtime):
        _withdraw_processing(runtime, patient, actor)
    deadline_s = time.monotonic() + RECORDING_ENDS_S
    while _is_working(runtime):
        if time.monotonic() > deadline_s:
            raise problem(
                "conflict",
                "Results are still being made; ask again soon, nothing was deleted yet.",
            )
        time.sleep(0.2)
    while True:
        try:
            return erase_patient(folder, patient.id, actor=actor, results=runtime.results)
        except WriterLockedError as error:
            if time.monotonic() > deadline_s:
                raise problem(
                    "conflict", f"{error} Stop it, then ask again; nothing was deleted yet."
                ) from None
            time.sleep(0.2)
        except MakingError as error:
            if time.monotonic() > deadline_s:
                raise problem("conflict", f"{error}.") from None
            if not is_withdrawn(runtime.catalog, patient.id, "processing"):
                _withdraw_processing(runtime, patient, actor)
            time.sleep(0.2)


def _withdraw_processing(runtime: Runtime, patient: Patient, actor: str) -> None:
    """End a recording, which may be this process's own, and what makes results.

    Neither may write after everything is gone.
    """
    record_consent(
        runtime.catalog, patient.id, "processing", given=False, version=WORDING, author=actor
    )


@router.get(
    "/patients/{patient_id}/grants", operation_id="listShares", summary="Who may see the patient"
)
def list_shares(runtime: RuntimeDep, patient: PatientDep) -> SharesOut:
    """Return everybody who may see the patient, also those who no longer may."""
    held = grants_on(runtime.catalog, patient.id)
    return SharesOut(patient_id=patient.id, items=[share_out(runtime, each) for each in held])


@router.post(
    "/patients/{patient_id}/grants",
    operation_id="addShare",
    summary="Let somebody see the patient",
    status_code=201,
)
def add_share(runtime: RuntimeDep, patient: PatientDep, wanted: ShareIn) -> ShareOut:
    """Let a user see the patient, within what their role may; replaces an earlier grant."""
    return share_out(runtime, share(runtime, patient, wanted))


@router.delete(
    "/patients/{patient_id}/grants", operation_id="stopSharing", summary="Stop all sharing"
)
def stop_all(runtime: RuntimeDep, patient: PatientDep) -> StoppedOut:
    """End every grant but the patient's own, cut tokens, and withdraw from sharing and research.

    A clinic that data was sent to is told at the next exchange; what it holds already is its own
    to delete.
    """
    actor = current().name
    grants, tokens = stop_sharing(runtime.catalog, patient.id, actor=actor)
    for purpose in ("sharing", "research"):
        record_consent(
            runtime.catalog, patient.id, purpose, given=False, version=WORDING, author=actor
        )
    return StoppedOut(patient_id=patient.id, grants=grants, tokens=tokens)


@router.delete(
    "/patients/{patient_id}/grants/{grant_id}",
    operation_id="withdrawShare",
    summary="Take the patient back from somebody",
    status_code=204,
)
def remove_share(
    runtime: RuntimeDep,
    patient: PatientDep,
    grant_id: Annotated[
        str, Path(min_length=1, max_length=64, description="Id of the grant.", examples=["3f2a"])
    ],
) -> None:
    """End one grant."""
    grant = grant_by_id(runtime.catalog, grant_id)
    if grant is None or grant.patient != patient.id:
        raise problem("not-found", "This patient has no such grant.")
    withdraw_grant(runtime.catalog, grant, actor=current().name)


@router.get(
    "/patients/{patient_id}/audit", operation_id="listOwnAudit", summary="Who looked, and at what"
)
def list_audit(
    runtime: RuntimeDep,
    patient: PatientDep,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most entries per page.")] = 100,
    cursor: Cursor = None,
) -> AuditOut:
    """Return who read, took away or changed something of this patient, newest first."""
    return audit_page(runtime.catalog, limit, cursor, patient.id)


@router.delete("/patients/{patient_id}", operation_id="erasePatient", summary="Delete everything")
def delete_patient(
    runtime: RuntimeDep,
    patient: PatientDep,
    confirm: Annotated[
        str,
        Query(max_length=80, description="The patient's id once more.", examples=["p1"]),
    ],
) -> ErasedOut:
    """Delete record, results, notes and grants for good; a recording under way is ended first.

    Backups and what a clinic holds are not reached.
    """
    if confirm != patient.id:
        raise problem("invalid-request", "confirm: it is not this patient's id.")
    erased = erase(runtime, patient)
    return ErasedOut(tombstone=erased.tombstone, samples=erased.samples, segments=erased.segments)
