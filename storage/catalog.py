"""Who and what: patients, sensors, wear sessions, calibrations, notes, treatments, settings.

All of it lives in ``posture.db``. Identities are pseudonymous; a name belongs in `Patient.label`
only where its owner wants it there. JSON fields hold plain values. Times are UTC nanoseconds.
"""

import json
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from storage.catalog_rows import (
    AuditEntry,
    Device,
    Patient,
    SpanEvent,
    StoredAlignment,
    WearSession,
)
from storage.database import folder_errors, open_database, transaction
from storage.errors import CatalogError

__all__ = [
    "AuditEntry",
    "Catalog",
    "Device",
    "Patient",
    "SpanEvent",
    "StoredAlignment",
    "WearSession",
    "new_id",
]


class Catalog:
    """The catalogue of one data folder. Thread-safe; works beside a collector."""

    def __init__(self, data_dir: Path | str) -> None:
        """Open the folder, created where missing."""
        self.folder = Path(data_dir)
        self.connection = open_database(self.folder, create=True)
        self.lock = threading.RLock()
        """Held around every use of `connection`."""

    def __enter__(self) -> "Catalog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        with self.lock:
            self.connection.close()

    def rows(self, query: str, parameters: Mapping[str, Any]) -> list[Any]:
        """Run one reading statement."""
        with self.lock, folder_errors(self.folder):
            return self.connection.execute(query, parameters).fetchall()

    def change(self, query: str, parameters: Mapping[str, Any]) -> int:
        """Run one writing statement; return the id of the row it inserted, or 0."""
        with self.lock, folder_errors(self.folder), transaction(self.connection):
            return int(self.connection.execute(query, parameters).lastrowid or 0)

    def save_patient(self, patient: Patient) -> None:
        """Create or update a patient.

        Raises
        ------
        CatalogError
            The time zone is unknown, or the id is empty.
        """
        try:
            ZoneInfo(patient.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise CatalogError(
                f"time zone {patient.zone!r} is unknown; use an IANA name such as Europe/Berlin"
            ) from error
        if not patient.id:
            raise CatalogError("a patient needs an id")
        self.change(
            "INSERT INTO patient(id, label, zone, created_ns, settings) VALUES "
            "(:id, :label, :zone, :now, :settings) ON CONFLICT(id) DO UPDATE SET "
            "label = :label, zone = :zone, settings = :settings",
            {
                "id": patient.id,
                "label": patient.label,
                "zone": patient.zone,
                "now": patient.created_ns or time.time_ns(),
                "settings": _json(patient.settings),
            },
        )

    def patients(self) -> list[Patient]:
        """Return all patients, oldest first."""
        rows = self.rows(
            "SELECT id, label, zone, created_ns, settings FROM patient ORDER BY created_ns, id", {}
        )
        return [Patient(a, b, c, d, json.loads(e)) for a, b, c, d, e in rows]

    def patient(self, patient_id: str) -> Patient:
        """Return one patient.

        Raises
        ------
        CatalogError
            There is none with this id.
        """
        for patient in self.patients():
            if patient.id == patient_id:
                return patient
        raise CatalogError(f"there is no patient {patient_id!r} in this data folder")

    def save_device(self, device: Device) -> None:
        """Create or update a sensor (its boot counter only rises)."""
        if device.patient is not None:
            self.patient(device.patient)
        self.change(
            "INSERT INTO device VALUES (:id, :patient, :role, :address, :model, :calibration, "
            ":boots, :now) ON CONFLICT(id) DO UPDATE SET patient = :patient, role = :role, "
            "address = :address, model = :model, calibration = :calibration, "
            "boots = max(boots, :boots), updated_ns = :now",
            {
                "id": device.id,
                "patient": device.patient,
                "role": device.role,
                "address": device.address,
                "model": device.model,
                "calibration": _json(device.calibration),
                "boots": device.boots,
                "now": time.time_ns(),
            },
        )

    def devices(self, *, patient: str | None = None) -> list[Device]:
        """Return the sensors, of one patient or all."""
        rows = self.rows(
            "SELECT id, patient, role, address, model, calibration, boots, updated_ns "
            "FROM device WHERE :patient IS NULL OR patient = :patient ORDER BY id",
            {"patient": patient},
        )
        return [Device(a, b, c, d, e, json.loads(f), g, h) for a, b, c, d, e, f, g, h in rows]

    def remove_device(self, device_id: str) -> None:
        """Forget a sensor; what it recorded stays."""
        self.change("DELETE FROM device WHERE id = :id", {"id": device_id})

    def next_boot(self, device_id: str) -> int:
        """Count one start of a virtual sensor and return the new boot counter, from 1."""
        with self.lock, folder_errors(self.folder), transaction(self.connection):
            self.connection.execute(
                "INSERT INTO device(id, boots, updated_ns) VALUES (?, 1, ?) "
                "ON CONFLICT(id) DO UPDATE SET boots = boots + 1",
                (device_id, time.time_ns()),
            )
            row = self.connection.execute(
                "SELECT boots FROM device WHERE id = ?", (device_id,)
            ).fetchone()
        return int(row[0])

    def start_wear(
        self,
        patient: str,
        start_ns: int,
        *,
        alignment_id: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> int:
        """Begin a wear session, ending an open one; return its id."""
        self.patient(patient)
        with self.lock, folder_errors(self.folder), transaction(self.connection):
            self.connection.execute(
                "UPDATE wear_session SET end_ns = max(start_ns, ?) "
                "WHERE patient = ? AND end_ns IS NULL",
                (start_ns, patient),
            )
            cursor = self.connection.execute(
                "INSERT INTO wear_session(patient, start_ns, end_ns, alignment_id, detail) "
                "VALUES (?, ?, NULL, ?, ?)",
                (patient, start_ns, alignment_id, _json(detail or {})),
            )
        return int(cursor.lastrowid or 0)

    def end_wear(self, session_id: int, end_ns: int) -> None:
        """End a wear session."""
        self.change(
            "UPDATE wear_session SET end_ns = :end WHERE id = :id",
            {"id": session_id, "end": end_ns},
        )

    def remove_wear(self, session_id: int) -> None:
        """Take a wear session back, as where its calibration was made again at once."""
        self.change("DELETE FROM wear_session WHERE id = :id", {"id": session_id})

    def set_wear_alignment(self, session_id: int, alignment_id: str) -> None:
        """Say which calibration a wear session uses."""
        self.change(
            "UPDATE wear_session SET alignment_id = :alignment WHERE id = :id",
            {"id": session_id, "alignment": alignment_id},
        )

    def wear_sessions(self, patient: str, t0_ns: int = 0, t1_ns: int = 2**62) -> list[WearSession]:
        """Return the wear sessions that touch [t0, t1), by start."""
        rows = self.rows(
            "SELECT id, patient, start_ns, end_ns, alignment_id, detail FROM wear_session "
            "WHERE patient = :patient AND start_ns < :t1 AND (end_ns IS NULL OR end_ns > :t0) "
            "ORDER BY start_ns, id",
            {"patient": patient, "t0": t0_ns, "t1": t1_ns},
        )
        return [WearSession(a, b, c, d, e, json.loads(f)) for a, b, c, d, e, f in rows]

    def save_alignment(self, alignment: StoredAlignment) -> None:
        """Store a calibration."""
        self.patient(alignment.patient)
        self.change(
            "INSERT OR REPLACE INTO alignment VALUES (:patient, :id, :n_id, :since, :body)",
            {
                "patient": alignment.patient,
                "id": alignment.id,
                "n_id": alignment.n_id,
                "since": alignment.valid_from_ns,
                "body": _json(alignment.body),
            },
        )

    def alignments(self, patient: str) -> list[StoredAlignment]:
        """Return the patient's calibrations, oldest first."""
        rows = self.rows(
            "SELECT patient, id, n_id, valid_from_ns, body FROM alignment "
            "WHERE patient = :patient ORDER BY valid_from_ns, id",
            {"patient": patient},
        )
        return [StoredAlignment(a, b, c, d, json.loads(e)) for a, b, c, d, e in rows]

    def alignment_at(self, patient: str, t_ns: int) -> StoredAlignment | None:
        """Return the calibration in force at a time, or None."""
        held = [a for a in self.alignments(patient) if a.valid_from_ns <= t_ns]
        return held[-1] if held else None

    def add_span(
        self,
        patient: str,
        kind: str,
        start_ns: int,
        end_ns: int,
        *,
        sigma_deg: float | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> int:
        """Write down a labelled stretch such as ``neutral_pose``; return its id."""
        if end_ns < start_ns:
            raise CatalogError("a span cannot end before it starts")
        self.patient(patient)
        return self.change(
            "INSERT INTO span_event(patient, kind, start_ns, end_ns, sigma_deg, detail) "
            "VALUES (:patient, :kind, :start, :end, :sigma, :detail)",
            {
                "patient": patient,
                "kind": kind,
                "start": start_ns,
                "end": end_ns,
                "sigma": sigma_deg,
                "detail": _json(detail or {}),
            },
        )

    def spans(
        self, patient: str, t0_ns: int = 0, t1_ns: int = 2**62, *, kind: str | None = None
    ) -> list[SpanEvent]:
        """Return labelled stretches that begin in [t0, t1), by start."""
        rows = self.rows(
            "SELECT id, patient, kind, start_ns, end_ns, sigma_deg, detail FROM span_event "
            "WHERE patient = :patient AND start_ns >= :t0 AND start_ns < :t1 "
            "AND (:kind IS NULL OR kind = :kind) ORDER BY start_ns, id",
            {"patient": patient, "t0": t0_ns, "t1": t1_ns, "kind": kind},
        )
        return [SpanEvent(a, b, c, d, e, f, json.loads(g)) for a, b, c, d, e, f, g in rows]

    def next_pose(self, patient: str, after_ns: int) -> SpanEvent | None:
        """Return the first pose that begins after a time, held or of a calibration."""
        rows = self.rows(
            "SELECT id, patient, kind, start_ns, end_ns, sigma_deg, detail FROM span_event "
            "WHERE patient = :patient AND start_ns > :after AND kind LIKE '%\\_pose' ESCAPE '\\' "
            "ORDER BY start_ns, id LIMIT 1",
            {"patient": patient, "after": after_ns},
        )
        return next(
            (SpanEvent(a, b, c, d, e, f, json.loads(g)) for a, b, c, d, e, f, g in rows), None
        )

    def remove_span(self, span_id: int) -> None:
        """Take a labelled stretch back."""
        self.change("DELETE FROM span_event WHERE id = :id", {"id": span_id})

    def setting(self, scope: str, key: str) -> Any:
        """Return a stored setting (a JSON value), None where it was never set."""
        rows = self.rows(
            "SELECT value FROM setting WHERE scope = :scope AND key = :key",
            {"scope": scope, "key": key},
        )
        return json.loads(rows[0][0]) if rows else None

    def settings(self, scope: str) -> dict[str, Any]:
        """Return all settings of a scope."""
        rows = self.rows(
            "SELECT key, value FROM setting WHERE scope = :scope ORDER BY key", {"scope": scope}
        )
        return {key: json.loads(value) for key, value in rows}

    def set_setting(self, scope: str, key: str, value: Any) -> None:
        """Store a setting."""
        self.change(
            "INSERT OR REPLACE INTO setting VALUES (:scope, :key, :value)",
            {"scope": scope, "key": key, "value": json.dumps(value, sort_keys=True)},
        )

    def audit(self, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> None:
        """Write down who did what; entries are never changed or deleted."""
        self.change(
            "INSERT INTO audit(at_ns, actor, action, subject, detail) "
            "VALUES (:now, :actor, :action, :subject, :detail)",
            {
                "now": time.time_ns(),
                "actor": actor,
                "action": action,
                "subject": subject,
                "detail": _json(detail),
            },
        )

    def audit_log(self) -> list[tuple[int, str, str, str, dict[str, Any]]]:
        """Return (at_ns, actor, action, subject, detail), oldest first."""
        rows = self.rows("SELECT at_ns, actor, action, subject, detail FROM audit ORDER BY id", {})
        return [(r[0], r[1], r[2], r[3], json.loads(r[4])) for r in rows]

    def audit_entries(
        self, *, before: int = 2**62, limit: int = 100, subject: str | None = None
    ) -> list[AuditEntry]:
        """Return entries with an id below `before`, newest first, of one subject or of all."""
        rows = self.rows(
            "SELECT id, at_ns, actor, action, subject, detail FROM audit WHERE id < :before "
            "AND (:subject IS NULL OR subject = :subject) ORDER BY id DESC LIMIT :limit",
            {"before": before, "subject": subject, "limit": limit},
        )
        return [AuditEntry(a, b, c, d, e, json.loads(f)) for a, b, c, d, e, f in rows]


def new_id() -> str:
    """Return a new random id, for entries that travel between home and clinic."""
    return uuid.uuid4().hex


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), sort_keys=True)
