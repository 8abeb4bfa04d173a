"""Passwords: argon2id by its reference library, a few at a time."""

import threading
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from api.errors import ApiError

MIN_LENGTH: Final = 10
MAX_LENGTH: Final = 256
"""Longer ones only cost time."""
_HASHER: Final = PasswordHasher()
_AT_ONCE: Final = threading.BoundedSemaphore(2)
"""Each needs 64 MB; many logins at once must not take the memory the collector needs."""


class PasswordError(ApiError):
    """The password cannot be used; the message says why."""


def hash_password(password: str) -> str:
    """Return what is stored of a password: algorithm, parameters, salt and hash.

    Raises
    ------
    PasswordError
        It is too short or too long.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise PasswordError(
            f"a password needs {MIN_LENGTH} to {MAX_LENGTH} characters; a few words are easy to "
            "remember."
        )
    with _AT_ONCE:
        return _HASHER.hash(password)


def check_password(stored: str | None, password: str) -> bool:
    """Return whether a password is the stored one.

    Parameters
    ----------
    stored : str or None
        None where there is nobody of that name: takes as long, so that names cannot be found out.
    password : str
    """
    if len(password) > MAX_LENGTH:
        return False
    with _AT_ONCE:
        try:
            _HASHER.verify(stored or _nobodys(), password)
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None


@cache
def _nobodys() -> str:
    return _HASHER.hash("of nobody, for the time it takes")
