"""Versions of results: which there are, a trial with other parameters beside them, its removal."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from api.access.principals import Principal, current
from api.access.rights import CLINICAL
from api.http.problems import problem
from api.jobs.rerun import is_running, start_rerun
from api.routes.parameters import PatientDep
from api.runtime import RuntimeDep
from api.web.texts import iso
from ingest.errors import ReprocessError
from ingest.reprocess_params import differing
from ingest.reprocess_version import params_of
from storage.result_book import AlgorithmRow

router = APIRouter(tags=["results"])

TRIAL: Final = "version.trial"
"""Under which a trial stands in the audit log."""
_FAR: Final = 2**31


class VersionOut(BaseModel):
    """One version of a patient's results."""

    algo: str = Field(examples=["1-4f2a9c1e"])
    algorithm_version: str
    params_hash: str
    created_utc: str
    complete: bool = Field(description="False while it is being made, or where that stopped.")
    under_way: bool = Field(
        description="A trial that is being worked out now. One that is neither complete nor under "
        "way stopped: the same request goes on with it."
    )
    differs: dict[str, Any] | None = Field(
        description="Parameters that differ from the defaults, as a trial asks for them; null "
        "where another version of the program made it.",
        examples=[{"episodes": {"jerk": {"amplitude_min_deg": 6.0}}}],
    )
    current: bool = Field(description="What is read when no version is named.")


class VersionsOut(BaseModel):
    """The versions of a patient's results, oldest first."""

    patient_id: str
    items: list[VersionOut]


class TrialWish(BaseModel):
    """Parameters to try."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"params": {"episodes": {"jerk": {"amplitude_min_deg": 6.0}}}}]
        },
    )

    params: dict[str, Any] = Field(
        max_length=50, description="What differs from the defaults, nested as in `PipelineParams`."
    )


class TrialOut(BaseModel):
    """A trial that was begun."""

    patient_id: str
    algo: str = Field(description="Name it by this; `complete` in the list says when it is done.")


def _differing(row: AlgorithmRow) -> dict[str, Any] | None:
    try:
        return differing(params_of(row))
    except ReprocessError:
        return None


@router.get(
    "/patients/{patient_id}/versions", operation_id="listVersions", summary="Versions of results"
)
def list_versions(runtime: RuntimeDep, patient: PatientDep) -> VersionsOut:
    """Return the versions; each can be read by its name."""
    running = is_running(runtime.settings.data_dir)
    return VersionsOut(
        patient_id=patient.id,
        items=[
            VersionOut(
                algo=row.algo,
                algorithm_version=row.version,
                params_hash=row.params_hash,
                created_utc=iso(row.created_ns),
                complete=row.complete,
                under_way=running and not row.complete,
                differs=_differing(row),
                current=row.current,
            )
            for row in runtime.results.book.algorithms(patient.id)
        ],
    )


@router.post(
    "/patients/{patient_id}/versions",
    operation_id="startTrial",
    summary="Make results with other parameters",
    status_code=202,
)
def start_trial(runtime: RuntimeDep, patient: PatientDep, wanted: TrialWish) -> TrialOut:
    """Begin to work the record out with other parameters, one trial at a time.

    The results that pages and reports show are not touched.
    """
    algo = start_rerun(runtime, patient, wanted.params)
    runtime.catalog.audit(
        current().name, TRIAL, patient.id, {"algo": algo, "params": wanted.params}
    )
    return TrialOut(patient_id=patient.id, algo=algo)


@router.delete(
    "/patients/{patient_id}/versions/{algo}",
    operation_id="removeTrial",
    summary="Remove a trial",
    status_code=204,
)
def remove_trial(
    runtime: RuntimeDep,
    patient: PatientDep,
    algo: Annotated[
        str,
        Path(
            min_length=1, max_length=64, description="Name of the version.", examples=["2-9a1f.2"]
        ),
    ],
) -> None:
    """Delete results that are not current: one's own trial, or any for who treats the patient."""
    row = next((r for r in runtime.results.book.algorithms(patient.id) if r.algo == algo), None)
    if row is None:
        raise problem("not-found", "There are no results of that version.")
    asking = current()
    begun_by = {
        _person(entry.actor)
        for entry in runtime.catalog.audit_entries(subject=patient.id, limit=_FAR)
        if entry.action == TRIAL and entry.detail.get("algo") == algo
    }
    if not asking.may(CLINICAL, patient.id) and _name(asking) not in begun_by:
        raise problem("not-allowed", "Only trials of one's own can be removed.")
    if row.current:
        raise problem("conflict", "This is what pages and reports show; it cannot be removed.")
    if not row.complete and is_running(runtime.settings.data_dir):
        raise problem("conflict", "It is being worked out; remove it when that is done.")
    runtime.results.remove_algorithm(patient.id, algo)
    runtime.catalog.audit(asking.name, "version.remove", patient.id, {"algo": algo})


def _name(asking: Principal) -> str:
    """Return the person behind a login or any of their tokens."""
    return asking.name if asking.account is None else asking.account.name


def _person(actor: str) -> str:
    return actor.rpartition(" of ")[2]
