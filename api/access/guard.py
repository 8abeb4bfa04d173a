"""The layer inside the gate: who asks, what their rule says, and what they get to see.

Nothing behind it has to ask again; routes learn who asks from `api.access.principals.current`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from api.access.decisions import Decision, decide
from api.access.masking import CursorVault, Mask, set_current_mask
from api.access.principals import Principal, identify, set_current
from api.access.rules import Rule, find_rule, methods_of
from api.access.trail import Trail
from api.access.web import (
    AsgiApp,
    Message,
    Receive,
    Scope,
    Send,
    came_over_tls,
    cookie,
    header,
)
from api.http.problems import PROBLEMS, problem_response
from api.runtime import Runtime
from storage.errors import StorageError

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class _Judged:
    principal: Principal
    rule: Rule | None
    decision: Decision


class Guard:
    """ASGI middleware between the gate and the routes.

    Parameters
    ----------
    app : AsgiApp
        What it guards.
    runtime : Runtime
        Whose catalogue names people, grants and tokens.
    """

    def __init__(self, app: AsgiApp, runtime: Runtime) -> None:
        self._app = app
        self._runtime = runtime
        self._trail = Trail()
        self._cursors = CursorVault()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge one request, then pass it on or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = str(scope["path"])
        try:
            judged = await anyio.to_thread.run_sync(self._judge, scope)
        except StorageError as error:
            answer: Response = problem_response(path, 503, "storage", str(error))
            await answer(scope, receive, send)
            return
        if judged.decision.slug:
            await _refusal(scope, judged.decision)(scope, receive, send)
            return
        set_current(judged.principal)
        set_current_mask(None)
        if not judged.decision.masks:
            await self._app(scope, receive, send)
            return
        assert judged.rule is not None
        masks = judged.decision.masks
        if judged.rule.subject == "path":
            scope = _unmasked(scope, masks[0], self._cursors)
        disguised = judged.rule.blind == "disguised"
        set_current_mask(masks[0] if disguised else None)
        hidden = _HiddenAnswer(masks, judged.rule, self._cursors, send, only_errors=disguised)
        await self._app(scope, receive, hidden.send)

    def _judge(self, scope: Scope) -> _Judged:
        catalog = self._runtime.catalog
        tokens = header(scope, b"authorization")
        principal = identify(
            catalog,
            authorization=tokens[0] if tokens else None,
            cookie=cookie(scope),
            local=not came_over_tls(scope) and not self._runtime.settings.trusted_proxy,
        )
        method, path = str(scope["method"]), str(scope["path"])
        found = find_rule(method, path)
        if found is None:
            return _Judged(principal, None, _without_rule(principal, path))
        rule, parts = found
        decision = decide(catalog, principal, rule, parts)
        if not decision.slug and principal.kind == "user" and _may_be_forged(scope):
            decision = Decision("not-allowed", "The request did not come from one of our pages.")
        if not decision.slug:
            self._trail.allowed(catalog, principal, method, rule, decision.patients)
        elif principal.kind != "nobody":
            for patient in decision.patients[:1] or [""]:
                self._trail.refused(catalog, principal, method, rule, patient[:80])
        return _Judged(principal, rule, decision)


def _without_rule(principal: Principal, path: str) -> Decision:
    """Return what becomes of a path for which nothing is declared."""
    if principal.kind == "owner":
        return Decision()
    if principal.kind == "nobody":
        return Decision("not-authenticated", "Log in, or present a valid token.")
    if methods_of(path):
        return Decision("method-not-allowed", PROBLEMS["method-not-allowed"][1])
    return Decision("not-found", "There is no such resource, or it is not yours to see.")


def _may_be_forged(scope: Scope) -> bool:
    """Return whether another site's page may have sent this with our cookie.

    The gate has refused every foreign Origin; browsers name it with every request that changes
    something, so that its absence is suspicious.
    """
    if scope["method"] in _SAFE or header(scope, b"origin"):
        return False
    return header(scope, b"sec-fetch-site") != ["same-origin"]


def _refusal(scope: Scope, decision: Decision) -> Response:
    """Return the answer to a refused request: a page for a person, a document for a program."""
    path = str(scope["path"])
    status = PROBLEMS[decision.slug][0]
    person = any("text/html" in value for value in header(scope, b"accept"))
    if person and not path.startswith("/api/"):
        if status == HTTPStatus.UNAUTHORIZED and scope["method"] in _SAFE:
            return RedirectResponse(f"/login?next={quote(path, safe='/')}", 303)
        if path == "/":
            # Who sees no patient here, such as an administrator, still has a first page.
            return RedirectResponse("/account", 303)
        page = scope["app"].state.error_page
        shown: Response = page(status, HTTPStatus(status).phrase, decision.reason)
        return shown
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    if decision.slug == "method-not-allowed":
        headers = {"Allow": ", ".join(methods_of(path))}
    return problem_response(path, status, decision.slug, decision.reason, headers=headers)


def _unmasked(scope: Scope, mask: Mask, cursors: CursorVault) -> Scope:
    """Return the request as about the true patient, in true time."""
    path = str(scope["path"]).replace(f"/{mask.pseudonym}", f"/{mask.patient}", 1)
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    asked = [
        (name, cursors.reveal(value) if name == "cursor" else mask.ask(name, value))
        for name, value in pairs
    ]
    return {
        **scope,
        "path": path,
        "raw_path": quote(path).encode("ascii"),
        "query_string": urlencode(asked).encode("ascii"),
    }


class _HiddenAnswer:
    """Holds a JSON answer back until it is whole, and sends it masked.

    A file in disguise passes (`only_errors`); why there is none is masked like anything else.
    """

    def __init__(
        self,
        masks: Sequence[Mask],
        rule: Rule,
        cursors: CursorVault,
        send: Send,
        *,
        only_errors: bool,
    ) -> None:
        self._masks = {mask.patient: mask for mask in masks}
        self._rule = rule
        self._cursors = cursors
        self._send = send
        self._only_errors = only_errors
        self._passes = False
        self._start: Message = {}
        self._body = b""

    async def send(self, message: Message) -> None:
        """Take one part of the answer."""
        if message["type"] == "http.response.start":
            self._passes = self._only_errors and message["status"] < HTTPStatus.BAD_REQUEST
            if not self._passes:
                self._start = message
                return
        if self._passes:
            await self._send(message)
            return
        if message["type"] != "http.response.body":
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        kept = [
            (name, value)
            for name, value in self._start.get("headers", [])
            if name.lower() not in {b"content-length", b"etag", b"last-modified"}
        ]
        # An answer that is no JSON raises here: nothing leaves unmasked.
        value = json.loads(self._body) if self._body else None
        body = b"" if value is None else json.dumps(self._hide(value)).encode()
        kept.append((b"content-length", str(len(body)).encode()))
        await self._send({**self._start, "headers": kept})
        await self._send({"type": "http.response.body", "body": body})

    def _hide(self, value: Any) -> Any:
        if self._rule.subject == "path":
            (mask,) = self._masks.values()
            hidden = mask.hide(value)
            if isinstance(hidden, dict) and isinstance(hidden.get("next"), str):
                hidden["next"] = self._cursors.hide(hidden["next"])
            return hidden
        return self._hide_each(value)

    def _hide_each(self, value: Any) -> Any:
        """Mask the entries of a list, each as the patient it is about."""
        if isinstance(value, list):
            return [self._hide_each(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        mask = self._masks.get(str(value.get("patient_id", value.get("id"))))
        if mask is not None:
            return mask.hide(value)
        return {name: self._hide_each(inner) for name, inner in value.items()}
