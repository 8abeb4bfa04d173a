"""Who asks: the owner at home, a person who has logged in, or a program with a token.

Without users a request that came straight from this computer is the owner's. Once a user exists
everybody logs in. A presented token is always judged: a bad one is refused, never taken for the
owner's.
"""

import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Literal, cast

from api.access.rights import ROLE_RIGHTS, Right, Role
from storage.access import Account, account_by_id, grants_of, has_accounts
from storage.catalog import Catalog, Patient
from storage.consent import withdrawn_patients
from storage.credentials import Token, find_login, find_token

LOGIN_LIFETIME_NS: Final = 7 * 86_400 * 10**9
LOGIN_IDLE_NS: Final = 12 * 3600 * 10**9

OWNER_NAME: Final = "owner"
"""How notes and the audit log name whoever sits at this computer."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, and what they may."""

    kind: Literal["owner", "user", "token", "nobody"]
    name: str
    """As the audit log names them."""
    rights: frozenset[str] = frozenset()
    sees: Mapping[str, bool] | None = None
    """Patient to whether with identity and true dates; None: every patient, with both."""
    account: Account | None = None

    def may(self, right: str, patient: str | None = None) -> bool:
        """Return whether a right is held, on a patient's data where one is given."""
        if self.kind == "owner":
            return True
        return right in self.rights and (patient is None or self.knows(patient))

    def knows(self, patient: str) -> bool:
        """Return whether the patient is one of theirs at all."""
        return self.sees is None or patient in self.sees

    def is_blind(self, patient: str) -> bool:
        """Return whether identity and true dates of the patient are kept from them."""
        return self.sees is not None and not self.sees.get(patient, False)


OWNER: Final = Principal("owner", OWNER_NAME)
NOBODY: Final = Principal("nobody", "nobody", sees={})

_current: ContextVar[Principal] = ContextVar("necktrace_principal", default=OWNER)
"""Set around every request by the guard; what runs outside of one is the owner's own doing."""


def current() -> Principal:
    """Return who asks in the request under way."""
    return _current.get()


def set_current(principal: Principal) -> None:
    """Say who asks in the request under way."""
    _current.set(principal)


def visible_patients(catalog: Catalog, right: Right = "read:summary") -> list[Patient]:
    """Return the patients that whoever asks may see, oldest first."""
    asking = current()
    return [each for each in catalog.patients() if asking.may(right, each.id)]


def of_account(catalog: Catalog, account: Account) -> Principal:
    """Return a person with the rights of their role and their grants in force."""
    role = cast("Role", account.role)
    sees = {
        grant.patient: grant.identified or role != "researcher"
        for grant in grants_of(catalog, account.id)
    }
    if role == "researcher":
        sees = _consenting(catalog, sees)
    return Principal("user", account.name, ROLE_RIGHTS.get(role, frozenset()), sees, account)


def _consenting(catalog: Catalog, sees: dict[str, bool]) -> dict[str, bool]:
    """Leave out who withdrew their consent to research."""
    withdrawn = withdrawn_patients(catalog, "research")
    return {patient: open_ for patient, open_ in sees.items() if patient not in withdrawn}


def of_token(catalog: Catalog, token: Token) -> Principal:
    """Return what a token may: its scopes and patients, within what its person may now."""
    name = f"token {token.id}"
    if token.account is None:
        sees = dict.fromkeys(token.patients, not token.blind)
        sees = _consenting(catalog, sees) if token.blind else sees
        return Principal("token", name, token.scopes, sees)
    account = account_by_id(catalog, token.account)
    if account is None or account.disabled_ns is not None:
        return NOBODY
    person = of_account(catalog, account)
    assert person.sees is not None
    sees = {p: open_ and not token.blind for p, open_ in person.sees.items() if p in token.patients}
    return Principal(
        "token", f"{name} of {account.name}", token.scopes & person.rights, sees, account
    )


def identify(
    catalog: Catalog, *, authorization: str | None, cookie: str | None, local: bool
) -> Principal:
    """Return who a request comes from; `NOBODY` where that cannot be told.

    Parameters
    ----------
    catalog : Catalog
    authorization : str, optional
        Header of that name; where present nothing else counts.
    cookie : str, optional
        Value of the login cookie.
    local : bool
        The request came straight from this computer.
    """
    if authorization is not None:
        scheme, _, secret = authorization.partition(" ")
        token = find_token(catalog, secret.strip()) if scheme.lower() == "bearer" else None
        return NOBODY if token is None else of_token(catalog, token)
    if cookie:
        login = find_login(catalog, cookie, LOGIN_IDLE_NS)
        account = account_by_id(catalog, login.account) if login is not None else None
        if account is not None and account.disabled_ns is None:
            return of_account(catalog, account)
    if local and not has_accounts(catalog):
        return OWNER
    return NOBODY


def expires_in(days: float) -> int:
    """Return the UTC nanoseconds that lie a number of days ahead."""
    return time.time_ns() + int(days * 86_400 * 10**9)
