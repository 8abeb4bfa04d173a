"""What a patient agreed to, in which wording and since when; nothing is ever overwritten.

One setting of the patient, so that it travels to the clinic and is erased with the patient. Where
nothing was ever said nothing is forbidden here: who may see anything is decided by grants, and
nothing leaves the house unless somebody sets it up. A withdrawal holds until it is given again.
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, get_args

from storage.catalog import Catalog
from storage.database import folder_errors, transaction
from storage.errors import CatalogError

Purpose = Literal["processing", "sharing", "research"]
PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)

MEANINGS: Final[Mapping[Purpose, str]] = {
    "processing": "recording the sensors and working out angles, episodes and summaries",
    "sharing": "sending the record to a clinic",
    "research": "researchers reading it, under a pseudonym and with shifted dates",
}
WORDING: Final = "2026-11"
"""Version of the text that people agree to; a change of what it says gets a new one."""
KEY: Final = "consent"


@dataclass(frozen=True, slots=True)
class ConsentEntry:
    """One thing said about one purpose."""

    purpose: Purpose
    given: bool
    """False: withdrawn or refused."""
    version: str
    """Of the wording that was shown."""
    at_ns: int
    author: str
    """Who wrote it down."""


def record_consent(
    catalog: Catalog, patient: str, purpose: Purpose, *, given: bool, version: str, author: str
) -> ConsentEntry:
    """Write down, for good, that a patient agreed or withdrew; it is in the audit log too.

    Raises
    ------
    CatalogError
        There is no such patient.
    """
    catalog.patient(patient)
    with catalog.lock, folder_errors(catalog.folder), transaction(catalog.connection):
        held = consent_history(catalog, patient)
        # Later than what is held, also where the computer's clock was set back.
        at_ns = max(time.time_ns(), *(each.at_ns + 1 for each in held), 0)
        made = ConsentEntry(purpose, given, version, at_ns, author)
        keep_consent(catalog, patient, [*held, made])
    action = "consent.give" if given else "consent.withdraw"
    catalog.audit(author, action, patient, {"purpose": purpose, "version": version})
    return made


def consent_history(catalog: Catalog, patient: str) -> list[ConsentEntry]:
    """Return everything that was ever said, oldest first."""
    value = catalog.setting(_scope(patient), KEY)
    return parse_consent(value) if value is not None else []


def parse_consent(value: Mapping[str, Any]) -> list[ConsentEntry]:
    """Return the entries of a stored or received value.

    Raises
    ------
    CatalogError
        It is not of that form.
    """
    try:
        found = [ConsentEntry(**entry) for entry in value["entries"]]
    except (KeyError, TypeError) as error:
        raise CatalogError(f"consent is not understood: {error}") from None
    return found


def merge_consent(
    ours: Iterable[ConsentEntry], theirs: Iterable[ConsentEntry]
) -> list[ConsentEntry]:
    """Return what both sides know, oldest first, each entry once."""
    return sorted({*ours, *theirs}, key=lambda each: (each.at_ns, each.purpose, each.given))


def keep_consent(catalog: Catalog, patient: str, held: Iterable[ConsentEntry]) -> None:
    """Store a whole history, inside the caller's transaction."""
    value = json.dumps({"entries": [asdict(each) for each in held]}, sort_keys=True)
    catalog.connection.execute(
        "INSERT OR REPLACE INTO setting VALUES (?, ?, ?)", (_scope(patient), KEY, value)
    )


def _scope(patient: str) -> str:
    return f"patient/{patient}"  # deleted with the patient


def latest_consent(catalog: Catalog, patient: str) -> dict[Purpose, ConsentEntry | None]:
    """Return what holds for each purpose; None where nothing was ever said."""
    found: dict[Purpose, ConsentEntry | None] = dict.fromkeys(PURPOSES)
    for entry in consent_history(catalog, patient):
        found[entry.purpose] = entry
    return found


def is_withdrawn(catalog: Catalog, patient: str, *purposes: Purpose) -> bool:
    """Return whether the last that a patient said about any of the purposes was no."""
    latest = latest_consent(catalog, patient)
    return any(entry is not None and not entry.given for entry in map(latest.get, purposes))


def withdrawn_patients(catalog: Catalog, purpose: Purpose) -> frozenset[str]:
    """Return everybody who said no to a purpose, with one query."""
    rows = catalog.rows(
        "SELECT substr(scope, 9), value FROM setting WHERE key = :key AND scope LIKE 'patient/%'",
        {"key": KEY},
    )
    said: dict[str, bool] = {}
    for patient, value in rows:
        for entry in parse_consent(json.loads(value)):
            if entry.purpose == purpose:
                said[patient] = entry.given
    return frozenset(patient for patient, given in said.items() if not given)
