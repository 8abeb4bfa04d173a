"""The book kept beside all results: versions, provenance, saved states, texts. SQLite always."""

import json
import threading
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Final

from storage.database import folder_errors, open_database, transaction
from storage.errors import ResultStoreError

_COMPACT: Final = json.JSONEncoder(separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class AlgorithmRow:
    """One version of a patient's results."""

    patient: str
    algo: str
    version: str
    params_hash: str
    params: Mapping[str, Any]
    created_ns: int
    complete: bool
    """Covers the whole record (a reprocessing that is under way does not)."""
    current: bool
    """The version that is read when none is named."""


@dataclass(frozen=True, slots=True)
class DayProvenance:
    """Where a day's results come from."""

    day_ns: int
    zone: str
    alignment_ids: tuple[str, ...]
    notes: Mapping[str, Any] = field(default_factory=dict)


class ResultBook:
    """Versions, provenance and cursors of one data folder. Thread-safe."""

    def __init__(self, data_dir: Path | str) -> None:
        """Open the folder's database, created where missing."""
        self.folder = Path(data_dir)
        self.connection = open_database(self.folder, create=True)
        self.lock = threading.RLock()
        """Held around every use of `connection`."""

    def close(self) -> None:
        """Close the database."""
        with self.lock:
            self.connection.close()

    def register(
        self,
        patient: str,
        algo: str,
        *,
        version: str = "",
        params_hash: str = "",
        params: Mapping[str, Any] | None = None,
        complete: bool = True,
    ) -> None:
        """Name a version of a patient's results; the first one becomes current.

        Registering again updates the description and leaves what is current alone.
        """
        with self.lock, folder_errors(self.folder), transaction(self.connection):
            self.connection.execute(
                "INSERT INTO algorithm(patient, algo, version, params_hash, params, created_ns, "
                "complete, current) VALUES (?, ?, ?, ?, ?, ?, ?, NOT EXISTS("
                "SELECT 1 FROM algorithm WHERE patient = ? AND current = 1)) "
                "ON CONFLICT(patient, algo) DO UPDATE SET version = excluded.version, "
                "params_hash = excluded.params_hash, params = excluded.params, "
                "complete = excluded.complete",
                (
                    patient,
                    algo,
                    version,
                    params_hash,
                    json.dumps(dict(params or {}), sort_keys=True),
                    time.time_ns(),
                    int(complete),
                    patient,
                ),
            )

    def algorithms(self, patient: str) -> list[AlgorithmRow]:
        """Return the patient's versions, oldest first."""
        with self.lock, folder_errors(self.folder):
            rows = self.connection.execute(
                "SELECT patient, algo, version, params_hash, params, created_ns, complete, "
                "current FROM algorithm WHERE patient = ? ORDER BY created_ns, algo",
                (patient,),
            ).fetchall()
        return [
            AlgorithmRow(
                r[0],
                r[1],
                r[2],
                r[3],
                json.loads(r[4]),
                r[5],
                complete=bool(r[6]),
                current=bool(r[7]),
            )
            for r in rows
        ]

    def current(self, patient: str) -> str | None:
        """Return the version that is read when none is named; None where there is none."""
        with self.lock, folder_errors(self.folder):
            row = self.connection.execute(
                "SELECT algo FROM algorithm WHERE patient = ? AND current = 1", (patient,)
            ).fetchone()
        return None if row is None else str(row[0])

    def switch(self, patient: str, algo: str) -> None:
        """Make a version current, at one instant for every reader.

        Raises
        ------
        ResultStoreError
            There is no such version.
        """
        with self.lock, folder_errors(self.folder), transaction(self.connection):
            known = self.connection.execute(
                "SELECT 1 FROM algorithm WHERE patient = ? AND algo = ?", (patient, algo)
            ).fetchone()
            if known is None:
                raise ResultStoreError(
                    f"patient {patient} has no results of version {algo}; run "
                    "`necktrace reprocess` to make them"
                )
            self.connection.execute(
                "UPDATE algorithm SET current = (algo = ?), complete = max(complete, algo = ?) "
                "WHERE patient = ?",
                (algo, algo, patient),
            )

    def set_provenance(self, patient: str, algo: str, rows: Sequence[DayProvenance]) -> None:
        """Write down where days come from, replacing what stood there."""
        with self.lock, folder_errors(self.folder), transaction(self.connection):
            self.connection.executemany(
                "INSERT OR REPLACE INTO provenance VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (
                        patient,
                        algo,
                        int(row.day_ns),
                        row.zone,
                        json.dumps(list(row.alignment_ids)),
                        json.dumps(dict(row.notes), sort_keys=True),
                    )
                    for row in rows
                ],
            )

    def provenance(
        self, patient: str, t0_ns: int, t1_ns: int, *, algo: str | None = None
    ) -> list[DayProvenance]:
        """Return where the days of [t0, t1) come from."""
        with self.lock, folder_errors(self.folder):
            name = algo or self.current(patient)
            rows = self.connection.execute(
                "SELECT day_ns, zone, alignment_ids, notes FROM provenance WHERE patient = ? "
                "AND algo = ? AND day_ns >= ? AND day_ns < ? ORDER BY day_ns",
                (patient, name, t0_ns, t1_ns),
            ).fetchall()
        return [DayProvenance(r[0], r[1], tuple(json.loads(r[2])), json.loads(r[3])) for r in rows]

    def cursor(self, patient: str, algo: str, key: str) -> bytes | None:
        """Return the saved processing state that was last stored with a batch."""
        with self.lock, folder_errors(self.folder):
            row = self.connection.execute(
                "SELECT value FROM cursor WHERE patient = ? AND algo = ? AND key = ?",
                (patient, algo, key),
            ).fetchone()
        return None if row is None else bytes(row[0])

    def cursors(self, patient: str, algo: str) -> list[str]:
        """Return the keys of the saved processing states."""
        with self.lock, folder_errors(self.folder):
            rows = self.connection.execute(
                "SELECT key FROM cursor WHERE patient = ? AND algo = ? "
                "AND key NOT LIKE 'written_until/%' ORDER BY key",
                (patient, algo),
            ).fetchall()
        return [str(row[0]) for row in rows]


def ensure_version(connection: Connection, patient: str, algo: str) -> None:
    """Name a version that results arrive for unannounced, inside the caller's transaction."""
    connection.execute(
        "INSERT OR IGNORE INTO algorithm(patient, algo, version, params_hash, params, created_ns, "
        "complete, current) VALUES (?, ?, '', '', '{}', ?, 1, NOT EXISTS("
        "SELECT 1 FROM algorithm WHERE patient = ? AND current = 1))",
        (patient, algo, time.time_ns(), patient),
    )


def written_as(connection: Connection, patient: str, algo: str) -> str:
    """Return the version that results of an algorithm join: the one reprocessing made current.

    Reprocessing names its versions after the algorithm's id, a point and a number, and live
    processing goes on under the id alone.
    """
    row = connection.execute(
        "SELECT algo FROM algorithm WHERE patient = ? AND current = 1", (patient,)
    ).fetchone()
    return str(row[0]) if row is not None and str(row[0]).startswith(f"{algo}.") else algo


def save_cursor(
    connection: Connection, patient: str, algo: str, cursor: tuple[str, bytes] | None
) -> None:
    """Store a processing state inside the caller's transaction."""
    if cursor is not None:
        connection.execute(
            "INSERT OR REPLACE INTO cursor VALUES (?, ?, ?, ?, ?)",
            (patient, algo, cursor[0], cursor[1], time.time_ns()),
        )


def save_texts(
    connection: Connection,
    patient: str,
    algo: str,
    tier: str,
    rows: Iterable[tuple[int, str, Mapping[str, Any]]],
) -> None:
    """Store texts by (t_ns, key) inside the caller's transaction."""
    connection.executemany(
        "INSERT OR REPLACE INTO result_text VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                patient,
                algo,
                tier,
                int(t_ns),
                key,
                zlib.compress(_COMPACT.encode(body).encode(), 6),
            )
            for t_ns, key, body in rows
        ],
    )


def load_texts(
    connection: Connection, patient: str, algo: str, tier: str, t0_ns: int, t1_ns: int
) -> dict[tuple[int, str], dict[str, Any]]:
    """Return texts of [t0, t1) by (t_ns, key)."""
    return {
        (int(t_ns), str(key)): json.loads(zlib.decompress(body))
        for t_ns, key, body in connection.execute(
            "SELECT t_ns, key, body FROM result_text WHERE patient = ? AND algo = ? "
            "AND tier = ? AND t_ns >= ? AND t_ns < ?",
            (patient, algo, tier, t0_ns, t1_ns),
        )
    }


def delete_texts(connection: Connection, patient: str, algo: str, t0_ns: int, t1_ns: int) -> None:
    """Delete texts of [t0, t1) inside the caller's transaction."""
    connection.execute(
        "DELETE FROM result_text WHERE patient = ? AND algo = ? AND t_ns >= ? AND t_ns < ?",
        (patient, algo, t0_ns, t1_ns),
    )


_BOOK_TABLES = ("algorithm", "provenance", "cursor", "result_text")


def forget_algorithm(connection: Connection, patient: str, algo: str) -> None:
    """Delete a version's rows of the book inside the caller's transaction.

    Raises
    ------
    ResultStoreError
        The version is current.
    """
    row = connection.execute(
        "SELECT current FROM algorithm WHERE patient = ? AND algo = ?", (patient, algo)
    ).fetchone()
    if row is not None and row[0]:
        raise ResultStoreError(
            f"version {algo} of patient {patient} is the current one; switch to another first"
        )
    for table in _BOOK_TABLES:
        connection.execute(
            f"DELETE FROM {table} WHERE patient = ? AND algo = ?",  # noqa: S608  # constants
            (patient, algo),
        )


def forget_patient(connection: Connection, patient: str) -> None:
    """Delete all of a patient's rows of the book inside the caller's transaction."""
    for table in _BOOK_TABLES:
        connection.execute(f"DELETE FROM {table} WHERE patient = ?", (patient,))  # noqa: S608  # constants
