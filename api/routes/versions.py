"""Versions of results: which there are, and a trial with other parameters beside them."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api.access.principals import current
from api.rerun import start_rerun
from api.routes.parameters import PatientDep
from api.runtime import RuntimeDep
from api.web.texts import iso

router = APIRouter(tags=["results"])


class VersionOut(BaseModel):
    """One version of a patient's results."""

    algo: str = Field(examples=["1-4f2a9c1e"])
    algorithm_version: str
    params_hash: str
    created_utc: str
    complete: bool = Field(description="False while it is being made.")
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


@router.get(
    "/patients/{patient_id}/versions", operation_id="listVersions", summary="Versions of results"
)
def list_versions(runtime: RuntimeDep, patient: PatientDep) -> VersionsOut:
    """Return the versions; each can be read by its name."""
    return VersionsOut(
        patient_id=patient.id,
        items=[
            VersionOut(
                algo=row.algo,
                algorithm_version=row.version,
                params_hash=row.params_hash,
                created_utc=iso(row.created_ns),
                complete=row.complete,
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
        current().name, "version.trial", patient.id, {"algo": algo, "params": wanted.params}
    )
    return TrialOut(patient_id=patient.id, algo=algo)
