"""Backup of a data folder while it records, and restore into an empty one.

The database is copied first, by SQLite's own online backup; the segments that this copy names are
immutable, so copying them afterwards gives one consistent instant. A second backup into the same
folder copies only what is new.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from storage.database import DATABASE, folder_errors, make_private, open_for_reading
from storage.errors import BackupError, NotARecordError
from storage.full_rate import full_rate_paths
from storage.record.segments import sync_folder
from storage.record.verify import verify
from storage.schema import SCHEMA_VERSION

NOTE: Final = "backup.json"
Progress = Callable[[int, int], None]
"""Told (files done, files in all)."""


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What a backup or restore did."""

    folder: str
    schema_version: int
    taken_ns: int
    segments: int
    """Segment files it holds."""
    derived_files: int
    bytes: int
    copied_files: int
    """Of these, copied now; the others were there."""
    missing: tuple[str, ...]
    """Segments that the source could not give (damaged, or deleted meanwhile)."""


def backup(
    data_dir: Path | str, target: Path | str, *, progress: Progress | None = None
) -> BackupReport:
    """Copy a data folder, also while a collector records into it.

    Parameters
    ----------
    data_dir, target : path
        `target` is created; an earlier backup of the same folder in it is brought up to date.
    progress : callable, optional

    Raises
    ------
    NotARecordError, DiskFullError, ReadOnlyFolderError
    BackupError
        `target` holds something that is no backup.
    """
    source, folder = Path(data_dir), Path(target)
    if folder.exists() and any(folder.iterdir()) and not (folder / NOTE).exists():
        raise BackupError(f"{folder} holds something that is no backup; choose an empty folder")
    if not (source / DATABASE).exists():
        raise NotARecordError(source)
    with folder_errors(folder):
        make_private(folder)
        taken_ns = time.time_ns()
        # The note comes first: an interrupted backup can be continued.
        (folder / NOTE).write_text(json.dumps({"taken_ns": taken_ns, "complete": False}))
        _copy_database(source, folder)
        files, derived = _listed(folder)
        report = _copy_files(source, folder, files, derived, taken_ns, progress)
        _drop_strangers(folder, {*files, *derived})
        (folder / NOTE).write_text(json.dumps({**asdict(report), "complete": True}, indent=2))
    return report


def restore(
    source: Path | str, data_dir: Path | str, *, progress: Progress | None = None
) -> BackupReport:
    """Copy a backup into an empty data folder and check every segment.

    Raises
    ------
    BackupError
        `source` is no complete backup, `data_dir` is not empty, or the copy does not verify.
    """
    folder, target = Path(source), Path(data_dir)
    try:
        note = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BackupError(f"{folder} is no backup (no readable {NOTE})") from error
    if not note.get("complete"):
        raise BackupError(f"the backup in {folder} was interrupted; make it again first")
    if target.exists() and any(target.iterdir()):
        raise BackupError(f"{target} is not empty; restore into a new folder")
    with folder_errors(target):
        make_private(target)
        _copy_database(folder, target)
        files, derived = _listed(target)
        report = _copy_files(folder, target, files, derived, note["taken_ns"], progress)
    checked = verify(target, quarantine_damaged=False)
    new = [e for e in checked["errors"] if not any(path in e for path in report.missing)]
    if new:
        raise BackupError(f"the restored folder does not verify: {new[0]}")
    return report


def _copy_database(source: Path, target: Path) -> None:
    connection = open_for_reading(source)
    try:
        tmp = target / f"{DATABASE}.tmp"
        tmp.unlink(missing_ok=True)
        copy = sqlite3.connect(tmp)
        try:
            connection.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        finally:
            copy.close()
    finally:
        connection.close()
    with tmp.open("rb") as file:
        os.fsync(file.fileno())
    for name in (f"{DATABASE}-wal", f"{DATABASE}-shm"):
        (target / name).unlink(missing_ok=True)
    tmp.replace(target / DATABASE)
    sync_folder(target)


def _listed(folder: Path) -> tuple[dict[str, str], list[str]]:
    """Return (segment path: sha256) and the derived files that a folder's database names."""
    connection = sqlite3.connect(f"{(folder / DATABASE).absolute().as_uri()}?mode=ro", uri=True)
    try:
        segments = dict(
            connection.execute("SELECT path, sha256 FROM segment WHERE damaged IS NULL").fetchall()
        )
        derived = full_rate_paths(connection)
    finally:
        connection.close()
    return segments, derived


def _copy_files(
    source: Path,
    target: Path,
    files: dict[str, str],
    derived: list[str],
    taken_ns: int,
    progress: Progress | None,
) -> BackupReport:
    missing: list[str] = []
    size = copied = kept = 0
    total = len(files) + len(derived)
    for number, (path, sha256) in enumerate(files.items(), start=1):
        final = target / path
        if not (final.exists() and _sha256(final) == sha256):
            if not _copy_file(source / path, final, sha256):
                missing.append(path)
                continue
            copied += 1
        size += final.stat().st_size
        if progress is not None:
            progress(number, total)
    for number, path in enumerate(derived, start=len(files) + 1):
        final = target / path
        # Derived files can be made again: one that changed since is no loss.
        if final.exists() or _copy_file(source / path, final, None):
            kept += 1
            size += final.stat().st_size
        if progress is not None:
            progress(number, total)
    return BackupReport(
        folder=str(target),
        schema_version=SCHEMA_VERSION,
        taken_ns=taken_ns,
        segments=len(files) - len(missing),
        derived_files=kept,
        bytes=size,
        copied_files=copied,
        missing=tuple(missing),
    )


def _copy_file(source: Path, final: Path, sha256: str | None) -> bool:
    final.parent.mkdir(parents=True, exist_ok=True)
    tmp = final.with_name(final.name + ".tmp")
    try:
        shutil.copyfile(source, tmp)
    except FileNotFoundError:
        return False
    if sha256 is not None and _sha256(tmp) != sha256:
        tmp.unlink()
        return False
    with tmp.open("rb") as file:
        os.fsync(file.fileno())
    tmp.replace(final)
    sync_folder(final.parent)
    return True


def _drop_strangers(folder: Path, wanted: set[str]) -> None:
    """Delete files of patients and results that were deleted since the last backup."""
    for file in folder.glob("**/*.parquet"):
        if file.relative_to(folder).as_posix() not in wanted:
            file.unlink()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
