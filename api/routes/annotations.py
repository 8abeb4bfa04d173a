"""Annotations: what a person says about a stretch of time; nothing is overwritten for good."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.access.masking import current_mask
from api.access.principals import current
from api.http.problems import problem
from api.queries import checked_range, to_ns
from api.routes.parameters import PatientDep, RangeDep
from api.runtime import RuntimeDep
from api.web.texts import iso
from storage.notes import RESEARCH, Annotation, add_annotation, annotations, edit_annotation

router = APIRouter(tags=["annotations"])

Kind = Literal["spasm", "pain", "trick", "medication", "note", "verdict"]
AnnotationId = Annotated[
    str, Path(min_length=1, max_length=64, description="Id of the annotation.", examples=["3f2a"])
]


class AnnotationIn(BaseModel):
    """What is to be written down."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"kind": "pain", "start": "2026-11-23T08:15:00Z", "level": 4}]
        },
    )

    kind: Kind = Field(description="`spasm` is a person's own word; `verdict` judges an episode.")
    start: AwareDatetime | None = Field(
        default=None, description="RFC 3339; now where not given.", examples=["2026-11-23T08:15Z"]
    )
    end: AwareDatetime | None = Field(default=None, description="As `start` where not given.")
    level: int | None = Field(default=None, ge=0, le=10, description="Pain, 0 none to 10 worst.")
    accepted: bool | None = Field(default=None, description="Of a verdict: a real spasm or not.")
    text: str = Field(default="", max_length=500, description="In the person's own words.")


class AnnotationOut(BaseModel):
    """What was written down."""

    id: str
    kind: str
    start_utc: str
    end_utc: str
    body: dict[str, Any] = Field(description="`level`, `accepted`, `text` where given.")
    author: str


class AnnotationsOut(BaseModel):
    """Annotations in order of time."""

    patient_id: str
    items: list[AnnotationOut]


def annotation_out(annotation: Annotation) -> AnnotationOut:
    """Return an annotation as the API gives it out."""
    return AnnotationOut(
        id=annotation.id,
        kind=annotation.kind,
        start_utc=iso(annotation.start_ns),
        end_utc=iso(annotation.end_ns),
        body=dict(annotation.body),
        author=annotation.author,
    )


def _author(patient_id: str) -> str:
    """Return who writes: a researcher by their own name whatever token they use."""
    asking = current()
    if asking.may("write:annotations", patient_id) and not asking.is_blind(patient_id):
        return asking.name
    return RESEARCH + (asking.name if asking.account is None else asking.account.name)


def write_annotation(runtime: RuntimeDep, patient_id: str, wanted: AnnotationIn) -> Annotation:
    """Write an annotation down and into the audit log."""
    mask = current_mask()
    start, end = wanted.start, wanted.end
    if mask is not None:
        start, end = (each and mask.reveal(each) for each in (start, end))
    start = start or datetime.now(UTC)
    end = end or start
    if end < start:
        raise problem("invalid-request", "`end` must not be earlier than `start`.")
    checked_range(start, None)
    checked_range(end, None)
    body = wanted.model_dump(include={"level", "accepted", "text"}, exclude_none=True)
    if not body["text"]:
        del body["text"]
    made = add_annotation(
        runtime.catalog,
        patient_id,
        wanted.kind,
        to_ns(start),
        to_ns(end),
        body=body,
        author=_author(patient_id),
    )
    runtime.catalog.audit(
        current().name, "annotation.add", patient_id, {"id": made.id, "kind": made.kind}
    )
    return made


def remove_annotation(runtime: RuntimeDep, patient_id: str, annotation_id: str) -> None:
    """Take an annotation back; its history stays.

    Raises
    ------
    ProblemError
        `not-found`: the patient has no such annotation, or it is not theirs: a researcher takes
        back what they wrote themselves, and nobody else does.
    """
    author = _author(patient_id)
    held = annotations(runtime.catalog, patient_id, research=True)
    found = next((each for each in held if each.id == annotation_id), None)
    apart = RESEARCH in author or (found is not None and RESEARCH in found.author)
    if found is None or (apart and found.author != author):
        raise problem("not-found", "This patient has no such annotation.")
    edit_annotation(runtime.catalog, annotation_id, author=current().name, delete=True)
    runtime.catalog.audit(current().name, "annotation.remove", patient_id, {"id": annotation_id})


@router.get(
    "/patients/{patient_id}/annotations", operation_id="listAnnotations", summary="Annotations"
)
def list_annotations(
    runtime: RuntimeDep,
    patient: PatientDep,
    span: RangeDep,
    kind: Annotated[Kind | None, Query(description="Only this kind.")] = None,
) -> AnnotationsOut:
    """Return the annotations that touch the range; of researchers the author begins `research:`."""
    found = annotations(
        runtime.catalog, patient.id, span.t0_ns, span.t1_ns, kind=kind, research=True
    )
    return AnnotationsOut(patient_id=patient.id, items=[annotation_out(each) for each in found])


@router.post(
    "/patients/{patient_id}/annotations",
    operation_id="addAnnotation",
    summary="Write something down",
    status_code=201,
)
def post_annotation(
    runtime: RuntimeDep, patient: PatientDep, wanted: AnnotationIn
) -> AnnotationOut:
    """Write down a spasm, pain, a trick, medication, a note, or a verdict on an episode.

    What a researcher writes, in the dates they see, stands apart: no page shows it and it judges
    no episode.
    """
    made = annotation_out(write_annotation(runtime, patient.id, wanted))
    mask = current_mask()
    return made if mask is None else AnnotationOut(**mask.hide(made.model_dump()))


@router.delete(
    "/patients/{patient_id}/annotations/{annotation_id}",
    operation_id="removeAnnotation",
    summary="Take an annotation back",
    status_code=204,
)
def delete_annotation(
    runtime: RuntimeDep, patient: PatientDep, annotation_id: AnnotationId
) -> None:
    """Take an annotation back; what it said stays in its history."""
    remove_annotation(runtime, patient.id, annotation_id)
