"""Logging in with a name and a password, slowed down where it keeps going wrong."""

import hashlib
import logging
import time
from typing import Final

from api.access.passwords import check_password
from api.access.principals import LOGIN_LIFETIME_NS
from api.errors import ProblemError
from api.http.problems import problem
from storage.access import find_account
from storage.catalog import Catalog
from storage.credentials import count_failure, failed_tries, forget_failures, start_login

logger = logging.getLogger(__name__)

FREE_TRIES: Final = 5
"""So many wrong passwords in a row cost nothing; each further one doubles the wait."""
LONGEST_WAIT_S: Final = 900
_FORGET_NS: Final = 24 * 3600 * 10**9


class TooManyTriesError(ProblemError):
    """Somebody must wait before the next try."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(429, "too-many", f"Too many tries; wait {wait_s} s and try again.")
        self.wait_s = wait_s


def waiting_s(tries: int, last_ns: int, now_ns: int) -> int:
    """Return how many seconds are left before the next try counts."""
    if tries < FREE_TRIES:
        return 0
    wait_s = min(LONGEST_WAIT_S, 1 << min(tries - FREE_TRIES, 16))
    left_ns = last_ns + wait_s * 10**9 - now_ns
    return max(0, -(-left_ns // 10**9))


def _key(kind: str, text: str) -> str:
    return hashlib.sha256(f"{kind}\n{text}".encode("utf-8", "replace")).hexdigest()[:32]


def log_in(catalog: Catalog, name: str, password: str, address: str) -> str:
    """Return the value of the login cookie.

    Parameters
    ----------
    catalog : Catalog
    name, password : str
        As typed; neither is ever written anywhere.
    address : str
        Where the try came from: it is slowed down as well as the name.

    Raises
    ------
    ProblemError
        `not-authenticated`: one of the two is wrong, and it is not said which.
    TooManyTriesError
        It went wrong too often.
    """
    keys = [_key("name", name.strip().lower()), _key("address", address)]
    now = time.time_ns()
    wait_s = max(waiting_s(*failed_tries(catalog, key), now) for key in keys)
    if wait_s > 0:
        raise TooManyTriesError(wait_s)
    account = find_account(catalog, name.strip().lower())
    usable = account is not None and account.disabled_ns is None
    right = check_password(account.password if account is not None else None, password)
    if account is None or not right or not usable:
        for key in keys:
            count_failure(catalog, key, _FORGET_NS)
        # The name as typed may be a password in the wrong field.
        catalog.audit(account.name if account else "nobody", "login.failed", "", {"from": address})
        logger.warning("login failed", extra={"address": address})
        raise problem("not-authenticated", "The name or the password is wrong.")
    for key in keys:
        forget_failures(catalog, key)
    catalog.audit(account.name, "login", "", {"from": address})
    return start_login(catalog, account.id, LOGIN_LIFETIME_NS)


def safe_target(wanted: str) -> str:
    """Return where to go after logging in: a path of ours, whatever a link says."""
    plain = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return wanted if plain and wanted.isprintable() and "\\" not in wanted else "/"
