"""GET fhir: daily observations for other systems of health care."""

import json
from typing import Any

from fastapi import APIRouter, Response

from api.access.masking import current_mask
from api.exports.fhir import MEDIA_TYPE, daily_bundle
from api.queries import days as query_days
from api.routes.parameters import PatientDep, VersionDep
from api.routes.summaries import DaysDep
from api.runtime import RuntimeDep

router = APIRouter(tags=["exports"])

_BUNDLE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The bundle (FHIR R4B).", "content": {MEDIA_TYPE: {}}}
}


@router.get(
    "/patients/{patient_id}/fhir",
    operation_id="exportFhir",
    summary="Daily observations as a FHIR bundle",
    response_class=Response,
    responses=_BUNDLE,
)
def export_fhir(
    runtime: RuntimeDep, patient: PatientDep, algo: VersionDep, span: DaysDep
) -> Response:
    """Return one Observation per local day; the last 14 where no range is given.

    The codes are our own (no LOINC code says the same), the units UCUM.
    """
    first, last = span
    mask = current_mask()
    bundle = daily_bundle(
        patient.id if mask is None else mask.pseudonym,
        query_days(runtime, patient, first, last, algo=algo),
        algo or runtime.results.book.current(patient.id),
        back=None if mask is None else mask.back,
    )
    return Response(json.dumps(bundle), media_type=MEDIA_TYPE)
