"""What can be wrong with a recording that somebody hands in."""

from storage.errors import StorageError


class ImportFormatError(StorageError, ValueError):
    """The recording cannot be read as it stands; the message says what, where and the remedy."""
