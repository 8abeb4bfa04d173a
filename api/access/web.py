"""The little of ASGI that gate and guard share."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_PROXY = "necktrace.proxy"
_LAN = "necktrace.lan"

AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


def header(scope: Scope, name: bytes) -> list[str]:
    """Return all values of a request header."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def cookie_name(scope: Scope) -> str:
    """Return the name of the login cookie: bound to TLS, or to our port on this computer.

    Browsers share cookies among all ports of a host.
    """
    if came_over_tls(scope):
        return "__Host-necktrace"
    server = scope.get("server")
    return f"necktrace-{server[1] if server else 0}"


def cookie(scope: Scope) -> str | None:
    """Return the value of the login cookie, None where there is none or more than one."""
    wanted = cookie_name(scope)
    pairs = [
        part.strip().partition("=") for line in header(scope, b"cookie") for part in line.split(";")
    ]
    found = [value for name, _, value in pairs if name == wanted]
    return found[0] if len(found) == 1 else None


def came_through_proxy(scope: Scope) -> bool:
    """Return whether the gate found that a request came through the trusted proxy."""
    return scope.get(_PROXY) is True


def mark_as_through_proxy(scope: Scope) -> None:
    """Write down that a request came through the trusted proxy."""
    scope[_PROXY] = True


def mark_as_from_lan(scope: Scope) -> None:
    """Write down that a request came over our own TLS."""
    scope[_LAN] = True


def came_over_tls(scope: Scope) -> bool:
    """Return whether a request came from elsewhere: through the proxy, or over our own TLS."""
    return came_through_proxy(scope) or scope.get(_LAN) is True


def client_address(scope: Scope) -> str:
    """Return where a request came from: the last stop that the trusted proxy names, or the peer."""
    if came_through_proxy(scope):
        stops = [
            stop.strip() for line in header(scope, b"x-forwarded-for") for stop in line.split(",")
        ]
        return stops[-1] if stops else ""
    client = scope.get("client")
    return str(client[0]) if client else ""
