"""Opaque cursors: where the next page starts, bound to the operation and its parameters."""

import base64
import binascii
import hashlib
import json

from api.http.problems import problem


def _scope_tag(scope: str) -> str:
    return hashlib.sha256(scope.encode()).hexdigest()[:12]


def encode_cursor(scope: str, position: int) -> str:
    """Return a cursor that is valid only for the same scope.

    Parameters
    ----------
    scope : str
        Names the operation and every parameter that selects rows.
    position : int
        Where the next page starts.
    """
    raw = json.dumps([_scope_tag(scope), position]).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_cursor(scope: str, cursor: str) -> int:
    """Return the position a cursor stands for.

    Raises
    ------
    ProblemError
        `invalid-cursor` where it is malformed or belongs to another query.
    """
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        tag, position = json.loads(raw)
    except (binascii.Error, ValueError, TypeError, UnicodeDecodeError):
        raise problem("invalid-cursor", "This cursor is malformed; start without one.") from None
    if tag != _scope_tag(scope) or isinstance(position, bool) or not isinstance(position, int):
        raise problem("invalid-cursor", "This cursor belongs to another query; start without one.")
    return position
