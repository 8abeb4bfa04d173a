"""People who log in, and the patients each of them was granted.

Times are UTC nanoseconds; `now_ns` is given so that expiry can be tried without waiting. Changes
are written into the audit log by who asks for them.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from storage.catalog import Catalog, new_id
from storage.errors import CatalogError


@dataclass(frozen=True, slots=True)
class Account:
    """A person who can log in."""

    id: str
    name: str
    role: str
    password: str
    """Hash with parameters and salt; empty where nobody can log in with it."""
    created_ns: int
    disabled_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """That a person may see a patient, until when, and whether with identity and true dates."""

    id: str
    account: str
    patient: str
    identified: bool
    created_ns: int
    created_by: str
    expires_ns: int | None
    withdrawn_ns: int | None = None

    def holds(self, now_ns: int) -> bool:
        """Return whether it is in force."""
        return self.withdrawn_ns is None and (self.expires_ns is None or now_ns < self.expires_ns)


_ACCOUNT = "SELECT id, name, role, password, created_ns, disabled_ns FROM account"
_GRANT = (
    "SELECT id, account, patient, identified, created_ns, created_by, expires_ns, withdrawn_ns "
    "FROM patient_grant"
)


def has_accounts(catalog: Catalog) -> bool:
    """Return whether anybody was ever set up; a disabled person counts, or disabling would open."""
    return bool(catalog.rows("SELECT EXISTS(SELECT 1 FROM account)", {})[0][0])


def accounts(catalog: Catalog) -> list[Account]:
    """Return everybody, by name."""
    return [Account(*row) for row in catalog.rows(f"{_ACCOUNT} ORDER BY name", {})]


def account_by_id(catalog: Catalog, account_id: str) -> Account | None:
    """Return a person by id."""
    rows = catalog.rows(f"{_ACCOUNT} WHERE id = :id", {"id": account_id})
    return Account(*rows[0]) if rows else None


def find_account(catalog: Catalog, name: str) -> Account | None:
    """Return a person by name, None where there is nobody of that name."""
    rows = catalog.rows(f"{_ACCOUNT} WHERE name = :name", {"name": name})
    return Account(*rows[0]) if rows else None


def account_named(catalog: Catalog, name: str) -> Account:
    """Return a person by name.

    Raises
    ------
    CatalogError
        There is nobody of that name.
    """
    found = find_account(catalog, name)
    if found is None:
        raise CatalogError(f"there is no user {name!r}; `necktrace user list` names them all")
    return found


def add_account(
    catalog: Catalog, name: str, role: str, password: str, *, actor: str, now_ns: int | None = None
) -> Account:
    """Set a person up.

    Raises
    ------
    CatalogError
        The name is taken.
    """
    if find_account(catalog, name) is not None:
        raise CatalogError(f"there is already a user {name!r}")
    made = Account(new_id(), name, role, password, time.time_ns() if now_ns is None else now_ns)
    catalog.change(
        "INSERT INTO account VALUES (:id, :name, :role, :password, :created, NULL)",
        {
            "id": made.id,
            "name": name,
            "role": role,
            "password": password,
            "created": made.created_ns,
        },
    )
    catalog.audit(actor, "user.add", name, {"role": role})
    return made


def set_password(catalog: Catalog, account: Account, password: str, *, actor: str) -> None:
    """Store a new hash and end every login of that person."""
    values = {"id": account.id, "password": password}
    catalog.change("UPDATE account SET password = :password WHERE id = :id", values)
    catalog.change("DELETE FROM login WHERE account = :id", {"id": account.id})
    catalog.audit(actor, "user.password", account.name, {})


def set_disabled(
    catalog: Catalog, account: Account, disabled_ns: int | None, *, actor: str
) -> None:
    """Close an account, which ends its logins and suspends its tokens, or open it again."""
    values = {"id": account.id, "at": disabled_ns}
    catalog.change("UPDATE account SET disabled_ns = :at WHERE id = :id", values)
    if disabled_ns is not None:
        catalog.change("DELETE FROM login WHERE account = :id", {"id": account.id})
    catalog.audit(actor, "user.enable" if disabled_ns is None else "user.disable", account.name, {})


def add_grant(
    catalog: Catalog,
    account: Account,
    patient: str,
    *,
    identified: bool,
    expires_ns: int | None,
    actor: str,
) -> Grant:
    """Let a person see a patient; an earlier grant for the same patient is withdrawn.

    Raises
    ------
    CatalogError
        There is no such patient.
    """
    catalog.patient(patient)
    withdraw_grants(catalog, account, patient, actor=actor, quiet=True)
    made = Grant(new_id(), account.id, patient, identified, time.time_ns(), actor, expires_ns)
    catalog.change(
        "INSERT INTO patient_grant VALUES "
        "(:id, :account, :patient, :identified, :created, :by, :expires, NULL)",
        {
            "id": made.id,
            "account": account.id,
            "patient": patient,
            "identified": int(identified),
            "created": made.created_ns,
            "by": actor,
            "expires": expires_ns,
        },
    )
    detail = {"user": account.name, "identified": identified, "expires_ns": expires_ns}
    catalog.audit(actor, "grant.add", patient, detail)
    return made


def withdraw_grants(
    catalog: Catalog, account: Account, patient: str, *, actor: str, quiet: bool = False
) -> int:
    """Take a patient back from a person; return how many grants were in force."""
    held = [g for g in grants_of(catalog, account.id) if g.patient == patient]
    for grant in held:
        catalog.change(
            "UPDATE patient_grant SET withdrawn_ns = :now WHERE id = :id",
            {"id": grant.id, "now": time.time_ns()},
        )
    if held and not quiet:
        catalog.audit(actor, "grant.withdraw", patient, {"user": account.name})
    return len(held)


def grants_of(catalog: Catalog, account_id: str, now_ns: int | None = None) -> list[Grant]:
    """Return a person's grants in force, by patient."""
    now = time.time_ns() if now_ns is None else now_ns
    rows = catalog.rows(f"{_GRANT} WHERE account = :id ORDER BY patient", {"id": account_id})
    return [grant for grant in _grants(rows) if grant.holds(now)]


def all_grants(catalog: Catalog) -> list[Grant]:
    """Return every grant ever given, oldest first."""
    return _grants(catalog.rows(f"{_GRANT} ORDER BY created_ns, id", {}))


def _grants(rows: Sequence[Any]) -> list[Grant]:
    return [Grant(a, b, c, bool(d), e, f, g, h) for a, b, c, d, e, f, g, h in rows]


def grants_on(catalog: Catalog, patient: str) -> list[Grant]:
    """Return every grant ever given on a patient, oldest first."""
    rows = catalog.rows(f"{_GRANT} WHERE patient = :id ORDER BY created_ns, id", {"id": patient})
    return _grants(rows)


def grant_by_id(catalog: Catalog, grant_id: str) -> Grant | None:
    """Return a grant, None where there is none of that id."""
    rows = catalog.rows(f"{_GRANT} WHERE id = :id", {"id": grant_id})
    return _grants(rows)[0] if rows else None


def withdraw_grant(catalog: Catalog, grant: Grant, *, actor: str) -> None:
    """End one grant; one that has ended already stays as it is."""
    if grant.withdrawn_ns is not None:
        return
    catalog.change(
        "UPDATE patient_grant SET withdrawn_ns = :now WHERE id = :id",
        {"id": grant.id, "now": time.time_ns()},
    )
    account = account_by_id(catalog, grant.account)
    name = "" if account is None else account.name
    catalog.audit(actor, "grant.withdraw", grant.patient, {"user": name})


def stop_sharing(catalog: Catalog, patient: str, *, actor: str) -> tuple[int, int]:
    """Take a patient back from everybody but themselves; return (grants ended, tokens cut).

    Tokens lose this patient and keep the others; those of the patient's own login stay.
    """
    own = {account.id for account in accounts(catalog) if account.role == "patient"}
    now = time.time_ns()
    ended = [g for g in grants_on(catalog, patient) if g.holds(now) and g.account not in own]
    for grant in ended:
        withdraw_grant(catalog, grant, actor=actor)
    rows = catalog.rows(
        "SELECT t.id, t.account FROM token t JOIN token_patient p ON p.token = t.id "
        "WHERE p.patient = :patient AND t.revoked_ns IS NULL AND t.expires_ns > :now",
        {"patient": patient, "now": now},
    )
    cut = [token for token, account in rows if account not in own]
    for token in cut:
        catalog.change(
            "DELETE FROM token_patient WHERE token = :token AND patient = :patient",
            {"token": token, "patient": patient},
        )
    catalog.audit(actor, "share.stop", patient, {"grants": len(ended), "tokens": len(cut)})
    return len(ended), len(cut)
