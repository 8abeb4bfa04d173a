"""What a home sends to the clinic, and what it fetches: every byte once, for its own patients.

Nobody is let in without a token of the scope `forward`, not even the owner of this computer.
"""

import json
from hashlib import sha256 as hash_of
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from api.access.principals import Principal, identify
from api.forwarding.incoming import Part, held_bytes, open_part
from api.forwarding.rework import start
from api.forwarding.wire import (
    MAX_SEGMENT_BYTES,
    AnnotationEntry,
    CatalogueIn,
    CatalogueOut,
    FromClinic,
    KindName,
    SegmentOut,
    checked_entries,
)
from api.http.problems import problem
from api.queries import patient_or_404
from api.routes.parameters import PatientId
from api.runtime import Runtime, RuntimeDep
from storage.consent import is_withdrawn
from storage.due import mark_due
from storage.errors import CatalogError, CorruptSegmentError, StreamConflictError
from storage.exchange import apply, clinic_version, scope_of, written_by_clinic
from storage.forwarding import first_arrival_ns, receive
from storage.record import DirectWriter
from storage.record.segments import parse_info

router = APIRouter(prefix="/forward", tags=["forward"])

PAGE = 500
OwnPatient = Annotated[
    str, Query(min_length=1, max_length=80, description="Whose data.", examples=["p1"])
]
Sha256 = Annotated[
    str,
    Path(
        pattern="^[0-9a-f]{64}$",
        description="Of the whole file, hexadecimal.",
        examples=["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ),
]
Authorization = Annotated[
    str | None,
    Header(
        description="`Bearer` and a token of the scope `forward`.",
        examples=["Bearer $NECKTRACE_TOKEN"],
    ),
]


def sender_of(runtime: Runtime, authorization: str | None, patient_id: str) -> Principal:
    """Return who sends.

    Raises
    ------
    ProblemError
        `not-authenticated`: no valid token; `not-allowed`: not for this patient.
    """
    who = identify(runtime.catalog, authorization=authorization, cookie=None, local=False)
    if who.kind != "token":
        raise problem("not-authenticated", "Forwarding needs a token of the scope `forward`.")
    if not who.may("forward", patient_id):
        raise problem("not-allowed", "This token may not forward for that patient.")
    patient_or_404(runtime, patient_id)
    return who


def _refuse_withdrawn(runtime: Runtime, patient_id: str) -> None:
    """Take nothing more of somebody who withdrew; what was taken stays until it is deleted."""
    if is_withdrawn(runtime.catalog, patient_id, "sharing", "processing"):
        raise problem("not-allowed", "This patient withdrew their consent; nothing is taken.")


def _folder_of(who: Principal) -> str:
    return hash_of(who.name.encode()).hexdigest()[:16]


@router.get(
    "/segments/{sha256}", operation_id="getForwardedSegment", summary="How much has arrived"
)
@router.head("/segments/{sha256}", include_in_schema=False)
def get_segment(
    runtime: RuntimeDep,
    sha256: Sha256,
    patient_id: OwnPatient,
    response: Response,
    authorization: Authorization = None,
) -> SegmentOut:
    """Return from where on a sender shall go on with a segment; the header says it too."""
    who = sender_of(runtime, authorization, patient_id)
    offset = held_bytes(runtime.settings.data_dir, _folder_of(who), sha256)
    response.headers["Upload-Offset"] = str(offset)
    return SegmentOut(offset=offset, complete=False)


@router.put("/segments/{sha256}", operation_id="putForwardedSegment", summary="Send a segment")
async def put_segment(
    request: Request,
    runtime: RuntimeDep,
    sha256: Sha256,
    patient_id: OwnPatient,
    content_range: Annotated[
        str,
        Header(
            pattern=r"^bytes \d{1,10}-\d{1,10}/\d{1,10}$",
            description="Which bytes of the file the body holds.",
            examples=["bytes 0-262143/300000"],
        ),
    ],
    home_id: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=80,
            description="What the patient is called at home, and so in the file, where that "
            "differs.",
        ),
    ] = None,
    authorization: Authorization = None,
) -> SegmentOut:
    """Take the next bytes of a sealed segment; the last ones store its samples.

    What arrived before a link was cut is kept. A segment may be sent any number of times: samples
    that are held are not stored again.
    """
    who = await run_in_threadpool(sender_of, runtime, authorization, patient_id)
    await run_in_threadpool(_refuse_withdrawn, runtime, patient_id)
    span, _, size_text = content_range.removeprefix("bytes ").partition("/")
    first, last, size = (int(text) for text in (*span.split("-"), size_text))
    if size > MAX_SEGMENT_BYTES:
        raise problem("too-large", f"A segment has at most {MAX_SEGMENT_BYTES} bytes.")
    if not first <= last < size:
        raise problem("invalid-request", "Content-Range names no bytes of the file.")
    with open_part(runtime.settings.data_dir, _folder_of(who), sha256) as part:
        if part is None:
            raise problem("conflict", "Another request sends this segment; try again in a moment.")
        if part.size < first:
            raise problem("conflict", f"{part.size} bytes are held; go on from there.")
        part.cut(first)
        try:
            async for piece in request.stream():
                part.append(piece[: last + 1 - part.size])
        except ClientDisconnect:
            raise problem("invalid-request", "The body ended early.") from None
        if part.size < size:
            return SegmentOut(offset=part.size, complete=False)
        new = await run_in_threadpool(
            _store, runtime, part, sha256, patient_id, home_id or patient_id
        )
    return SegmentOut(offset=size, complete=True, samples_new=new)


def _store(runtime: Runtime, part: Part, sha256: str, patient_id: str, home_id: str) -> int:
    """Store a segment that is whole; the part goes only after its samples are safe."""
    body = part.body()
    try:
        if hash_of(body).hexdigest() != sha256:
            raise CorruptSegmentError("(received)", "its sha256 is not the one announced")
        if parse_info(body).patient != home_id:
            part.discard()
            raise problem("not-allowed", "The segment is not of the patient that was named.")
        since_ns = first_arrival_ns(body)
        with DirectWriter(runtime.settings.data_dir) as writer:
            _, new = receive(writer, body, sha256, patients={home_id}, stored_as=patient_id)
        # Also for a repeat: this process may have ended right after it stored the samples.
        mark_due(runtime.catalog, patient_id, since_ns)
    except CorruptSegmentError as error:
        part.discard()
        raise problem("invalid-request", f"It cannot be taken: {error.reason}.") from None
    except StreamConflictError as error:
        part.discard()
        raise problem("invalid-request", f"It cannot be taken: {error}.") from None
    part.discard()
    return new


@router.put("/catalogue/{kind}", operation_id="putForwardedEntries", summary="Send entries")
def put_entries(
    runtime: RuntimeDep,
    kind: Annotated[KindName, Path(description="What the entries are.", examples=["zone"])],
    entries: CatalogueIn,
    authorization: Authorization = None,
) -> CatalogueOut:
    """Take over entries of a patient: new ones, changed ones, and those that were taken back."""
    who = sender_of(runtime, authorization, entries.patient_id)
    if kind != "consent":
        _refuse_withdrawn(runtime, entries.patient_id)
    try:
        items = checked_entries(kind, entries.items)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise problem("invalid-request", f"items: {where}: {first['msg']}.") from None
    try:
        changed = apply(runtime.catalog, entries.patient_id, kind, items, entries.removed)
    except (CatalogError, ValueError) as error:
        raise problem("conflict", f"{error}.") from None
    if changed:
        detail = {"kind": kind, "changed": changed}
        runtime.catalog.audit(who.name, "forward.entries", entries.patient_id, detail)
    return CatalogueOut(changed=changed)


@router.get(
    "/patients/{patient_id}",
    operation_id="getFromClinic",
    summary="What the clinic wrote for a patient",
    response_model=FromClinic,
)
def get_from_clinic(
    runtime: RuntimeDep,
    patient_id: PatientId,
    after: Annotated[str, Query(max_length=80, description="`next` of the page before.")] = "",
    if_none_match: Annotated[str | None, Header(description="ETag of the last time.")] = None,
    authorization: Authorization = None,
) -> Response:
    """Return plan, thresholds and verdicts; 304 where nothing changed. Ends an exchange."""
    sender_of(runtime, authorization, patient_id)
    start(runtime.settings, runtime.catalog, patient_id)
    etag = f'"{hash_of(clinic_version(runtime.catalog, patient_id).encode()).hexdigest()[:32]}"'
    if if_none_match == etag:
        return Response(status_code=304, headers={"ETag": etag})
    found = written_by_clinic(runtime.catalog, patient_id, after=after, limit=PAGE)
    scope = scope_of(patient_id)
    answer = FromClinic(
        plan=runtime.catalog.setting(scope, "plan"),
        thresholds=runtime.catalog.setting(scope, "thresholds"),
        verdicts=[AnnotationEntry.model_validate(each) for each in found],
        next=found[-1]["id"] if len(found) == PAGE else None,
    )
    return Response(
        json.dumps(answer.model_dump()), media_type="application/json", headers={"ETag": etag}
    )
