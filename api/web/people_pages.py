"""Who may log in, whose data each of them sees, and their tokens: an administrator's page."""

import time
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Path
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.access.passwords import MAX_LENGTH, MIN_LENGTH, PasswordError, hash_password
from api.access.principals import current
from api.access.rights import ROLES, Role
from api.http.problems import problem
from api.queries import patient_or_404
from api.routes.access import UserChange, change_user, delete_grant, delete_token
from api.routes.sharing import ShareIn, share
from api.runtime import Runtime, RuntimeDep
from api.web import texts
from api.web.pages import render
from storage.access import (
    Account,
    Grant,
    accounts,
    add_account,
    all_grants,
    find_account,
    has_accounts,
    set_password,
)
from storage.credentials import Token, tokens

router = APIRouter(prefix="/account/people", default_response_class=HTMLResponse)

LONGEST_DAYS = 36_500
NAME_PATTERN = r"[a-z0-9._@\-]{1,64}"

Name = Annotated[str, Path(min_length=1, max_length=64)]
GivenPassword = Annotated[str, Form(max_length=1000)]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can log in, with what is in force."""

    account: Account
    grants: tuple[Grant, ...]
    tokens: tuple[Token, ...]
    is_oneself: bool


def _people(runtime: Runtime) -> list[Person]:
    now = time.time_ns()
    grants = [each for each in all_grants(runtime.catalog) if each.holds(now)]
    held = [each for each in tokens(runtime.catalog) if each.holds(now)]
    own = current().account
    return [
        Person(
            account,
            tuple(each for each in grants if each.account == account.id),
            tuple(each for each in held if each.account == account.id),
            is_oneself=own is not None and own.id == account.id,
        )
        for account in accounts(runtime.catalog)
    ]


def _page(runtime: Runtime, reason: str = "", status: int = 200) -> HTMLResponse:
    now = time.time_ns()
    return render(
        runtime,
        "access_people.html",
        "about",
        zone=runtime.settings.zone_name,
        status=status,
        people=_people(runtime),
        # made on the command line, of nobody
        loose=[
            each for each in tokens(runtime.catalog) if each.account is None and each.holds(now)
        ],
        patients=[patient.id for patient in runtime.catalog.patients()],
        roles=ROLES,
        nobody=not has_accounts(runtime.catalog),
        longest_days=LONGEST_DAYS,
        least_password=MIN_LENGTH,
        most_password=MAX_LENGTH,
        name_pattern=NAME_PATTERN,
        reason=reason,
    )


def _back(name: str = "") -> RedirectResponse:
    return RedirectResponse(f"/account/people{f'#of-{name}' if name else ''}", 303)


def _account(runtime: Runtime, name: str) -> Account:
    found = find_account(runtime.catalog, name)
    if found is None:
        raise problem("not-found", "There is no such user.")
    return found


@router.get("")
def people(runtime: RuntimeDep) -> HTMLResponse:
    """Return everybody with their grants and tokens, and the forms to change them."""
    return _page(runtime)


@router.post("", response_model=None)
def add(
    runtime: RuntimeDep,
    name: Annotated[str, Form(pattern=f"^{NAME_PATTERN}$")],
    role: Annotated[Role, Form()],
    password: GivenPassword,
) -> Response:
    """Set somebody up; the first has to be able to set up the next."""
    if not has_accounts(runtime.catalog) and role != "admin":
        return _page(runtime, texts.text("access.people.first"), 422)
    if find_account(runtime.catalog, name) is not None:
        return _page(runtime, texts.text("access.people.taken", name=name), 409)
    try:
        hashed = hash_password(password)
    except PasswordError:
        return _page(runtime, texts.text("access.people.password", n=MIN_LENGTH), 422)
    add_account(runtime.catalog, name, role, hashed, actor=current().name)
    return _back(name)


@router.post("/{name}/state", response_model=None)
def close_or_open(runtime: RuntimeDep, name: Name, closed: Annotated[bool, Form()]) -> Response:
    """Close an account, or open it again."""
    change_user(runtime, name, UserChange(disabled=closed))
    return _back(name)


@router.post("/{name}/password", response_model=None)
def new_password(runtime: RuntimeDep, name: Name, password: GivenPassword) -> Response:
    """Give somebody a new password, which ends their logins."""
    account = _account(runtime, name)
    try:
        hashed = hash_password(password)
    except PasswordError:
        return _page(runtime, texts.text("access.people.password", n=MIN_LENGTH), 422)
    set_password(runtime.catalog, account, hashed, actor=current().name)
    return _back(name)


@router.post("/{name}/grants", response_model=None)
def grant(
    runtime: RuntimeDep,
    name: Name,
    patient: Annotated[str, Form(min_length=1, max_length=80)],
    days: Annotated[str, Form(max_length=10)] = "",
    identified: Annotated[bool, Form()] = False,
) -> Response:
    """Let somebody see a patient, for so many days or until withdrawn."""
    account = _account(runtime, name)
    given = days.strip()
    if given and not (given.isascii() and given.isdecimal() and 0 < int(given) <= LONGEST_DAYS):
        return _page(runtime, texts.text("access.people.days", n=LONGEST_DAYS), 422)
    wanted = ShareIn(user=account.name, days=int(given) if given else None, identified=identified)
    share(runtime, patient_or_404(runtime, patient), wanted)
    return _back(name)


@router.post("/grants/{grant_id}/withdraw", response_model=None)
def withdraw(runtime: RuntimeDep, grant_id: Annotated[str, Path(max_length=64)]) -> Response:
    """Take a patient back from somebody."""
    delete_grant(runtime, grant_id)
    return _back()


@router.post("/tokens/{token_id}/revoke", response_model=None)
def revoke(runtime: RuntimeDep, token_id: Annotated[str, Path(max_length=64)]) -> Response:
    """End anybody's token for good."""
    delete_token(runtime, token_id)
    return _back()
