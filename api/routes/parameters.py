"""Parameters that several operations share."""

from typing import Annotated, Any

from fastapi import Depends, Path, Query
from pydantic import AwareDatetime

from api.http.problems import problem
from api.queries import Range, checked_range, patient_or_404
from api.runtime import RuntimeDep
from storage.catalog import Patient

PatientId = Annotated[
    str,
    Path(
        description="Pseudonymous id of the patient.",
        min_length=1,
        max_length=80,
        examples=["p1"],
    ),
]


def _patient(runtime: RuntimeDep, patient_id: PatientId) -> Patient:
    return patient_or_404(runtime, patient_id)


PatientDep = Annotated[Patient, Depends(_patient)]


def _range(
    start: Annotated[
        AwareDatetime | None,
        Query(
            alias="from",
            description="First instant, RFC 3339 with an offset or Z.",
            examples=["2026-11-23T08:00:00Z"],
        ),
    ] = None,
    end: Annotated[
        AwareDatetime | None,
        Query(
            alias="to",
            description="End, not included; RFC 3339 with an offset or Z.",
            examples=["2026-11-23T09:00:00Z"],
        ),
    ] = None,
) -> Range:
    return checked_range(start, end)


RangeDep = Annotated[Range, Depends(_range)]


def _version(
    runtime: RuntimeDep,
    patient: PatientDep,
    algo: Annotated[
        str | None,
        Query(
            max_length=64, description="Version of the results; the current one where not given."
        ),
    ] = None,
) -> str | None:
    if algo is None or any(row.algo == algo for row in runtime.results.book.algorithms(patient.id)):
        return algo
    raise problem("not-found", f"There are no results of version {algo[:40]!r}.")


VersionDep = Annotated[str | None, Depends(_version)]
"""A version of results that exists; None stands for the current one."""

Cursor = Annotated[
    str | None,
    Query(description="`next` of the page before; opaque.", max_length=200),
]


def example(value: Any) -> dict[int | str, dict[str, Any]]:
    """Return an OpenAPI answer with an example."""
    return {200: {"content": {"application/json": {"example": value}}}}
