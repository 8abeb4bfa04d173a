"""What proves who somebody is: logins, tokens, and how often it went wrong.

Only hashes are kept. Cookies and tokens hold 256 random bits, so that one pass of sha256 is enough;
passwords are hashed slowly before they come here (`api.access.passwords`).
"""

import hashlib
import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from storage.catalog import Catalog, new_id
from storage.database import folder_errors, transaction
from storage.errors import CatalogError

TOKEN_PREFIX: Final = "ntk_"  # noqa: S105  what a token looks like, not one
"""Lets people and secret scanners tell what a leaked string is."""
_SEEN_EVERY_NS: Final = 60 * 10**9
"""Uses are written down at most this often, so that reading does not mean writing."""


@dataclass(frozen=True, slots=True)
class Login:
    """A browser that has logged in."""

    account: str
    created_ns: int
    seen_ns: int
    expires_ns: int


@dataclass(frozen=True, slots=True)
class Token:
    """A program's credential."""

    id: str
    label: str
    account: str | None
    """Whose rights bound it; None where it was made on this computer for its owner."""
    scopes: frozenset[str]
    patients: frozenset[str]
    blind: bool
    """Pseudonyms and shifted dates only."""
    created_ns: int
    expires_ns: int
    used_ns: int | None = None
    revoked_ns: int | None = None

    def holds(self, now_ns: int) -> bool:
        """Return whether it is in force."""
        return self.revoked_ns is None and now_ns < self.expires_ns


def fingerprint(secret: str) -> bytes:
    """Return what is stored of a random secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def start_login(catalog: Catalog, account: str, lifetime_ns: int) -> str:
    """Write a login down and return the cookie's value, which is kept nowhere."""
    secret = secrets.token_urlsafe(32)
    now = time.time_ns()
    catalog.change("DELETE FROM login WHERE expires_ns <= :now", {"now": now})
    catalog.change(
        "INSERT INTO login VALUES (:hash, :account, :now, :now, :expires)",
        {
            "hash": fingerprint(secret),
            "account": account,
            "now": now,
            "expires": now + lifetime_ns,
        },
    )
    return secret


def find_login(catalog: Catalog, secret: str, idle_ns: int) -> Login | None:
    """Return the login of a cookie, None where it is unknown, expired or was idle too long."""
    now = time.time_ns()
    values = {"hash": fingerprint(secret)}
    rows = catalog.rows(
        "SELECT account, created_ns, seen_ns, expires_ns FROM login WHERE hash = :hash", values
    )
    if not rows:
        return None
    login = Login(*rows[0])
    if now >= login.expires_ns or now >= login.seen_ns + idle_ns:
        return None
    if now - login.seen_ns > _SEEN_EVERY_NS:
        catalog.change("UPDATE login SET seen_ns = :now WHERE hash = :hash", {**values, "now": now})
    return login


def end_login(catalog: Catalog, secret: str) -> None:
    """Forget a login."""
    catalog.change("DELETE FROM login WHERE hash = :hash", {"hash": fingerprint(secret)})


def add_token(
    catalog: Catalog,
    label: str,
    *,
    scopes: Collection[str],
    patients: Collection[str],
    expires_ns: int,
    account: str | None,
    blind: bool,
    actor: str,
) -> tuple[Token, str]:
    """Make a token; return it and the text to present, which is kept nowhere.

    Raises
    ------
    CatalogError
        One of the patients does not exist.
    """
    for patient in patients:
        catalog.patient(patient)
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    made = Token(
        new_id()[:12],
        label,
        account,
        frozenset(scopes),
        frozenset(patients),
        blind,
        time.time_ns(),
        expires_ns,
    )
    with catalog.lock, folder_errors(catalog.folder), transaction(catalog.connection):
        catalog.connection.execute(
            "INSERT INTO token VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
            (
                made.id,
                fingerprint(secret),
                label,
                account,
                " ".join(sorted(made.scopes)),
                int(blind),
                made.created_ns,
                expires_ns,
            ),
        )
        catalog.connection.executemany(
            "INSERT INTO token_patient VALUES (?, ?)",
            [(made.id, patient) for patient in sorted(made.patients)],
        )
    detail = {
        "label": label,
        "scopes": sorted(made.scopes),
        "patients": len(made.patients),
        "expires_ns": expires_ns,
    }
    catalog.audit(actor, "token.add", made.id, detail)
    return made, secret


_TOKEN = (
    "SELECT id, label, account, scopes, blind, created_ns, expires_ns, used_ns, revoked_ns, "  # noqa: S105  a query
    "(SELECT group_concat(patient, char(10)) FROM token_patient WHERE token = id) FROM token"
)


def _token(
    row: tuple[str, str, str | None, str, int, int, int, int | None, int | None, str | None],
) -> Token:
    token_id, label, account, scopes, blind, created, expires, used, revoked, patients = row
    return Token(
        token_id,
        label,
        account,
        frozenset(scopes.split()),
        frozenset((patients or "").split("\n")) - {""},
        bool(blind),
        created,
        expires,
        used,
        revoked,
    )


def find_token(catalog: Catalog, secret: str) -> Token | None:
    """Return the token in force that the text stands for, and write its use down."""
    rows = catalog.rows(f"{_TOKEN} WHERE hash = :hash", {"hash": fingerprint(secret)})
    now = time.time_ns()
    if not rows or not _token(rows[0]).holds(now):
        return None
    found = _token(rows[0])
    if found.used_ns is None or now - found.used_ns > _SEEN_EVERY_NS:
        values = {"id": found.id, "now": now}
        catalog.change("UPDATE token SET used_ns = :now WHERE id = :id", values)
    return found


def tokens(catalog: Catalog, *, account: str | None = None) -> list[Token]:
    """Return all tokens, oldest first, also those no longer in force; of one person or of all."""
    rows = catalog.rows(
        f"{_TOKEN} WHERE :account IS NULL OR account = :account ORDER BY created_ns, id",
        {"account": account},
    )
    return [_token(row) for row in rows]


def revoke_token(catalog: Catalog, token_id: str, *, actor: str) -> None:
    """End a token for good.

    Raises
    ------
    CatalogError
        There is no such token.
    """
    if not any(token.id == token_id for token in tokens(catalog)):
        raise CatalogError(f"there is no token {token_id!r}; `necktrace token list` names them all")
    catalog.change(
        "UPDATE token SET revoked_ns = coalesce(revoked_ns, :now) WHERE id = :id",
        {"id": token_id, "now": time.time_ns()},
    )
    catalog.audit(actor, "token.revoke", token_id, {})


def failed_tries(catalog: Catalog, who: str) -> tuple[int, int]:
    """Return how often in a row it went wrong, and when last (0 where never)."""
    rows = catalog.rows("SELECT tries, last_ns FROM failed_login WHERE who = :who", {"who": who})
    return (int(rows[0][0]), int(rows[0][1])) if rows else (0, 0)


def count_failure(catalog: Catalog, who: str, forget_ns: int) -> None:
    """Count one more failure; those older than `forget_ns` are forgotten."""
    now = time.time_ns()
    catalog.change("DELETE FROM failed_login WHERE last_ns < :old", {"old": now - forget_ns})
    catalog.change(
        "INSERT INTO failed_login VALUES (:who, 1, :now) "
        "ON CONFLICT(who) DO UPDATE SET tries = tries + 1, last_ns = :now",
        {"who": who, "now": now},
    )


def forget_failures(catalog: Catalog, who: str) -> None:
    """Begin counting anew, after it went right."""
    catalog.change("DELETE FROM failed_login WHERE who = :who", {"who": who})
