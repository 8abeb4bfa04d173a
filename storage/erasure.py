"""Deleting a patient: every trace but a tombstone in the audit log."""

import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection
from typing import Final

from storage.database import DATABASE, folder_errors, open_database, transaction
from storage.errors import CatalogError
from storage.making import nobody_makes_results
from storage.record.erasing import ERASING, finish_erasing
from storage.record.lock import WriterLock
from storage.record.segments import path_part
from storage.record.writer import RecordWriter
from storage.results import ResultStore

_SERVER_S: Final = 10.0
_EMBEDDED: Final = ("angle_minute", "summary", "episode", "cell")
"""Left over from before a server was configured."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What was deleted."""

    tombstone: str
    """The id under which the audit log remembers the deletion: a hash, not the pseudonym."""
    samples: int
    segments: int


def tombstone_of(patient: str) -> str:
    """Return the id that stands for a deleted patient in the audit log."""
    return "erased-" + hashlib.sha256(f"necktrace:{patient}".encode()).hexdigest()[:16]


def erase_patient(
    data_dir: Path | str,
    patient: str,
    *,
    actor: str,
    results: ResultStore,
    writer: RecordWriter | None = None,
) -> Erased:
    """Delete a patient's record, results, catalogue entries and files.

    Parameters
    ----------
    data_dir : path
    patient : str
    actor : str
        Who asked for it, for the audit log.
    results : ResultStore
        The configured store: what it keeps on a server goes too.
    writer : RecordWriter, optional
        The collector of this process, told to drop the patient's streams. Without it the writer
        lock is taken, so that no other process records meanwhile.

    Raises
    ------
    CatalogError
        There is no such patient.
    WriterLockedError
        Another process records into the folder: stop it first.
    MakingError
        Another process makes results: what it wrote afterwards would stay.
    """
    folder = Path(data_dir)
    with nobody_makes_results(folder):
        return _erase_alone(folder, patient, actor, results, writer)


def _erase_alone(
    folder: Path, patient: str, actor: str, results: ResultStore, writer: RecordWriter | None
) -> Erased:
    lock = WriterLock(folder) if writer is None else None
    try:
        if writer is not None:
            writer.forget(patient)
        connection = open_database(folder)
        try:
            with folder_errors(folder):
                erased = _erase(connection, patient, actor, lambda: results.delete_patient(patient))
                finish_erasing(connection, folder)
                # The deletions on a server carry the pseudonym until they are delivered.
                results.drain(_SERVER_S)
                # Deleted rows must not linger in free pages, the log, or copies of migrations.
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                for copy in folder.glob(f"{DATABASE}.before-v*"):
                    copy.unlink()
        finally:
            connection.close()
        # uploads that were not finished may be this patient's; any other begins again
        shutil.rmtree(folder / "incoming", ignore_errors=True)
    finally:
        if lock is not None:
            lock.release()
    return erased


def _erase(
    connection: Connection, patient: str, actor: str, forget_results: Callable[[], None]
) -> Erased:
    known = connection.execute(
        "SELECT EXISTS(SELECT 1 FROM patient WHERE id = ?) OR EXISTS("
        "SELECT 1 FROM stream WHERE patient = ?) OR EXISTS("
        "SELECT 1 FROM algorithm WHERE patient = ?)",
        (patient, patient, patient),
    ).fetchone()[0]
    if not known:
        raise CatalogError(f"there is no patient {patient!r} in this data folder")
    samples, segments = connection.execute(
        "SELECT coalesce(sum(acknowledged), 0), (SELECT count(*) FROM segment g "
        "JOIN stream s ON s.id = g.stream WHERE s.patient = ?) FROM stream WHERE patient = ?",
        (patient, patient),
    ).fetchone()
    label = [
        str(row[0])
        for row in connection.execute("SELECT label FROM patient WHERE id = ?", (patient,))
    ]
    forget_results()
    tombstone = tombstone_of(patient)
    connection.execute("PRAGMA secure_delete=ON")
    with transaction(connection):
        connection.execute(
            "INSERT OR REPLACE INTO setting VALUES (?, ?, 'true')", (ERASING, path_part(patient))
        )
        connection.execute("DELETE FROM stream WHERE patient = ?", (patient,))
        for table in _EMBEDDED:
            connection.execute(f"DELETE FROM {table} WHERE patient = ?", (patient,))  # noqa: S608  # constants
        connection.execute(
            "UPDATE device SET calibration = '{}', role = NULL WHERE patient = ?", (patient,)
        )
        connection.execute("DELETE FROM patient WHERE id = ?", (patient,))
        connection.execute("DELETE FROM setting WHERE scope = ?", (f"patient/{patient}",))
        connection.execute(
            "UPDATE audit SET subject = ?, detail = '{}' WHERE subject = ?", (tombstone, patient)
        )
        _rename(connection, [patient, *label], tombstone)
        connection.execute(
            "INSERT INTO audit(at_ns, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?)",
            (
                time.time_ns(),
                actor,
                "erase",
                tombstone,
                json.dumps({"samples": samples, "segments": segments}),
            ),
        )
    return Erased(tombstone, int(samples), int(segments))


def _rename(connection: Connection, names: Sequence[str], tombstone: str) -> None:
    """Put the tombstone where people wrote the name, such as into the label of a token."""
    written = {form for name in names if name for form in (name, json.dumps(name)[1:-1])}
    if not written:
        return
    longest_first = sorted(written, key=len, reverse=True)
    whole_words = "|".join(rf"(?<!\w){re.escape(form)}(?!\w)" for form in longest_first)
    pattern = re.compile(whole_words, re.IGNORECASE)
    for row, label in connection.execute("SELECT id, label FROM token").fetchall():
        told = pattern.sub(tombstone, label)
        if told != label:
            connection.execute("UPDATE token SET label = ? WHERE id = ?", (told, row))
    for row, detail in connection.execute("SELECT id, detail FROM audit").fetchall():
        if pattern.search(detail):  # the log allows no change but this one
            connection.execute(
                "UPDATE audit SET subject = ?, detail = '{}' WHERE id = ?", (tombstone, row)
            )
