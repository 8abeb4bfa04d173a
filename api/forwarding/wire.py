"""What crosses between home and clinic, checked on arrival on either side."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

CHUNK_BYTES: Final = 256 * 1024
"""Most of a segment, or of a list of entries, that one request carries."""
MAX_SEGMENT_BYTES: Final = 64 * 1024 * 1024

Name = Annotated[str, Field(min_length=1, max_length=200)]
Time = Annotated[int, Field(ge=-(2**62), le=2**62)]
KindName = Literal[
    "consent",
    "zone",
    "own_plan",
    "calibrations",
    "alignments",
    "wear_sessions",
    "spans",
    "treatments",
    "exercises",
    "annotations",
]
"""In the order in which they are sent: nothing is taken of who withdrew and has not said yes."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class ZoneEntry(_Entry):
    """The zone that cuts the patient's days."""

    value: Annotated[str, Field(min_length=1, max_length=100)]


class ConsentItem(_Entry):
    """One thing said about one purpose."""

    purpose: Literal["processing", "sharing", "research"]
    given: bool
    version: Name
    at_ns: Time
    author: Name


class ConsentValue(_Entry):
    """Everything that was ever said."""

    entries: Annotated[list[ConsentItem], Field(max_length=10_000)]


class ConsentEntry(_Entry):
    """What the patient agreed to."""

    value: ConsentValue


class OwnPlanEntry(_Entry):
    """The exercises that the patient chose alone."""

    value: dict[str, Any]


class CalibrationEntry(_Entry):
    """A sensor's calibration."""

    id: Name
    role: Literal["head", "trunk"] | None
    model: Annotated[str, Field(max_length=200)]
    calibration: dict[str, Any]
    updated_ns: Time


class AlignmentEntry(_Entry):
    """Sensor-to-segment rotations and N."""

    id: Name
    n_id: Name
    valid_from_ns: Time
    body: dict[str, Any]


class WearSessionEntry(_Entry):
    """From one calibration to the next, or to take-off."""

    start_ns: Time
    end_ns: Time | None
    alignment_id: Name | None
    detail: dict[str, Any]


class SpanEntry(_Entry):
    """A labelled stretch."""

    kind: Name
    start_ns: Time
    end_ns: Time
    sigma_deg: float | None
    detail: dict[str, Any]


class TreatmentEntry(_Entry):
    """An injection, a drug, a therapy session."""

    id: Name
    kind: Name
    at_ns: Time
    body: dict[str, Any]
    updated_ns: Time


class ExerciseEntry(_Entry):
    """One run of a guided exercise."""

    id: Name
    kind: Name
    start_ns: Time
    end_ns: Time
    body: dict[str, Any]


class AnnotationEntry(_Entry):
    """Something a person says about a stretch of time."""

    id: Name
    kind: Name
    start_ns: Time
    end_ns: Time
    body: dict[str, Any]
    author: Annotated[str, Field(max_length=200)]
    created_ns: Time
    updated_ns: Time
    deleted: Literal[0, 1]


ENTRIES: Final[Mapping[str, type[_Entry]]] = {
    "zone": ZoneEntry,
    "consent": ConsentEntry,
    "own_plan": OwnPlanEntry,
    "calibrations": CalibrationEntry,
    "alignments": AlignmentEntry,
    "wear_sessions": WearSessionEntry,
    "spans": SpanEntry,
    "treatments": TreatmentEntry,
    "exercises": ExerciseEntry,
    "annotations": AnnotationEntry,
}


class CatalogueIn(BaseModel):
    """Entries of one kind of one patient."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"patient_id": "p1", "items": [{"value": "Europe/Berlin"}], "removed": []}]
        },
    )

    patient_id: Name
    items: list[dict[str, Any]] = Field(default=[], max_length=5000, description="New or changed.")
    removed: list[list[str | int]] = Field(
        default=[], max_length=5000, description="Keys of entries that were taken back."
    )


class CatalogueOut(BaseModel):
    """What that changed."""

    changed: int = Field(description="0 for a repeat.")


class SegmentOut(BaseModel):
    """How much of a segment has arrived."""

    offset: int = Field(description="Bytes that are held; send the rest from here.")
    complete: bool = Field(description="The samples are stored; nothing is left to send.")
    samples_new: int = Field(default=0, description="Samples that were not known before.")


class FromClinic(BaseModel):
    """What the clinic wrote for a patient."""

    plan: dict[str, Any] | None = Field(description="Exercises and reminders, as agreed.")
    thresholds: dict[str, Any] | None = Field(description="From when on something is pointed out.")
    verdicts: list[AnnotationEntry] = Field(
        max_length=1000, description="By id; also those taken back."
    )
    next: str | None = Field(description="Where the next page begins; null at the end.")


def checked_entries(kind: str, items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return entries that are what their kind takes.

    Raises
    ------
    pydantic.ValidationError
    """
    return [ENTRIES[kind].model_validate(item).model_dump() for item in items]
