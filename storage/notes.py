"""What people write about a record: annotations with their history, treatments, exercises.

Ids are random, so that entries made at home and in the clinic never collide. A verdict on an
episode is an annotation over its time, joined by overlap: it survives reprocessing.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from storage.catalog import Catalog, new_id
from storage.database import folder_errors, transaction
from storage.errors import CatalogError


@dataclass(frozen=True, slots=True)
class Annotation:
    """Something a person says about a stretch of time."""

    id: str
    patient: str
    kind: str
    """``verdict``, ``note``, ``pain``, ``trick``, ``medication`` or another label."""
    start_ns: int
    end_ns: int
    body: Mapping[str, Any]
    author: str
    created_ns: int
    updated_ns: int


@dataclass(frozen=True, slots=True)
class AnnotationEdit:
    """What an annotation was before somebody changed or deleted it."""

    changed_ns: int
    author: str
    before: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Treatment:
    """An injection, a drug, a therapy session."""

    id: str
    patient: str
    kind: str
    at_ns: int
    body: Mapping[str, Any] = field(default_factory=dict)
    updated_ns: int = 0


@dataclass(frozen=True, slots=True)
class ExerciseSession:
    """One run of a guided exercise."""

    id: str
    patient: str
    kind: str
    start_ns: int
    end_ns: int
    body: Mapping[str, Any] = field(default_factory=dict)


RESEARCH: Final = "research:"
"""In front of the author of what a researcher wrote: it stands apart from the record's own notes
and verdicts, which it never changes."""

_ANNOTATION = "id, patient, kind, start_ns, end_ns, body, author, created_ns, updated_ns"


def add_annotation(
    catalog: Catalog,
    patient: str,
    kind: str,
    start_ns: int,
    end_ns: int,
    *,
    body: Mapping[str, Any],
    author: str,
    annotation_id: str | None = None,
) -> Annotation:
    """Write an annotation down."""
    if end_ns < start_ns:
        raise CatalogError("an annotation cannot end before it starts")
    catalog.patient(patient)
    now = time.time_ns()
    made = Annotation(
        annotation_id or new_id(), patient, kind, start_ns, end_ns, dict(body), author, now, now
    )
    catalog.change(
        f"INSERT INTO annotation({_ANNOTATION}) VALUES (:id, :patient, :kind, :start, :end, "  # noqa: S608  # constant
        ":body, :author, :now, :now)",
        {
            "id": made.id,
            "patient": patient,
            "kind": kind,
            "start": start_ns,
            "end": end_ns,
            "body": json.dumps(made.body, sort_keys=True),
            "author": author,
            "now": now,
        },
    )
    return made


def edit_annotation(
    catalog: Catalog,
    annotation_id: str,
    *,
    author: str,
    kind: str | None = None,
    start_ns: int | None = None,
    end_ns: int | None = None,
    body: Mapping[str, Any] | None = None,
    delete: bool = False,
) -> Annotation:
    """Change or delete an annotation; what it was before stays in its history.

    Raises
    ------
    CatalogError
        There is no such annotation, or it would end before it starts.
    """
    with catalog.lock, folder_errors(catalog.folder), transaction(catalog.connection):
        row = catalog.connection.execute(
            f"SELECT {_ANNOTATION} FROM annotation WHERE id = ? AND deleted = 0",  # noqa: S608  # constant
            (annotation_id,),
        ).fetchone()
        if row is None:
            raise CatalogError(f"there is no annotation {annotation_id!r}")
        old = _annotation(row)
        new = Annotation(
            old.id,
            old.patient,
            old.kind if kind is None else kind,
            old.start_ns if start_ns is None else start_ns,
            old.end_ns if end_ns is None else end_ns,
            old.body if body is None else dict(body),
            old.author,
            old.created_ns,
            time.time_ns(),
        )
        if new.end_ns < new.start_ns:
            raise CatalogError("an annotation cannot end before it starts")
        before = {
            "kind": old.kind,
            "start_ns": old.start_ns,
            "end_ns": old.end_ns,
            "body": old.body,
        }
        catalog.connection.execute(
            "INSERT INTO annotation_history VALUES (?, ?, ?, ?)",
            (old.id, new.updated_ns, author, json.dumps(before, sort_keys=True)),
        )
        catalog.connection.execute(
            "UPDATE annotation SET kind = ?, start_ns = ?, end_ns = ?, body = ?, updated_ns = ?, "
            "deleted = ? WHERE id = ?",
            (
                new.kind,
                new.start_ns,
                new.end_ns,
                json.dumps(new.body, sort_keys=True),
                new.updated_ns,
                int(delete),
                old.id,
            ),
        )
    return new


def annotations(
    catalog: Catalog,
    patient: str,
    t0_ns: int = 0,
    t1_ns: int = 2**62,
    *,
    kind: str | None = None,
    research: bool = False,
) -> list[Annotation]:
    """Return the annotations that touch [t0, t1), by start; researchers' only where asked for."""
    rows = catalog.rows(
        f"SELECT {_ANNOTATION} FROM annotation WHERE patient = :patient AND deleted = 0 "  # noqa: S608  # constant
        "AND start_ns < :t1 AND end_ns >= :t0 AND (:kind IS NULL OR kind = :kind) "
        "AND (:research OR instr(author, :mark) = 0) ORDER BY start_ns, id",
        {
            "patient": patient,
            "t0": t0_ns,
            "t1": t1_ns,
            "kind": kind,
            "research": research,
            "mark": RESEARCH,
        },
    )
    return [_annotation(row) for row in rows]


def annotation_history(catalog: Catalog, annotation_id: str) -> list[AnnotationEdit]:
    """Return what an annotation was before each change, oldest first."""
    rows = catalog.rows(
        "SELECT changed_ns, author, before FROM annotation_history WHERE annotation = :id "
        "ORDER BY changed_ns, rowid",
        {"id": annotation_id},
    )
    return [AnnotationEdit(r[0], r[1], json.loads(r[2])) for r in rows]


def save_treatment(catalog: Catalog, treatment: Treatment) -> None:
    """Create or update a treatment."""
    catalog.patient(treatment.patient)
    catalog.change(
        "INSERT INTO treatment VALUES (:id, :patient, :kind, :at, :body, :now) "
        "ON CONFLICT(id) DO UPDATE SET kind = :kind, at_ns = :at, body = :body, updated_ns = :now",
        {
            "id": treatment.id,
            "patient": treatment.patient,
            "kind": treatment.kind,
            "at": treatment.at_ns,
            "body": json.dumps(dict(treatment.body), sort_keys=True),
            "now": treatment.updated_ns or time.time_ns(),
        },
    )


def treatments(catalog: Catalog, patient: str) -> list[Treatment]:
    """Return a patient's treatments, oldest first."""
    rows = catalog.rows(
        "SELECT id, patient, kind, at_ns, body, updated_ns FROM treatment "
        "WHERE patient = :patient ORDER BY at_ns, id",
        {"patient": patient},
    )
    return [Treatment(a, b, c, d, json.loads(e), f) for a, b, c, d, e, f in rows]


def remove_treatment(catalog: Catalog, treatment_id: str) -> None:
    """Delete a treatment."""
    catalog.change("DELETE FROM treatment WHERE id = :id", {"id": treatment_id})


def save_exercise(catalog: Catalog, session: ExerciseSession) -> None:
    """Create or update an exercise session."""
    catalog.patient(session.patient)
    catalog.change(
        "INSERT OR REPLACE INTO exercise_session VALUES "
        "(:id, :patient, :kind, :start, :end, :body)",
        {
            "id": session.id,
            "patient": session.patient,
            "kind": session.kind,
            "start": session.start_ns,
            "end": session.end_ns,
            "body": json.dumps(dict(session.body), sort_keys=True),
        },
    )


def remove_exercise(catalog: Catalog, session_id: str) -> None:
    """Delete an exercise session."""
    catalog.change("DELETE FROM exercise_session WHERE id = :id", {"id": session_id})


def exercises(
    catalog: Catalog, patient: str, t0_ns: int = 0, t1_ns: int = 2**62
) -> list[ExerciseSession]:
    """Return the exercise sessions that start in [t0, t1), by start."""
    rows = catalog.rows(
        "SELECT id, patient, kind, start_ns, end_ns, body FROM exercise_session "
        "WHERE patient = :patient AND start_ns >= :t0 AND start_ns < :t1 ORDER BY start_ns, id",
        {"patient": patient, "t0": t0_ns, "t1": t1_ns},
    )
    return [ExerciseSession(a, b, c, d, e, json.loads(f)) for a, b, c, d, e, f in rows]


def _annotation(row: tuple[Any, ...]) -> Annotation:
    return Annotation(
        id=row[0],
        patient=row[1],
        kind=row[2],
        start_ns=row[3],
        end_ns=row[4],
        body=json.loads(row[5]),
        author=row[6],
        created_ns=row[7],
        updated_ns=row[8],
    )
