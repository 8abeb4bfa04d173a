"""Consent: what the patient agreed to, in which wording, and taking it back."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api.access.principals import current
from api.routes.parameters import PatientDep
from api.runtime import RuntimeDep
from api.web.texts import iso
from storage.consent import (
    MEANINGS,
    WORDING,
    ConsentEntry,
    Purpose,
    consent_history,
    latest_consent,
    record_consent,
)

router = APIRouter(tags=["consent"])


class ConsentWish(BaseModel):
    """A yes or a no."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"purpose": "research", "given": False, "version": WORDING}]
        },
    )

    purpose: Purpose
    given: bool = Field(description="False withdraws, from now on.")
    version: Annotated[
        str, Field(min_length=1, max_length=40, description="Wording that was shown.")
    ]


class ConsentEntryOut(BaseModel):
    """One thing said about one purpose."""

    purpose: Purpose
    given: bool
    version: str
    at_utc: str
    author: str


class PurposeOut(BaseModel):
    """What holds for one purpose."""

    purpose: Purpose
    meaning: str
    given: bool | None = Field(description="Null where nothing was ever said.")
    version: str | None
    since_utc: str | None


class ConsentOut(BaseModel):
    """What holds, and everything that was ever said."""

    patient_id: str
    wording: str = Field(description="Version of the text in use now.", examples=[WORDING])
    purposes: list[PurposeOut]
    history: list[ConsentEntryOut] = Field(description="Oldest first.")


def _entry(entry: ConsentEntry) -> ConsentEntryOut:
    return ConsentEntryOut(
        purpose=entry.purpose,
        given=entry.given,
        version=entry.version,
        at_utc=iso(entry.at_ns),
        author=entry.author,
    )


def _consent(runtime: RuntimeDep, patient_id: str) -> ConsentOut:
    return ConsentOut(
        patient_id=patient_id,
        wording=WORDING,
        purposes=[
            PurposeOut(
                purpose=purpose,
                meaning=MEANINGS[purpose],
                given=None if entry is None else entry.given,
                version=None if entry is None else entry.version,
                since_utc=None if entry is None else iso(entry.at_ns),
            )
            for purpose, entry in latest_consent(runtime.catalog, patient_id).items()
        ],
        history=[_entry(entry) for entry in consent_history(runtime.catalog, patient_id)],
    )


@router.get("/patients/{patient_id}/consent", operation_id="getConsent", summary="Consent")
def get_consent(runtime: RuntimeDep, patient: PatientDep) -> ConsentOut:
    """Return what the patient agreed to, purpose by purpose, and its history."""
    return _consent(runtime, patient.id)


@router.post(
    "/patients/{patient_id}/consent",
    operation_id="recordConsent",
    summary="Agree or withdraw",
    status_code=201,
)
def post_consent(runtime: RuntimeDep, patient: PatientDep, wanted: ConsentWish) -> ConsentOut:
    """Write a yes or a no down.

    Withdrawn `processing` ends a recording within seconds and keeps anything from being worked
    out; withdrawn `sharing` ends what is sent to a clinic, which is told; withdrawn `research`
    closes the data to researchers at once.
    """
    record_consent(
        runtime.catalog,
        patient.id,
        wanted.purpose,
        given=wanted.given,
        version=wanted.version,
        author=current().name,
    )
    return _consent(runtime, patient.id)
