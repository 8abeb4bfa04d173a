"""Opening ``posture.db``: version check, copy-first migration, and errors with a remedy."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage import schema
from storage.errors import (
    DiskFullError,
    FolderError,
    MigrationError,
    NewerSchemaError,
    NotARecordError,
    ReadOnlyFolderError,
)

DATABASE = "posture.db"
_BUSY_S = 20.0
_FULL_ERRNO = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DENIED_ERRNO = (errno.EROFS, errno.EACCES, errno.EPERM)
_NEARLY_NOTHING_BYTES = 1 << 20
_LOG_BYTES = 16 << 20
"""What the write-ahead log may keep on disk after a burst."""


@contextmanager
def folder_errors(folder: Path) -> Iterator[None]:
    """Turn errors of SQLite and the file system into ones that name the folder and the remedy."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name.startswith("SQLITE_FULL") or (
            name.startswith("SQLITE_IOERR") and _nearly_full(folder)
        ):
            raise DiskFullError(folder, str(error)) from error
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            raise ReadOnlyFolderError(folder, str(error)) from error
        if name in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
            raise FolderError(
                f"{folder / DATABASE} is damaged ({error}); restore the folder from a backup: "
                "sealed segments under raw/ are untouched",
                folder,
            ) from error
        raise
    except OSError as error:
        if error.errno in _FULL_ERRNO:
            raise DiskFullError(folder, os.strerror(error.errno)) from error
        if error.errno in _DENIED_ERRNO:
            raise ReadOnlyFolderError(folder, os.strerror(error.errno)) from error
        raise


def open_database(folder: Path, *, create: bool = False) -> sqlite3.Connection:
    """Open the folder's database for reading and writing.

    Parameters
    ----------
    folder : Path
        Data folder.
    create : bool
        Create folder and database where missing.

    Returns
    -------
    sqlite3.Connection
        Autocommit; WAL, ``synchronous=FULL``; usable from any thread under the caller's lock.

    Raises
    ------
    NotARecordError, ReadOnlyFolderError, DiskFullError, NewerSchemaError, MigrationError
    """
    path = folder / DATABASE
    with folder_errors(folder):
        if not path.exists():
            if not create:
                raise NotARecordError(folder)
            make_private(folder)
        connection = _connect(f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}")
        try:
            _prepare(connection, folder)
        except BaseException:
            connection.close()
            raise
    return connection


def open_for_reading(folder: Path) -> sqlite3.Connection:
    """Open the database without ever writing to it; works in a read-only folder.

    An older record is migrated (copy first) where the folder allows it.
    """
    path = folder / DATABASE
    if not path.exists():
        raise NotARecordError(folder)
    if os.access(folder, os.W_OK) and os.access(path, os.W_OK):
        try:
            connection = open_database(folder)
        except (ReadOnlyFolderError, DiskFullError):
            pass
        else:
            connection.execute("PRAGMA query_only=ON")
            return connection
    # Nobody can write here, so a snapshot is safe; WAL cannot be opened without its -shm file.
    wal = path.with_name(path.name + "-wal")
    mode = "mode=ro" if wal.exists() and wal.stat().st_size else "mode=ro&immutable=1"
    with folder_errors(folder):
        connection = _connect(f"{path.absolute().as_uri()}?{mode}")
        found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found > schema.SCHEMA_VERSION:
        connection.close()
        raise NewerSchemaError(folder, found, schema.SCHEMA_VERSION)
    if found < schema.SCHEMA_VERSION:
        connection.close()
        raise ReadOnlyFolderError(folder, "its record is of an older version and must be migrated")
    return connection


def make_private(folder: Path) -> None:
    """Create a data folder that only its owner can enter; one that exists stays as it is."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the body in one immediate transaction; roll back on any exception."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Give several reads one consistent view; keep it short, it holds back the WAL."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri, uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA foreign_keys=ON")
    return connection


def _prepare(connection: sqlite3.Connection, folder: Path) -> None:
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found > schema.SCHEMA_VERSION:
        raise NewerSchemaError(folder, found, schema.SCHEMA_VERSION)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA journal_size_limit={_LOG_BYTES}")
    if found == schema.SCHEMA_VERSION:
        return
    with transaction(connection):
        # Another process may have been faster.
        found = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if found == 0:
            for statement in _statements(schema.TABLES):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={schema.SCHEMA_VERSION}")
            return
    if found < schema.SCHEMA_VERSION:
        _migrate(connection, folder, found)


def _statements(script: str) -> Iterator[str]:
    lines: list[str] = []
    for line in script.splitlines():
        lines.append(line)
        if sqlite3.complete_statement("\n".join(lines)):
            yield "\n".join(lines)
            lines = []


def _migrate(connection: sqlite3.Connection, folder: Path, found: int) -> None:
    copy = folder / f"{DATABASE}.before-v{schema.SCHEMA_VERSION}"
    need = (folder / DATABASE).stat().st_size
    if shutil.disk_usage(folder).free < 2 * need:
        raise DiskFullError(folder, "migrating the record needs room for a copy of posture.db")
    target = sqlite3.connect(copy)
    try:
        connection.backup(target)
    finally:
        target.close()
    try:
        with transaction(connection):
            found = int(connection.execute("PRAGMA user_version").fetchone()[0])
            for version in range(found, schema.SCHEMA_VERSION):
                schema.MIGRATIONS[version](connection)
            connection.execute(f"PRAGMA user_version={schema.SCHEMA_VERSION}")
    except (KeyError, sqlite3.Error) as error:
        raise MigrationError(
            f"the record in {folder} has schema version {found} and could not be brought to "
            f"{schema.SCHEMA_VERSION} ({error!r}); nothing was changed, a copy is in {copy.name}: "
            "report this",
            found,
            schema.SCHEMA_VERSION,
        ) from error


def _nearly_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < _NEARLY_NOTHING_BYTES
    except OSError:
        return False
