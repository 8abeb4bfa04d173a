"""Errors of the storage layer.

StorageError
├── FolderError               the data folder cannot be used as it is
│   ├── WriterLockedError     another process records into this folder
│   ├── ReadOnlyFolderError   the folder or a file in it cannot be written
│   ├── MakingError           results are being made, or a patient is being deleted
│   ├── DiskFullError         no space left (or a quota is used up)
│   └── NotARecordError       there is no record in this folder
├── SchemaError               the record was written by another version
│   ├── NewerSchemaError      ... by a newer one: refused
│   └── MigrationError        ... by an older one, and bringing it up to date failed
├── RecordError               the content of the record or a call on it is wrong
│   ├── StreamConflictError   a packet or a description does not fit the stream
│   ├── UnknownStreamError    no such stream
│   └── CorruptSegmentError   a sealed file does not match the manifest
├── CatalogError              a patient, device or other entry is missing or contradicts another
├── ResultStoreError          results cannot be stored or read
│   ├── ServerUnreachableError   InfluxDB does not answer
│   ├── ServerRefusedError       InfluxDB answers, and refuses
│   └── ServerSetupError         token, organisation, bucket, retention or version is wrong
├── ImportRecordError         another record cannot be taken over
└── BackupError               a backup cannot be made or restored

Every message is a sentence that says what to do.
"""

from pathlib import Path


class StorageError(Exception):
    """Root of all errors raised by `storage`."""


class FolderError(StorageError):
    """The data folder cannot be used as it is."""

    def __init__(self, message: str, folder: Path) -> None:
        super().__init__(message)
        self.folder = folder


class WriterLockedError(FolderError):
    """Another process holds the folder's writer lock."""

    def __init__(self, folder: Path, pid: int | None, since: str, command: str) -> None:
        who = f"process {pid} ({command}), since {since}" if pid else "another process"
        super().__init__(
            f"{folder} is being recorded into by {who}; stop that process or choose another "
            "data folder (reading commands work beside it)",
            folder,
        )
        self.pid = pid
        self.since = since
        self.command = command


class MakingError(FolderError):
    """Results are being made while a patient shall be deleted, or the other way round."""


class ReadOnlyFolderError(FolderError):
    """The data folder cannot be written."""

    def __init__(self, folder: Path, detail: str = "") -> None:
        extra = f" ({detail})" if detail else ""
        super().__init__(
            f"{folder} cannot be written{extra}; give this user write access to the folder or "
            "choose another with --data-dir",
            folder,
        )


class DiskFullError(FolderError):
    """No space is left for the record."""

    def __init__(self, folder: Path, detail: str = "") -> None:
        extra = f" ({detail})" if detail else ""
        super().__init__(
            f"no space left in {folder}{extra}; free some space: recording goes on by itself, "
            "what is already committed is safe",
            folder,
        )


class NotARecordError(FolderError):
    """The folder holds no record."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} holds no necktrace record (no posture.db); check --data-dir, or record "
            "or import something first",
            folder,
        )


class SchemaError(StorageError):
    """The record's schema version is not this program's."""

    def __init__(self, message: str, found: int, supported: int) -> None:
        super().__init__(message)
        self.found = found
        self.supported = supported


class NewerSchemaError(SchemaError):
    """The record was written by a newer program."""

    def __init__(self, folder: Path, found: int, supported: int) -> None:
        super().__init__(
            f"the record in {folder} has schema version {found}, this program knows up to "
            f"{supported}; install the newer necktrace that wrote it (nothing was changed)",
            found,
            supported,
        )


class MigrationError(SchemaError):
    """An older record could not be brought up to date; the copy made first is untouched."""


class RecordError(StorageError):
    """The content of the record, or a call on it, is wrong."""


class StreamConflictError(RecordError):
    """A packet or a description does not fit the stream."""


class UnknownStreamError(RecordError):
    """No stream has this id."""

    def __init__(self, stream_id: int) -> None:
        super().__init__(f"there is no stream {stream_id} in this record; open it first")
        self.stream_id = stream_id


class CorruptSegmentError(RecordError):
    """A sealed file does not match the manifest."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"segment {path} is damaged ({reason}); run `necktrace verify`, and restore that "
            "file from a backup"
        )
        self.path = path
        self.reason = reason


class CatalogError(StorageError):
    """A catalogue entry is missing or contradicts another."""


class ResultStoreError(StorageError):
    """Results cannot be stored or read."""


class ServerUnreachableError(ResultStoreError):
    """InfluxDB does not answer; what is written waits in the outbox."""


class ServerRefusedError(ResultStoreError):
    """InfluxDB answered with an error that a retry does not cure."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class ServerSetupError(ResultStoreError):
    """Token, organisation, bucket, retention or version of InfluxDB is wrong."""


class ImportRecordError(StorageError):
    """Another record cannot be taken over."""


class BackupError(StorageError):
    """A backup cannot be made or restored."""
