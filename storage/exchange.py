"""Catalogue entries that cross between a home and its clinic, and who may change which.

Up go calibrations, wear sessions, labelled stretches, notes, treatments, exercises, consent, the
time zone of the days and the exercises that a person chose alone; down come the plan, thresholds
and the clinic's verdicts. Where an annotation was written shows in its author (``home:...``,
``clinic:...``), so that neither side sends back or overwrites what the other wrote.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from storage.catalog import Catalog
from storage.consent import consent_history, keep_consent, merge_consent, parse_consent
from storage.database import folder_errors, transaction
from storage.due import mark_due, mark_within
from storage.errors import CatalogError

Entry = dict[str, Any]
"""Column to plain value."""

HOME: Final = "home:"
CLINIC: Final = "clinic:"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of entry: where it is kept and what of it travels."""

    table: str
    key: tuple[str, ...]
    """Columns that tell one entry of a patient from another."""
    columns: tuple[str, ...]
    """The others that travel."""
    as_json: str = ""
    """Column that holds a JSON object."""
    version: str = ""
    """Column that grows with every change; an older entry never replaces a newer one."""
    since: str = ""
    """Column from which on results depend on the entry; empty where they do not."""
    removable: bool = False
    """The home may take it back."""


KINDS: Final[dict[str, Kind]] = {
    "calibrations": Kind(
        "device", ("id",), ("role", "model", "calibration", "updated_ns"), "calibration",
        version="updated_ns",
    ),
    "alignments": Kind(
        "alignment", ("id",), ("n_id", "valid_from_ns", "body"), "body", since="valid_from_ns"
    ),
    "wear_sessions": Kind(
        "wear_session", ("start_ns",), ("end_ns", "alignment_id", "detail"), "detail",
        since="start_ns", removable=True,
    ),
    "spans": Kind(
        "span_event", ("kind", "start_ns", "end_ns"), ("sigma_deg", "detail"), "detail",
        since="start_ns", removable=True,
    ),
    "treatments": Kind(
        "treatment", ("id",), ("kind", "at_ns", "body", "updated_ns"), "body",
        version="updated_ns", removable=True,
    ),
    "exercises": Kind(
        "exercise_session", ("id",), ("kind", "start_ns", "end_ns", "body"), "body",
        removable=True,
    ),
    "annotations": Kind(
        "annotation", ("id",),
        ("kind", "start_ns", "end_ns", "body", "author", "created_ns", "updated_ns", "deleted"),
        "body", version="updated_ns",
    ),
}  # fmt: skip
SETTINGS: Final = ("zone", "consent", "own_plan")
"""Kinds of which a patient has one: ``{"value": ...}``."""
FROM_CLINIC: Final = ("plan", "thresholds")
"""Settings of a patient that the clinic writes."""


def scope_of(patient: str) -> str:
    """Return the scope under which settings of a patient are kept; deleted with the patient."""
    return f"patient/{patient}"


def entries(catalog: Catalog, patient: str, kind: str) -> list[Entry]:
    """Return what a home has to tell of a kind, oldest first."""
    if kind == "zone":
        return [{"value": catalog.patient(patient).zone}]
    if kind in SETTINGS:
        value = catalog.setting(scope_of(patient), kind)
        return [] if value is None else [{"value": value}]
    held = KINDS[kind]
    found = _read(catalog, held, patient, "ORDER BY " + (held.since or held.key[0]))
    if kind == "annotations":
        return [each for each in found if not str(each["author"]).startswith(CLINIC)]
    return found


def key_of(kind: str, entry: Entry) -> list[Any]:
    """Return what tells an entry from the others of its kind and patient."""
    return [] if kind in SETTINGS else [entry[name] for name in KINDS[kind].key]


def apply(
    catalog: Catalog,
    patient: str,
    kind: str,
    items: Sequence[Mapping[str, Any]],
    removed: Sequence[Sequence[Any]] = (),
) -> int:
    """Take over what a home sent, in one transaction; a repeat changes nothing.

    Results that the entries make wrong are marked as due. Returns how many entries changed.

    Raises
    ------
    CatalogError
        An entry of that name belongs to another patient or was written by the clinic, or entries
        of this kind are not taken back.
    """
    if kind in SETTINGS:
        return _apply_setting(catalog, patient, kind, items)
    held = KINDS[kind]
    if removed and not held.removable:
        raise CatalogError(f"entries of the kind {kind} are not taken back")
    touched: list[Entry] = []
    with catalog.lock, folder_errors(catalog.folder), transaction(catalog.connection):
        for item in items:
            entry = dict(item)
            if kind == "calibrations" and _is_lent(catalog, patient, entry):
                continue
            if kind == "annotations":
                entry["author"] = HOME + str(entry["author"]).removeprefix(HOME)
            touched += _put(catalog, held, patient, entry)
        for key in removed:
            before = _find(catalog, held, patient, dict(zip(held.key, key, strict=True)))
            if before is not None:
                _delete(catalog, held, patient, before)
                touched.append(before)
        if held.since and touched:
            since_ns = min(_since_ns(held, entry) for entry in touched)
            mark_within(catalog.connection, patient, since_ns)
    return len(touched)


def written_by_clinic(
    catalog: Catalog, patient: str, *, after: str = "", limit: int = 500
) -> list[Entry]:
    """Return the clinic's own verdicts by id, also those taken back."""
    held = KINDS["annotations"]
    rows = catalog.rows(
        f"SELECT {', '.join(held.key + held.columns)} FROM annotation "  # noqa: S608  # our own names
        "WHERE patient = :patient AND kind = 'verdict' AND author NOT LIKE 'home:%' "
        "AND author NOT LIKE 'research:%' AND id > :after ORDER BY id LIMIT :limit",
        {"patient": patient, "after": after, "limit": limit},
    )
    return [_entry(held, row) for row in rows]


def clinic_version(catalog: Catalog, patient: str) -> str:
    """Return a text that changes whenever the clinic writes something for the patient."""
    rows = catalog.rows(
        "SELECT count(*), coalesce(max(updated_ns), 0), coalesce(total(updated_ns % 1000003), 0) "
        "FROM annotation WHERE patient = :patient AND kind = 'verdict' "
        "AND author NOT LIKE 'home:%' AND author NOT LIKE 'research:%'",
        {"patient": patient},
    )
    scope = scope_of(patient)
    return json.dumps([*rows[0], *(catalog.setting(scope, key) for key in FROM_CLINIC)])


def take_from_clinic(
    catalog: Catalog,
    patient: str,
    settings: Mapping[str, Any],
    verdicts: Sequence[Mapping[str, Any]],
) -> int:
    """Keep at home what the clinic wrote; return how many entries changed."""
    held = KINDS["annotations"]
    changed = 0
    with catalog.lock, folder_errors(catalog.folder), transaction(catalog.connection):
        for verdict in verdicts:
            author = CLINIC + str(verdict["author"]).removeprefix(CLINIC)
            changed += len(_put(catalog, held, patient, {**verdict, "author": author}))
    scope = scope_of(patient)
    for key in FROM_CLINIC:
        if catalog.setting(scope, key) != settings.get(key):
            catalog.set_setting(scope, key, settings.get(key))
            changed += 1
    return changed


def _apply_setting(
    catalog: Catalog, patient: str, kind: str, items: Sequence[Mapping[str, Any]]
) -> int:
    changed = 0
    for item in items:
        value = item["value"]
        if kind == "consent":
            changed += _merge_consent(catalog, patient, value)
        elif kind == "zone":
            known = catalog.patient(patient)
            if known.zone != value:
                # another zone cuts other days: everything is made again
                mark_due(catalog, patient, 0)
                catalog.save_patient(replace(known, zone=value))
                changed += 1
        elif catalog.setting(scope_of(patient), kind) != value:
            catalog.set_setting(scope_of(patient), kind, value)
            changed += 1
    return changed


def _merge_consent(catalog: Catalog, patient: str, value: Mapping[str, Any]) -> int:
    """Add what is new of a home's consent; what was written down on paper here stays."""
    theirs = parse_consent(value)
    with catalog.lock, folder_errors(catalog.folder), transaction(catalog.connection):
        ours = consent_history(catalog, patient)
        both = merge_consent(ours, theirs)
        if both == ours:
            return 0
        keep_consent(catalog, patient, both)
    return 1


def _is_lent(catalog: Catalog, patient: str, entry: Entry) -> bool:
    """Whether a sensor is another patient's here; what results rest on is in its segments."""
    row = catalog.connection.execute(
        "SELECT patient FROM device WHERE id = ?", (entry["id"],)
    ).fetchone()
    return row is not None and row[0] not in {None, patient}


def _put(catalog: Catalog, held: Kind, patient: str, entry: Entry) -> list[Entry]:
    """Insert or update one entry; return what is touched: it, and what it was before."""
    names = held.key + held.columns
    before = _find(catalog, held, patient, entry)
    if before is None:
        marks = ", ".join(f":{name}" for name in (*names, "patient"))
        listed = ", ".join((*names, "patient"))
        statement = f"INSERT INTO {held.table}({listed}) VALUES ({marks})"  # noqa: S608  # our own names
        catalog.connection.execute(statement, _plain(held, entry, patient))
        return [entry]
    if all(before[name] == entry[name] for name in names):
        return []
    if held.version and int(before[held.version]) >= int(entry[held.version]):
        return []
    if held.table == "annotation":
        _keep_history(catalog, before, entry)
    changes = ", ".join(f"{name} = :{name}" for name in held.columns)
    same = " AND ".join(f"{name} = :{name}" for name in held.key)
    if held.table == "device":
        changes += ", patient = :patient"
    else:
        same += " AND patient = :patient"
    statement = f"UPDATE {held.table} SET {changes} WHERE {same}"  # noqa: S608  # our own names
    catalog.connection.execute(statement, _plain(held, entry, patient))
    return [before, entry]


def _keep_history(catalog: Catalog, before: Entry, entry: Entry) -> None:
    origin = str(before["author"]).partition(":")[0]
    if origin != str(entry["author"]).partition(":")[0]:
        raise CatalogError(f"annotation {entry['id']!r} was written on the other side")
    said = {name: before[name] for name in ("kind", "start_ns", "end_ns", "body")}
    catalog.connection.execute(
        "INSERT INTO annotation_history VALUES (?, ?, ?, ?)",
        (entry["id"], entry["updated_ns"], entry["author"], json.dumps(said, sort_keys=True)),
    )


def _delete(catalog: Catalog, held: Kind, patient: str, entry: Entry) -> None:
    same = " AND ".join(f"{name} = :{name}" for name in (*held.key, "patient"))
    statement = f"DELETE FROM {held.table} WHERE {same}"  # noqa: S608  # our own names
    catalog.connection.execute(statement, _plain(held, entry, patient))


def _find(catalog: Catalog, held: Kind, patient: str, entry: Entry) -> Entry | None:
    """Return the entry of the same key; ids are unique among all patients."""
    alone = held.key == ("id",) and held.table != "alignment"
    same = " AND ".join(f"{name} = :{name}" for name in held.key)
    if not alone:
        same += " AND patient = :patient"
    names = ", ".join((*held.key, *held.columns, "patient"))
    values = {name: entry[name] for name in held.key}
    row = catalog.connection.execute(
        f"SELECT {names} FROM {held.table} WHERE {same}",  # noqa: S608  # our own names
        {**values, "patient": patient},
    ).fetchone()
    if row is None:
        return None
    if row[-1] != patient and held.table != "device":
        raise CatalogError(f"the {held.table} {entry['id']!r} belongs to another patient")
    return _entry(held, row[:-1])


def _read(catalog: Catalog, held: Kind, patient: str, order: str) -> list[Entry]:
    names = ", ".join(held.key + held.columns)
    statement = f"SELECT {names} FROM {held.table} WHERE patient = :patient {order}"  # noqa: S608  # our own names
    return [_entry(held, row) for row in catalog.rows(statement, {"patient": patient})]


def _entry(held: Kind, row: Sequence[Any]) -> Entry:
    entry = dict(zip(held.key + held.columns, row, strict=True))
    entry[held.as_json] = json.loads(entry[held.as_json])
    return entry


def _plain(held: Kind, entry: Entry, patient: str) -> dict[str, Any]:
    text = json.dumps(entry[held.as_json], sort_keys=True)
    return {**entry, held.as_json: text, "patient": patient}


def _since_ns(held: Kind, entry: Entry) -> int:
    since = int(entry[held.since])
    detail = entry.get("detail")
    return min(since, int(detail["since_ns"])) if detail and "since_ns" in detail else since
