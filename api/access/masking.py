"""What a researcher sees of a patient: a pseudonym and dates moved by whole weeks.

Both come from one secret of this data folder, so that they are the same in every answer and say
nothing about the patient. Weeks keep the day of the week and the time of day. Names of fields say
what holds a time (`_utc`, `_ms`, `_ns`, `date`), which the API keeps to everywhere; what people
wrote and the sensors' addresses and serial numbers are left out or replaced.
"""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from storage.catalog import Catalog, Patient
from storage.notes import RESEARCH

_WEEKS: Final = 260
"""Dates move back by 1 to this many weeks: up to five years."""
_FIRST_NS: Final = 631_152_000 * 10**9
"""1990; smaller numbers are durations or counters, not times."""
_FREE_TEXT: Final = frozenset({"text", "address"})
_LABEL: Final = frozenset({"author", "body"})
_CURSORS_KEPT: Final = 5000


@dataclass(frozen=True, slots=True)
class Mask:
    """How one patient appears."""

    patient: str
    pseudonym: str
    back: timedelta
    """By how much dates are moved back."""
    words: Mapping[str, str]
    """Whole strings to what stands for them."""

    def hide(self, value: Any, key: str = "") -> Any:
        """Return a JSON value as a researcher may see it."""
        if isinstance(value, dict):
            if str(value.get("author", "")).startswith(RESEARCH):
                # what researchers wrote, in their own words; only its time is the person's
                return {k: v if k in _LABEL else self.hide(v, k) for k, v in value.items()}
            return {
                self.words.get(name, name): self.hide(inner, name)
                for name, inner in value.items()
                if name not in _FREE_TEXT
            }
        if isinstance(value, list):
            return [self.hide(inner, key) for inner in value]
        if isinstance(value, str):
            if key == "author":
                return "somebody"
            if key in {"detail", "instance"}:
                return value.replace(self.patient, self.pseudonym)
            return self.words.get(value) or _moved(value, key, -self.back)
        if isinstance(value, int) and not isinstance(value, bool):
            return self._time(value, key)
        return value

    def _time(self, value: int, key: str) -> int:
        seconds = int(self.back.total_seconds())
        if key.endswith("_ns") and value > _FIRST_NS:
            return value - seconds * 10**9
        if key.endswith("_ms") and value > _FIRST_NS // 10**6:
            return value - seconds * 1000
        return value

    def reveal(self, moment: datetime) -> datetime:
        """Return in true time what somebody who sees moved dates means."""
        try:
            return moment + self.back
        except OverflowError:
            return moment

    def ask(self, name: str, value: str) -> str:
        """Return a query parameter in true time; anything that is no time stays."""
        return _moved(value, "date", self.back) if name in {"from", "to"} else value


def _moved(value: str, key: str, by: timedelta) -> str:
    """Return a date or time in text moved; anything else, or outside the calendar, as it is."""
    if key != "date" and not key.endswith("_utc"):
        return value
    try:
        if len(value) == len("2026-11-23"):
            return (date.fromisoformat(value) + by).isoformat()
        moved = datetime.fromisoformat(value) + by
    except (ValueError, OverflowError):
        return value
    text = moved.isoformat(timespec="milliseconds" if "." in value else "auto")
    return text.replace("+00:00", "Z") if value.endswith("Z") else text


def _secret(catalog: Catalog) -> bytes:
    found = catalog.setting("access", "mask-secret")
    if found is None:
        values = {"scope": "access", "key": "mask-secret", "value": f'"{secrets.token_hex(32)}"'}
        catalog.change("INSERT OR IGNORE INTO setting VALUES (:scope, :key, :value)", values)
        found = catalog.setting("access", "mask-secret")
    return bytes.fromhex(str(found))


def _keyed(secret: bytes, kind: str, text: str) -> str:
    return hmac.new(secret, f"{kind}\n{text}".encode(), hashlib.sha256).hexdigest()


def mask_of(catalog: Catalog, patient: Patient) -> Mask:
    """Return how a patient appears to whoever may not know who it is."""
    secret = _secret(catalog)
    pseudonym = f"s-{_keyed(secret, 'patient', patient.id)[:12]}"
    weeks = 1 + int(_keyed(secret, "weeks", patient.id)[:8], 16) % _WEEKS
    words = {
        device.id: f"d-{_keyed(secret, 'device', device.id)[:8]}"
        for device in catalog.devices(patient=patient.id)
    }
    words |= {patient.label: pseudonym, patient.id: pseudonym}
    words.pop("", None)
    return Mask(patient.id, pseudonym, timedelta(weeks=weeks), words)


def mask_by_pseudonym(catalog: Catalog, among: Sequence[str], pseudonym: str) -> Mask | None:
    """Return the mask whose pseudonym this is, among some patients."""
    for patient in catalog.patients():
        if patient.id in among:
            mask = mask_of(catalog, patient)
            if hmac.compare_digest(mask.pseudonym.encode(), pseudonym.encode("utf-8", "replace")):
                return mask
    return None


_current: ContextVar[Mask | None] = ContextVar("necktrace_mask", default=None)
"""Set by the guard for routes that hide what they make themselves: files, which stream."""


def current_mask() -> Mask | None:
    """Return how the patient of the request under way is to appear; None: as they are."""
    return _current.get()


def set_current_mask(mask: Mask | None) -> None:
    """Say how the patient of the request under way is to appear."""
    _current.set(mask)


class CursorVault:
    """Stands for cursors, which hold true times, by random handles; the oldest are forgotten."""

    def __init__(self, kept: int = _CURSORS_KEPT) -> None:
        self._kept = kept
        self._cursors: OrderedDict[str, str] = OrderedDict()

    def hide(self, cursor: str) -> str:
        """Return a handle."""
        handle = secrets.token_urlsafe(18)
        self._cursors[handle] = cursor
        while len(self._cursors) > self._kept:
            self._cursors.popitem(last=False)
        return handle

    def reveal(self, handle: str) -> str:
        """Return the cursor; an unknown handle stays, and is refused by whoever decodes it."""
        return self._cursors.get(handle, "-")
