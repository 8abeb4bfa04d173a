"""The researcher's pages: files, streams, versions of results, the API and every column."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse, RedirectResponse

from api.access.principals import current
from api.access.rights import CLINICAL
from api.exports.choices import ROLES, TABLES
from api.exports.missing import missing_of, samples_by_role
from api.reference.dictionary import tables
from api.routes.versions import list_versions, remove_trial
from api.runtime import Runtime, RuntimeDep
from api.web import reference, texts
from api.web.pages import first_patient, render
from storage.catalog import Patient
from storage.exports import FORMATS

router = APIRouter(default_response_class=HTMLResponse)


def _part(table: str, since: str) -> str:
    """Return what keeps a click from asking for gigabytes."""
    return f"&from={since}" if table == "angles_100hz" else ""


def _missing(runtime: Runtime, patient: Patient) -> list[str]:
    """Return a line for each sensor of which samples are in no file, for what held them broke."""
    clock = texts.Clock(ZoneInfo(patient.zone))
    lines = []
    for role in ROLES:
        found = missing_of(runtime.record, patient.id, role=role, kind="imu")
        if found:
            lines.append(
                texts.text(
                    "data.missing.of",
                    sensor=texts.text(f"live.role.{role}"),
                    n=texts.number(samples_by_role(found)[role]),
                    first=clock.moment(found[0].damage.t0_ns),
                    last=clock.moment(max(each.damage.t1_ns for each in found)),
                )
            )
    return lines


@router.get("/data")
def data(runtime: RuntimeDep) -> HTMLResponse:
    """Return the researcher's page: streams, addresses, dictionary."""
    patient = first_patient(runtime)
    relative = f"/api/v1/patients/{patient.id}"
    base = f"http://{runtime.settings.host}:{runtime.port}{relative}"
    last_day = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return render(
        runtime,
        "data.html",
        "data",
        zone=patient.zone,
        patient=patient,
        streams=runtime.record.streams(patient=patient.id),
        missing=_missing(runtime, patient),
        versions=list(reversed(list_versions(runtime, patient).items)),
        may_remove=current().may(CLINICAL, patient.id),
        curls=[
            f"curl -s '{base}/days'",
            f"curl -s '{base}/angles?from={last_day}&resolution=1min'",
            f"curl -s '{base}/episodes?kind=posture'",
            f"curl -N 'http://{runtime.settings.host}:{runtime.port}/api/v1/live'",
        ],
        files=[
            *(
                (
                    table,
                    [
                        (form, f"{relative}/exports/{table}?format={form}" + _part(table, last_day))
                        for form in FORMATS
                    ],
                )
                for table in TABLES
            ),
            *(
                (
                    role,
                    [
                        (form, f"{relative}/raw/{role}?format={form}&from={last_day}")
                        for form in FORMATS
                    ],
                )
                for role in ROLES
            ),
            ("bids", [("zip", f"{relative}/bids?from={last_day}")]),
            ("everything", [("zip", f"{relative}/everything")]),
        ],
    )


@router.post("/data/versions/{algo}/remove")
def remove_version(
    runtime: RuntimeDep, algo: Annotated[str, Path(min_length=1, max_length=64)]
) -> RedirectResponse:
    """Delete results that are not current, and go back to the page."""
    remove_trial(runtime, first_patient(runtime), algo)
    return RedirectResponse("/data#versions", 303)


@router.get("/docs")
def docs(runtime: RuntimeDep) -> HTMLResponse:
    """Return the API reference, made from OpenAPI."""
    base = f"http://{runtime.settings.host}:{runtime.port}"
    return render(
        runtime,
        "docs.html",
        "data",
        zone=runtime.settings.zone_name,
        operations=reference.operations(runtime.openapi(), base),
    )


@router.get("/docs/columns")
def columns(runtime: RuntimeDep) -> HTMLResponse:
    """Return what every column means, made from the code."""
    return render(
        runtime, "docs_columns.html", "data", zone=runtime.settings.zone_name, tables=tables()
    )
