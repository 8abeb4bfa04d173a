"""GET exports: what researchers and patients take away, streamed with bounded memory."""

from hashlib import sha256
from importlib.metadata import version as package_version
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from api.access.masking import current_mask
from api.exports import choices
from api.exports.missing import missing_of
from api.http.conditional import NOT_MODIFIED, is_known
from api.http.problems import problem
from api.queries import Range
from api.routes.parameters import PatientDep, RangeDep, VersionDep
from api.runtime import Runtime, RuntimeDep
from api.web.texts import iso
from ingest.live import Role
from storage.errors import UnknownStreamError
from storage.exports import FORMATS

router = APIRouter(tags=["exports"])

FormatParameter = Annotated[
    choices.FormatName,
    Query(
        alias="format",
        description="`parquet`, `arrow` (IPC stream) or `csv`; units and provenance are inside.",
    ),
]
MISSING = "necktrace-missing-samples"
_HEADERS: dict[str, Any] = {
    MISSING: {
        "description": "How many samples are missing from the file because what held them is "
        "damaged, as far as known when it begins. Absent where none are.",
        "schema": {"type": "integer"},
    }
}
_TABLE_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {
            "application/vnd.apache.parquet": {},
            "application/vnd.apache.arrow.stream": {},
            "text/csv": {},
        },
    }
}
_RAW_FILE = {200: {**_TABLE_FILE[200], "headers": _HEADERS}} | NOT_MODIFIED
_ZIP_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The archive.", "content": {choices.ZIP: {}}, "headers": _HEADERS}
}


def _answer(export: choices.Export, etag: str = "") -> StreamingResponse:
    headers = {"content-disposition": f'attachment; filename="{export.filename}"'}
    if etag:
        headers["etag"] = etag
    if export.missing:
        headers[MISSING] = str(sum(each.damage.samples for each in export.missing))
    return StreamingResponse(export.pieces, media_type=export.media_type, headers=headers)


class ExportOut(BaseModel):
    """Something that can be taken away."""

    name: str = Field(examples=["angles"])
    path: str = Field(description="Below the patient's own.", examples=["exports/angles"])
    formats: list[str] = Field(examples=[["parquet", "arrow", "csv"]])
    description: str


class MissingOut(BaseModel):
    """Samples of a file of the record that is damaged; they are in no file that is made."""

    role: str = Field(examples=["head"])
    kind: str = Field(examples=["imu"])
    samples: int
    from_utc: str = Field(description="Arrival of its first packet.")
    to_utc: str = Field(description="Arrival of its last packet.")


class ExportsOut(BaseModel):
    """What can be taken away of a patient."""

    patient_id: str
    items: list[ExportOut]
    missing: list[MissingOut] = Field(
        description="What is known to be damaged. A damaged file is found when it is read, or by "
        "`necktrace verify`."
    )


_MEANINGS = {
    "exports/angles": "Angles at 1 Hz: mean, smallest and largest of each second.",
    "exports/angles_100hz": "Angles and quaternions at 100 Hz.",
    "exports/minutes": "Summaries of minutes.",
    "exports/days": "Summaries of the patient's local days.",
    "exports/episodes": "Candidate episodes with their features.",
    "raw/head": "Samples of the head sensor with their times, SI units.",
    "raw/trunk": "Samples of the trunk sensor with their times, SI units.",
    "bids": "The record as a Motion-BIDS data set.",
    "everything": "All that is held, in one archive.",
}


def _source(runtime: Runtime) -> choices.Source:
    return choices.Source(runtime.record, runtime.catalog, runtime.results)


def _unchanged(request: Request, version: str) -> Response | None:
    """Return 304 where the reader has it, from the manifest alone."""
    etag = f'"{version}"'
    request.state.etag = etag
    return Response(status_code=304, headers={"etag": etag}) if is_known(request, etag) else None


@router.get(
    "/patients/{patient_id}/exports", operation_id="listExports", summary="What can be taken away"
)
def list_exports(runtime: RuntimeDep, patient: PatientDep) -> ExportsOut:
    """Return the files that can be made, in which formats, and what is missing from all of them."""
    zips = {"bids", "everything"}
    items = [
        ExportOut(
            name=name.rpartition("/")[2],
            path=name,
            formats=["zip"] if name in zips else list(FORMATS),
            description=text,
        )
        for name, text in _MEANINGS.items()
    ]
    missing = [
        MissingOut(
            role=each.role,
            kind=each.kind,
            samples=each.damage.samples,
            from_utc=iso(each.damage.t0_ns),
            to_utc=iso(each.damage.t1_ns),
        )
        for each in missing_of(runtime.record, patient.id)
    ]
    return ExportsOut(patient_id=patient.id, items=items, missing=missing)


@router.get(
    "/patients/{patient_id}/exports/{table}",
    operation_id="exportTable",
    summary="Results as a file",
    response_class=StreamingResponse,
    responses=_TABLE_FILE,
)
def export_table(
    runtime: RuntimeDep,
    patient: PatientDep,
    span: RangeDep,
    table: Annotated[
        choices.TableName,
        Path(
            description="`angles` (1 Hz), `angles_100hz`, `minutes`, `days` or `episodes`.",
            examples=["angles"],
        ),
    ],
    algo: VersionDep,
    form: FormatParameter = "parquet",
) -> StreamingResponse:
    """Return a table of results of the range, with units and provenance inside."""
    return _answer(
        choices.export_table(
            _source(runtime), patient, span, table, form, algo=algo, mask=current_mask()
        )
    )


@router.get(
    "/patients/{patient_id}/raw/{role}",
    operation_id="exportRaw",
    summary="Raw samples of a sensor over all its starts",
    response_class=StreamingResponse,
    responses=_RAW_FILE,
)
def export_samples(
    request: Request,
    runtime: RuntimeDep,
    patient: PatientDep,
    span: RangeDep,
    role: Annotated[Role, Path(description="Where it is worn.", examples=["head"])],
    form: FormatParameter = "parquet",
) -> Response:
    """Return every sample of the range with its time: specific force in m/s², rate in rad/s.

    The time of a sample is derived from its packet's counter and arrival; `streams` has what was
    recorded.
    """
    streams = runtime.record.streams(patient=patient.id, role=role, kind="imu")
    late_ns = span.t1_ns + 3_600_000_000_000
    version = runtime.record.version_until([each.id for each in streams], late_ns)
    known = _unchanged(request, _tag(version, span, form))
    if known is not None:
        return known
    made = choices.export_samples(_source(runtime), patient, role, span, form, mask=current_mask())
    return _answer(made, request.state.etag)


@router.get(
    "/patients/{patient_id}/streams/{stream_id}/export",
    operation_id="exportStream",
    summary="Raw samples of a stream as a file",
    response_class=StreamingResponse,
    responses=_RAW_FILE,
)
def export_stream(
    request: Request,
    runtime: RuntimeDep,
    patient: PatientDep,
    span: RangeDep,
    stream_id: Annotated[int, Path(ge=0, le=2**62, description="Id of the stream.", examples=[1])],
    form: FormatParameter = "parquet",
) -> Response:
    """Return the samples whose packets arrived in the range, in physical units."""
    try:
        info = runtime.record.info(stream_id)
    except UnknownStreamError:
        info = None
    if info is None or info.patient != patient.id:
        raise problem("not-found", f"This patient has no stream {stream_id}.")
    low, high = choices.index_range(runtime.record, stream_id, span)
    version = runtime.record.version(stream_id, low, high)
    known = _unchanged(request, _tag(version, span, form))
    if known is not None:
        return known
    made = choices.export_raw(_source(runtime), patient, stream_id, span, form, mask=current_mask())
    return _answer(made, request.state.etag)


def _tag(version: str, span: Range, form: str) -> str:
    """Return what tells one file from another: also who may see it how."""
    mask = current_mask()
    shown = "" if mask is None else mask.pseudonym
    parts = (package_version("necktrace"), version, span.t0_ns, span.t1_ns, form, shown)
    return sha256(repr(parts).encode()).hexdigest()[:32]


@router.get(
    "/patients/{patient_id}/bids",
    operation_id="exportBids",
    summary="The record as a Motion-BIDS data set",
    response_class=StreamingResponse,
    responses=_ZIP_FILE,
)
def export_bids(runtime: RuntimeDep, patient: PatientDep, span: RangeDep) -> StreamingResponse:
    """Return the samples of both sensors in the range, with poses and movements as events."""
    return _answer(choices.export_bids(_source(runtime), patient, span, mask=current_mask()))


@router.get(
    "/patients/{patient_id}/everything",
    operation_id="exportEverything",
    summary="All that is held about a patient",
    response_class=StreamingResponse,
    responses=_ZIP_FILE,
)
def export_everything(runtime: RuntimeDep, patient: PatientDep) -> StreamingResponse:
    """Return record, results, calibrations and notes in one archive that opens without us."""
    return _answer(
        choices.export_everything(
            runtime.settings.data_dir, runtime.record, runtime.results, patient
        )
    )
