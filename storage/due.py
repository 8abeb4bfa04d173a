"""From when on results of a patient are to be made again, because data came in late.

Kept in ``posture.db``, so that it is done even if every process is killed. One process takes what
is due, works, and says that it is finished; what comes in meanwhile is due anew.
"""

from sqlite3 import Connection
from typing import Final

from storage.catalog import Catalog
from storage.database import folder_errors, transaction

DUE: Final = "due_ns"
RUNNING: Final = "due_running_ns"
"""What a run that has not finished took over from `DUE`."""


def mark_within(connection: Connection, patient: str, since_ns: int) -> None:
    """Mark results from a time on as due, inside the caller's transaction."""
    connection.execute(
        "INSERT INTO setting VALUES (?, ?, ?) ON CONFLICT(scope, key) DO UPDATE "
        "SET value = min(CAST(value AS INTEGER), CAST(excluded.value AS INTEGER))",
        (f"patient/{patient}", DUE, str(since_ns)),
    )


def mark_due(catalog: Catalog, patient: str, since_ns: int) -> None:
    """Mark results from a time on as due."""
    with catalog.lock, folder_errors(catalog.folder), transaction(catalog.connection):
        mark_within(catalog.connection, patient, since_ns)


def is_due(catalog: Catalog, patient: str) -> bool:
    """Return whether results are to be made again, or a run was not finished."""
    return bool(
        catalog.rows(
            "SELECT 1 FROM setting WHERE scope = :scope AND key IN (:due, :running)",
            {"scope": f"patient/{patient}", "due": DUE, "running": RUNNING},
        )
    )


def take_due(catalog: Catalog, patient: str) -> int | None:
    """Return from when on to work, first what an unfinished run took; None where nothing is due."""
    scope = f"patient/{patient}"
    with catalog.lock, folder_errors(catalog.folder), transaction(catalog.connection):
        catalog.connection.execute(
            "INSERT OR IGNORE INTO setting SELECT scope, ?, value FROM setting "
            "WHERE scope = ? AND key = ? AND NOT EXISTS("
            "SELECT 1 FROM setting WHERE scope = ? AND key = ?)",
            (RUNNING, scope, DUE, scope, RUNNING),
        )
        row = catalog.connection.execute(
            "SELECT CAST(value AS INTEGER), value = (SELECT value FROM setting "
            "WHERE scope = ? AND key = ?) FROM setting WHERE scope = ? AND key = ?",
            (scope, DUE, scope, RUNNING),
        ).fetchone()
        if row is None:
            return None
        if row[1]:
            catalog.connection.execute(
                "DELETE FROM setting WHERE scope = ? AND key = ?", (scope, DUE)
            )
    return int(row[0])


def finish_due(catalog: Catalog, patient: str) -> None:
    """Say that what was taken is done."""
    catalog.change(
        "DELETE FROM setting WHERE scope = :scope AND key = :key",
        {"scope": f"patient/{patient}", "key": RUNNING},
    )
