"""Pages for logging in and for one's own tokens and password."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.access.login import TooManyTriesError, log_in, safe_target
from api.access.passwords import PasswordError, check_password, hash_password
from api.access.principals import (
    LOGIN_LIFETIME_NS,
    current,
    expires_in,
    visible_patients,
)
from api.access.rights import RIGHTS, Right
from api.access.web import came_over_tls, client_address, cookie, cookie_name
from api.errors import ProblemError
from api.http.problems import problem
from api.runtime import Runtime, RuntimeDep
from api.web import texts
from api.web.pages import render
from storage.access import has_accounts, set_password
from storage.credentials import Token, add_token, end_login, revoke_token, tokens

router = APIRouter(default_response_class=HTMLResponse)

LONGEST_DAYS = 3650


@router.get("/login")
def login_page(
    runtime: RuntimeDep, wanted: Annotated[str, Query(alias="next", max_length=500)] = "/"
) -> HTMLResponse:
    """Return the login form."""
    return _login(runtime, safe_target(wanted), "")


def _login(runtime: Runtime, wanted: str, reason: str, status: int = 200) -> HTMLResponse:
    return render(
        runtime,
        "access_login.html",
        "",
        zone=runtime.settings.zone_name,
        status=status,
        wanted=wanted,
        reason=reason,
        has_users=has_accounts(runtime.catalog),
    )


@router.post("/login")
def login(
    request: Request,
    runtime: RuntimeDep,
    name: Annotated[str, Form(max_length=200)],
    password: Annotated[str, Form(max_length=1000)],
    wanted: Annotated[str, Form(alias="next", max_length=500)] = "/",
) -> Response:
    """Log in, or show the form again with the reason."""
    target = safe_target(wanted)
    try:
        value = log_in(runtime.catalog, name, password, client_address(request.scope))
    except ProblemError as error:
        shown = _login(runtime, target, error.detail, error.status)
        if isinstance(error, TooManyTriesError):
            shown.headers["retry-after"] = str(error.wait_s)
        return shown
    answer = RedirectResponse(target, 303)
    answer.set_cookie(
        cookie_name(request.scope),
        value,
        max_age=LOGIN_LIFETIME_NS // 10**9,
        secure=came_over_tls(request.scope),
        httponly=True,
        samesite="strict",
    )
    return answer


@router.post("/logout")
def logout(request: Request, runtime: RuntimeDep) -> Response:
    """Forget this browser's login."""
    value = cookie(request.scope)
    if value:
        end_login(runtime.catalog, value)
        runtime.catalog.audit(current().name, "logout", "", {})
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(
        cookie_name(request.scope),
        secure=came_over_tls(request.scope),
        httponly=True,
        samesite="strict",
    )
    return answer


def _own_tokens(runtime: Runtime) -> list[Token]:
    """Return the tokens of whoever asks; the owner at home sees them all."""
    account = current().account
    return tokens(runtime.catalog, account=None if account is None else account.id)


def _own_rights() -> list[Right]:
    return [right for right in RIGHTS if current().may(right)]


def _account(
    runtime: Runtime, *, secret: str = "", reason: str = "", status: int = 200
) -> HTMLResponse:
    asking = current()
    return render(
        runtime,
        "access_account.html",
        "about",
        zone=runtime.settings.zone_name,
        status=status,
        asking=asking,
        rights=_own_rights(),
        tokens=_own_tokens(runtime),
        now_ns=expires_in(0),
        secret=secret,
        reason=reason,
        longest_days=LONGEST_DAYS,
    )


@router.get("/account")
def account_page(runtime: RuntimeDep) -> HTMLResponse:
    """Return who is logged in, their tokens, and the form for a new one."""
    return _account(runtime)


@router.get("/account/phone")
def phone_page(runtime: RuntimeDep) -> HTMLResponse:
    """Return how another device in the house comes in: address, code and fingerprint."""
    lan = runtime.lan
    return render(
        runtime,
        "access_phone.html",
        "about",
        zone=runtime.settings.zone_name,
        lan=lan,
        code=None if lan is None else lan.code.svg_data_uri(scale=6, border=4, light="white"),
        until=None if lan is None else lan.certificate.not_after.date().isoformat(),
    )


@router.get("/account/phone/authority.crt", response_class=Response)
def authority(runtime: RuntimeDep) -> Response:
    """Return the certificate to trust; it may name nothing but this house."""
    if runtime.lan is None:
        raise problem("not-found", texts.text("access.phone.off"))
    body = runtime.lan.certificate.authority_file.read_bytes()
    return Response(body, media_type="application/x-x509-ca-cert")


@router.post("/account/tokens")
def make_token(
    runtime: RuntimeDep,
    label: Annotated[str, Form(min_length=1, max_length=80)],
    days: Annotated[int, Form(ge=1, le=LONGEST_DAYS)],
    scope: Annotated[list[str] | None, Form()] = None,
) -> HTMLResponse:
    """Make a token with at most one's own rights and show it, this once."""
    asking = current()
    wanted = set(scope or [])
    if not wanted:
        return _account(runtime, reason=texts.text("access.token.no_scope"), status=422)
    if not wanted <= set(_own_rights()):
        raise problem("not-allowed", "A token cannot do more than the person it belongs to.")
    _, secret = add_token(
        runtime.catalog,
        label,
        scopes=wanted,
        patients=[patient.id for patient in visible_patients(runtime.catalog)],
        expires_ns=expires_in(days),
        account=None if asking.account is None else asking.account.id,
        blind=False,
        actor=asking.name,
    )
    return _account(runtime, secret=secret)


@router.post("/account/tokens/{token_id}/revoke")
def end_token(runtime: RuntimeDep, token_id: str) -> Response:
    """End one of one's own tokens."""
    if not any(token.id == token_id for token in _own_tokens(runtime)):
        raise problem("not-found", "You have no such token.")
    revoke_token(runtime.catalog, token_id, actor=current().name)
    return RedirectResponse("/account", 303)


@router.post("/account/password")
def change_password(
    runtime: RuntimeDep,
    old: Annotated[str, Form(max_length=1000)],
    new: Annotated[str, Form(max_length=1000)],
) -> Response:
    """Change one's own password, which ends every login of that person."""
    account = current().account
    if account is None:
        raise problem("not-allowed", "Nobody is logged in; see `necktrace user`.")
    if not check_password(account.password, old):
        return _account(runtime, reason=texts.text("access.password.wrong"), status=403)
    try:
        hashed = hash_password(new)
    except PasswordError as error:
        return _account(runtime, reason=str(error), status=422)
    set_password(runtime.catalog, account, hashed, actor=account.name)
    return RedirectResponse("/login", 303)
