"""Letting the patient's phone in: TLS and users, or nothing (`--lan`)."""

import asyncio
import contextlib
import io
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import segno

from api.access.certificate import Certificate, ensure_certificate, is_private
from api.access.passwords import hash_password
from api.errors import AddressError
from api.settings import Settings
from storage.access import add_account, add_grant, has_accounts
from storage.catalog import Catalog, Patient

FIRST_USER: Final = "me"
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without what looks alike on a small screen."""
LOOK_EVERY_S: Final = 6 * 3600.0
"""How often is looked whether the certificate is to be renewed."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Lan:
    """What other devices in the house reach."""

    address: str
    port: int
    certificate: Certificate

    @property
    def url(self) -> str:
        """What a browser opens."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"https://{host}:{self.port}/"

    @property
    def hosts(self) -> frozenset[str]:
        """Values of Host that are ours."""
        names = (f"[{name}]" if ":" in name else name for name in self.certificate.names)
        return frozenset(f"{name}:{self.port}".lower() for name in names)

    @property
    def code(self) -> segno.QRCode:
        """The address, with the fingerprint behind a # where no server is told it."""
        plain = self.certificate.fingerprint.replace(":", "")
        return segno.make_qr(f"{self.url}#sha256={plain}", error="m")


def lan_address(settings: Settings) -> str:
    """Return the address of this computer in the house.

    Raises
    ------
    AddressError
        There is none, or it is reachable from the internet.
    """
    found = settings.lan_address or _own_address()
    if not found:
        raise AddressError(
            "this computer is in no network: connect it, or name its address with the setting "
            "lan_address (NECKTRACE_LAN_ADDRESS)."
        )
    if not is_private(found):
        raise AddressError(
            f"{found} is an address on the internet, not in a house: put a proxy that ends TLS in "
            "front (settings trusted_proxy and public_name), or name a private address with "
            "lan_address."
        )
    return found


def _own_address() -> str:
    """Return the address that packets leave from; none is sent to find it out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1 (RFC 5737)
        except OSError:
            return ""
        found = str(probe.getsockname()[0])
    return "" if found.startswith("127.") or found == "0.0.0.0" else found  # noqa: S104  compared, not bound


def ensure_user(catalog: Catalog, patient: Patient, say: Say, *, on_terminal: bool) -> None:
    """Make somebody who can log in where there is nobody; the password is shown this once.

    Raises
    ------
    AddressError
        There is nobody, and what is said here would end in a log file.
    """
    if has_accounts(catalog):
        return
    if not on_terminal:
        raise AddressError(
            "other devices may come in only where somebody can log in, and nobody can: run "
            f"`necktrace user add {FIRST_USER} --role patient --patient {patient.id}` once, on a "
            "terminal."
        )
    password = "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))
    account = add_account(
        catalog, FIRST_USER, "patient", hash_password(password), actor="command line"
    )
    add_grant(catalog, account, patient.id, identified=True, expires_ns=None, actor="command line")
    say(
        f"A user was made, and from now on everybody logs in, on this computer too:\n"
        f"    name      {FIRST_USER}\n"
        f"    password  {password}\n"
        "Write it down: it is shown this once. Change it under Account, or with `necktrace user "
        f"password {FIRST_USER}`."
    )


def open_lan(settings: Settings, catalog: Catalog) -> tuple[Lan, socket.socket]:
    """Bind the address in the house and make what TLS needs.

    Raises
    ------
    AddressError
        Nobody can log in, there is no such address, or the port is taken.
    """
    if not has_accounts(catalog):
        raise AddressError("other devices may come in only where somebody can log in.")
    host = lan_address(settings)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, settings.lan_port))
    except OSError as error:
        listener.close()
        raise AddressError(
            f"port {settings.lan_port} on {host} cannot be used ({error.strerror}); stop what uses "
            "it, or give another with the setting lan_port (NECKTRACE_LAN_PORT)."
        ) from None
    listener.listen(128)
    certificate = ensure_certificate(settings.data_dir, [host])
    return Lan(host, int(listener.getsockname()[1]), certificate), listener


def invitation(lan: Lan) -> str:
    """Return what a terminal shows: the code, the address and what to compare."""
    drawn = io.StringIO()
    lan.code.terminal(out=drawn, compact=True)
    return (
        f"{drawn.getvalue()}"
        f"On the phone, in the same network, open {lan.url} (or scan the code). It will warn once: "
        "compare the certificate's SHA-256 fingerprint before you accept.\n"
        f"    {lan.certificate.fingerprint}"
    )


@contextlib.asynccontextmanager
async def renewing(
    settings: Settings, lan: Lan, context: ssl.SSLContext, changed: Callable[[Lan], None]
) -> AsyncIterator[None]:
    """Renew the certificate in time, while the server goes on."""

    async def look() -> None:
        held = lan
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if held.certificate.is_due(datetime.now(UTC)):
                fresh = await asyncio.to_thread(
                    ensure_certificate, settings.data_dir, [held.address]
                )
                fresh.load_into(context)
                held = replace(held, certificate=fresh)
                changed(held)

    task = asyncio.create_task(look())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
