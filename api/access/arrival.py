"""How a request came: straight from this computer, or through the one proxy that is trusted.

The proxy ends TLS. Its requests must come from its own address, say `X-Forwarded-Proto: https`, and
ask for the public name; anything else is refused, as is every other computer.
"""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

from api.access.web import Scope, header
from api.settings import Settings

PROXY_HEADERS = frozenset({b"forwarded", b"x-real-ip", b"via"})
_RESOLVE_EVERY_S = 15.0
"""A container that is started anew may come back with another address."""

Resolve = Callable[[str], frozenset[str]]


def plain_address(address: str) -> str:
    """Return an address in one spelling; IPv4 inside IPv6 as IPv4."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped or found)


def resolve(name: str) -> frozenset[str]:
    """Return the addresses of a host; empty where it is not known at the moment."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return frozenset()
    return frozenset(plain_address(str(entry[4][0])) for entry in found)


@dataclass(slots=True)
class TrustedProxy:
    """The proxy that settings name.

    Parameters
    ----------
    name : str
        Host name or address.
    public_name : str
        What people type into the browser, with a port where it is not 443.
    """

    name: str
    public_name: str
    resolve: Resolve = resolve
    _known: frozenset[str] = frozenset()
    _at_s: float = field(default=float("-inf"))

    def refusal(self, scope: Scope) -> str | None:
        """Return why a request did not come through the proxy, or None where it did. May block."""
        client = scope.get("client")
        if client is None or plain_address(str(client[0])) not in self._addresses():
            return "The request came neither from this computer nor from the trusted proxy."
        if header(scope, b"x-forwarded-proto") != ["https"]:
            return "The trusted proxy must take https only, and say so in X-Forwarded-Proto."
        public = self.public_name.lower()
        if [host.lower() for host in header(scope, b"host")] not in ([public], [f"{public}:443"]):
            return f"Open it by its public name, https://{self.public_name}."
        origins = [origin.lower() for origin in header(scope, b"origin")]
        if origins and origins != [f"https://{public}"]:
            return "The request was made by a page of another web site."
        return None

    def _addresses(self) -> frozenset[str]:
        now_s = time.monotonic()
        if now_s - self._at_s > _RESOLVE_EVERY_S:
            self._known = self.resolve(self.name) or self._known
            self._at_s = now_s
        return self._known


def lan_refusal(scope: Scope, hosts: frozenset[str]) -> str | None:
    """Return why a request did not come over our own TLS in the house, or None where it did.

    Parameters
    ----------
    scope : Scope
    hosts : frozenset of str
        Host, with the port, that the certificate is for.
    """
    if scope.get("scheme") != "https":
        return "Other devices come in over https only."
    asked = [host.lower() for host in header(scope, b"host")]
    if len(asked) != 1 or asked[0] not in hosts:
        return "Open it by the address that was shown with the code."
    origins = [origin.lower() for origin in header(scope, b"origin")]
    if origins and (len(origins) > 1 or origins[0] not in {f"https://{host}" for host in hosts}):
        return "The request was made by a page of another web site."
    for name, _ in scope["headers"]:
        if name.startswith(b"x-forwarded-") or name in PROXY_HEADERS:
            return "The request came through a proxy, which is not set up for this server."
    return None


def trusted_proxy(settings: Settings) -> TrustedProxy | None:
    """Return the proxy that settings name, None where there is none."""
    if not settings.trusted_proxy:
        return None
    return TrustedProxy(settings.trusted_proxy, settings.public_name)
