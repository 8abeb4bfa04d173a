"""The audit log: who read, took away or changed what."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.http.cursors import decode_cursor, encode_cursor
from api.routes.parameters import Cursor
from api.runtime import RuntimeDep
from api.web.texts import iso
from storage.catalog import Catalog

router = APIRouter(tags=["access"])


class AuditEntryOut(BaseModel):
    """One entry of the audit log."""

    at_utc: str
    actor: str
    action: str = Field(examples=["read"])
    subject: str = Field(description="Patient, user or token; empty where it is about none.")
    detail: dict[str, Any]


class AuditOut(BaseModel):
    """A page of the audit log, newest first."""

    items: list[AuditEntryOut]
    next: str | None = Field(description="Cursor of the next page; null at the end.")


def audit_page(
    catalog: Catalog, limit: int, cursor: str | None, subject: str | None = None
) -> AuditOut:
    """Return a page of the log, of one subject or of all.

    Raises
    ------
    ProblemError
        `invalid-cursor`.
    """
    scope = "audit" if subject is None else f"audit of {subject}"
    end = 2**62 if cursor is None else decode_cursor(scope, cursor)
    held = catalog.audit_entries(before=min(end, 2**62), limit=limit + 1, subject=subject)
    page = held[:limit]
    return AuditOut(
        items=[
            AuditEntryOut(
                at_utc=iso(entry.at_ns),
                actor=entry.actor,
                action=entry.action,
                subject=entry.subject,
                detail=dict(entry.detail),
            )
            for entry in page
        ],
        next=encode_cursor(scope, page[-1].id) if len(held) > limit else None,
    )


@router.get("/audit", operation_id="listAudit", summary="The audit log, newest first")
def list_audit(
    runtime: RuntimeDep,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most entries per page.")] = 100,
    cursor: Cursor = None,
) -> AuditOut:
    """Return who read, exported or changed what; entries are never changed."""
    return audit_page(runtime.catalog, limit, cursor)
