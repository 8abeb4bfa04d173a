"""GET users, grants, tokens, audit: what an administrator looks after."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from api.access.principals import current
from api.cursors import decode_cursor, encode_cursor
from api.problems import problem
from api.routes.parameters import Cursor
from api.runtime import RuntimeDep
from api.web.texts import iso
from storage.access import accounts, all_grants
from storage.credentials import revoke_token, tokens

router = APIRouter(tags=["access"])


class UserOut(BaseModel):
    """A person who can log in."""

    name: str
    role: str = Field(examples=["clinician"])
    disabled: bool


class UsersOut(BaseModel):
    """Everybody who can log in."""

    items: list[UserOut]


class GrantOut(BaseModel):
    """That a person may see a patient."""

    user: str
    patient_id: str
    identified: bool = Field(description="Identity and true dates as well.")
    created_utc: str
    created_by: str
    expires_utc: str | None
    withdrawn_utc: str | None


class GrantsOut(BaseModel):
    """Every grant ever given, oldest first."""

    items: list[GrantOut]


class TokenOut(BaseModel):
    """A program's credential, without what it is made of."""

    id: str
    label: str
    user: str | None
    scopes: list[str]
    patients: list[str]
    pseudonymous: bool
    expires_utc: str
    used_utc: str | None
    revoked_utc: str | None


class TokensOut(BaseModel):
    """All tokens, oldest first."""

    items: list[TokenOut]


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


def _iso(t_ns: int | None) -> str | None:
    return None if t_ns is None else iso(t_ns)


@router.get("/users", operation_id="listUsers", summary="People who can log in")
def list_users(runtime: RuntimeDep) -> UsersOut:
    """Return everybody who can log in; `necktrace user` sets them up."""
    return UsersOut(
        items=[
            UserOut(name=a.name, role=a.role, disabled=a.disabled_ns is not None)
            for a in accounts(runtime.catalog)
        ]
    )


@router.get("/grants", operation_id="listGrants", summary="Who may see whom")
def list_grants(runtime: RuntimeDep) -> GrantsOut:
    """Return every grant, also those that ended or were withdrawn."""
    names = {account.id: account.name for account in accounts(runtime.catalog)}
    return GrantsOut(
        items=[
            GrantOut(
                user=names[grant.account],
                patient_id=grant.patient,
                identified=grant.identified,
                created_utc=iso(grant.created_ns),
                created_by=grant.created_by,
                expires_utc=_iso(grant.expires_ns),
                withdrawn_utc=_iso(grant.withdrawn_ns),
            )
            for grant in all_grants(runtime.catalog)
        ]
    )


@router.get("/tokens", operation_id="listTokens", summary="Tokens of programs")
def list_tokens(runtime: RuntimeDep) -> TokensOut:
    """Return all tokens, also those that ended; what they are made of is kept nowhere."""
    names = {account.id: account.name for account in accounts(runtime.catalog)}
    return TokensOut(
        items=[
            TokenOut(
                id=token.id,
                label=token.label,
                user=names.get(token.account or ""),
                scopes=sorted(token.scopes),
                patients=sorted(token.patients),
                pseudonymous=token.blind,
                expires_utc=iso(token.expires_ns),
                used_utc=_iso(token.used_ns),
                revoked_utc=_iso(token.revoked_ns),
            )
            for token in tokens(runtime.catalog)
        ]
    )


@router.delete(
    "/tokens/{token_id}", operation_id="revokeToken", summary="Revoke a token", status_code=204
)
def delete_token(
    runtime: RuntimeDep,
    token_id: Annotated[
        str, Path(min_length=1, max_length=64, description="Id of the token.", examples=["3f2a"])
    ],
) -> None:
    """End a token for good."""
    if not any(token.id == token_id for token in tokens(runtime.catalog)):
        raise problem("not-found", "There is no such token.")
    revoke_token(runtime.catalog, token_id, actor=current().name)


@router.get("/audit", operation_id="listAudit", summary="The audit log, newest first")
def list_audit(
    runtime: RuntimeDep,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most entries per page.")] = 100,
    cursor: Cursor = None,
) -> AuditOut:
    """Return who read, exported or changed what; entries are never changed."""
    end = 2**62 if cursor is None else decode_cursor("audit", cursor)
    log = runtime.catalog.audit_log()
    upper = max(0, min(end, len(log)))
    lower = max(0, upper - limit)
    return AuditOut(
        items=[
            AuditEntryOut(at_utc=iso(at), actor=actor, action=action, subject=subject, detail=body)
            for at, actor, action, subject, body in reversed(log[lower:upper])
        ],
        next=encode_cursor("audit", lower) if lower > 0 else None,
    )
