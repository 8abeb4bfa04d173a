"""GET exports: what researchers and patients take away, streamed with bounded memory."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse

from api import exports
from api.problems import problem
from api.routes.parameters import PatientDep, RangeDep
from api.runtime import RuntimeDep
from storage.errors import UnknownStreamError

router = APIRouter(tags=["exports"])

FormatParameter = Annotated[
    exports.FormatName,
    Query(
        alias="format",
        description="`parquet`, `arrow` (IPC stream) or `csv`; units and provenance are inside.",
    ),
]
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
_ZIP_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The archive.", "content": {exports.ZIP: {}}}
}


def _answer(export: exports.Export) -> StreamingResponse:
    return StreamingResponse(
        export.pieces,
        media_type=export.media_type,
        headers={"content-disposition": f'attachment; filename="{export.filename}"'},
    )


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
        exports.TableName,
        Path(description="`angles` (1 Hz), `minutes`, `days` or `episodes`.", examples=["angles"]),
    ],
    form: FormatParameter = "parquet",
) -> StreamingResponse:
    """Return a table of results of the range."""
    return _answer(
        exports.export_table(runtime.record, runtime.results, patient, span, table, form)
    )


@router.get(
    "/patients/{patient_id}/streams/{stream_id}/export",
    operation_id="exportStream",
    summary="Raw samples of a stream as a file",
    response_class=StreamingResponse,
    responses=_TABLE_FILE,
)
def export_stream(
    runtime: RuntimeDep,
    patient: PatientDep,
    span: RangeDep,
    stream_id: Annotated[int, Path(ge=0, le=2**62, description="Id of the stream.", examples=[1])],
    form: FormatParameter = "parquet",
) -> StreamingResponse:
    """Return the samples whose packets arrived in the range, in physical units."""
    try:
        info = runtime.record.info(stream_id)
    except UnknownStreamError:
        info = None
    if info is None or info.patient != patient.id:
        raise problem("not-found", f"This patient has no stream {stream_id}.")
    return _answer(exports.export_raw(runtime.record, patient, stream_id, span, form))


@router.get(
    "/patients/{patient_id}/bids",
    operation_id="exportBids",
    summary="The record as a Motion-BIDS data set",
    response_class=StreamingResponse,
    responses=_ZIP_FILE,
)
def export_bids(runtime: RuntimeDep, patient: PatientDep, span: RangeDep) -> StreamingResponse:
    """Return the samples of both sensors in the range, with poses and movements as events."""
    return _answer(exports.export_bids(runtime.record, runtime.catalog, patient, span))


@router.get(
    "/patients/{patient_id}/everything",
    operation_id="exportEverything",
    summary="All that is held about a patient",
    response_class=StreamingResponse,
    responses=_ZIP_FILE,
)
def export_everything(runtime: RuntimeDep, patient: PatientDep) -> StreamingResponse:
    """Return record, results, calibrations and notes in one archive that opens without us."""
    return _answer(exports.export_everything(runtime.settings.data_dir, runtime.results, patient))
