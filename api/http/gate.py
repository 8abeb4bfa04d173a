"""The outermost layer: who may speak to this server at all, how much, and with what headers.

The home default needs no password: a request counts as the owner's only when it came straight
from this computer. Host must be a loopback name with our port (DNS rebinding), Origin ours or
absent (other web sites), and no Forwarded header present (proxies). A presented token is never
ignored in favour of the owner. Behind a trusted proxy, and only then, requests may come from
elsewhere; who asks is found out inside (`api.access.guard`).
"""

from ipaddress import ip_address

import anyio.to_thread
from starlette.responses import JSONResponse

from api.access.arrival import PROXY_HEADERS, TrustedProxy, lan_refusal
from api.access.web import (
    AsgiApp,
    Message,
    Receive,
    Scope,
    Send,
    mark_as_from_lan,
    mark_as_through_proxy,
)
from api.access.web import header as _header
from api.http.headers import SECURITY_HEADERS
from api.http.problems import problem_response

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")
MAX_BODY_BYTES = 1024 * 1024
"""Largest body any operation takes; bigger ones are refused before they are read."""
LIVENESS = "/healthz"
"""Says that the process answers, to anybody and nothing more; containers ask it."""


def _is_loopback(address: str) -> bool:
    if address in {"testclient", "localhost"}:
        return True
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def refusal(scope: Scope) -> str | None:
    """Return why a request is not the owner's, or None where it is.

    Parameters
    ----------
    scope : Scope
        ASGI scope of an HTTP request.
    """
    server = scope.get("server")
    port = server[1] if server else None
    hosts = _header(scope, b"host")
    allowed = {f"{name}:{port}" for name in LOOPBACK_HOSTS}
    if port in {80, None}:
        allowed |= set(LOOPBACK_HOSTS)
    if len(hosts) != 1 or hosts[0].lower() not in allowed:
        return "Open it by its own address, such as http://127.0.0.1 with the port it printed."
    origins = _header(scope, b"origin")
    ours = {f"http://{host}" for host in allowed}
    if origins and (len(origins) > 1 or origins[0].lower() not in ours):
        return "The request was made by a page of another web site."
    for name, _ in scope["headers"]:
        if name.startswith(b"x-forwarded-") or name in PROXY_HEADERS:
            return "The request came through a proxy, which is not set up for this server."
    client = scope.get("client")
    if client is not None and not _is_loopback(client[0]):
        return "The request came from another computer."
    return None


class Gate:
    """ASGI middleware around the whole application.

    Parameters
    ----------
    app : AsgiApp
        What it guards.
    proxy : TrustedProxy, optional
        The only other way in.
    lan_hosts : frozenset of str
        For an application of its own, behind our own TLS: the only way in, and never the owner's.
    """

    def __init__(
        self,
        app: AsgiApp,
        proxy: TrustedProxy | None = None,
        lan_hosts: frozenset[str] = frozenset(),
    ) -> None:
        self._app = app
        self._proxy = proxy
        self._lan_hosts = lan_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge one request and pass it on, or answer with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                present = {key.lower() for key, _ in headers}
                headers += [
                    (name.encode(), value.encode())
                    for name, value in SECURITY_HEADERS.items()
                    if name.encode() not in present
                ]
                if b"cache-control" not in present:
                    headers.append((b"cache-control", b"no-store"))
                message = {**message, "headers": headers}
            await send(message)

        path = str(scope["path"])
        if path == LIVENESS:
            await JSONResponse({"status": "ok"})(scope, receive, send_with_headers)
            return
        reason = self._lan_refusal(scope) if self._lan_hosts else refusal(scope)
        if reason is not None and not self._lan_hosts and self._proxy is not None:
            reason = await anyio.to_thread.run_sync(self._proxy.refusal, scope)
            if reason is None:
                mark_as_through_proxy(scope)
        if reason is not None:
            answer = problem_response(path, 403, "not-local", reason)
            await answer(scope, receive, send_with_headers)
            return
        declared = _header(scope, b"content-length")
        if declared and not _is_small(declared[0]):
            answer = problem_response(path, 413, "too-large", "Send at most 1 MB.")
            await answer(scope, receive, send_with_headers)
            return
        await self._app(scope, _limited(receive), send_with_headers)

    def _lan_refusal(self, scope: Scope) -> str | None:
        reason = lan_refusal(scope, self._lan_hosts)
        if reason is None:
            mark_as_from_lan(scope)
        return reason


def _is_small(declared: str) -> bool:
    """Return whether a declared length is a number and at most what an operation takes."""
    number = declared.isascii() and declared.isdigit() and len(declared) < 20
    return number and int(declared) <= MAX_BODY_BYTES


def _limited(receive: Receive) -> Receive:
    """Return a `receive` that ends the request once a body without a length grows too large."""
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > MAX_BODY_BYTES:
                return {"type": "http.disconnect"}
        return message

    return limited
