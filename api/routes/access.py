"""Users, grants and tokens: what an administrator looks after."""

import time
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from api.access.passwords import hash_password
from api.access.principals import current, expires_in, visible_patients
from api.access.rights import Right, Role
from api.http.problems import problem
from api.queries import patient_or_404
from api.routes.sharing import ShareIn, ShareOut, share, share_out
from api.runtime import RuntimeDep
from api.web.texts import iso
from storage.access import (
    Account,
    accounts,
    add_account,
    all_grants,
    find_account,
    grant_by_id,
    set_disabled,
    withdraw_grant,
)
from storage.credentials import add_token, revoke_token, tokens

router = APIRouter(tags=["access"])


class UserOut(BaseModel):
    """A person who can log in."""

    name: str
    role: str = Field(examples=["clinician"])
    disabled: bool


class UsersOut(BaseModel):
    """Everybody who can log in."""

    items: list[UserOut]


class UserIn(BaseModel):
    """Somebody who is to log in."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"name": "dr-lee", "role": "clinician", "password": "a few words in a row"}
            ]
        },
    )

    name: Annotated[str, Field(pattern=r"^[a-z0-9._@-]{1,64}$")]
    role: Role
    password: str = Field(min_length=10, max_length=256)


class UserChange(BaseModel):
    """What is to become of an account."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"disabled": True}]})

    disabled: bool = Field(description="True ends every login and suspends the tokens.")


class GrantIn(ShareIn):
    """Whom to let see which patient."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"user": "dr-lee", "patient_id": "p1", "days": 90}]},
    )

    patient_id: str = Field(min_length=1, max_length=80)


class TokenIn(BaseModel):
    """A token to make for oneself, with at most one's own rights."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"label": "notebook", "scopes": ["read:raw", "read:summary"], "days": 30}]
        },
    )

    label: str = Field(min_length=1, max_length=80)
    scopes: list[Right] = Field(min_length=1, max_length=10)
    days: float = Field(gt=0, le=3650)
    pseudonymous: bool = Field(default=False, description="Pseudonyms and moved dates only.")


class TokenMade(BaseModel):
    """A new token."""

    id: str
    token: str = Field(description="Shown this once; kept nowhere.")
    expires_utc: str


class GrantOut(BaseModel):
    """That a person may see a patient."""

    id: str
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


def _iso(t_ns: int | None) -> str | None:
    return None if t_ns is None else iso(t_ns)


@router.get("/users", operation_id="listUsers", summary="People who can log in")
def list_users(runtime: RuntimeDep) -> UsersOut:
    """Return everybody who can log in; `necktrace user` sets them up."""
    return UsersOut(items=[_user_out(account) for account in accounts(runtime.catalog)])


def _user_out(account: Account) -> UserOut:
    return UserOut(name=account.name, role=account.role, disabled=account.disabled_ns is not None)


@router.post("/users", operation_id="addUser", summary="Set somebody up", status_code=201)
def add_user(runtime: RuntimeDep, wanted: UserIn) -> UserOut:
    """Let somebody log in; whom they see is granted apart. From the first on everybody logs in."""
    if find_account(runtime.catalog, wanted.name) is not None:
        raise problem("conflict", "There is already a user of that name.")
    hashed = hash_password(wanted.password)
    made = add_account(runtime.catalog, wanted.name, wanted.role, hashed, actor=current().name)
    return _user_out(made)


@router.patch("/users/{name}", operation_id="changeUser", summary="Close or open an account")
def change_user(
    runtime: RuntimeDep,
    name: Annotated[
        str, Path(min_length=1, max_length=64, description="Of the user.", examples=["dr-lee"])
    ],
    wanted: UserChange,
) -> UserOut:
    """Close an account, or open it again; nobody closes their own."""
    account = find_account(runtime.catalog, name)
    if account is None:
        raise problem("not-found", "There is no such user.")
    own = current().account
    if wanted.disabled and own is not None and own.id == account.id:
        raise problem("conflict", "You would lock yourself out; another administrator can do it.")
    at_ns = time.time_ns() if wanted.disabled else None
    set_disabled(runtime.catalog, account, at_ns, actor=current().name)
    return _user_out(replace(account, disabled_ns=at_ns))


@router.get("/grants", operation_id="listGrants", summary="Who may see whom")
def list_grants(runtime: RuntimeDep) -> GrantsOut:
    """Return every grant, also those that ended or were withdrawn."""
    names = {account.id: account.name for account in accounts(runtime.catalog)}
    return GrantsOut(
        items=[
            GrantOut(
                id=grant.id,
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


@router.post("/grants", operation_id="addGrant", summary="Let somebody see", status_code=201)
def add_grant(runtime: RuntimeDep, wanted: GrantIn) -> ShareOut:
    """Let a user see a patient, within what their role may; replaces an earlier grant."""
    patient = patient_or_404(runtime, wanted.patient_id)
    return share_out(runtime, share(runtime, patient, wanted))


@router.delete(
    "/grants/{grant_id}", operation_id="withdrawGrant", summary="End a grant", status_code=204
)
def delete_grant(
    runtime: RuntimeDep,
    grant_id: Annotated[
        str, Path(min_length=1, max_length=64, description="Id of the grant.", examples=["3f2a"])
    ],
) -> None:
    """Take a patient back from somebody."""
    grant = grant_by_id(runtime.catalog, grant_id)
    if grant is None:
        raise problem("not-found", "There is no such grant.")
    withdraw_grant(runtime.catalog, grant, actor=current().name)


@router.post("/tokens", operation_id="addToken", summary="Make a token", status_code=201)
def make_token(runtime: RuntimeDep, wanted: TokenIn) -> TokenMade:
    """Make a token for oneself, for the patients one sees now; a token cannot make another."""
    asking = current()
    if not all(asking.may(scope) for scope in wanted.scopes):
        raise problem("not-allowed", "A token cannot do more than the person it belongs to.")
    made, secret = add_token(
        runtime.catalog,
        wanted.label,
        scopes=wanted.scopes,
        patients=[patient.id for patient in visible_patients(runtime.catalog)],
        expires_ns=expires_in(wanted.days),
        account=None if asking.account is None else asking.account.id,
        blind=wanted.pseudonymous,
        actor=asking.name,
    )
    return TokenMade(id=made.id, token=secret, expires_utc=iso(made.expires_ns))


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
