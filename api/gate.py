"""The outermost layer: who may speak to this server at all, how much, and with what headers.

The home default needs no password: a request counts as the owner's only when it came straight
from this computer. Host must be a loopback name with our port (DNS rebinding), Origin ours or
absent (other web sites), and no Forwarded header present (proxies). A presented token is never
ignored in favour of the owner.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from ipaddress import ip_address
from typing import Any

from api.headers import SECURITY_HEADERS
from api.problems import problem_response

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")
MAX_BODY_BYTES = 1024 * 1024
"""Largest body any operation takes; bigger ones are refused before they are read."""


def _header(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


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
    for name in (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via"):
        if _header(scope, name):
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
    """

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

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
        reason = refusal(scope)
        if reason is not None:
            answer = problem_response(path, 403, "not-local", reason)
            await answer(scope, receive, send_with_headers)
            return
        declared = _header(scope, b"content-length")
        if declared and (not declared[0].isdigit() or int(declared[0]) > MAX_BODY_BYTES):
            answer = problem_response(path, 413, "too-large", "Send at most 1 MB.")
            await answer(scope, receive, send_with_headers)
            return
        await self._app(scope, _limited(receive), send_with_headers)


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
